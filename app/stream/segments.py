"""The bytes of one stream: segments named by the offset of their first byte.

`<start, 20 digits>.jsonl` holds bytes [start, start + size) of the stream; the next segment
begins where it ends. A batch never straddles two. So an offset leads to its bytes by name alone.
"""

import os
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.stream.errors import Damaged
from app.stream.lines import Batch, whole_batch

SUFFIX = ".jsonl"
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a stream and the offset of its first byte."""

    start: int
    file: Path

    @staticmethod
    def named(folder: Path, start: int) -> "Segment":
        """The segment of `folder` that begins, or will begin, at `start`."""
        return _named(folder, start)


@lru_cache(4096)
def _named(folder: Path, start: int) -> Segment:
    return Segment(start, folder / f"{start:020d}{SUFFIX}")


def segments(folder: Path) -> list[Segment]:
    """The segments of a stream in order; none where there is no such folder."""
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except FileNotFoundError:
        return []
    starts = sorted(int(name[:20]) for name in names if name.endswith(SUFFIX) and name[:20].isdigit())
    return [Segment.named(folder, start) for start in starts]


def with_limits(found: list[Segment]) -> Iterator[tuple[Segment, int | None]]:
    """Each segment with the offset where the next one takes over, which is where it ends."""
    limits = [*(segment.start for segment in found[1:]), None]
    return zip(found, limits[: len(found)], strict=True)


def holding(folder: Path, offset: int) -> Segment | None:
    """The segment whose bytes include `offset`, or None before the first one."""
    found = segments(folder)
    at = bisect_right(found, offset, key=lambda segment: segment.start)
    return found[at - 1] if at else None


@contextmanager
def opened(file: Path | str, flags: int = os.O_RDONLY) -> Generator[int]:
    """A descriptor of `file`, never of what a link points at. New files are for their owner only."""
    fd = os.open(file, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def read_bytes(folder: Path, start: int, end: int) -> bytes:
    """The bytes [start, end) of a stream, touching only the segments that hold them.

    Raises `Damaged` where some of them are not there.
    """
    if start >= end:
        return b""
    parts: list[bytes] = []
    found = segments(folder)
    first = max(0, bisect_right(found, start, key=lambda segment: segment.start) - 1)
    position = start
    for segment, limit in with_limits(found[first:]):
        if position >= end or segment.start > position:
            break
        stop = end if limit is None else min(end, limit)
        with opened(segment.file) as fd:
            parts.append(read_at(fd, position - segment.start, stop - position))
        position += len(parts[-1])
    if position < end:
        raise Damaged(f"`{folder}` holds no bytes {position} to {end}: its disk lost them, or they were never recorded")
    return b"".join(parts)


def read_at(fd: int, position: int, length: int) -> bytes:
    """Up to `length` bytes at `position`; fewer only where the file ends."""
    parts: list[bytes] = []
    while length > 0 and (part := os.pread(fd, length, position)):
        parts.append(part)
        position, length = position + len(part), length - len(part)
    return b"".join(parts)


def batch_at(segment: Segment, start: int) -> Batch | None:
    """The whole batch that begins at `start`, or None; reads no more of the segment than it has to."""
    with opened(segment.file) as fd:
        if start > segment.start and os.pread(fd, 1, start - segment.start - 1) != b"\n":
            return None
        content, wanted = b"", _CHUNK
        while True:
            more = read_at(fd, start - segment.start + len(content), wanted)
            content += more
            batch = whole_batch(content, start)
            if batch is not None or len(more) < wanted:
                return batch
            wanted *= 4
