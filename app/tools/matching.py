"""Where a piece of text that a model wrote stands in a file: exactly, or in one looser way that is unambiguous."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from app.tools.base import ToolError

ALIKE = 0.8
"""How much of the lines between two anchors must be equal; below it the wrong block would be edited."""
_ANCHORED = 50
"""Blocks between equal first and last lines that are compared at most."""


@dataclass(frozen=True)
class Found:
    """Places `(start, end)` in the text, in order, and the way they were matched (empty: exactly)."""

    places: tuple[tuple[int, int], ...]
    way: str = ""


def find(text: str, old: str, where: str) -> Found:
    """The places of `old`: all exact ones, else the one of the first looser way that fits just once.

    Line feeds of `old` stand for either line ending. Raises `ToolError` when it fits nowhere, or only
    loosely in several places.
    """
    if exact := _exact(text, old):
        return Found(exact)
    lines, starts = _lines(text)
    wanted = old.replace("\r\n", "\n").removesuffix("\n").split("\n")
    several: tuple[str, list[int]] | None = None
    for way, search in _WAYS:
        found = list(dict.fromkeys(search(lines, wanted))) if any(line.strip() for line in wanted) else []
        if len(found) == 1:
            first, count = found[0]
            last = starts[first + count - 1] + len(lines[first + count - 1])
            return Found(((starts[first], _with_feed(text, last) if old.endswith("\n") else last),), way)
        if found and several is None:
            several = way, [first + 1 for first, _ in found]
    if several:
        numbers = ", ".join(str(number) for number in several[1][:5])
        raise ToolError(
            f"`old` does not stand in {where} exactly, and fits several places ({several[0]}, lines {numbers}); "
            "copy more lines around it, exactly"
        )
    raise ToolError(f"`old` does not occur in {where}; read the file and copy the text exactly, with its indents")


def _exact(text: str, old: str) -> tuple[tuple[int, int], ...]:
    places = _all(text, old)
    if places or ("\n" not in old and "\r" not in old):
        return places
    returns = [match.start() for match in re.finditer(r"\r\n", text)]
    if not returns and "\r\n" not in old:
        return ()
    # Offsets without carriage returns: the n-th of them stands n places further in the text itself.
    plain = [at - number for number, at in enumerate(returns)]
    flat = _all(text.replace("\r\n", "\n"), old.replace("\r\n", "\n"))
    return tuple((start + bisect_left(plain, start), end + bisect_left(plain, end)) for start, end in flat)


def _all(text: str, old: str) -> tuple[tuple[int, int], ...]:
    places: list[tuple[int, int]] = []
    at = text.find(old)
    while at >= 0:
        # A line feed at its beginning is the whole end of that line: its carriage return does not stay behind.
        halved = old[0] == "\n" and text[max(at - 1, 0)] == "\r"
        places.append((at - halved, at + len(old)))
        at = text.find(old, at + len(old))
    return tuple(places)


def _lines(text: str) -> tuple[list[str], list[int]]:
    """The lines without their endings, and where each begins."""
    raw = text.split("\n")
    starts = [0]
    for line in raw[:-1]:
        starts.append(starts[-1] + len(line) + 1)
    return [line.removesuffix("\r") for line in raw], starts


def _with_feed(text: str, end: int) -> int:
    return end + (2 if text.startswith("\r\n", end) else 1 if text.startswith("\n", end) else 0)


Place = tuple[int, int]
"""The first line, from 0, and how many."""


def _linewise(same: Callable[[str], str], lines: Sequence[str], wanted: Sequence[str]) -> Iterator[Place]:
    want = [same(line) for line in wanted]
    first = next((number for number, line in enumerate(want) if line), 0)
    for at, line in enumerate(lines):
        begin = at - first
        if begin < 0 or begin + len(want) > len(lines) or same(line) != want[first]:
            continue
        if all(same(lines[begin + number]) == want[number] for number in range(len(want))):
            yield begin, len(want)


def _trimmed(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[Place]:
    yield from _linewise(str.strip, lines, wanted)


def _indented(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[Place]:
    want = _dedented(wanted)
    for first, count in _trimmed(lines, wanted):
        if _dedented(lines[first : first + count]) == want:
            yield first, count


def _spaced(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[Place]:
    yield from _linewise(lambda line: " ".join(line.split()), lines, wanted)


def _anchored(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[Place]:
    """Blocks between lines like the first and the last wanted one, nearly as long, and alike enough."""
    want = [line.strip() for line in wanted]
    if len(want) < 3 or not want[0] or not want[-1]:
        return
    have = [line.strip() for line in lines]
    slack = max(1, len(want) // 4)
    firsts = [at for at, line in enumerate(have) if line == want[0]][:_ANCHORED]
    for first in firsts:
        shortest, longest = max(first + len(want) - slack, first + 2), first + len(want) + slack
        ends = [at for at in range(shortest - 1, min(longest, len(have))) if have[at] == want[-1]]
        scored = [(_alike(have[first + 1 : end], want[1:-1]), end) for end in ends]
        if scored and max(scored)[0] >= ALIKE:
            yield first, max(scored)[1] - first + 1


def _alike(have: Sequence[str], want: Sequence[str]) -> float:
    return SequenceMatcher(None, "\n".join(have), "\n".join(want), autojunk=False).ratio()


def _dedented(lines: Sequence[str]) -> list[str]:
    common = min((indent(line) for line in lines if line.strip()), key=len, default="")
    return [line[len(common) :].rstrip() if line.startswith(common) else line.strip() for line in lines]


_WAYS: tuple[tuple[str, Callable[[Sequence[str], Sequence[str]], Iterator[Place]]], ...] = (
    ("lines trimmed", _trimmed),
    ("indentation apart", _indented),
    ("spaces apart", _spaced),
    ("first and last line, and most between", _anchored),
)


def indent(line: str) -> str:
    """The spaces and tabs that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def fitted(have: str, old: str, new: str) -> str:
    """`new` as it has to stand where `have` stands, which `old` means: lines that stay keep the file's own
    spaces, and a line that comes is indented as its neighbour is in the file."""
    theirs, mine, after = (part.replace("\r\n", "\n").split("\n") for part in (have, old, new))
    if len(theirs) != len(mine):
        return _shifted(theirs, mine, after)
    out: list[str] = []
    anchor = next(((m, t) for m, t in zip(mine, theirs, strict=True) if m.strip()), ("", ""))
    blocks = SequenceMatcher(None, [m.strip() for m in mine], [n.strip() for n in after], autojunk=False)
    for tag, from_, to, start, end in blocks.get_opcodes():
        if tag == "equal":
            out += [theirs[at] if mine[at] == after[start + at - from_] else _moved(after[start + at - from_], (mine[at], theirs[at])) for at in range(from_, to)]  # noqa: E501  # fmt: skip
            anchor = next(((mine[at], theirs[at]) for at in reversed(range(from_, to)) if mine[at].strip()), anchor)
        else:
            if from_ < to and mine[from_].strip():
                anchor = (mine[from_], theirs[from_])
            out += [_moved(line, anchor) for line in after[start:end]]
    return "\n".join(out)


def _shifted(theirs: list[str], mine: list[str], after: list[str]) -> str:
    return "\n".join(_moved(line, (mine[0], theirs[0])) for line in after)


def _moved(line: str, anchor: tuple[str, str]) -> str:
    """The line, indented against the file's line as it was against the model's."""
    mine, theirs, own = indent(anchor[0]), indent(anchor[1]), indent(line)
    if not line.strip() or mine == theirs:
        return line
    if own.startswith(mine):
        return theirs + own[len(mine) :] + line[len(own) :]
    if mine.startswith(own) and len(mine) - len(own) <= len(theirs):
        return theirs[: len(theirs) - (len(mine) - len(own))] + line[len(own) :]
    return line
