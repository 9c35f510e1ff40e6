"""The SDK's chat completions without its walk over the conversation: 24 ms a turn at 250 kB, for nothing.

pydantic-ai hands over dictionaries that are the wire's own already; the SDK would copy each of them,
field by field, against its types, and write them three times as slowly as pydantic does.
"""

from typing import Any

from openai import AsyncOpenAI, AsyncStream, NotGiven, Omit
from openai.resources.chat.completions import AsyncCompletions
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic_core import to_json


class PlainCompletions(AsyncCompletions):
    """Posts what it is given, as it is."""

    async def create(self, **fields: Any) -> Any:
        """The completion, or its stream. Takes what `AsyncCompletions.create` takes."""
        given = {name: value for name, value in fields.items() if not isinstance(value, Omit | NotGiven)}
        options: Any = {
            name: given.pop(field)
            for name, field in (("headers", "extra_headers"), ("params", "extra_query"), ("extra_json", "extra_body"))
            if given.get(field) is not None
        }
        if "timeout" in given:
            options["timeout"] = given.pop("timeout")
        for field in ("extra_headers", "extra_query", "extra_body"):
            given.pop(field, None)
        stream = bool(given.get("stream"))
        options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        return await self._client.post(
            "/chat/completions",
            cast_to=ChatCompletion,
            content=to_json(given | options.pop("extra_json", {})),
            options=options,
            stream=stream,
            stream_cls=AsyncStream[ChatCompletionChunk],
        )


def with_plain_completions(client: AsyncOpenAI) -> AsyncOpenAI:
    """The same client, posting plainly."""
    setattr(client.chat, "completions", PlainCompletions(client))  # noqa: B010 - a cached property
    return client
