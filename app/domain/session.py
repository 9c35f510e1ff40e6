"""A session is one agent's conversation: an append-only stream addressed by byte range."""

from typing import Any, Literal

from pydantic import Field

from app.domain.base import Model

RecordKind = Literal["fork", "system", "user", "assistant", "tool_result", "closed", "event", "compacted"]


class Ids(Model):
    """The four ids that stand in every record, audit line, log line and span. Empty: does not apply."""

    okr_id: str = ""
    okr_run_id: str = ""
    relay_id: str = ""
    session_id: str = ""


class EventRange(Model):
    """Bytes [start, end) of one session's stream. `end` is always the end of a whole batch."""

    session_id: str
    start: int = Field(default=0, ge=0)
    end: int = Field(default=0, ge=0)


class NewRecord(Model):
    """A record about to be appended; the stream adds offset, step id, time and ids."""

    kind: RecordKind
    body: dict[str, Any]


class Record(Model):
    """One line of a stream. `offset`: its first byte; `at`: RFC 3339, UTC."""

    offset: int
    step_id: str
    kind: RecordKind
    at: str
    ids: Ids
    body: dict[str, Any]


class Usage(Model):
    """Tokens of one or more model calls. `input` includes `cache_read` and `cache_write`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})

    @property
    def tokens(self) -> int:
        """What a token budget counts: everything sent and everything answered."""
        return self.input + self.output


class Cost(Model):
    """US dollars; None means the price is unknown, which is never the same as free."""

    usd: float | None = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        if self.usd is None or other.usd is None:
            return Cost(usd=None)
        return Cost(usd=self.usd + other.usd)
