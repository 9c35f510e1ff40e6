"""A plugin's files, read whole into memory: what was checked is what is kept.

From a folder or an archive (.tar.gz, .tgz, .tar, .zip). Links, special files, absolute paths, `..` and
whatever exceeds the caps are refused; nothing is ever unpacked to a path that an archive names.
"""

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from app.errors import UserError
from app.security.manifest import clean_path

FILES = 202
"""Files at most: 200, manifest and signature."""
FILE_BYTES = 5 * 1024 * 1024
TOTAL_BYTES = 20 * 1024 * 1024
_DEPTH = 8

Package = dict[str, bytes]
"""Path below the plugin's folder → its bytes."""


def read_package(place: Path) -> Package:
    """The files of a folder or an archive. Raises `UserError` naming what is refused."""
    if place.is_dir():
        return read_folder(place)
    try:
        entries = _archived(place)
        return _collected(entries)
    except FileNotFoundError:
        raise UserError(f"there is no folder or archive `{place}`; name one that exists") from None
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError):
        raise UserError(f"`{place}` is no archive that can be read; give a folder, a `.tar.gz` or a `.zip`") from None


def read_folder(folder: Path) -> Package:
    """The files of a folder. Raises `UserError` naming what is refused."""
    try:
        return _collected(_walked(folder, "", 0))
    except OSError as error:
        raise UserError(f"cannot read `{error.filename or folder}`: {error.strerror}; correct that first") from None


def _collected(entries: Iterator[tuple[str, bytes]]) -> Package:
    found: Package = {}
    total = 0
    for path, content in entries:
        if path in found:
            raise UserError(f"`{path}` is there twice; a plugin has each file once")
        total += len(content)
        if len(found) >= FILES or total > TOTAL_BYTES:
            raise UserError(f"a plugin has at most {FILES - 2} files and {TOTAL_BYTES >> 20} MiB; this one has more")
        found[path] = content
    return found


def _walked(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, bytes]]:
    if depth > _DEPTH:
        raise UserError(f"`{prefix}` lies too deep; a plugin's folders nest {_DEPTH} levels at most")
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{prefix}{entry.name}"
        if entry.is_symlink():
            raise UserError(f"`{path}` is a link; a plugin holds only files and folders")
        if entry.is_dir(follow_symlinks=False):
            _checked(f"{path}")
            yield from _walked(Path(entry.path), f"{path}/", depth + 1)
        else:
            yield _checked(path), _read(entry.path, path)


def _read(place: str, path: str) -> bytes:
    fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise UserError(f"`{path}` is no plain file; a plugin holds only files and folders")
        return _capped(path, file.read(FILE_BYTES + 1))


def _archived(place: Path) -> Iterator[tuple[str, bytes]]:
    with place.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    return _common(_zipped(place) if zipped else _tarred(place))


def _common(entries: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """An archive of a folder holds everything below one name: that name is left out."""
    found: list[tuple[str, bytes]] = []
    total = 0
    for path, content in entries:
        total += len(content)
        if len(found) >= FILES or total > TOTAL_BYTES:
            raise UserError(f"a plugin has at most {FILES - 2} files and {TOTAL_BYTES >> 20} MiB; this one has more")
        found.append((path, content))
    tops = {path.partition("/")[0] for path, _ in found}
    inner = len(tops) == 1 and all("/" in path for path, _ in found)
    return iter([(path.partition("/")[2], content) for path, content in found] if inner else found)


def _tarred(place: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(place, mode="r|*") as archive:  # a stream: nothing is read ahead of the caps
        for member in archive:
            name = member.name.removeprefix("./")
            if member.isdir() and name in ("", "."):
                continue
            path = _checked(name)
            if member.isdir():
                continue
            if not member.isreg():
                raise UserError(f"`{path}` is a link or no plain file; a plugin holds only files and folders")
            if member.size > FILE_BYTES:
                _too_large(path)
            file = archive.extractfile(member)
            assert file is not None
            yield path, _capped(path, file.read(FILE_BYTES + 1))


def _zipped(place: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(place) as archive:
        for member in archive.infolist():
            path = _checked(member.filename.removesuffix("/"))
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                raise UserError(f"`{path}` is a link or no plain file; a plugin holds only files and folders")
            with archive.open(member) as file:  # the size in the header may lie: what is read counts
                yield path, _capped(path, file.read(FILE_BYTES + 1))


def _checked(path: str) -> str:
    try:
        return clean_path(path)
    except ValueError as error:
        raise UserError(str(error)) from None


def _capped(path: str, content: bytes) -> bytes:
    if len(content) > FILE_BYTES:
        _too_large(path)
    return content


def _too_large(path: str) -> None:
    raise UserError(f"`{path}` has more than {FILE_BYTES >> 20} MiB; a plugin's files are smaller")
