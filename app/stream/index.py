r"""The index of a stream: where its batches lie, one line of fixed width each.

    <start, 20 digits> <end, 20 digits> <count, 10 digits>\n

Ranges are byte addresses and need no index; it answers where the last batch begins, so that
nobody scans a segment to find its end, and where turns begin. It is never trusted over the
bytes, never synced, and made again from them whenever it does not fit.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.stream.files import replace_file, write_at
from app.stream.lines import Batch
from app.stream.segments import opened, read_at

NAME = "index"
_WIDTH = 20 + 1 + 20 + 1 + 10 + 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch: bytes [start, end), `count` records."""

    start: int
    end: int
    count: int

    @classmethod
    def of(cls, batch: Batch) -> "Entry":
        """The entry for a batch found in the bytes."""
        return cls(batch.start, batch.end, len(batch.lines))

    @property
    def line(self) -> bytes:
        """Its line of the index."""
        return f"{self.start:020d} {self.end:020d} {self.count:010d}\n".encode("ascii")


def last(folder: Path) -> Entry | None:
    """The last entry, or None where the index is missing, torn or no index."""
    with suppress(OSError), opened(_file(folder)) as fd:
        size = os.fstat(fd).st_size
        if size and size % _WIDTH == 0:
            return _entry(os.pread(fd, _WIDTH, size - _WIDTH))
    return None


def entries(folder: Path) -> list[Entry] | None:
    """All entries, or None where they do not follow one another from offset 0."""
    try:
        content = (folder / NAME).read_bytes()
    except OSError:
        return None
    found = [_entry(content[at : at + _WIDTH]) for at in range(0, len(content), _WIDTH)]
    position = 0
    whole: list[Entry] = []
    for entry in found:
        if entry is None or entry.start != position:
            return None
        whole.append(entry)
        position = entry.end
    return whole


def add(folder: Path, entry: Entry) -> bool:
    """Adds `entry`, or says False where it would not follow the last one. Only under the stream's lock."""
    with opened(_file(folder), os.O_RDWR | os.O_CREAT) as fd:
        size = os.fstat(fd).st_size
        before = _entry(read_at(fd, size - _WIDTH, _WIDTH)) if size and size % _WIDTH == 0 else None
        if (before.end if before else size) != entry.start:
            return False
        write_at(fd, size, entry.line)
        return True


def rewrite(folder: Path, whole: Iterable[Entry]) -> None:
    """Makes the index anew. Only under the stream's lock."""
    replace_file(folder / NAME, b"".join(entry.line for entry in whole))


def _file(folder: Path) -> str:
    return f"{os.fspath(folder)}/{NAME}"


def _entry(line: bytes) -> Entry | None:
    parts = line.split()
    if len(line) != _WIDTH or len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    entry = Entry(*(int(part) for part in parts))
    return entry if entry.start < entry.end and entry.line == line else None
