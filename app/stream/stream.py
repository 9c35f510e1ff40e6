"""An append-only stream of records: one writer at a time, whole batches or nothing.

All calls block for a disk access at most; from async code, call them in a thread.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from app.domain.session import EventRange, Ids, NewRecord, Record
from app.stream import index, tail
from app.stream.cache import RECORDS, Parsed
from app.stream.digests import digest as digest_of
from app.stream.errors import Damaged, Diverged
from app.stream.files import locked, make_folder, session_folder, sync_file, sync_folder, told_plainly, write_at
from app.stream.index import Entry
from app.stream.lines import Batch, encode, whole_batches
from app.stream.segments import Segment, batch_at, holding, opened, read_bytes
from app.stream.tail import Tail, find_tail

SEGMENT_BYTES = 8 * 1024 * 1024


class Stream:
    """The stream of one session (or `run-<id>`, a run's journal) below the data folder."""

    def __init__(self, data: Path, session_id: str, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Opens nothing yet. `segment_bytes`: a segment that would grow beyond it is followed by a new one."""
        self.session_id = session_id
        self.folder = session_folder(data, session_id)
        self._data = data
        self._segment_bytes = segment_bytes

    def append(self, *, expected: int, step_id: str, digest: str, records: Sequence[NewRecord], ids: Ids) -> EventRange:
        """Records one batch at `expected` and returns its range once it is on the disk.

        If the batch of this very step and question already stands there, it is the result and
        nothing is written. Raises `Diverged` when anything else does, or when the stream ends
        before `expected`; `Unwritable` (nothing was recorded) when the disk refuses;
        `TypeError` or `ValueError` for bodies that are not JSON.
        """
        content = encode(records, start=expected, step_id=step_id, digest=digest, ids=ids)
        with told_plainly(self.folder):
            if expected == 0:
                make_folder(self.folder, below=self._data)
            elif not self.folder.exists():
                raise self._lost(0, expected)
            with locked(self.folder):
                found = find_tail(self.folder)
                if found.end != expected:
                    return self._recorded(found, expected, step_id, digest)
                segment = self._place(found, len(content))
                self._write(segment, expected, content)
                end = expected + len(content)
                self._note(Entry(expected, end, len(records)))
        RECORDS.grown(self.folder, expected, lambda: self._parsed(content, expected, end))
        return self._range(expected, end)

    def find(self, *, start: int, step_id: str, digest: str) -> EventRange | None:
        """The batch of this step and question at `start`, on the disk, or None where the stream ends there.

        Raises `Diverged` when another batch starts there, or the stream ends before.
        """
        try:
            with told_plainly(self.folder), locked(self.folder):
                found = find_tail(self.folder)
                return None if found.end == start else self._recorded(found, start, step_id, digest)
        except FileNotFoundError:
            pass
        except OSError:
            if self.folder.exists():
                raise
        if start:
            raise self._lost(0, start)
        return None

    def read(self, span: EventRange) -> list[Record]:
        """The records of `span`, which begins and ends with a batch, by its bytes alone.

        Raises `Damaged` where they are not there or not whole, `ValueError` for another session's range.
        """
        if span.session_id != self.session_id:
            raise ValueError(f"a range of `{span.session_id}` cannot be read from `{self.session_id}`")
        records, _ = self._parse(span.start, span.end)
        return records

    def history(self, end: int) -> list[Record]:
        """The whole conversation up to `end`: what the session was forked from, then its own records.

        The records are shared with later callers: do not change their bodies. `fork` records
        are followed, not returned. Raises `Damaged` as `read` does.
        """
        parts: list[list[Record]] = []
        stream, start, seen = self, 0, {self.session_id}
        while True:
            own = stream._own(end)
            if start:
                own = [record for record in own if record.offset >= start]
            parts.append(own)
            if start or not own or own[0].kind != "fork":
                break
            del own[0]
            parent = parent_of(stream.read_first(end))
            if parent.session_id in seen:
                raise Damaged(f"session `{parent.session_id}` is recorded as its own ancestor")
            seen.add(parent.session_id)
            stream, start, end = Stream(self._data, parent.session_id), parent.start, parent.end
        return [record for part in reversed(parts) for record in part]

    def read_first(self, end: int) -> Record:
        """The first record of a stream that goes up to `end` at least. Raises `Damaged` where there is none."""
        own = self._own(end)
        if not own:
            raise Damaged(f"`{self.folder}` holds no records")
        return own[0]

    def end(self) -> int:
        """The end of the last whole batch; 0 for a stream that was never written."""
        return find_tail(self.folder).end

    def batches(self, end: int | None = None) -> list[EventRange]:
        """The ranges of the batches up to `end` (default: all), in order: what a rewind can go back to."""
        return [self._range(entry.start, entry.end) for entry in tail.entries(self.folder, end or self.end())]

    def _own(self, end: int) -> list[Record]:
        if end == 0:
            return []
        records = RECORDS.upto(self.folder, end, self._parse)
        if records is None:
            raise self._torn(end)
        return records

    def _parse(self, start: int, end: int) -> Parsed:
        return self._parsed(read_bytes(self.folder, start, end), start, end)

    def _parsed(self, content: bytes, start: int, end: int) -> Parsed:
        records: list[Record] = []
        ends: list[int] = []
        for batch in whole_batches(content, start):
            records += self._records(batch)
            ends.append(batch.end)
        if (ends[-1] if ends else start) != end:
            raise self._torn(ends[-1] if ends else start)
        return records, ends

    def _records(self, batch: Batch) -> list[Record]:
        try:
            return batch.records()
        except ValueError as error:
            raise self._torn(batch.start) from error

    def _recorded(self, found: Tail, start: int, step_id: str, digest: str) -> EventRange:
        """The batch at `start` if it is this step's answer to this question; else raises `Diverged`."""
        if start > found.end:
            raise self._lost(found.end, start)
        segment = holding(self.folder, start)
        batch = batch_at(segment, start) if segment else None
        if segment is None or batch is None or (batch.step_id, batch.digest) != (step_id, digest):
            other = f"step `{batch.step_id}`" if batch else "no whole batch"
            raise Diverged(
                f"session `{self.session_id}` holds {other} at byte {start}, where `{step_id}` asks something else: "
                "this run was reset; use `ctl rewind` to go back, and reset only to recover from a bad deploy"
            )
        with opened(segment.file) as fd:
            sync_file(fd)  # whoever wrote it may have died before it was on the disk
        return self._range(batch.start, batch.end)

    def _place(self, found: Tail, length: int) -> Segment:
        """The segment to write to, cut back to its last whole batch, its name on the disk."""
        segment = found.segment or Segment.named(self.folder, 0)
        size = found.end - segment.start
        if found.torn:
            with opened(segment.file, os.O_RDWR) as fd:
                os.ftruncate(fd, size)
                sync_file(fd)
        if size and size + length > self._segment_bytes:
            segment, size = Segment.named(self.folder, found.end), 0
        if not size:
            with opened(segment.file, os.O_RDWR | os.O_CREAT):
                sync_folder(self.folder)
        return segment

    def _write(self, segment: Segment, start: int, content: bytes) -> None:
        size = start - segment.start
        with opened(segment.file, os.O_RDWR) as fd:
            try:
                write_at(fd, size, content)
                sync_file(fd)
            except BaseException:
                tail.forget(segment)
                RECORDS.cut(self.folder, start)
                with suppress(OSError):  # what stays is torn, and cut off by the next append
                    os.ftruncate(fd, size)
                raise
            tail.remember(segment, fd)

    def _note(self, entry: Entry) -> None:
        """Brings the index up to date. What fails here is made good by a later append."""
        with suppress(OSError):
            if not index.add(self.folder, entry):
                index.rewrite(self.folder, tail.scan(self.folder))

    def _range(self, start: int, end: int) -> EventRange:
        return EventRange(session_id=self.session_id, start=start, end=end)

    def _lost(self, end: int, expected: int) -> Diverged:
        return Diverged(
            f"session `{self.session_id}` ends at byte {end}, but was recorded up to {expected}: its disk lost the "
            "rest; use `ctl rewind` to go on from the last checkpoint"
        )

    def _torn(self, at: int) -> Damaged:
        return Damaged(f"`{self.folder}` holds no whole batch at byte {at}; use `ctl rewind` to go back before it")


def fork(data: Path, parent: EventRange, session_id: str, ids: Ids) -> EventRange:
    """Starts session `session_id` as the continuation of `parent`, by reference; returns its range.

    `parent.start` 0: the parent's whole conversation (with what it was itself forked from); else
    only the records from there on. Doing it twice is doing it once. Raises `Damaged` when the
    parent has no such range, `Diverged` when the session has another parent.
    """
    Stream(data, parent.session_id).history(parent.end)
    record = NewRecord(kind="fork", body={"parent": parent.model_dump()})
    return Stream(data, session_id).append(
        expected=0, step_id=f"fork-{session_id}", digest=digest_of(parent), records=[record], ids=ids
    )


def parent_of(record: Record) -> EventRange:
    """The range that a `fork` record names. Raises `Damaged` where it names none."""
    try:
        return EventRange.model_validate(record.body["parent"])
    except (KeyError, ValueError) as error:
        raise Damaged("a `fork` record names no parent") from error
