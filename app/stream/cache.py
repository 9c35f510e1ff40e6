"""Parsed records by stream and offset, so that a growing history is parsed only where it grew.

One per process, bounded by the bytes of the streams it holds (records take about twice that).
Whole batches never change, so what is cached never goes stale; a failed write takes back its own.
"""

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.domain.session import Record

LIMIT = 32 * 1024 * 1024
Parsed = tuple[list[Record], list[int]]
"""Records in order, and the ends of their batches."""


@dataclass(slots=True)
class _Prefix:
    records: list[Record] = field(default_factory=list[Record])
    ends: list[int] = field(default_factory=list[int])

    @property
    def end(self) -> int:
        return self.ends[-1] if self.ends else 0

    def upto(self, end: int) -> list[Record] | None:
        """The records up to `end`; None unless a batch ends there."""
        at = bisect_left(self.ends, end)
        if end and (at == len(self.ends) or self.ends[at] != end):
            return None
        if at == len(self.ends) - 1:
            return self.records[:]
        return self.records[: bisect_left(self.records, end, key=lambda record: record.offset)]


class RecordCache:
    """Prefixes of streams, the least recently used dropped first. Safe from any thread."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._prefixes: OrderedDict[Path, _Prefix] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def upto(self, folder: Path, end: int, parse: Callable[[int, int], Parsed]) -> list[Record] | None:
        """The records [0, end), or None where no batch ends at `end`.

        `parse(start, end)` reads what is not here yet; it runs without the lock, so two threads
        may parse the same bytes, and never wait for one another's disk.
        """
        with self._lock:
            prefix = self._prefixes.get(folder, _Prefix())
            if end <= prefix.end and folder in self._prefixes:
                self._prefixes.move_to_end(folder)
                return prefix.upto(end)
            known, start = prefix.upto(prefix.end) or [], prefix.end
        records, ends = parse(start, end)
        self._grow(folder, start, records, ends)
        return known + records if ends and ends[-1] == end else None

    def grown(self, folder: Path, start: int, parse: Callable[[], Parsed]) -> None:
        """Adds what was just written at `start`, if all that lies before it is here."""
        with self._lock:
            prefix = self._prefixes.get(folder)
            if prefix is None or prefix.end != start:
                return
        self._grow(folder, start, *parse())

    def cut(self, folder: Path, end: int) -> None:
        """Drops what lies behind `end`: a write there failed and was taken back."""
        with self._lock:
            prefix = self._prefixes.get(folder)
            if prefix is not None and prefix.end > end:
                self._drop(folder)

    def _grow(self, folder: Path, start: int, records: Sequence[Record], ends: Sequence[int]) -> None:
        with self._lock:
            prefix = self._prefixes.get(folder, _Prefix())
            if prefix.end != start or not ends:
                return  # another thread was faster, or it was dropped meanwhile
            prefix.records.extend(records)
            prefix.ends.extend(ends)
            self._prefixes[folder] = prefix
            self._prefixes.move_to_end(folder)
            self._size += prefix.end - start
            if prefix.end > self._limit:
                self._drop(folder)  # alone it would drive out everything else
            while self._size > self._limit:
                self._drop(next(iter(self._prefixes)))

    def _drop(self, folder: Path) -> None:
        self._size -= self._prefixes.pop(folder).end


RECORDS = RecordCache()
