"""Unified diffs, as git, diff and difflib write them, and as models do."""

import re
from dataclasses import dataclass, field
from typing import Literal

from app.tools.base import ToolError
from app.tools.patch_model import FilePatch, Hunk, Op

_RANGE = re.compile(r"^@@+ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_EPOCH = re.compile(r"\t19(69-12-31|70-01-01) \d\d:\d\d:00(\.0+)? [-+]\d{4}$")
_PREFIXES = (("a/", "b/"), ("i/", "w/"), ("c/", "i/"), ("c/", "w/"), ("o/", "w/"), ("1/", "2/"))
_NOTHING = "/dev/null"
_OPS: dict[str, Op] = {" ": " ", "-": "-", "+": "+"}


@dataclass
class _Section:
    """The headers and hunks of one file."""

    line: int
    git: bool = False
    old: str = ""
    new: str = ""
    """The `--- ` and `+++ ` lines."""
    named: tuple[str, str] = ("", "")
    moved: tuple[str, str] = ("", "")
    verb: Literal["", "add", "delete", "rename", "copy"] = ""
    mode: int | None = None
    hunks: list[Hunk] = field(default_factory=list[Hunk])


def parse_unified(text: str) -> list[FilePatch]:
    """The files of a unified diff. Raises `ToolError` naming the line that is not understood."""
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    sections: list[_Section] = []
    at = 0
    while at < len(lines):
        at = _next(lines, at, sections)
    patches = [_patch(section) for section in sections]
    if not patches:
        raise ToolError("the patch changes no file: it has neither `*** Begin Patch` nor `--- ` and `+++ ` lines")
    return patches


def _next(lines: list[str], at: int, sections: list[_Section]) -> int:
    line = lines[at].removesuffix("\r")
    if line.startswith("diff --git "):
        sections.append(_Section(at + 1, git=True, named=_pair(line.removeprefix("diff --git "))))
    elif _is_header(lines, at):
        if not sections or sections[-1].old or not sections[-1].git:
            sections.append(_Section(at + 1))
        sections[-1].old, sections[-1].new = line, lines[at + 1].removesuffix("\r")
        return at + 2
    elif line.startswith("@@"):
        if not sections or not sections[-1].old:
            raise ToolError(f"line {at + 1} of the patch: a hunk stands before the names of its file (`--- `, `+++ `)")
        hunk, at = _hunk(lines, at)
        sections[-1].hunks.append(hunk)
        return at
    elif sections and sections[-1].git and not sections[-1].hunks:
        _extended(sections[-1], line, at)
    return at + 1


def _is_header(lines: list[str], at: int) -> bool:
    return lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")


def _extended(section: _Section, line: str, at: int) -> None:
    if line.startswith(("GIT binary patch", "Binary files ")):
        raise ToolError(f"line {at + 1} of the patch: binary changes cannot be applied; use `bash` for that file")
    if line.startswith(("new file mode ", "new mode ", "deleted file mode ")):
        bits = int(line.split()[-1], 8)
        if bits >> 12 not in (0, 0o10):
            raise ToolError(f"line {at + 1} of the patch: links and submodules cannot be patched; use `bash`")
        section.mode = bits & 0o777
        section.verb = (
            "add" if line.startswith("new file") else "delete" if line.startswith("deleted") else section.verb
        )
    for words, verb in (("rename", "rename"), ("copy", "copy")):
        if line.startswith(f"{words} from "):
            section.moved = (_unquoted(line.removeprefix(f"{words} from ")), section.moved[1])
            section.verb = "rename" if verb == "rename" else "copy"
        elif line.startswith(f"{words} to "):
            section.moved = (section.moved[0], _unquoted(line.removeprefix(f"{words} to ")))


def _hunk(lines: list[str], at: int) -> tuple[Hunk, int]:
    first = at
    numbers = _RANGE.match(lines[at])
    left = [int(count) if count else 1 for count in (numbers[2], numbers[4])] if numbers else None
    start = int(numbers[1]) - (numbers[2] != "0") if numbers else None
    changes: list[tuple[Op, str]] = []
    unended = {"old": False, "new": False}
    at += 1
    while at < len(lines):
        line = lines[at]
        if line.startswith("\\"):
            _unend(unended, changes)
        elif _ends(lines, at, left):
            break
        else:
            op = _OPS[line[:1] or " "] if line != "\r" else " "
            changes.append((op, line if line == "\r" else line[1:]))
            _count(left, op)
        at += 1
    if not changes:
        raise ToolError(f"line {first + 1} of the patch: the hunk is empty")
    return (
        Hunk(first + 1, tuple(changes), start, old_unended=unended["old"], new_unended=unended["new"]),
        at,
    )


def _ends(lines: list[str], at: int, left: list[int] | None) -> bool:
    """True when the hunk is over. Counts of models are often wrong: more lines of a hunk are still taken."""
    line = lines[at]
    full = left is not None and max(left) <= 0
    if line.startswith(("@@", "diff --git ")) or line.rstrip() == "```":
        return True
    if _is_header(lines, at) and (full or _begins_file(lines, at, left)):
        return True
    if full:
        return line.rstrip() in ("", "--") or line[:1] not in _OPS
    if line in ("", "\r"):
        return left is None and not any(each[:1] in _OPS for each in lines[at + 1 : at + 2])
    if line[:1] not in _OPS:
        raise ToolError(
            f"line {at + 1} of the patch, `{line[:80]}`, is not understood: "
            "a line of a hunk begins with a space, `-` or `+`"
        )
    return False


def _begins_file(lines: list[str], at: int, left: list[int] | None) -> bool:
    """Tells the names of a next file from a removed `-- a` and an added `++ b` line of this hunk."""
    return left != [1, 1] and at + 2 < len(lines) and lines[at + 2].startswith("@@")


def _unend(unended: dict[str, bool], changes: list[tuple[Op, str]]) -> None:
    op = changes[-1][0] if changes else " "
    unended["old"] |= op != "+"
    unended["new"] |= op != "-"


def _count(left: list[int] | None, op: Op) -> None:
    if left is not None:
        left[0] -= op != "+"
        left[1] -= op != "-"


def _patch(section: _Section) -> FilePatch:
    hunks = tuple(section.hunks)
    old, new = _names(section)
    if section.verb in ("rename", "copy"):
        kind: Literal["update", "copy"] = "update" if section.verb == "rename" else "copy"
        return FilePatch(kind, *section.moved, hunks, section.mode)
    if section.verb == "add" or old == _NOTHING:
        return FilePatch("add", new, hunks=hunks, mode=section.mode)
    if section.verb == "delete" or new == _NOTHING:
        return FilePatch("delete", old, hunks=hunks)
    if not hunks and section.mode is None:
        raise ToolError(f"line {section.line} of the patch: the patch of `{new}` holds no hunk (`@@`)")
    return FilePatch("update", new, hunks=hunks, mode=section.mode, fallback=old if old != new else "")


def _names(section: _Section) -> tuple[str, str]:
    old, new = (_name(section.old), _name(section.new)) if section.old else section.named
    old = _NOTHING if _absent(section.old, (" ", "-"), section) else old
    new = _NOTHING if _absent(section.new, (" ", "+"), section) else new
    for first, second in _PREFIXES if section.git else _PREFIXES[:1]:
        if all(name.startswith(prefix) or name == _NOTHING for name, prefix in ((old, first), (new, second))):
            return _stripped(old, first), _stripped(new, second)
    return old, new


def _stripped(name: str, prefix: str) -> str:
    return name if name == _NOTHING else name.removeprefix(prefix)


def _name(line: str) -> str:
    return _unquoted(line[4:].partition("\t")[0].rstrip()) or line[4:]


def _absent(header: str, lines: tuple[Op, Op], section: _Section) -> bool:
    """`diff -N` gives a file that is not there the time 0; such a side has no lines in any hunk."""
    return bool(_EPOCH.search(header)) and all(op not in lines for hunk in section.hunks for op, _ in hunk.changes)


def _pair(text: str) -> tuple[str, str]:
    """The two names of a `diff --git` line: quoted, or equal after their prefixes."""
    quoted = re.fullmatch(r'("(?:[^"\\]|\\.)*"|\S+) ("(?:[^"\\]|\\.)*"|\S+)', text)
    if quoted:
        return _unquoted(quoted[1]), _unquoted(quoted[2])
    half = len(text) // 2
    return text[:half], text[half + 1 :]


def _unquoted(text: str) -> str:
    if not (len(text) > 1 and text.startswith('"') and text.endswith('"')):
        return text
    raw = _ESCAPE.sub(_unescaped, text[1:-1].encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes((int(code, 8) & 0xFF,)) if len(code) == 3 else _LETTERS.get(code, code)
