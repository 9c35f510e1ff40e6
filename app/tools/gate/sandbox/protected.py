"""Files of a worktree that later run as the user, or that others read: no command makes or changes them.

Where nothing can be mounted over them they are put back after the command. What is absent before it is
removed if it appears: the tools that edit files, which a person sees, may make it.
"""

import filecmp
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROTECTED = (
    *(".git", ".vscode", ".idea", ".mcp.json", ".envrc", ".bashrc", ".bash_profile", ".profile"),
    *(".zshrc", ".zprofile", ".zshenv"),
)
"""In the top folder of the worktree. `.git` is a file there; the private repository is held apart."""
_MOST = 20


@dataclass(frozen=True)
class Protected:
    """How the worktree was before a command. `kept`: copies of what was there, where they are needed."""

    worktree: Path
    absent: tuple[str, ...]
    kept: Path | None = None

    def dump(self) -> dict[str, Any]:
        """For the journal of processes."""
        return {"worktree": str(self.worktree), "absent": self.absent, "kept": str(self.kept) if self.kept else None}


def load(document: dict[str, Any]) -> Protected:
    """What `dump` wrote."""
    kept = document["kept"]
    return Protected(Path(document["worktree"]), tuple(document["absent"]), Path(kept) if kept else None)


def before(worktree: Path, kept: Path | None) -> Protected:
    """Notes what is there; with `kept`, copies it to that folder."""
    absent = tuple(name for name in PROTECTED if not os.path.lexists(worktree / name))
    if kept is not None:
        _remove(kept)
        kept.mkdir(parents=True)
        for name in PROTECTED:
            if name not in absent:
                try:
                    _copy(worktree / name, kept / name)
                except OSError:  # it cannot be read, or is no file: there is nothing to put back
                    _remove(kept / name)
    return Protected(worktree, absent, kept)


def after(noted: Protected) -> tuple[str, ...]:
    """Puts everything back; a sentence for each thing that was made or changed. May run again."""
    said: list[str] = []
    for name in noted.absent:
        if os.path.lexists(noted.worktree / name):
            _remove(noted.worktree / name)
            said.append(f"`{name}` was made by the command and removed: it is protected; use `write` to make it")
    if noted.kept is not None and noted.kept.is_dir():
        for copy in sorted(noted.kept.iterdir()):
            place = noted.worktree / copy.name
            if not _same(copy, place):
                _remove(place)
                _copy(copy, place)
                said.append(f"`{copy.name}` was changed by the command and put back: it is protected; use `edit`")
        _remove(noted.kept)
    return (*said, *_special(noted.worktree))


def _special(worktree: Path) -> tuple[str, ...]:
    """Removes sockets, pipes and devices: nobody may be led to open one, and git carries none."""
    found: list[str] = []
    waiting = [worktree]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif not entry.is_symlink() and not entry.is_file(follow_symlinks=False):
                _remove(Path(entry.path))
                found.append(os.path.relpath(entry.path, worktree))
    said = [f"`{name}` was removed: a socket, pipe or device does not stay in the worktree" for name in sorted(found)]
    return tuple(said[:_MOST])


def _same(one: Path, other: Path) -> bool:
    try:
        return _equal(one, other)
    except OSError:
        return False


def _equal(one: Path, other: Path) -> bool:
    kinds = [stat.S_IFMT(path.lstat().st_mode) for path in (one, other)]
    if kinds[0] != kinds[1]:
        return False
    if one.is_symlink():
        return one.readlink() == other.readlink()
    if not one.is_dir():
        return filecmp.cmp(one, other, shallow=False)
    names = {path.name for path in one.iterdir()}
    return names == {path.name for path in other.iterdir()} and all(_equal(one / name, other / name) for name in names)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _remove(path: Path) -> None:
    from app.workspace.files import remove

    try:
        remove(path)
    except PermissionError:  # the command took away the permission of the folder around it
        path.parent.chmod(0o700)
        remove(path)
