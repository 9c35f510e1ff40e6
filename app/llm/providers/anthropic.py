"""Anthropic's messages, direct or through Azure (`https://NAME.services.ai.azure.com/anthropic`)."""

from urllib.parse import urlsplit

import httpx2
from anthropic import APIStatusError, AsyncAnthropic, AsyncAnthropicFoundry
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from app.domain.run import ModelRef
from app.llm.port import Access


def build(model: ModelRef, access: Access, http: httpx2.AsyncClient) -> Model:
    """Azure is spoken to by Anthropic's own client for it: its key goes as `x-api-key` and `api-key`, not as bearer."""
    key = access.api_key.get_secret_value()
    if _on_azure(access.base_url):
        client = AsyncAnthropicFoundry(
            api_key=key, base_url=access.base_url, http_client=http, max_retries=0, timeout=http.timeout
        )
        return AnthropicModel(model.name, provider=AnthropicProvider(anthropic_client=client))
    own = AsyncAnthropic(api_key=key, base_url=access.base_url, http_client=http, max_retries=0, timeout=http.timeout)
    return AnthropicModel(model.name, provider=AnthropicProvider(anthropic_client=own))


async def check(client: AsyncAnthropic | AsyncAnthropicFoundry) -> None:
    """Asks for the list of models. Azure has none: there a count of tokens is refused, but only after the key."""
    if not isinstance(client, AsyncAnthropicFoundry):
        await client.models.list()
        return
    try:
        await client.messages.count_tokens(model="none", messages=[{"role": "user", "content": "hi"}])
    except APIStatusError as error:
        if error.status_code not in (400, 404):
            raise


def _on_azure(base_url: str) -> bool:
    """Azure's own hosts, and whatever gateway stands before them with Azure's whole path, `/anthropic`.

    Other services end so below a longer path (`/api/anthropic`) and take the key as Anthropic does.
    """
    parts = urlsplit(base_url)
    return (parts.hostname or "").endswith(".azure.com") or parts.path == "/anthropic"
