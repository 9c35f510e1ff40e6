"""Files of the worktree, opened without following a link: a command in the background may change folders into links.

A real path says where a file was when it was judged. From the worktree's top down, each folder is opened
in the one before and must be a folder itself, so what is read or written lies below the top, whatever was swapped.
"""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from app.tools.base import ToolContext, ToolError
from app.tools.paths import below, top_of

_INSIDE = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def folder_of(top: Path, real: Path, *, make: bool = False) -> Generator[int]:
    """A descriptor of the folder that holds `real`, a path below `top`; `make`: with the folders that are missing.

    Raises `ToolError` where a link or a file stands in the place of a folder, else `OSError` as `open` does.
    """
    fd = os.open(top, _INSIDE)
    try:
        for name in real.parent.relative_to(top).parts:
            above, fd = fd, _inner(fd, name, real, make=make)
            os.close(above)
        yield fd
    finally:
        os.close(fd)


def open_file(ctx: ToolContext, real: Path) -> int:
    """A descriptor to read a real path with; raises as `folder_of`. One outside was allowed, or records a result."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if not below(real, top_of(ctx.worktree)):
        return os.open(real, flags)
    with folder_of(top_of(ctx.worktree), real) as folder:
        try:
            return os.open(real.name, flags, dir_fd=folder)
        except OSError as error:
            raise _told(error, real) from None


def sync_names(folder: int) -> None:
    """Returns once the names in the folder are on the disk."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _inner(folder: int, name: str, real: Path, *, make: bool) -> int:
    try:
        try:
            return os.open(name, _INSIDE, dir_fd=folder)
        except FileNotFoundError:
            if not make:
                raise
        os.mkdir(name, dir_fd=folder)
        sync_names(folder)
        return os.open(name, _INSIDE, dir_fd=folder)
    except OSError as error:
        raise _told(error, real) from None


def _told(error: OSError, real: Path) -> Exception:
    """The error of a name in a folder as one of the whole path."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return ToolError(f"`{real.name}` was replaced by a symbolic link meanwhile, or a folder above it; look again")
    error.filename = str(real)
    return error
