"""Builds the pydantic-ai model of one call over one HTTP client. Imported only when a call is made."""

import asyncio
import ssl
from functools import cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import httpx2
from pydantic import SecretStr
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from app.domain.run import ModelRef
from app.llm.port import ChatRequest
from app.llm.registry import OPENAI_URL, is_local, provider_of

CONNECT = 10.0
"""Seconds until a connection must stand."""
SILENCE = 120.0
"""Seconds without one byte before the server counts as stuck."""
NO_KEY = "none"
"""What a server that needs no key is sent: the SDK cannot do without."""


class Access(NamedTuple):
    """Where and how a model is reached. `headers` may be secret, too."""

    base_url: str
    api_key: SecretStr
    headers: dict[str, str]

    def secrets(self) -> tuple[str, ...]:
        """Every text that must never be shown."""
        values = (self.api_key.get_secret_value(), *self.headers.values())
        return tuple(value for value in values if len(value) >= 8)


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
    kept = _kept.setdefault(asyncio.get_running_loop(), _Kept({}, {}))
    key = (model, access.base_url, access.api_key.get_secret_value(), tuple(sorted(access.headers.items())))
    if key not in kept.models:
        if len(kept.models) >= _KEPT_MODELS:
            kept.models.clear()
        kept.models[key] = build(model, access, _http_client(kept, model, access))
    return kept.models[key]


def _http_client(kept: _Kept, model: ModelRef, access: Access) -> httpx2.AsyncClient:
    """The client of this server: a connection that stands saves the next call its handshake.

    A call that is cancelled closes the connection it used; whatever is idle closes after a few seconds.
    """
    key = (access.base_url, tuple(sorted(access.headers.items())))
    if key not in kept.clients:
        kept.clients[key] = httpx2.AsyncClient(
            verify=_tls(),
            timeout=httpx2.Timeout(SILENCE, connect=CONNECT),
            trust_env=not is_local(model),
            headers=access.headers,
        )
    return kept.clients[key]


def build(model: ModelRef, access: Access, http: httpx2.AsyncClient) -> Model:
    """The pydantic-ai model that speaks to `model` through `http`, without retries of its own."""
    key = access.api_key.get_secret_value()
    if provider_of(model).kind == "anthropic":
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        own = AsyncAnthropic(
            api_key=key, base_url=access.base_url, http_client=http, max_retries=0, timeout=http.timeout
        )
        return AnthropicModel(model.name, provider=AnthropicProvider(anthropic_client=own))
    from openai import AsyncOpenAI

    from app.llm.plain import with_plain_completions

    client = AsyncOpenAI(api_key=key, base_url=access.base_url, http_client=http, max_retries=0, timeout=http.timeout)
    return _openai_like(model, access, with_plain_completions(client))


def _openai_like(model: ModelRef, access: Access, client: Any) -> Model:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile

    whole = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
    plain = OpenAIModelProfile(
        openai_chat_streaming_requires_finish_reason=True,
        openai_chat_supports_max_completion_tokens=False,
        openai_supports_strict_tool_definition=False,
    )
    match model.provider:
        case "openai" if access.base_url == OPENAI_URL:
            from pydantic_ai.providers.openai import OpenAIProvider

            return OpenAIChatModel(model.name, provider=OpenAIProvider(openai_client=client), profile=whole)
        case "moonshotai":
            from pydantic_ai.providers.moonshotai import MoonshotAIProvider

            return OpenAIChatModel(model.name, provider=MoonshotAIProvider(openai_client=client), profile=plain)
        case "zai":
            from pydantic_ai.models.zai import ZaiModel
            from pydantic_ai.providers.zai import ZaiProvider

            return ZaiModel(model.name, provider=ZaiProvider(openai_client=client), profile=plain)
        case "openrouter":
            from pydantic_ai.models.openrouter import OpenRouterModel
            from pydantic_ai.providers.openrouter import OpenRouterProvider

            return OpenRouterModel(model.name, provider=OpenRouterProvider(openai_client=client), profile=plain)
        case _:
            from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

            provider = OpenAICompatibleProvider(model.provider, openai_client=client)
            # Our tools' schemas are plain JSON Schema as they are; rewriting all of them took 2 ms a turn.
            plain["json_schema_transformer"] = None
            return OpenAIChatModel(model.name, provider=provider, profile=plain)


def settings_of(request: ChatRequest, model: Model) -> ModelSettings:
    """Bounds, and a forced call where the provider knows one; prompts are cached where that must be asked for."""
    settings = ModelSettings(max_tokens=request.max_tokens, timeout=httpx2.Timeout(SILENCE, connect=CONNECT))
    if request.must_call and request.tools and model.profile.get("supports_forced_tool_choice", True):
        settings["tool_choice"] = "required"
    if provider_of(request.model).kind == "anthropic":
        settings["cache"] = True
    return settings


def parameters_of(request: ChatRequest) -> ModelRequestParameters:
    """The tools, from OpenAI's function format."""
    tools = [tool.get("function", tool) for tool in request.tools]
    return ModelRequestParameters(
        function_tools=[
            ToolDefinition(
                name=tool["name"],
                description=tool.get("description"),
                parameters_json_schema=tool.get("parameters") or {"type": "object", "properties": {}},
                strict=tool.get("strict"),
            )
            for tool in tools
        ],
        allow_text_output=True,
    )
