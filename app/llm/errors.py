"""The one place that says what a failure of a call means. Imported only when a call is made."""

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
from pydantic_ai import exceptions as pai

from app.domain.run import ModelRef
from app.errors import UserError
from app.llm.port import ErrorKind, ModelError
from app.llm.registry import provider_of
from app.llm.windows import told_window

MAX_WAIT = 3600.0
"""Seconds: no server makes a run sleep longer before its next attempt."""
DETAIL = 300
QUOTA = ("insufficient_quota", "billing", "exceeded_current_quota", "insufficient balance", "credit balance")
GONE = ("perday", "limit: 0,")
"""Of Google's quotas: those that no short wait brings back."""
CONTEXT = (
    "context_length_exceeded",
    "context length",
    "context window",
    "prompt is too long",
    "maximum context",
    "input is too long",
    "exceeds the available context size",
    "model token limit",
    "maximum number of tokens allowed",
)
_CATEGORIES: tuple[tuple[type[Exception], ErrorKind], ...] = (
    (pai.ModelContextWindowExceededError, "context"),
    (pai.ModelQuotaExceededError, "quota"),
    (pai.ModelRateLimitError, "rate_limit"),
    (pai.ModelAuthenticationError, "auth"),
    (pai.ModelNotFoundError, "not_found"),
    (pai.ModelUnavailableError, "server"),
    (pai.ModelServerError, "server"),
    (pai.ModelTimeoutError, "timeout"),
    (pai.ModelRequestTimeout, "timeout"),
    (pai.ModelConnectionError, "connection"),
    (pai.ModelRequestRejectedError, "bad_request"),
    (pai.ContentFilterError, "refused"),
    (pai.UserError, "bad_request"),
    (httpx2.TimeoutException, "timeout"),
    (httpx2.UnsupportedProtocol, "bad_request"),
    (httpx2.InvalidURL, "bad_request"),
    (httpx2.TransportError, "connection"),
    (httpx2.StreamError, "connection"),
    (OSError, "connection"),
)
_SENTENCES: dict[ErrorKind, str] = {
    "rate_limit": "model `{model}` is rate limited",
    "quota": "the quota or balance for model `{model}` is used up; top it up at the provider",
    "auth": "the key for model `{model}` was refused; run `ctl login {provider}`",
    "not_found": "model `{model}` was not found at `{url}`; check its name",
    "bad_request": "model `{model}` did not accept the request",
    "context": "the conversation is too long for model `{model}`",
    "server": "the server of model `{model}` failed",
    "connection": "the connection to model `{model}` at `{url}` failed",
    "timeout": "model `{model}` did not answer in time",
    "refused": "model `{model}` refused to answer",
    "vault": "the key of model `{model}` cannot be had now",
    "protocol": "the answer of model `{model}` was not readable",
}


def classify(error: Exception, model: ModelRef, secrets: tuple[str, ...] = ()) -> ModelError:
    """What `error` means for a caller, as a sentence that holds none of `secrets`."""
    if isinstance(error, ModelError):
        return error
    if isinstance(error, UserError):
        return ModelError("bad_request", str(error))
    kind = _kind(error)
    url = model.base_url or provider_of(model).base_url or "this machine"
    if 300 <= (_status(error) or 0) < 400:
        sentence = f"the server of model `{model.id}` at `{url}` sends elsewhere; give the address itself"
        return ModelError(kind, f"{sentence} (keys do not follow)")
    sentence = _SENTENCES[kind].format(model=model.id, provider=model.provider, url=url)
    detail = _redacted(_detail(error), secrets)
    window = told_window(_words(error)) if kind == "context" else 0
    return ModelError(kind, f"{sentence}: {detail}" if detail else sentence, _retry_after(error), window=window)


