"""What the journal of a run tells: one event a line, enough to rebuild every projection."""

from typing import Any, Literal

from pydantic import Field

from app.domain.base import Model

EventKind = Literal[
    "started",  # body: {input: RunInput}
    "prepared",  # body: {base}
    "draft",  # body: {okr, problem}
    "baseline",  # body: {key_results}
    "asked",  # body: Request
    "decision",  # body: Decision
    "turn_started",  # body: {agent, turn, session_id}
    "turn_ended",  # body: {agent, turn, session_id, status, text, spent, checkpoint}
    "reading",  # body: {key_results}
    "told",  # body: {text, by}
    "paused",  # body: {}
    "resumed",  # body: {budget}
    "mode",  # body: {mode, by, agent: the agent's own}
    "warned",  # body: {text}: the budget is used to 80 %, a step was repeated, ...
    "outcome",  # body: RunResult
]


class RunEvent(Model):
    """One line of a run's journal, as its top workflow hands it to `run.record`."""

    kind: EventKind
    body: dict[str, Any] = Field(default_factory=dict)


class Delta(Model):
    """What an activity tells while it works: lossy, never through history, never needed.

    A reader drops what it has of an older `attempt` as soon as a newer one begins.
    """

    run: str
    agent: str
    session_id: str
    turn: int
    attempt: int
    seq: int
    kind: Literal[
        "text",
        "thinking",
        "model_started",
        "tool_started",
        "tool_output",
        "tool_ended",
        "measure",
        "trouble",
        "compacted",
        "note",
    ]
    """`note`: what an agent began with, or what a hook tells the person. `trouble`: why a step cannot go on yet
    (a full disk, a sealed Vault); it is tried again."""
    text: str = ""
    tool: str = ""
