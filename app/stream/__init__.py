"""Event streams: the memory of every agent, as files that survive any crash.

A session is an append-only stream of JSON lines, addressed by byte range; a run's journal is
the same thing under another name. This facade loads its parts on first use, so that a command
which only lists runs imports neither pydantic nor the domain.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.stream.digests import digest
    from app.stream.errors import Busy, Damaged, Diverged, Unwritable
    from app.stream.results import StoredResult, read_result, write_result
    from app.stream.stream import Stream, fork

__all__ = [
    "Busy",
    "Damaged",
    "Diverged",
    "StoredResult",
    "Stream",
    "Unwritable",
    "digest",
    "fork",
    "read_result",
    "write_result",
]

_HOME = {
    "digest": "digests",
    "Busy": "errors",
    "Damaged": "errors",
    "Diverged": "errors",
    "Unwritable": "errors",
    "StoredResult": "results",
    "read_result": "results",
    "write_result": "results",
    "Stream": "stream",
    "fork": "stream",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(name)
    return getattr(import_module(f"app.stream.{_HOME[name]}"), name)
