"""What both patch grammars are read into."""

from dataclasses import dataclass
from typing import Literal

Op = Literal[" ", "-", "+"]


@dataclass(frozen=True)
class Hunk:
    """One place of change. `line` is where it stands in the patch, for messages (from 1)."""

    line: int
    changes: tuple[tuple[Op, str], ...]
    start: int | None = None
    """Lines of the old file before the hunk; None when the patch does not tell."""
    headers: tuple[str, ...] = ()
    """Lines of the file that precede the hunk, outermost first (Codex `@@`)."""
    at_end: bool = False
    old_unended: bool = False
    new_unended: bool = False
    """The last line of that side has no line feed."""

    @property
    def old(self) -> tuple[str, ...]:
        """The lines that must stand in the file."""
        return tuple(text for op, text in self.changes if op != "+")


@dataclass(frozen=True)
class FilePatch:
    """All that a patch does to one file. `target`: the new path of a moved or copied file."""

    kind: Literal["add", "delete", "update", "copy"]
    path: str
    target: str = ""
    hunks: tuple[Hunk, ...] = ()
    mode: int | None = None
    fallback: str = ""
    """Another name for the old file, where a plain diff has two (`x.orig`, `x`)."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path it touches, as written."""
        return tuple(path for path in (self.path, self.target, self.fallback) if path)
