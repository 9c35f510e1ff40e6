"""Readable names: a run's id is its workflow id, its branch and its files."""

import re
import secrets
import unicodedata

_WORDS = 6
_LENGTH = 40


def slug(text: str) -> str:
    """The first words of `text` in lower-case ASCII with `-` between; `task` when nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)[:_WORDS]
    return "-".join(words)[:_LENGTH].strip("-") or "task"


def okr_id(intent: str) -> str:
    """A new OKR's id: its intent in words, and four hex digits against namesakes."""
    return f"{slug(intent)}-{secrets.token_hex(2)}"


def go_run(okr: str, number: int) -> str:
    """The id of an OKR's run `number`, from 1."""
    return f"go-{okr}-{number}"


def direct_run(kind: str, prompt: str) -> str:
    """The id of a new `run` or `autochat`."""
    return f"{kind}-{slug(prompt)}-{secrets.token_hex(2)}"
