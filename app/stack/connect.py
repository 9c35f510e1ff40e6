"""The Temporal client: a configured server, else our own dev server at the address in `stack.json`."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, Plugin
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from app.errors import UserError
from app.settings import Settings
from app.stack.state import load

KEYWORDS = ("OkrId", "OkrRunId", "RelayId", "SessionId", "RunKind", "Outcome")
DOUBLES = ("Progress",)
SEARCH_ATTRIBUTES = {name: "Keyword" for name in KEYWORDS} | {name: "Double" for name in DOUBLES}
_PATIENCE = 10.0


def configured(settings: Settings) -> dict[str, Any]:
    """How to reach the server that a person configured; empty when nobody did.

    `address` of our settings, else `TEMPORAL_*` and Temporal's own profiles (`temporalio.envconfig`).
    """
    found: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    if settings.address:
        found["target_host"] = settings.address
    if not found.get("target_host"):
        return {}
    return {"namespace": settings.namespace, **found}


def local_address(data: Path) -> str:
    """Where our own dev server listens; empty when it was never started."""
    service = load(data).temporal
    return service.address if service else ""


async def connect(settings: Settings, *, plugins: Sequence[Plugin] = (), runtime: Runtime | None = None) -> Client:
    """A connected client. Raises `UserError` (exit 4) that says what to start or correct."""
    options: dict[str, Any] = configured(settings)
    if not options:
        address = local_address(settings.data_dir)
        if not address:
            raise UserError("no Temporal server is configured or running; start the local stack with `ctl up`", 4)
        options = {"target_host": address, "namespace": settings.namespace}
    where: str = options["target_host"]
    try:
        async with asyncio.timeout(_PATIENCE):
            return await Client.connect(**options, plugins=list(plugins), runtime=runtime)
    except (RuntimeError, TimeoutError, RPCError) as error:
        words = str(error).strip().splitlines()
        reason = f": {words[0][:200]}" if words else ""
        raise UserError(
            f"cannot reach Temporal at `{where}`{reason}; start it (`ctl up`) or correct the address", 4
        ) from error


async def check_search_attributes(client: Client) -> None:
    """Refuses a namespace without our search attributes: an upsert of a missing one wedges a workflow."""
    try:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        if error.status in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED):
            return  # a managed service that does not let workers ask
        raise UserError(f"cannot use namespace `{client.namespace}` of Temporal: {error.message}", 4) from error
    missing = [name for name in SEARCH_ATTRIBUTES if name not in answer.custom_attributes]
    if missing:
        words = " ".join(f"--name {name} --type {SEARCH_ATTRIBUTES[name]}" for name in missing)
        raise UserError(
            f"namespace `{client.namespace}` lacks the search attributes {', '.join(missing)}; add them: "
            f"`temporal operator search-attribute create --namespace {client.namespace} {words}`",
            4,
        )


def ui_link(data: Path, namespace: str, workflow_id: str) -> str:
    """The page of a workflow in the Temporal UI of the local stack; empty for another server."""
    base = os.environ.get("TEMPORAL_UI_URL", "")
    service = load(data).temporal
    base = base or (service.ui if service and service.alive else "")
    return f"{base}/namespaces/{namespace}/workflows/{workflow_id}" if base else ""
