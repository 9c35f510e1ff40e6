"""What a caller of a model gives and gets. Messages are pydantic-ai messages as JSON, one dict each."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import SecretStr, SkipValidation

from app.domain.base import Model
from app.domain.run import ModelRef
from app.domain.session import Cost, Usage

ErrorKind = Literal[
    "rate_limit",
    "quota",
    "auth",
    "not_found",
    "bad_request",
    "context",
    "server",
    "connection",
    "timeout",
    "refused",
    "protocol",
    "endless",
    "vault",
]
RETRYABLE: frozenset[ErrorKind] = frozenset(
    {"rate_limit", "server", "connection", "timeout", "protocol", "endless", "vault"}
)

OnDelta = Callable[[str, str], None]
"""Called with the kind, "text" or "thinking", and the new piece."""


class ChatRequest(Model):
    """One question to a model. `tools` are in OpenAI's function format; `max_tokens` bounds the answer."""

    model: ModelRef
    system: str
    messages: list[SkipValidation[dict[str, Any]]]
    tools: list[SkipValidation[dict[str, Any]]]
    """Both are taken as they are: what is worked out from the very same message or tool is remembered."""
    must_call: bool = False
    max_tokens: int = 8192
    answer_schema: dict[str, Any] | None = None
    """A JSON Schema that the answer's text must follow; None: free text."""


class CallOut(Model):
    """A tool call of an answer. `arguments` is the model's own text, JSON or not; never empty."""

    id: str
    name: str
    arguments: str


class Answer(Model):
    """A whole answer. `message` can be sent back as it is; usage is zero where the server told none."""

    message: dict[str, Any]
    text: str
    calls: tuple[CallOut, ...]
    usage: Usage
    cost: Cost
    finish: str


NO_KEY = "none"
"""What a server that needs no key is sent: the SDK cannot do without."""


class Access(NamedTuple):
    """Where and how a model is reached. `headers` may be secret, too."""

    base_url: str
    api_key: SecretStr
    headers: dict[str, str]
    hidden: tuple[str, ...] = ()
    """Secrets that are not sent but may be echoed: what a short-lived token was bought with."""

    def secrets(self) -> tuple[str, ...]:
        """Every text that must never be shown."""
        values = (self.api_key.get_secret_value(), *self.headers.values(), *self.hidden)
        return tuple(value for value in values if len(value) >= 8)


class Paid(NamedTuple):
    """What a call used that gave no answer. `usd` None: unknown; not `whole`: it broke off, and may cost more."""

    usage: Usage
    usd: float | None
    whole: bool


class Abandoned(asyncio.CancelledError):
    """The caller was cancelled after an answer had begun: `paid` and `seconds` as of a `ModelError`."""

    kind = "cancelled"
    seconds = 0.0

    def __init__(self, paid: Paid) -> None:
        super().__init__()
        self.paid = paid


class ModelError(Exception):
    """Why no answer came. `retry_after`: seconds the server asked to wait, None if it did not.

    `window`: the tokens of the model's context, where the server named them; else 0.
    `paid`: what was used all the same, once an answer had begun.
    """

    paid: Paid | None = None
    seconds = 0.0
    """How long the call took that failed."""

    def __init__(self, kind: ErrorKind, message: str, retry_after: float | None = None, *, window: int = 0) -> None:
        super().__init__(message)
        self.window = window
        self.kind: ErrorKind = kind
        self.retryable = kind in RETRYABLE
        self.retry_after = retry_after


def user_message(text: str) -> dict[str, Any]:
    """The message of a person, or of the program on a person's behalf."""
    return {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": text}]}


def tool_result_message(
    call_id: str, name: str, text: str, ok: bool, images: Sequence[tuple[str, bytes]] = ()
) -> dict[str, Any]:
    """The result of the call `call_id` of the last answer; `ok` is False for an error or a denial.

    `images` (media type, bytes) are shown with it.
    """
    part: dict[str, Any] = {
        "part_kind": "tool-return",
        "tool_name": name,
        "tool_call_id": call_id,
        "content": text,
        "outcome": "success" if ok else "failed",
    }
    if images:
        part["images"] = images
    return {"kind": "request", "parts": [part]}
