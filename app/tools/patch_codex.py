"""The Codex grammar: `*** Begin Patch` … `*** End Patch`."""

import re

from app.tools.base import ToolError
from app.tools.patch_model import FilePatch, Hunk, Op

BEGIN, END = "*** Begin Patch", "*** End Patch"
_ADD, _DELETE, _UPDATE = "*** Add File:", "*** Delete File:", "*** Update File:"
_MOVE, _EOF = "*** Move to:", "*** End of File"
_HEREDOC = re.compile(r"""^\s*(?:(?:cat|apply_patch)\s*)?<<-?\s*(['"]?)(\w+)\1\s*$""")
_RANGE = re.compile(r"^-(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")


def unwrapped(text: str) -> str:
    """The patch without a heredoc or a code fence around it; trailing spaces of its lines are kept."""
    lines = text.lstrip("\r\n").rstrip("\n").split("\n")
    opening = _HEREDOC.match(lines[0].rstrip())
    closing = opening[2] if opening else "```" if lines[0].startswith("```") else None
    if closing is None:
        return "\n".join(lines)
    while len(lines) > 1 and lines[-1].strip() in ("", closing):
        if lines.pop().strip() == closing:
            break
    return "\n".join(lines[1:])


def parse_codex(text: str) -> list[FilePatch]:
    """The files of a Codex patch. Raises `ToolError` naming the line that is not understood."""
    lines = text.strip().split("\n")
    if all(line.endswith("\r") for line in lines[:-1]):
        lines = [line.removesuffix("\r") for line in lines]
    if lines[0].strip() != BEGIN:
        raise ToolError(f"the patch does not begin with `{BEGIN}`")
    if lines[-1].strip() != END:
        raise ToolError(f"the patch does not end with `{END}`; send it whole")
    patches: list[FilePatch] = []
    at = 1
    while at < len(lines) - 1:
        if not lines[at].strip():
            at += 1
            continue
        patch, at = _file(lines, at)
        patches.append(patch)
    if not patches:
        raise ToolError("the patch changes no file")
    return patches


def _file(lines: list[str], at: int) -> tuple[FilePatch, int]:
    line = lines[at].strip()
    if line.startswith(_ADD):
        return _added(lines, at, line.removeprefix(_ADD).strip())
    if line.startswith(_DELETE):
        return FilePatch("delete", line.removeprefix(_DELETE).strip()), at + 1
    if line.startswith(_UPDATE):
        return _updated(lines, at, line.removeprefix(_UPDATE).strip())
    raise _unknown(at, lines[at], f"a file begins with `{_ADD}`, `{_UPDATE}` or `{_DELETE}`")


def _added(lines: list[str], at: int, path: str) -> tuple[FilePatch, int]:
    first = at
    changes: list[tuple[Op, str]] = []
    at += 1
    while at < len(lines) - 1 and not lines[at].startswith("*** "):
        if lines[at].startswith("+"):
            changes.append(("+", lines[at][1:]))
        elif lines[at].strip():
            raise _unknown(at, lines[at], "every line of an added file begins with `+`")
        at += 1
    return FilePatch("add", path, hunks=(Hunk(first + 1, tuple(changes), start=0),)), at


def _updated(lines: list[str], at: int, path: str) -> tuple[FilePatch, int]:
    first, target = at, ""
    at += 1
    if lines[at].strip().startswith(_MOVE):
        target = lines[at].strip().removeprefix(_MOVE).strip()
        at += 1
    hunks: list[Hunk] = []
    while at < len(lines) - 1 and (not lines[at].startswith("*** ") or lines[at].strip() == _EOF):
        if not lines[at].strip() and not _inside(lines, at):
            at += 1
            continue
        hunk, at = _hunk(lines, at, first=not hunks)
        hunks.append(hunk)
    if not hunks and not target:
        raise ToolError(f"line {first + 1} of the patch: the update of `{path}` changes nothing")
    return FilePatch("update", path, target, tuple(hunks)), at


def _inside(lines: list[str], at: int) -> bool:
    """True when an empty line is followed by more of a hunk, not by the next header."""
    return lines[at + 1][:1] in (" ", "+", "-")


def _hunk(lines: list[str], at: int, *, first: bool) -> tuple[Hunk, int]:
    start_line = at
    headers: list[str] = []
    start: int | None = None
    while lines[at].startswith("@@"):
        header = lines[at].removeprefix("@@").strip()
        numbers = _RANGE.match(header)
        if numbers:
            start = int(numbers[1]) - (numbers[2] != "0")
        elif header.removesuffix("@@").strip():
            headers.append(lines[at].removeprefix("@@").removeprefix(" "))
        at += 1
    if at == start_line and not first:
        raise _unknown(at, lines[at], "a hunk begins with `@@`")
    changes: list[tuple[Op, str]] = []
    while at < len(lines) - 1 and not lines[at].startswith(("@@", "*** ")):
        changes.append(_change(lines[at], at))
        at += 1
    at_end = lines[at].strip() == _EOF
    if not changes:
        raise ToolError(f"line {start_line + 1} of the patch: the hunk is empty")
    return Hunk(start_line + 1, tuple(changes), start, tuple(headers), at_end), at + at_end


def _change(line: str, at: int) -> tuple[Op, str]:
    match line[:1]:
        case "":
            return " ", ""
        case " ":
            return " ", line[1:]
        case "-":
            return "-", line[1:]
        case "+":
            return "+", line[1:]
        case _:
            if line == "\r":
                return " ", line
            raise _unknown(at, line, "a line of a hunk begins with a space, `-` or `+`")


def _unknown(at: int, line: str, rule: str) -> ToolError:
    return ToolError(f"line {at + 1} of the patch, `{line[:80]}`, is not understood: {rule}")
