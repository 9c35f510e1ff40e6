"""Short-lived tokens that are bought with a stored key: kept until shortly before they expire, bought once."""

import hashlib
import time
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

import httpx2

from app.llm.port import ModelError

EARLY = 120.0
"""Seconds before its end when a token counts as used up: a long answer may begin now."""


PATIENCE = 10.0
"""Seconds for a connection, for each byte, and thrice that for the whole of an answer."""
MOST = 65_536
"""Bytes of such an answer."""


class Token(NamedTuple):
    """`ends`: seconds since the epoch. `url`: where it is good for; empty: where it was known already."""

    text: str
    ends: float
    url: str = ""


_tokens: dict[str, Token] = {}
_locks: dict[str, Lock] = {}
_guard = Lock()


def token_for(provider: str, place: str, key: str, buy: Callable[[], Token]) -> Token:
    """The token of this key at this place; `buy` runs under a lock, so that many callers buy one. Blocks."""
    name = _name(provider, place, key)
    with _guard:
        lock = _locks.setdefault(name, Lock())
    with lock:
        known = _tokens.get(name)
        if known is None or known.ends - EARLY <= time.time():
            known = _tokens[name] = buy()
        return known


def drop(provider: str) -> None:
    """Forgets the tokens of a provider: one was refused before its time."""
    for name in [name for name in _tokens if name.startswith(f"{provider}:")]:
        _tokens.pop(name, None)


def _name(provider: str, place: str, key: str) -> str:
    digest = hashlib.sha256(f"{place} {key}".encode()).hexdigest()
    return f"{provider}:{digest}"


class Fetched(NamedTuple):
    """What a token's server answered."""

    status: int
    headers: dict[str, str]
    data: bytes
    response: httpx2.Response


def fetched(
    method: str, url: str, headers: dict[str, str], body: bytes | None = None, patience: float | None = None
) -> Fetched:
    """The answer of a token's server, whole. Blocks; asks once. `patience`: seconds, if not `PATIENCE`.

    Raises httpx2's errors, and `ModelError`: `bad_request` where it sends elsewhere, for keys do not follow;
    `protocol` where the answer does not end.
    """
    wait = min(patience or PATIENCE, PATIENCE)
    content, deadline = bytearray(), time.monotonic() + 3 * wait
    with (
        httpx2.Client(timeout=wait, follow_redirects=False) as client,
        client.stream(method, url, headers=headers, content=body) as answer,
    ):
        if 300 <= answer.status_code < 400:
            raise ModelError("bad_request", f"the token server `{answer.url.host}` sends elsewhere; keys do not follow")
        for piece in answer.iter_bytes():
            content += piece
            if len(content) > MOST or time.monotonic() > deadline:
                raise ModelError("protocol", f"the answer of the token server `{answer.url.host}` does not end")
    return Fetched(answer.status_code, dict(answer.headers), bytes(content), answer)
