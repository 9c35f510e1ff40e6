"""Short-lived tokens that are bought with a stored key: kept until shortly before they expire, bought once."""

import hashlib
import time
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

EARLY = 120.0
"""Seconds before its end when a token counts as used up: a long answer may begin now."""


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
