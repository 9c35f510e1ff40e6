"""Files as text: bytes that are no UTF-8 survive a round trip, line endings are kept."""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from app.tools.base import ToolContext, ToolError
from app.tools.paths import sensitive, shown

MAX_BYTES = 64 * 1024 * 1024
"""Larger files are refused: nobody reads or edits them line by line."""
_PROBE = 8192


@dataclass(frozen=True)
class Lines:
    """A text without its line feeds (carriage returns stay). `final`: the last line ends with one."""

    lines: tuple[str, ...]
    final: bool = True

    @property
    def crlf(self) -> bool:
        """True when every line ends with CR LF."""
        ended = self.lines if self.final else self.lines[:-1]
        return bool(ended) and all(line.endswith("\r") for line in ended)


def lines_of(text: str) -> Lines:
    """The lines of a text; an empty text has none."""
    if not text:
        return Lines(())
    parts = text.split("\n")
    return Lines(tuple(parts[:-1]), True) if parts[-1] == "" else Lines(tuple(parts), False)


def text_of(lines: Lines) -> str:
    """The inverse of `lines_of`."""
    return "\n".join(lines.lines) + ("\n" if lines.final and lines.lines else "")


def encode(text: str) -> bytes:
    """The bytes of a text read with `read_text`, or written by a model."""
    return text.encode("utf-8", "surrogateescape")


def read_text(ctx: ToolContext, real: Path, written: str) -> str:
    """The content of a file, exactly. Raises `ToolError` for missing, binary, huge and special files."""
    return decode(read_bytes(ctx, real, written), written)


def decode(content: bytes, written: str) -> str:
    """The text of a file's bytes. Raises `ToolError` when they are no text."""
    if b"\0" in content[:_PROBE]:
        raise ToolError(f"`{written}` is a binary file; look at it with a command in `bash`")
    return content.decode("utf-8", "surrogateescape")


def read_bytes(ctx: ToolContext, real: Path, written: str) -> bytes:
    """The bytes of a regular file. Raises `ToolError`, with near names for a missing one."""
    if not real.exists():
        raise ToolError(missing(ctx, real, written))
    if real.is_dir():
        raise ToolError(f"`{written}` is a folder; look into it with `list`")
    if not real.is_file():
        raise ToolError(f"`{written}` is not a regular file and cannot be read")
    if real.stat().st_size > MAX_BYTES:
        raise ToolError(f"`{written}` is larger than {MAX_BYTES >> 20} MiB; search it with `grep` instead")
    return real.read_bytes()


def missing(ctx: ToolContext, real: Path, written: str) -> str:
    """The sentence about a file that is not there, with up to three names like it."""
    near = _near(real)
    names = ", ".join(f"`{shown(ctx, path)}`" for path in near)
    return f"`{written}` does not exist; " + (f"did you mean {names}?" if names else "find it with `glob`")


def _near(real: Path) -> list[Path]:
    try:
        names = [name for name in os.listdir(real.parent) if not sensitive(name) and name != ".git"]  # noqa: PTH208
    except OSError:
        return []
    lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(real.name.lower(), list(lower), n=3, cutoff=0.6)
    return [real.parent / lower[name] for name in close]
