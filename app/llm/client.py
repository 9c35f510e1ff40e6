"""Builds the pydantic-ai model of one call over one HTTP client. Imported only when a call is made."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import httpx2
from pydantic_ai.messages import InstructionPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from app.domain.run import ModelRef
from app.llm.port import Access, ChatRequest
from app.llm.providers import provider_module
from app.llm.registry import is_local, provider_of
from app.llm.remembered import remember_broken_tokens
from app.remember import by_identity

CONNECT = 10.0
"""Seconds until a connection must stand."""
SILENCE = 120.0
"""Seconds without one byte before the server counts as stuck."""


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


class _Kept(NamedTuple):
    """What one event loop keeps: HTTP clients by server, and models by what they are built from."""

    clients: dict[tuple[str, tuple[tuple[str, str], ...]], httpx2.AsyncClient]
    models: dict[tuple[ModelRef, str, str, tuple[tuple[str, str], ...]], Model]


_KEPT_MODELS = 64
_kept: "WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept]" = WeakKeyDictionary()


def model_for(model: ModelRef, access: Access) -> Model:
    """The pydantic-ai model that speaks to `model`, built once for each way to reach it."""
    remember_broken_tokens()
    kept = _kept.setdefault(asyncio.get_running_loop(), _Kept({}, {}))
    key = (model, access.base_url, access.api_key.get_secret_value(), tuple(sorted(access.headers.items())))
    if key not in kept.models:
        if len(kept.models) >= _KEPT_MODELS:
            kept.models.clear()
        kept.models[key] = build(model, access, _http_client(kept, model, access))
    return kept.models[key]


_heard: "ContextVar[list[httpx2.Response]]" = ContextVar("heard")


async def _note(response: httpx2.Response) -> None:
    _heard.get([]).append(response)


@asynccontextmanager
async def hung_up() -> AsyncGenerator[None]:
    """Closes every connection whose answer the block leaves unread.

    Where a cancel comes between two pieces of an answer, Google's SDK leaves that to the garbage collector.
    """
    heard: list[httpx2.Response] = []
    token = _heard.set(heard)
    try:
        yield
    finally:
        _heard.reset(token)
        for response in heard:
            await response.aclose()


def _http_client(kept: _Kept, model: ModelRef, access: Access) -> httpx2.AsyncClient:
    """The client of this server: a connection that stands saves the next call its handshake.

    A call that is cancelled closes the connection it used; whatever is idle closes after a few seconds.
    llama.cpp closes each connection after an answer, sometimes only once the next call has been sent on it.
    """
    key = (access.base_url, tuple(sorted(access.headers.items())))
    if key not in kept.clients:
        kept.clients[key] = httpx2.AsyncClient(
            verify=_tls(),
            timeout=httpx2.Timeout(SILENCE, connect=CONNECT),
            trust_env=not is_local(model.model_copy(update={"base_url": access.base_url})),
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=0 if model.provider == "local" else 20),
            headers=access.headers,
            event_hooks={"response": [_note]},
        )
    return kept.clients[key]


def build(model: ModelRef, access: Access, http: httpx2.AsyncClient) -> Model:
    """The pydantic-ai model that speaks to `model` through `http`, without retries of its own.

    Raises `UserError` (exit 2) naming the extra to install, where the provider's is missing.
    """
    return provider_module(model).build(model, access, http)


def settings_of(request: ChatRequest, model: Model) -> ModelSettings:
    """Bounds, and a forced call where the provider knows one; prompts are cached where that must be asked for."""
    settings = ModelSettings(max_tokens=request.max_tokens)
    if request.must_call and request.tools and model.profile.get("supports_forced_tool_choice", True):
        settings["tool_choice"] = "required"
    kind = provider_of(request.model).kind
    if kind in ("anthropic", "bedrock"):
        settings["cache"] = True
    patience: Any = httpx2.Timeout(SILENCE, connect=CONNECT)  # typed as httpx's own where that is installed, too
    if kind != "bedrock":  # there the client itself was made with them
        settings["timeout"] = SILENCE if kind == "google" else patience  # Google's SDK takes seconds only
    if request.model.provider == "github-copilot" and _holds_images(request):
        settings["extra_headers"] = {"Copilot-Vision-Request": "true"}
    return settings


def _holds_images(request: ChatRequest) -> bool:
    return any("images" in part for message in request.messages for part in message.get("parts", ()))


def parameters_of(request: ChatRequest) -> ModelRequestParameters:
    """The system text, the tools, from OpenAI's function format, and the shape of a structured answer."""
    schema = request.answer_schema
    return ModelRequestParameters(
        instruction_parts=[InstructionPart(content=request.system)] if request.system else None,
        function_tools=[_definition(tool) for tool in request.tools],
        output_mode="text" if schema is None else "native",
        output_object=None if schema is None else OutputObjectDefinition(json_schema=schema, name="answer"),
        allow_text_output=True,
    )


@by_identity(512)
def _definition(tool: dict[str, Any]) -> ToolDefinition:
    tool = tool.get("function", tool)
    return ToolDefinition(
        name=tool["name"],
        description=tool.get("description"),
        parameters_json_schema=tool.get("parameters") or {"type": "object", "properties": {}},
        strict=tool.get("strict"),
    )
