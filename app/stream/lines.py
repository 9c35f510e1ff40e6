r"""The wire format: one record a line, every line naming the batch it belongs to.

    {"offset": 812, "batch": {"start": 812, "count": 2, "step_id": "…", "digest": "…"},
     "kind": "assistant", "at": "2026-01-02T03:04:05.678Z", "ids": {…}, "body": {…}}\n

UTF-8; a lone surrogate, which UTF-8 cannot hold, makes its line pure ASCII with `\u` escapes.
A line break inside a body is always escaped, so a line of the file is a record. `offset` says
where the line itself lies: bytes that moved, or that something else wrote, do not pass for it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.session import Ids, NewRecord, Record
from app.telemetry.clock import now


@dataclass(frozen=True, slots=True)
class Batch:
    """A whole batch found in the bytes: `[start, end)`, its question, its parsed lines."""

    start: int
    end: int
    step_id: str
    digest: str
    lines: tuple[dict[str, Any], ...]

    def records(self) -> list[Record]:
        """The batch as records. Raises `ValueError` where a line has not the shape of one."""
        return [Record.model_validate({**line, "step_id": self.step_id}) for line in self.lines]


def encode(records: Sequence[NewRecord], *, start: int, step_id: str, digest: str, ids: Ids) -> bytes:
    """The bytes of one batch at `start`. Raises `TypeError` or `ValueError` for a body that is not JSON."""
    if not records:
        raise ValueError("a batch without records cannot be recorded")
    batch = {"start": start, "count": len(records), "step_id": step_id, "digest": digest}
    common = {"at": now(), "ids": ids.model_dump()}
    content = bytearray()
    for record in records:
        line = {"offset": start + len(content), "batch": batch, "kind": record.kind, **common, "body": record.body}
        content += _json(line) + b"\n"
    return bytes(content)


def whole_batches(content: bytes, start: int) -> Iterator[Batch]:
    """The whole batches from the beginning of `content`, which lies at `start`, up to the first torn one."""
    position = 0
    while (batch := whole_batch(content, start, position)) is not None:
        yield batch
        position = batch.end - start


def whole_batch(content: bytes, start: int, position: int = 0) -> Batch | None:
    """The batch at `position` of `content`, or None where it is torn, cut off, or no batch at all."""
    first = _line(content, start, position)
    if first is None:
        return None
    head, end = first
    named: dict[str, Any] = head["batch"]
    if named["start"] != start + position or named["count"] < 1:
        return None
    lines = [head]
    while len(lines) < named["count"]:
        following = _line(content, start, end)
        if following is None or following[0]["batch"] != named:
            return None
        lines.append(following[0])
        end = following[1]
    return Batch(named["start"], start + end, named["step_id"], named["digest"], tuple(lines))


def _line(content: bytes, start: int, position: int) -> tuple[dict[str, Any], int] | None:
    """The line at `position` and where it ends, or None unless it is one that `encode` made."""
    end = content.find(b"\n", position) + 1
    if not end:
        return None
    try:
        line = json.loads(content[position:end].decode())
        batch = line["batch"]
        sound = line["offset"] == start + position and isinstance(batch["start"], int)
        sound = sound and isinstance(batch["count"], int) and isinstance(batch["step_id"], str)
        return (line, end) if sound and isinstance(batch["digest"], str) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None  # not JSON, or JSON of another shape: what a power cut leaves


def _json(line: dict[str, Any]) -> bytes:
    try:
        return _dumps(line, ascii_only=False).encode()
    except UnicodeEncodeError:
        return _dumps(line, ascii_only=True).encode("ascii")


def _dumps(line: dict[str, Any], *, ascii_only: bool) -> str:
    return json.dumps(line, ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":"))
