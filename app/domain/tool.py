"""A tool call as workflows see it: references and verdicts, never content."""

from typing import ClassVar, Literal

from pydantic import Field

from app.domain.base import Model
from app.domain.session import EventRange

Effect = Literal["read", "write", "run", "wait", "answer"]
"""read: no change; write: edits the worktree; run: starts a process; wait: a person answers;
answer: ends the agent with a structured result."""
RunsAs = Literal["activity", "wait", "answer", "none"]
"""none: nothing is scheduled, the result (unknown tool, bad arguments) already stands in `preview`."""
Verdict = Literal["allow", "ask", "deny"]
Mode = Literal["plan", "ask", "auto-edit", "full"]
"""plan: nothing is changed; ask: edits and sandboxed commands; auto-edit: protected files, too; full: asks nothing."""
MODES: tuple[Mode, ...] = ("plan", "ask", "auto-edit", "full")
"""From the least to the most that a mode lets happen unasked."""
RuleVerdict = Literal["allow", "ask", "deny"]


def at_most(parent: Mode, wanted: Mode) -> Mode:
    """The mode of a child: what it wants, and never more than its parent has."""
    return MODES[min(MODES.index(parent), MODES.index(wanted))]


class ToolCall(Model):
    """One call of a recorded answer. Its arguments stand in the record, at `index` of its calls."""

    compact: ClassVar[bool] = True

    index: int
    activity: str = Field(max_length=64)
    runs_as: RunsAs = "activity"
    effect: Effect = "read"
    verdict: Verdict = "allow"
    reason: str = Field(default="", max_length=400)
    rule: str = Field(default="", max_length=400)
    """For a call that is asked: the rule that `always` would write, in the words of `Rule`: `bash: pytest -q`."""
    preview: str = Field(default="", max_length=400)
    fingerprint: str = Field(default="", max_length=16)
    """Of tool and arguments: equal for the same call, so that no progress is noticed."""
    read_only: bool = False
    """In mode `plan`: the command sees the worktree, and cannot write to it."""
    text: str = Field(default="", max_length=4000)
    """For a call that waits for a person: what that person reads."""
    background: bool = False
    """It begins a job: a command that goes on while the agent works."""
    stops: int = 0
    """The number of the job that it ends."""


class ToolResult(Model):
    """What a tool left. The whole text lies in the results folder; `size` is its length in bytes, images included."""

    compact: ClassVar[bool] = True

    id: str
    """The activity id of the call: its step id, without the workflow's part."""
    status: Literal["ok", "error", "denied", "cut_off"]
    preview: str = Field(default="", max_length=400)
    size: int = 0
    fingerprint: str = Field(default="", max_length=16)
    seconds: float = 0.0


class Rule(Model):
    """A person's standing word on calls of a tool; `app/tools/gate/rules.py` says how patterns are read."""

    tool: str = Field(max_length=64)
    pattern: str = Field(max_length=400)
    verdict: RuleVerdict
    origin: str = Field(default="", max_length=20)
    """Where it comes from: `config`, `repository`; empty: an answer in this run."""


def rules_at_most(parent: tuple[Rule, ...], wanted: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The rules of a child: of those that allow, what both have; of those that ask or deny, what either has."""
    kept = [rule for rule in parent if rule.verdict != "allow" or rule in wanted]
    return (*kept, *(rule for rule in wanted if rule.verdict != "allow" and rule not in parent))


class Workspace(Model):
    """One agent's worktree of one run. `root` is the user's repository; paths are absolute."""

    data_id: str
    run: str
    name: str
    root: str
    subdir: str = "."
    base: str = ""
    """The commit the run started from (40 hex digits)."""


class ToolInput(Model):
    """Input of every tool activity. `turn` is the range of the batch that holds the call.

    What else it needs (worktree, ids, mode) stands in the session's `system` record.
    """

    compact: ClassVar[bool] = True

    step_id: str
    turn: EventRange
    index: int
    allowed: bool = False
    """A person, or the policy, allowed exactly this call."""
    updated: str = ""
    """Activity id of the hook that wrote this call's arguments; empty: the model's own."""
    sandboxed: bool = True
    """False only after a person allowed this command to run without a sandbox."""
    read_only: bool = False
    """The command may not write to the worktree: mode `plan`."""
    answer: str = Field(default="", max_length=8000)
    """A person's answer, for a tool that waits for one."""
    job: int = 0
    """The number of the job that this call begins."""
    jobs: tuple[int, ...] = ()
    """The agent's open jobs."""
