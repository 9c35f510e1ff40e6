"""Google's Gemini interface, with an API key."""

import httpx2
from pydantic_ai.models import Model
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider

from app.domain.run import ModelRef
from app.llm.port import Access


def build(model: ModelRef, access: Access, http: httpx2.AsyncClient) -> Model:
    """The SDK retries nothing unless it is asked to."""
    provider = GoogleProvider(
        api_key=access.api_key.get_secret_value(), http_client=http, base_url=f"{access.base_url}/"
    )
    return GoogleModel(model.name, provider=provider)


async def check(client: object) -> None:
    """Asks for the list of models."""
    await client.aio.models.list()  # pyright: ignore[reportAttributeAccessIssue]
