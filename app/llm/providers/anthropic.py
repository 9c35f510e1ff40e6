"""Anthropic's messages, direct or through Azure (`https://NAME.services.ai.azure.com/anthropic`)."""

import httpx2
from anthropic import AsyncAnthropic
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from app.domain.run import ModelRef
from app.llm.port import Access


def build(model: ModelRef, access: Access, http: httpx2.AsyncClient) -> Model:
    """Azure's gateway is spoken to by Anthropic's own client for it: its key goes in other headers."""
    key = access.api_key.get_secret_value()
    if access.base_url.endswith("/anthropic"):
        from anthropic import AsyncAnthropicFoundry

        client = AsyncAnthropicFoundry(
            api_key=key, base_url=access.base_url, http_client=http, max_retries=0, timeout=http.timeout
        )
        return AnthropicModel(model.name, provider=AnthropicProvider(anthropic_client=client))
    own = AsyncAnthropic(api_key=key, base_url=access.base_url, http_client=http, max_retries=0, timeout=http.timeout)
    return AnthropicModel(model.name, provider=AnthropicProvider(anthropic_client=own))