def _kind(error: Exception) -> ErrorKind:
    status, text = _status(error), _words(error)
    inside = status is None and _body(error) is not None  # an error object in a stream: it has words alone
    if (inside or status in (400, 402, 403, 413, 429)) and any(word in text for word in QUOTA):
        soon = _told_delay(text) is not None and not any(word in text for word in GONE)
        return "rate_limit" if soon else "quota"
    if (inside or status in (400, 413, 422)) and any(word in text for word in CONTEXT):
        return "context"
    if inside and "rate limit" in text:
        return "rate_limit"
    if status is not None and (kind := _of_status(status)) is not None:
        return kind
    for category, kind in (*_of_sdks(), *_CATEGORIES):
        if isinstance(error, category):
            return kind
    return "protocol"


def _of_sdks() -> Iterator[tuple[type[Exception], ErrorKind]]:
    """Of SDKs that are loaded: no other can have failed, and Anthropic's alone takes half a second and 60 MB."""
    for name in ("openai", "anthropic"):
        if (sdk := sys.modules.get(name)) is not None:
            yield sdk.APITimeoutError, "timeout"
            yield sdk.APIConnectionError, "connection"


def _of_status(status: int) -> ErrorKind | None:
    match status:
        case 401 | 403:
            return "auth"
        case 402:
            return "quota"
        case 404:
            return "not_found"
        case 408:
            return "timeout"
        case 409 | 424 | 425:  # 424 is Bedrock's, of a model that failed in mid-stream
            return "server"
        case 429:
            return "rate_limit"
        case _ if 300 <= status < 400:
            return "bad_request"
        case _ if status >= 500:
            return "server"
        case _ if 400 <= status < 500:
            return "bad_request"
        case _:
            return None


def _status(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    for holder in (error, response):
        if isinstance(status := getattr(holder, "status_code", None), int):
            return status
    # A redirect that was not followed is wrapped without its status.
    behind = getattr(getattr(error.__cause__, "response", None), "status_code", None)
    if isinstance(behind, int) and 300 <= behind < 400:
        return behind
    # botocore's errors hold a dictionary.
    known = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    status = known.get("HTTPStatusCode")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return status if isinstance(status, int) else None


def _body(error: Exception) -> Any:
    body = getattr(error, "body", None)
    return body.get("error", body) if isinstance(body, dict) else body  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _words(error: Exception) -> str:
    body = _body(error)
    text = json.dumps(body, default=str) if body is not None else str(error)
    return text.lower()


def _detail(error: Exception) -> str:
    body = _body(error)
    if isinstance(body, dict) and isinstance(body.get("message"), str):  # pyright: ignore[reportUnknownMemberType]
        return str(body["message"])  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(error, pai.ModelHTTPError):
        return f"HTTP {error.status_code}"
    return str(error) or type(error).__name__


def _redacted(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    # Providers echo a shortened key, which is still part of one.
    text = re.sub(r"\b(sk|key)-[\w*.-]{4,}", "***", text)
    text = " ".join(text.split())
    return text if len(text) <= DETAIL else text[: DETAIL - 3] + "..."


def _told_delay(words: str) -> float | None:
    """Seconds that Google asks to wait, in `google.rpc.RetryInfo` of the error's details.

    It says "check your plan and billing" of a limit per minute, too; `quotaId` tells which one it was
    (as in https://github.com/RooCodeInc/Roo-Code/issues/3883).
    """
    found = re.search(r'"retrydelay": "(\d+(?:\.\d+)?)s"', words)
    return float(found[1]) if found else None


def _retry_after(error: Exception) -> float | None:
    seconds = _in_headers(error)
    if seconds is None:
        seconds = _told_delay(_words(error))
    return None if seconds is None else min(max(seconds, 0.0), MAX_WAIT)


def _in_headers(error: Exception) -> float | None:
    headers = getattr(error, "headers", None) or getattr(getattr(error, "response", None), "headers", None)
    if not isinstance(headers, Mapping):
        return None
    named = {str(name).lower(): str(value) for name, value in headers.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    seconds = _number(named.get("retry-after-ms"), 1000.0)
    if seconds is None:
        seconds = _number(named.get("retry-after"), 1.0)
    if seconds is None:
        seconds = _until(named.get("retry-after"))
    return seconds


def _number(text: str | None, divisor: float) -> float | None:
    try:
        value = float(text or "") / divisor
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _until(text: str | None) -> float | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()
