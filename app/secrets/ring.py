"""The keyring of the operating system: Secret Service (GNOME, KDE), macOS Keychain. None in most containers."""

import threading
from collections.abc import Callable
from typing import Any

from app.secrets.secret import Unreachable

SERVICE = "codetether-agent"
NAME = "the OS keyring"
_PATIENCE = 60.0
"""Seconds: a locked keyring asks its owner, who may not be there."""


def hold(entry: str, text: str) -> bool:
    """Stores `text` and reads it back; False where there is no keyring that keeps it."""
    try:
        backend = _backend()
        if backend is None:
            return False
        _patiently(lambda: backend.set_password(SERVICE, entry, text))
        return _patiently(lambda: backend.get_password(SERVICE, entry)) == text
    except Unreachable:
        return False


def put(entry: str, text: str) -> None:
    """Stores `text`. Raises `Unreachable` where it is not kept."""
    if not hold(entry, text):
        raise _closed()


def get(entry: str) -> str:
    """What is stored; empty for nothing. Raises `Unreachable` where the keyring does not open."""
    backend = _backend()
    if backend is None:
        raise _closed()
    return _patiently(lambda: backend.get_password(SERVICE, entry)) or ""


def _backend() -> Any:
    """The system's own keyring; None for none, and for one that keeps nothing or keeps it in the open."""
    try:
        import keyring
    except ImportError:
        return None
    backend: Any = _patiently(keyring.get_keyring)
    return backend if backend.priority >= 1 else None


def _patiently(call: Callable[[], Any]) -> Any:
    """The call's result. Raises `Unreachable` where it fails, or where nobody answers the keyring's question."""
    done: list[Any] = []
    failed: list[Exception] = []

    def calling() -> None:
        try:
            done.append(call())
        except Exception as error:  # each back end has its own kinds
            failed.append(error)

    thread = threading.Thread(target=calling, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if not done:
        raise _closed()
    return done[0]


def _closed() -> Unreachable:
    return Unreachable(f"{NAME}, which holds the keys of the private Vault, does not open: unlock it, then `ctl up`")
