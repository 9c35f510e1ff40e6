"""What an activity tells while it works, numbered so that readers can drop what is stale."""

from typing import Any

from temporalio import activity

from app.bus import listened, publish
from app.domain.event import Delta

TEXT_CAP = 4000


class Voice:
    """Publishes the deltas of one attempt of one step. Lossy: nothing depends on it."""

    def __init__(self, fixed: dict[str, Any]) -> None:
        self.fixed = fixed
        self.seq = 0

    @staticmethod
    def of(run: str, agent: str, session_id: str, turn: int, tool: str = "") -> "Voice":
        """A voice for the current attempt of the current activity."""
        attempt = activity.info().attempt
        return Voice(
            {"run": run, "agent": agent, "session_id": session_id, "turn": turn, "attempt": attempt, "tool": tool}
        )

    def say(self, kind: str, text: str) -> None:
        """Publishes one delta; `kind` is one of `Delta.kind`."""
        self.seq += 1
        if not listened():
            return
        publish(Delta.model_validate({**self.fixed, "seq": self.seq, "kind": kind, "text": text[:TEXT_CAP]}))
