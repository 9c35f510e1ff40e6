"""Our own Temporal dev server: durable in `temporal.db`, on loopback, with the settings that make it fast."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from app.errors import UserError
from app.pids import start_time
from app.settings import Settings
from app.stack.connect import SEARCH_ATTRIBUTES
from app.stack.logs import opened_log, tail, without_vault
from app.stack.ports import any_port, kept_port, port_of
from app.stack.state import Service, load, save

PORT, UI_PORT = 7233, 8233
RETENTION_HOURS = 720
_PATIENCE = 40.0
_DYNAMIC = (
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "system.enableActivityEagerExecution=true",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
)
"""Without the first, one busy workflow runs at exactly 20 steps a second."""


def program() -> str:
    """The server's binary: the one that came with us, else the one on PATH."""
    own = Path(sys.executable).parent / "temporal"
    found = str(own) if own.is_file() else shutil.which("temporal")
    if not found:
        raise UserError("the Temporal server `temporal` is not installed; run `make setup`, or install it on PATH", 4)
    return found


def start(settings: Settings) -> Service:
    """Starts the server, detached, and returns once it serves our namespace.

    It keeps the ports it had, where workers and watchers look for it, unless somebody else took them.
    """
    first = _ports(load(settings.data_dir).temporal)
    for ports in (first, first, (any_port(), any_port())):  # one of the ports it chooses itself may be taken meanwhile
        service = _try(settings, *ports)
        if service is not None:
            return service
    raise UserError(f"the Temporal server did not start: {tail(settings.data_dir, 'temporal')}", 4)


def _try(settings: Settings, port: int, ui_port: int) -> Service | None:
    data = settings.data_dir
    with opened_log(data, "temporal") as log:
        process = subprocess.Popen(
            _argv(data, settings.namespace, port, ui_port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=data,
            env=without_vault(),
        )
    service = Service(
        pid=process.pid,
        started=start_time(process.pid),
        address=f"127.0.0.1:{port}",
        ui=f"http://127.0.0.1:{ui_port}",
    )
    save(data, "temporal", service)
    try:
        asyncio.run(_serving(service, process, settings.namespace))
    except TimeoutError:
        process.kill()
        process.wait()
        return None
    return service


def _argv(data: Path, namespace: str, port: int, ui_port: int) -> list[str]:
    return [
        *(program(), "server", "start-dev", "--ip", "127.0.0.1", "--ui-ip", "127.0.0.1"),
        *("--port", str(port), "--ui-port", str(ui_port), "--db-filename", str(data / "temporal.db")),
        *("--namespace", namespace, "--log-level", "warn"),
        *("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"),
        *(word for name, type_ in SEARCH_ATTRIBUTES.items() for word in ("--search-attribute", f"{name}={type_}")),
        *(word for setting in _DYNAMIC for word in ("--dynamic-config-value", setting)),
    ]


def _ports(before: Service | None) -> tuple[int, int]:
    """The ports it had before, so that workers, links and watchers stay right; else the usual ones; else any."""
    had = [port_of(url) for url in (before.address, before.ui)] if before else [0, 0]
    port, ui_port = (kept_port(*pair) for pair in zip(had, (PORT, UI_PORT), strict=True))
    return port, ui_port


async def _serving(service: Service, process: "subprocess.Popen[bytes]", namespace: str) -> None:
    """Waits for the namespace and sets its retention. Raises `TimeoutError` when the process ends first."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            if process.poll() is not None:
                raise TimeoutError
            try:
                client = await Client.connect(service.address, namespace=namespace)
                config = NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=RETENTION_HOURS * 3600))
                await client.workflow_service.update_namespace(
                    UpdateNamespaceRequest(namespace=namespace, config=config)
                )
                return
            except (RuntimeError, RPCError):
                await asyncio.sleep(0.05)  # it tells nobody when it listens
