"""The files of a repository that speak to agents, read from a commit; or from a checkout, to be looked at."""

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from app.workspace.git import Git

Kind = Literal["file", "program", "link", "other"]
_KINDS: dict[str, Kind] = {"100644": "file", "100755": "program", "120000": "link"}


@dataclass(frozen=True)
class Item:
    """One entry. `size` in bytes; `read` gives its content, for a link where it leads."""

    path: str
    kind: Kind
    size: int
    read: Callable[[], bytes]


class Source(Protocol):
    """Somewhere to read from; paths are relative to the top of the repository."""

    def items(self, places: Iterable[str]) -> dict[str, Item]:
        """The entries at `places`, and below those that are folders, by path."""
        ...


@dataclass(frozen=True)
class Commit:
    """The files of one commit: nothing that lies in a checkout, or that a link leads to, is ever read."""

    git: Git
    commit: str

    def items(self, places: Iterable[str]) -> dict[str, Item]:
        """The entries at `places`, as git has them."""
        wanted = sorted(set(places))
        if not wanted:
            return {}
        found: dict[str, Item] = {}
        for field in self.git.fields("ls-tree", "-r", "-l", "-z", "--full-tree", self.commit, "--", *wanted):
            meta, _, path = field.partition("\t")
            mode, _, name, size = meta.split()
            found[path] = Item(path, _KINDS.get(mode, "other"), int(size) if size.isdigit() else 0, self._reader(name))
        return found

    def _reader(self, name: str) -> Callable[[], bytes]:
        return lambda: self.git.run("cat-file", "blob", name)


@dataclass(frozen=True)
class Folder:
    """The files of a checkout as they are now; a link is an entry of its own and is not followed."""

    top: Path

    def items(self, places: Iterable[str]) -> dict[str, Item]:
        """The entries at `places`, as they lie on the disk."""
        found: dict[str, Item] = {}
        for place in sorted(set(places)):
            path = self.top / place
            if any(part.is_symlink() for part in path.parents if part.is_relative_to(self.top) and part != self.top):
                continue
            names = [path]
            if path.is_dir() and not path.is_symlink():
                names = [Path(folder) / name for folder, _, files in os.walk(path) for name in files]
            found |= {item.path: item for name in names if (item := self._item(name)) is not None}
        return found

    def _item(self, path: Path) -> Item | None:
        try:
            mode = path.lstat()
        except OSError:
            return None
        name = path.relative_to(self.top).as_posix()
        if stat.S_ISLNK(mode.st_mode):
            return Item(name, "link", mode.st_size, lambda: os.fsencode(os.readlink(path)))  # noqa: PTH115 - as bytes
        if not stat.S_ISREG(mode.st_mode):
            return None
        return Item(name, "program" if mode.st_mode & 0o100 else "file", mode.st_size, path.read_bytes)


def is_regular(item: Item | None, most: int) -> bool:
    """Whether an entry is a plain file of at most `most` bytes."""
    return item is not None and item.kind in ("file", "program") and item.size <= most
