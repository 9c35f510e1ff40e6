"""Where a stream ends: the end of its last whole batch, found without scanning.

From a batch boundary that the bytes confirm (the index's last batch, else the beginning of the
last segment) forward, batch by batch, to the first that is torn. What lies behind that is what a
crash left, and the next append cuts it off.
"""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.stream import index
from app.stream.index import Entry
from app.stream.lines import whole_batches
from app.stream.segments import Segment, batch_at, opened, read_at, segments, with_limits


@dataclass(frozen=True, slots=True)
class Tail:
    """The last segment (None: an empty stream), the stream's end and what follows it, in bytes."""

    segment: Segment | None
    end: int
    torn: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """A segment that ended with a whole batch: while it is the same file of the same size, it still does."""

    device: int
    inode: int
    size: int
    changed: int
    """Nanoseconds."""

    @classmethod
    def now(cls, fd: int) -> "_Seen":
        stat = os.fstat(fd)
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


_seen: dict[Path, _Seen] = {}
_seen_lock = threading.Lock()
_SEEN_LIMIT = 4096


def find_tail(folder: Path) -> Tail:
    """The tail of the stream in `folder`."""
    found = segments(folder)
    if not found:
        return Tail(None, 0, 0)
    segment = found[-1]
    with opened(segment.file) as fd:
        now = _Seen.now(fd)
        if _seen.get(segment.file) == now:
            return Tail(segment, segment.start + now.size, 0)
        start = _confirmed(folder, segment, now.size)
        end = start
        for batch in whole_batches(read_at(fd, start - segment.start, segment.start + now.size - start), start):
            end = batch.end
    torn = segment.start + now.size - end
    if not torn:
        _remember(segment, now)
    return Tail(segment, end, torn)


def remember(segment: Segment, fd: int) -> None:
    """Notes that the open segment ends with a whole, synced batch of ours. Only under the stream's lock."""
    _remember(segment, _Seen.now(fd))


def forget(segment: Segment) -> None:
    """Takes back what is known of a segment whose write failed."""
    with _seen_lock:
        _seen.pop(segment.file, None)


def scan(folder: Path) -> Iterator[Entry]:
    """Every whole batch of the stream, from its bytes alone."""
    for segment, limit in with_limits(segments(folder)):
        content = segment.file.read_bytes()
        for batch in whole_batches(content if limit is None else content[: limit - segment.start], segment.start):
            yield Entry.of(batch)


def entries(folder: Path, end: int) -> list[Entry]:
    """The batches up to `end`: from the index where it reaches that far, else from the bytes."""
    indexed = index.entries(folder)
    known = indexed if indexed is not None and (indexed[-1].end if indexed else 0) >= end else scan(folder)
    return [entry for entry in known if entry.end <= end]


def _remember(segment: Segment, seen: _Seen) -> None:
    with _seen_lock:
        if len(_seen) >= _SEEN_LIMIT:
            _seen.clear()  # it only saves reading one batch
        _seen[segment.file] = seen


def _confirmed(folder: Path, segment: Segment, size: int) -> int:
    """A boundary in the last segment: the end of the index's last batch if the bytes agree."""
    entry = index.last(folder)
    if entry is None or entry.start < segment.start or entry.end > segment.start + size:
        return segment.start
    batch = batch_at(segment, entry.start)
    return entry.end if batch is not None and Entry.of(batch) == entry else segment.start
