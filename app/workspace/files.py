"""Small file work that must survive a crash: atomic writes, locks, and removing whatever an agent left."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.errors import UserError

LOCK_WAIT = 60.0
"""Seconds to wait for another writer of the same folder."""


class Held(UserError):
    """Another process holds a folder and does not let go. A later attempt may succeed."""


@contextmanager
def locked(folder: Path, wait: float = LOCK_WAIT) -> Generator[int]:
    """Holds `flock` on the folder itself and yields its descriptor; the kernel frees it on SIGKILL.

    Raises `Held` (exit 1) when another process holds it for longer than `wait` seconds.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + wait
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise Held(f"`{folder}` is in use by another process for {wait:.0f} s; try again later", 1)
            time.sleep(0.02)
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_whole(path: Path, data: bytes) -> None:
    """Writes the file so that after any crash it is whole or as it was: write, fsync, rename, fsync."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def copy_index(source: Path, target: Path) -> None:
    """Copies a git index with its time: git looks closer at files that changed at or after it.

    With a later time, a file changed right after the index, to the same length, would pass as unchanged.
    """
    time = source.stat().st_mtime_ns  # before reading: an earlier time only makes git look closer
    write_whole(target, source.read_bytes())
    os.utime(target, ns=(time, time))


def sync_folder(folder: Path) -> None:
    """Makes renames and removals in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Removes a file, a link or a whole tree, folders without permissions included; absent is fine."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    shutil.rmtree(path, onerror=_insist)


def _insist(function: Callable[..., Any], name: str, info: Any) -> None:
    """An agent may have taken permissions away from folders in its tree: give them back, try once more."""
    if isinstance(info[1], FileNotFoundError):
        return
    path = Path(name)
    path.parent.chmod(0o700)
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        shutil.rmtree(path)
    else:
        function(name)
