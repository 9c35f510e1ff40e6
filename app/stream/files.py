"""Files that are whole or absent, also after a power cut; locks that die with their process."""

import errno
import fcntl
import os
import secrets
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from app.stream.errors import Busy, Unwritable

LOCK_SECONDS = 30.0
"""An append takes milliseconds: whoever holds a lock for longer is frozen."""
STREAMS = "streams"
_NAME_LIMIT = 200
_made: set[Path] = set()


def safe_name(identity: str) -> str:
    """A file name for any id: itself where that is harmless, else percent-quoted, never a path.

    Raises `ValueError` for an empty id.
    """
    if not identity:
        raise ValueError("an id that names a file is empty")
    name = quote(identity, safe=" @+,=:", errors="surrogatepass")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) <= _NAME_LIMIT:
        return name
    return f"{name[: _NAME_LIMIT - 65]}-{sha256(name.encode()).hexdigest()}"


@lru_cache(1024)
def session_folder(data: Path, session_id: str) -> Path:
    """Where a session's stream, results and other files lie; it may not exist yet. Raises `ValueError` as above."""
    return data / STREAMS / safe_name(session_id)


def sync_file(fd: int) -> None:
    """Returns once the bytes and the length of the file are on the disk."""
    if sys.platform == "darwin":
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # plain fsync leaves them in the drive's cache
    else:
        os.fdatasync(fd)


def sync_folder(folder: Path | str) -> None:
    """Returns once the names in `folder` are on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path, *, below: Path) -> None:
    """Makes `folder` (0700) with its parents, and syncs the names of all levels down from `below`.

    They are synced although they may exist: whoever made them may have died before syncing. Once is
    enough for a process.
    """
    if folder in _made and folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for level in folder.parents:
        sync_folder(level)
        if level == below or level == level.parent:
            break
    _made.add(folder)


def write_at(fd: int, position: int, content: bytes) -> None:
    """Writes all of `content` at `position`, in as many calls as the kernel wants."""
    view = memoryview(content)
    while view:
        written = os.pwrite(fd, view, position)
        if written == 0:
            raise OSError(errno.EIO, "the disk takes no more bytes")
        view, position = view[written:], position + written


def replace_file(file: Path, content: bytes) -> None:
    """Puts `content` at `file` in one step: readers, also after a power cut, see the old or the new."""
    name = os.fspath(file)
    with _temporary(name, content) as temporary:
        os.replace(temporary, name)
    sync_folder(os.path.dirname(name))


def create_file(file: Path | str, content: bytes) -> bool:
    """Puts `content` at `file` unless something is there; True if it was this call that did.

    The name appears only once the bytes are on the disk; of several callers exactly one wins.
    """
    name = os.fspath(file)
    with _temporary(name, content) as temporary:
        try:
            os.link(temporary, name)
            created = True
        except FileExistsError:
            created = False
    sync_folder(os.path.dirname(name))  # also for the loser: the winner may have died before it synced
    return created


@contextmanager
def _temporary(name: str, content: bytes) -> Generator[str]:
    temporary = os.path.join(os.path.dirname(name), f".{secrets.token_hex(8)}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            write_at(fd, 0, content)
            sync_file(fd)
        finally:
            os.close(fd)
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


@contextmanager
def locked(folder: Path, seconds: float = LOCK_SECONDS) -> Generator[None]:
    """Holds `flock` on the folder itself: the kernel frees it when the process dies, however it dies.

    Raises `Busy` after `seconds`; `FileNotFoundError` where there is no such folder.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _acquire(fd, folder, seconds)
        yield
    finally:
        os.close(fd)


def _acquire(fd: int, folder: Path, seconds: float) -> None:
    deadline, pause = time.monotonic() + seconds, 0.0005
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > deadline:
            raise Busy(
                errno.EBUSY,
                f"`{folder}` has been held by another process for {seconds:.0f} s; "
                "end the worker that does not answer (`ctl down`), the run then goes on",
            )
        time.sleep(pause)  # nothing tells when a flock is freed, and a blocking one cannot be given up
        pause = min(pause * 2, 0.02)


@contextmanager
def told_plainly(what: Path | str) -> Generator[None]:
    """Turns an `OSError` inside into `Unwritable`, which says what a person can do about it."""
    try:
        yield
    except Unwritable:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unwritable(error.errno, f"cannot write `{what}`: {reason}; {_advice(error.errno)}") from error


def _advice(code: int | None) -> str:
    match code:
        case errno.ENOSPC | errno.EDQUOT:
            return "free some space (`ctl gc`), the run then goes on by itself"
        case errno.EFBIG:
            return "raise the limit on file sizes (`ulimit -f`) and start the worker again"
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return "make the data folder writable, or set `CODETETHER_DATA_DIR` to one that is"
        case errno.EEXIST | errno.ENOENT | errno.ENOTDIR:
            return "set `CODETETHER_DATA_DIR` to a folder that can be made"
        case _:
            return "check the disk that holds the data folder"
