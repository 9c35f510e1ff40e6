"""OpenAI's chat completions, and who speaks them with a difference: Moonshot, Z.AI, OpenRouter."""

from typing import Any

import httpx2
from openai import AsyncOpenAI
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile

from app.domain.run import ModelRef
from app.llm.plain import with_plain_completions
from app.llm.port import Access
from app.llm.registry import OPENAI_URL


def build(model: ModelRef, access: Access, http: httpx2.AsyncClient) -> Model:
    """The model over a client that never retries and posts plainly."""
    key = access.api_key.get_secret_value()
    client = AsyncOpenAI(api_key=key, base_url=access.base_url, http_client=http, max_retries=0, timeout=http.timeout)
    return _openai_like(model, access, with_plain_completions(client))


def _openai_like(model: ModelRef, access: Access, client: Any) -> Model:
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
        case "github-copilot":
            from pydantic_ai.models.github_copilot import GitHubCopilotModel
            from pydantic_ai.providers.github_copilot import GitHubCopilotProvider

            # It refuses `max_tokens`, and has a field of its own for thoughts: its provider's profile says so.
            return GitHubCopilotModel(model.name, provider=GitHubCopilotProvider(openai_client=client), profile=whole)
        case _:
            from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

            provider = OpenAICompatibleProvider(model.provider, openai_client=client)
            # Our tools' schemas are plain JSON Schema as they are; rewriting all of them took 2 ms a turn.
            plain["json_schema_transformer"] = None
            return OpenAIChatModel(model.name, provider=provider, profile=plain)
