"""Files as text: encodings, byte order marks, line endings and bytes that are no text survive a round trip."""

import codecs
import difflib
import errno
import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.tools.base import ToolContext, ToolError
from app.tools.beneath import open_file
from app.tools.paths import sensitive, shown, top_of

MAX_BYTES = 64 * 1024 * 1024
"""Larger files are refused: nobody reads or edits them line by line."""
_PROBE = 8192
_SAMPLE = 256 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as the mark of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ENCODINGS = ("cp1252", "latin_1", "cp1251", "koi8_r", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr")


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


@dataclass(frozen=True)
class Text:
    """What a file says, and how to write it back: its encoding and the mark it begins with."""

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""
    written: str = ""

    def encoded(self, text: str) -> bytes:
        """The bytes of a new text of this file. Raises `ToolError` for what its encoding has no sign for."""
        errors = "surrogateescape" if self.encoding == "utf-8" else "strict"
        try:
            return self.mark + text.encode(self.encoding, errors)
        except UnicodeEncodeError as error:
            raise ToolError(
                f"`{self.written}` is in {self.encoding}, which has no sign for {text[error.start]!r}; write it in "
                "another way, or convert the file first (`iconv` in `bash`)"
            ) from None


def open_text(ctx: ToolContext, real: Path, written: str, *, unchanged: bool = False) -> Text:
    """The text of a file. `unchanged`: raises `ToolError` if it is not as this conversation last read or wrote it.

    Raises `ToolError` for missing, binary, huge and special files.
    """
    content = read_bytes(ctx, real, written)
    if unchanged:
        refuse_changed(ctx, real, written, content)
    return decoded(content, written)


def refuse_changed(ctx: ToolContext, real: Path, written: str, content: bytes) -> None:
    """Raises `ToolError` if the file was read, or written, in this conversation, and is another one now."""
    known = ctx.seen(known_as(ctx, real))
    if known is not None and known != sha256(content).hexdigest():
        raise ToolError(f"`{written}` was changed since you read it; read it again before you change it")


def known_as(ctx: ToolContext, real: Path) -> str:
    """The name under which results record a file: its path from the top of the worktree."""
    return os.path.relpath(real, top_of(ctx.worktree))


def decoded(content: bytes, written: str) -> Text:
    """The text of a file's bytes. Raises `ToolError` when they are no text.

    A byte order mark decides; else UTF-8, with bytes that are none kept as they are; else what the
    bytes look like, if that gives the same bytes back.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark) and (text := _decoded(content[len(mark) :], encoding)) is not None:
            return Text(text, encoding, mark, written)
    if b"\0" in content[:_PROBE]:
        if (wide := _wide(content)) is not None:
            return Text(*wide, written=written)
        raise ToolError(f"`{written}` is a binary file; look at it with a command in `bash`")
    if (text := _decoded(content, "utf-8")) is not None:
        return Text(text, written=written)
    plain = content.decode("utf-8", "surrogateescape")
    strange = sum("\udc80" <= sign <= "\udcff" for sign in plain)
    if strange * 2 > sum(sign > "\x7f" for sign in plain) and (other := _detected(content)) is not None:
        return Text(*other, written=written)
    return Text(plain, written=written)


def _decoded(content: bytes, encoding: str) -> str | None:
    """None where the bytes are no text of this encoding, or would not come back the same."""
    try:
        text = content.decode(encoding)
        return text if encoding == "utf-8" or text.encode(encoding) == content else None
    except UnicodeError:
        return None


def _wide(content: bytes) -> tuple[str, str] | None:
    """UTF-16 without a mark: every other byte of plain text is zero."""
    start = content[:_PROBE]
    for encoding, zeros, others in (("utf-16-le", start[1::2], start[::2]), ("utf-16-be", start[::2], start[1::2])):
        if zeros.count(0) > 0.7 * len(zeros) and not others.count(0):
            text = _decoded(content, encoding)
            return None if text is None else (text, encoding)
    return None


def _detected(content: bytes) -> tuple[str, str] | None:
    from charset_normalizer import from_bytes

    best = from_bytes(content[:_SAMPLE], cp_isolation=list(_ENCODINGS)).best()
    for encoding in (best.encoding if best is not None else "cp1252", "latin_1"):
        if (text := _decoded(content, encoding)) is not None:
            return text, encoding.replace("_", "-")
    return None


def read_bytes(ctx: ToolContext, real: Path, written: str) -> bytes:
    """The bytes of a regular file. Raises `ToolError`, with near names for a missing one."""
    try:
        found = real.stat()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        raise ToolError(missing(ctx, real, written)) from None
    if stat.S_ISDIR(found.st_mode):
        raise ToolError(f"`{written}` is a folder; look into it with `list`")
    if not stat.S_ISREG(found.st_mode):
        raise ToolError(f"`{written}` is not a regular file and cannot be read")
    if found.st_size > MAX_BYTES:
        raise ToolError(f"`{written}` is larger than {MAX_BYTES >> 20} MiB; search it with `grep` instead")
    with open(open_file(ctx, real), "rb") as file:  # noqa: PTH123 - a descriptor
        return file.read()


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
    lower = {name.lower(): name for name in names if name != real.name}  # it may be a link that leads nowhere
    close = difflib.get_close_matches(real.name.lower(), list(lower), n=3, cutoff=0.6)
    return [real.parent / lower[name] for name in close]
