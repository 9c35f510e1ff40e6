"""Finds the place of a hunk in a file and makes the change there, or says why not."""

from collections.abc import Callable, Sequence

from app.tools.base import ToolError
from app.tools.patch_model import Hunk
from app.tools.text import Lines

_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
        **dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f\u3000", " "),
    }
)


def _exact(line: str) -> str:
    return line


def _plain(line: str) -> str:
    return line.translate(_PLAIN).strip()


_LEVELS: tuple[Callable[[str], str], ...] = (_exact, str.rstrip, str.strip, _plain)
"""How lines are compared: the first level on which a hunk fits decides. Looser levels must be unambiguous."""


def apply_hunks(before: Lines, hunks: Sequence[Hunk], where: str) -> Lines:
    """The file after all hunks, in order. Raises `ToolError` for a hunk that fits nowhere or in several places."""
    lines, final = list(before.lines), before.final
    cursor = shift = 0
    for hunk in hunks:
        lowest = _below_headers(lines, hunk, cursor, where)
        at, dropped = _place(lines, hunk, lowest, shift, where)
        changes = hunk.changes[: len(hunk.changes) - dropped]
        old = [text for op, text in changes if op != "+"]
        found = lines[at : at + len(old)]
        after = _result(changes, found, _ending(found, before, hunk))
        if at + len(old) == len(lines):
            final = not hunk.new_unended and (final or hunk.old_unended)
            if before.crlf and not any(text.endswith("\r") for _, text in changes):
                after = _ended(after, final=final)
                lines[at - 1 : at] = _ended(lines[at - 1 : at], final=final or bool(after))
        lines[at : at + len(old)] = after
        if hunk.start is not None:
            shift = at - hunk.start + len(after) - len(old)
        cursor = at + len(after)
    return Lines(tuple(lines), final or not lines)


def _below_headers(lines: list[str], hunk: Hunk, cursor: int, where: str) -> int:
    for header in hunk.headers:
        at = next((at for same in _LEVELS for at in _fits(lines, [header], cursor, same)), None)
        if at is None:
            raise ToolError(f"line {hunk.line} of the patch: `{header.strip()[:80]}` does not stand in {where} there")
        # The header may itself be the first line of the hunk: it is context, not passed over.
        old = hunk.old
        cursor = at if header is hunk.headers[-1] and old and old[0].strip() == header.strip() else at + 1
    return cursor


def _place(lines: list[str], hunk: Hunk, lowest: int, shift: int, where: str) -> tuple[int, int]:
    """Where the hunk goes, and how many empty context lines at its end are not part of it."""
    old = list(hunk.old)
    if not old:
        return _insertion(lines, hunk, lowest, shift), 0
    empty = 0
    while empty < len(hunk.changes) and hunk.changes[-1 - empty] == (" ", ""):
        empty += 1
    for dropped in range(min(empty, len(old) - 1) + 1):
        wanted = old[: len(old) - dropped]
        at = _search(lines, wanted, hunk, lowest, shift, where)
        if at is not None:
            return at, dropped
    raise ToolError(_nowhere(lines, old, hunk, where))


def _insertion(lines: list[str], hunk: Hunk, lowest: int, shift: int) -> int:
    if hunk.start is not None:
        return min(max(hunk.start + shift, lowest), len(lines))
    return lowest if hunk.headers and not hunk.at_end else len(lines)


def _search(lines: list[str], old: list[str], hunk: Hunk, lowest: int, shift: int, where: str) -> int | None:
    for same in _LEVELS:
        places = _fits(lines, old, lowest, same)
        if not places:
            continue
        end = len(lines) - len(old)
        if (hunk.at_end or hunk.old_unended or hunk.new_unended) and places[-1] == end:
            return end
        if hunk.start is not None:
            expected = hunk.start + shift
            if expected in places or same is _exact:
                return min(places, key=lambda at: abs(at - expected))
        elif hunk.headers:
            return places[0]
        if len(places) > 1:
            raise ToolError(
                f"the hunk at line {hunk.line} of the patch fits {len(places)} places of {where} "
                f"(lines {', '.join(str(at + 1) for at in places[:5])}); add more context lines, or an `@@` header"
            )
        return places[0]
    return None


def _fits(lines: list[str], old: Sequence[str], lowest: int, same: Callable[[str], str]) -> list[int]:
    wanted = [same(line) for line in old]
    have = [same(line) for line in lines]
    return [
        at
        for at in range(lowest, len(have) - len(wanted) + 1)
        if have[at] == wanted[0] and have[at : at + len(wanted)] == wanted
    ]


def _result(changes: Sequence[tuple[str, str]], found: list[str], ending: Callable[[str], str]) -> list[str]:
    out: list[str] = []
    have = iter(found)
    for op, text in changes:
        if op == "+":
            out.append(ending(text))
            continue
        line = next(have)
        if op == " ":
            out.append(line)  # as it stands in the file, which may differ in spaces
    return out


def _ending(found: list[str], before: Lines, hunk: Hunk) -> Callable[[str], str]:
    """How added lines end: as the file does, when the whole hunk was written with the other ending."""
    returns = [text.endswith("\r") for _, text in hunk.changes]
    have = [line.endswith("\r") for line in found]
    if not any(returns) and (before.crlf or (have and all(have))):
        return lambda text: f"{text}\r"
    if all(returns) and have and not any(have):
        return lambda text: text.removesuffix("\r")
    return _exact


def _ended(after: list[str], *, final: bool) -> list[str]:
    """The end of a CR LF file: a line without a line feed has no carriage return either, all others do."""
    out = [f"{line.removesuffix(chr(13))}\r" for line in after]
    if out and not final:
        out[-1] = out[-1].removesuffix("\r")
    return out


def _nowhere(lines: list[str], old: list[str], hunk: Hunk, where: str) -> str:
    have = {line.strip() for line in lines}
    strange = next((line for line in old if line.strip() and line.strip() not in have), None)
    about = f"it has no line `{strange.strip()[:100]}`" if strange else "its lines do not stand together in that order"
    return f"the hunk at line {hunk.line} of the patch does not fit {where}: {about}; read the file and make it again"
