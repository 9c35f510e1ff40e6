"""One streamed call of a model: deltas while it speaks, then the whole answer or one `ModelError`."""

import asyncio
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from app.domain.run import ModelRef
from app.llm.port import Abandoned, Answer, ChatRequest, ModelError, OnDelta, Paid
from app.llm.registry import provider_of

if TYPE_CHECKING:
    from pydantic import SecretStr
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, StreamedResponse

    from app.llm.port import Access


_PARTS = ("app.llm.access", "app.llm.client", "app.llm.errors", "app.llm.messages", "pydantic_ai.direct")
_loading = Lock()
_ready: set[str] = set()
_TEXTS = ("content", "args", "content_delta", "args_delta")
"""Where the parts of an answer, and what is added to them, hold their text."""


class _ListenerError(Exception):
    """`on_delta` failed: the caller's fault, not the model's."""


class _Bound:
    """Ends an answer that never does: far more than `max_tokens` can be, in signs or in events.

    `heard`: the answer so far, once it has begun.
    """

    heard: "StreamedResponse | None" = None

    def __init__(self, request: ChatRequest) -> None:
        self._model = request.model
        self._signs = 64 * request.max_tokens + 65_536
        self._events = 8 * request.max_tokens + 1024

    def count(self, event: Any) -> None:
        """Raises `ModelError` (`endless`) beyond the bound."""
        said = event.part if event.event_kind == "part_start" else getattr(event, "delta", None)
        texts = (getattr(said, name, None) for name in _TEXTS)
        self._signs -= sum(len(text) for text in texts if isinstance(text, str))
        self._events -= 1
        if self._signs < 0 or self._events < 0:
            raise ModelError("endless", f"the answer of model `{self._model.id}` does not end; it was cut off")


def _silent(_kind: str, _text: str) -> None:
    """Takes a delta and tells nobody."""


async def answer(request: ChatRequest, on_delta: OnDelta = _silent) -> Answer:
    """Asks the model once and returns its whole answer. Never retries; cancelling closes the connection.

    Raises `ModelError`; a stream that breaks off, or ends without saying why, gives no answer at all.
    Raises `Abandoned` when it is cancelled after the answer began.
    """
    row = provider_of(request.model)
    await _loaded(row.home)
    from app.llm.access import access_of
    from app.llm.client import model_for
    from app.llm.errors import classify
    from app.llm.messages import answer_of, history_of, refuse

    direct = not row.needs_key and not row.module
    try:
        access = access_of(request.model) if direct else await asyncio.to_thread(access_of, request.model)
    except Exception as error:
        raise classify(error, request.model) from None
    bound = _Bound(request)
    try:
        model = model_for(request.model, access)
        response = await _response(request, model, history_of(request), on_delta, bound)
        refuse(request.model, response)
    except _ListenerError as error:
        raise error.__cause__ or error from None
    except asyncio.CancelledError:
        if (paid := _paid(request.model, bound)) is not None:
            raise Abandoned(paid) from None
        raise
    except Exception as error:
        told = _told(error, request.model, access)
        told.paid = _paid(request.model, bound)
        raise told from None
    return answer_of(request, response)


def _paid(model: ModelRef, bound: _Bound) -> Paid | None:
    """What was used although no answer came: as far as the server told; nothing before it began to answer."""
    from app.llm.messages import usage_of
    from app.llm.prices import FREE, cost_of, price_of

    if bound.heard is None:
        return None
    used = bound.heard.usage
    # Only a refusal ends like an answer: what breaks off otherwise may be counted to its end by who is paid.
    whole = bound.heard.finish_reason == "content_filter" or price_of(model) is FREE
    return Paid(usage_of(used), cost_of(model, used).usd, whole)


def _told(error: Exception, model: ModelRef, access: "Access") -> ModelError:
    """What the failure means; a short-lived token that was refused is not used again."""
    from app.llm.errors import classify
    from app.llm.providers import tokens

    found = classify(error, model, access.secrets())
    if found.kind == "auth":
        tokens.drop(model.provider)
    return found


async def preload() -> None:
    """Loads what most calls need, so that the first one of a fresh process does not wait for it."""
    await _loaded("app.llm.providers.openai")


async def _loaded(provider: str) -> None:
    """Loads the SDKs, which takes a second, in a thread: the event loop sends heartbeats meanwhile."""
    for name in (*_PARTS, provider):
        if name not in _ready:
            await asyncio.to_thread(_load, name)


def _load(name: str) -> None:
    """One at a time: of two threads that import parts of one package, one may find a module half made."""
    with _loading:
        try:
            import_module(name)
        except ImportError:
            if name in _PARTS:
                raise  # what a provider lacks, `provider_module` says
        _ready.add(name)


async def _response(
    request: ChatRequest, model: "Model", history: "list[ModelMessage]", on_delta: OnDelta, bound: _Bound
) -> "ModelResponse":
    from pydantic_ai.direct import model_request_stream

    from app.llm.client import hung_up, parameters_of, settings_of
    from app.llm.mended import count_last
    from app.llm.messages import delta_of

    asked = model_request_stream(
        model,
        history,
        model_settings=settings_of(request, model),
        model_request_parameters=parameters_of(request),
        instrument=False,
    )
    async with hung_up(), asked as stream:
        count_last(stream)
        async for event in stream:
            bound.heard = stream
            bound.count(event)
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
    await _loaded(provider_of(model).home)
    from app.llm.access import access_of, entered
    from app.llm.client import model_for
    from app.llm.errors import classify
    from app.llm.port import Access
    from app.llm.registry import base_url_of

    access = None
    try:
        if key:
            access = Access(base_url_of(model), key, {})
            access = await asyncio.to_thread(entered, model, access)
        else:
            access = await asyncio.to_thread(access_of, model)
        await _listed(model, getattr(model_for(model, access), "client"))  # noqa: B009
    except Exception as error:
        secrets = access.secrets() if access else ()
        raise classify(error, model, secrets) from None


async def _listed(model: ModelRef, client: Any) -> None:
    """Asks for the cheapest thing that needs a good key."""
    from app.llm.providers import provider_module

    if (own := getattr(provider_module(model), "check", None)) is not None:
        await own(client)
    elif model.provider == "openrouter":  # it lists its models to anybody
        await client.get("/key", cast_to=object)
    else:
        await client.models.list()
