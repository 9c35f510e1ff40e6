"""The words that run a command held by Landlock alone, or by nothing but limits and a supervisor."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.tools.gate.sandbox.kinds import SECRET, Mounts, inner, interpreter
from app.tools.gate.sandbox.limits import rlimits

_DEVICES = ("null", "zero", "full", "random", "urandom")
_GIT = ("objects", "refs", "logs")
"""What git writes in the private repository besides the worktree's own folder; not its config, not its hooks."""
LACKS = (
    "modes and times of files outside the worktree",
    "the list of other processes",
)
"""Landlock has no right for either; a program can `chmod` whatever its user owns."""


def landlocked(argv: Sequence[str], *, mounts: Mounts, network: bool, temporary: Path) -> list[str]:
    """The words that run `argv` with the worktree, git and `temporary` writable and secrets unreadable."""
    worktree = mounts.worktree.resolve()
    common = mounts.common_dir.resolve()
    read = [*_readable(mounts), common, *mounts.objects, *(source for source, _ in mounts.readonly)]
    read += [interpreter().parent.parent, Path("/proc")]
    write = [worktree, mounts.git_dir, temporary, *(common / name for name in _GIT)]
    write += [Path("/dev") / name for name in _DEVICES]
    return [
        *inner(),
        "--supervise",
        *rlimits(mounts.settings, namespaced=False),
        *(word for path in read for word in ("--read", str(path))),
        *(word for path in write for word in ("--write", str(path))),
        *(() if network else ("--filter",)),
        "--",
        *argv,
    ]


def unheld(argv: Sequence[str], *, mounts: Mounts) -> list[str]:
    """The words that run `argv` with limits, and with an end of all that it leaves behind."""
    return [*inner(), "--supervise", *rlimits(mounts.settings, namespaced=False), "--", *argv]


def _readable(mounts: Mounts) -> Iterator[Path]:
    """All of the file system but secrets, our own data, the user's checkout and shared temporary places.

    Landlock only grants: so everything beside a hidden place is granted, folder by folder down to it.
    """
    home = Path.home()
    places = [*(home / name for name in SECRET), *mounts.hidden, Path(mounts.root)]
    places += [Path(name) for name in ("/tmp", "/var/tmp", "/run", "/dev", "/proc")]
    hidden = {form for place in places for form in (place.absolute(), place.resolve())}
    above = {parent for place in hidden for parent in place.parents}
    yield from _beside(Path("/"), hidden, above)


def _beside(folder: Path, hidden: set[Path], above: set[Path]) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if path in hidden or entry.is_symlink():
            continue
        if path in above:
            yield from _beside(path, hidden, above)
        else:
            yield path
