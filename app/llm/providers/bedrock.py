"""Amazon Bedrock's Converse: a stored API key as bearer, else the identity of the machine (role, profile)."""

import asyncio
import os
import re
from functools import cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx2
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from pydantic_ai.models import Model
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.providers.bedrock import BedrockProvider

from app.domain.run import ModelRef
from app.errors import UserError
from app.llm import client as ours
from app.llm.port import NO_KEY, Access, ModelError

_lock = Lock()
"""Held while credentials are looked for: once for many callers."""


def enter(model: ModelRef, access: Access) -> Access:
    """Makes sure, without a stored key, that the machine has an identity. Blocks on the network.

    boto3 looks for it (environment, profile, container, instance), keeps it, and renews it before it ends.
    Raises `ModelError`: `auth` where there is none, `server` where it could not be had.
    """
    if access.api_key.get_secret_value() != NO_KEY or os.environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        return access
    try:
        with _lock:
            found = _session(region_of(access.base_url)).get_credentials()
            if found is not None:
                found.get_frozen_credentials()
    except (BotoCoreError, ValueError) as error:
        raise ModelError("server", f"AWS gives this machine no credentials for model `{model.id}`: {error}") from None
    if found is None:
        raise ModelError("auth", f"no AWS identity is to be had for model `{model.id}`: run `ctl login bedrock`")
    return access


@cache
def _session(region: str) -> boto3.Session:
    """Kept, for it holds the credentials."""
    return boto3.Session(region_name=region)


def build(model: ModelRef, access: Access, http: httpx2.AsyncClient) -> Model:  # noqa: ARG001 - boto3 has its own
    """boto3 blocks, so pydantic-ai runs it in threads; it retries nothing."""
    return BedrockConverseModel(model.name, provider=BedrockProvider(bedrock_client=runtime(access)))


def runtime(access: Access) -> Any:
    """The client of `bedrock-runtime` at the access's address. Raises `UserError` for a key without TLS."""
    key = access.api_key.get_secret_value()
    parts = urlsplit(access.base_url)
    if key != NO_KEY and parts.scheme != "https" and parts.hostname != "127.0.0.1":
        raise UserError(f"a key is not sent to `{access.base_url}` without TLS; give an address with `https`")
    config = Config(
        read_timeout=ours.SILENCE,
        connect_timeout=ours.CONNECT,
        retries={"total_max_attempts": 1},
        signature_version=None if key == NO_KEY else UNSIGNED,
    )
    session = _session(region_of(access.base_url))
    client: Any = session.client("bedrock-runtime", endpoint_url=access.base_url, config=config)
    if key != NO_KEY:
        # A bearer that is set here never stands in the environment, which tools inherit.
        def bear(request: Any, **_more: Any) -> None:
            request.headers["Authorization"] = f"Bearer {key}"

        client.meta.events.register("before-send.bedrock-runtime.*", bear)
    return client


def region_of(base_url: str) -> str:
    """The region in `bedrock-runtime.REGION.amazonaws.com`, else the environment's."""
    host = urlsplit(base_url).hostname or ""
    if found := re.fullmatch(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?", host):
        return found[1]
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


async def check(client: Any) -> None:
    """Asks for a count of tokens of nothing: refused as a request, but only after the key was looked at."""
    from botocore.exceptions import ClientError

    try:
        await asyncio.to_thread(client.count_tokens, modelId="none", input={"converse": {"messages": []}})
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (401, 403):
            raise
