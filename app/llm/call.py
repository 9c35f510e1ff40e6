"""One streamed call of a model: deltas while it speaks, then the whole answer or one `ModelError`."""

import asyncio
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.domain.run import ModelRef
from app.llm.port import Answer, ChatRequest, OnDelta
from app.llm.registry import provider_of

if TYPE_CHECKING:
    from pydantic import SecretStr
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model


class _ListenerError(Exception):
    """`on_delta` failed: the caller's fault, not the model's."""


def _silent(_kind: str, _text: str) -> None:
    """Takes a delta and tells nobody."""


async def answer(request: ChatRequest, on_delta: OnDelta = _silent) -> Answer:
    """Asks the model once and returns its whole answer. Never retries; cancelling closes the connection.

    Raises `ModelError`; a stream that breaks off, or ends without saying why, gives no answer at all.
    """
    await _loaded()
    from app.llm.access import access_of
    from app.llm.client import model_for
    from app.llm.errors import classify
    from app.llm.messages import answer_of, history_of, refuse

    keyless = not provider_of(request.model).needs_key
    access = access_of(request.model) if keyless else await asyncio.to_thread(access_of, request.model)
    try:
        model = model_for(request.model, access)
        response = await _response(request, model, history_of(request), on_delta)
    except _ListenerError as error:
        raise error.__cause__ or error from None
    except Exception as error:
        raise classify(error, request.model, access.secrets()) from None
    refuse(request.model, response)
    return answer_of(request.model, response)


async def preload() -> None:
    """Loads what most calls need, so that the first one of a fresh process does not wait for it."""
    await _loaded()
    await asyncio.to_thread(import_module, "pydantic_ai.models.openai")


async def _loaded() -> None:
    """Loads the SDKs, which takes a second, in a thread: the event loop sends heartbeats meanwhile."""
    for name in ("app.llm.access", "app.llm.client", "app.llm.errors", "app.llm.messages", "pydantic_ai.direct"):
        if name not in sys.modules:
            await asyncio.to_thread(import_module, name)


async def _response(
    request: ChatRequest, model: "Model", history: "list[ModelMessage]", on_delta: OnDelta
) -> "ModelResponse":
    from pydantic_ai.direct import model_request_stream

    from app.llm.client import parameters_of, settings_of
    from app.llm.messages import delta_of

    async with model_request_stream(
        model,
        history,
        model_settings=settings_of(request, model),
        model_request_parameters=parameters_of(request),
        instrument=False,
    ) as stream:
        async for event in stream:
            if (delta := delta_of(event)) is not None:
                _tell(on_delta, *delta)
        return stream.get()


def _tell(on_delta: OnDelta, kind: str, text: str) -> None:
    try:
        on_delta(kind, text)
    except Exception as error:
        raise _ListenerError from error


async def check(model: ModelRef, key: "SecretStr | None" = None) -> None:
    """Asks the provider for its list of models: whether it is there and takes the key. Raises `ModelError`.

    `key`: one that is not stored yet, sent to the model's own base URL and no other.
    """
    await _loaded()
    from app.llm.access import access_of
    from app.llm.client import Access, model_for
    from app.llm.errors import classify
    from app.llm.registry import base_url_of

    access = Access(base_url_of(model), key, {}) if key else await asyncio.to_thread(access_of, model)
    try:
        client: Any = getattr(model_for(model, access), "client")  # noqa: B009
        # OpenRouter lists its models to anybody; `/key` needs a valid one.
        if provider_of(model).name == "openrouter":
            await client.get("/key", cast_to=object)
        else:
            await client.models.list()
    except Exception as error:
        raise classify(error, model, access.secrets()) from None
