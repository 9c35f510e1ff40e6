"""Every activity: its name, its input and output types.

An activity type of ours contains a dot; a tool's activity type is the tool's own name, which never does.
"""

from typing import ClassVar

from pydantic import Field

from app.domain.base import Model
from app.domain.budget import Spent
from app.domain.context import Context
from app.domain.event import RunEvent
from app.domain.okr import KeyResult, Okr
from app.domain.plugin import PluginRef
from app.domain.run import Diffstat, ModelRef
from app.domain.session import EventRange, Ids
from app.domain.tool import Mode, Rule, ToolCall, ToolResult, Workspace

TURN = "agent.turn"  # TurnInput -> Turn                       queue: llm
COMPACT = "agent.compact"  # CompactInput -> Compacted     queue: llm
CLOSE = "agent.close"  # CloseInput -> EventRange              queue: host
FORK = "agent.fork"  # ForkInput -> EventRange                 queue: host
USAGE = "agent.usage"  # EventRange (end 0: to its end) -> SessionUse   queue: host
RECORD = "run.record"  # RecordInput -> EventRange             queue: host
DRAFT = "okr.draft"  # DraftInput -> DraftOutput               queue: host
PREPARE = "workspace.prepare"  # PrepareInput -> Workspace     queue: host
COMMIT = "workspace.commit"  # CommitInput -> Committed        queue: host
FINISH = "workspace.finish"  # FinishInput -> Finished         queue: host
MEASURE = "measure.read"  # MeasureInput -> Reading            queue: host
JUDGED = "measure.judged"  # JudgedInput -> Reading            queue: host
HOOK = "hook.run"  # HookInput -> HookOutput (app/domain/hook.py)   queue: host
JOB = "job.run"  # JobInput -> ToolResult                      queue: host


class Brief(Model):
    """What an agent is, told once: the `system` record at the beginning of its session holds it."""

    run: str
    agent: str
    persona: str
    tools: tuple[str, ...]
    model: ModelRef
    workspace: Workspace
    mode: Mode
    ids: Ids
    plugins: tuple[PluginRef, ...] = ()
    """What was installed when the run started; each call runs exactly that, or nothing."""
    memory: str = ""
    """The notes about the repository as they were when the session began; filled in when it is recorded."""
    context: Context = Context()
    """What the repository tells; found by the first turn, and recorded with it."""


class TurnInput(Model):
    """One model turn: append the pending results and words, ask the model, append its answer."""

    compact: ClassVar[bool] = True

    step_id: str
    data_id: str
    session: EventRange
    turn: int
    brief: Brief | None = None
    """Only for the first turn, like `task`; later ones find it in the stream."""
    task: str = Field(default="", max_length=60_000)
    told: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Activity ids of hooks whose words are told; they lie in the results folder."""
    results: tuple[ToolResult, ...] = ()
    """Pending tool results, in call order; their texts lie in the results folder."""
    rules: tuple[Rule, ...] = ()
    mode: Mode | None = None
    """The mode at this moment, where it is not the brief's."""
    must_answer: bool = False
    """The last step: only tools that end the agent are offered."""
    model: ModelRef | None = None
    """A fallback model; None: the brief's own."""
    window: int = 0
    """Tokens of its context, as its server told; 0: what the table says."""
    unchecked: bool = False
    """Ask although the conversation seems too long: it was compacted already."""
    relieved: bool = False
    """Another model stands behind this one: give up sooner."""


class Turn(Model):
    """The recorded answer: where it stands and what it asks for."""

    compact: ClassVar[bool] = True

    batch: EventRange
    """This turn's batch; the session ends where it does."""
    calls: tuple[ToolCall, ...] = ()
    text: str = Field(default="", max_length=4000)
    """The whole text of a last answer; the beginning of one that goes on."""
    spent: Spent
    replayed: bool = False
    """The record was found, not made: a crash fell between record and acknowledgement."""
    context: int = 0
    """Tokens of the conversation up to this answer."""
    window: int = 0
    """Tokens of the model's context."""


class CompactInput(Model):
    """Shortens what the model is shown of a conversation; the original stays in the stream."""

    compact: ClassVar[bool] = True

    step_id: str
    data_id: str
    run: str
    agent: str
    ids: Ids
    session: EventRange
    turn: int
    model: ModelRef
    window: int
    context: int = 0
    """Tokens of the conversation, as last told; they calibrate the estimate."""
    results: tuple[ToolResult, ...] = ()
    hard: bool = False
    """It did not help enough before: no summary, only the last step, with short results."""


class Compacted(Model):
    """What was recorded, and how long the conversation is now (tokens, estimated)."""

    compact: ClassVar[bool] = True

    batch: EventRange
    context: int
    spent: Spent


class JobInput(Model):
    """Runs the command that a call of this session noted as its job of this number."""

    compact: ClassVar[bool] = True

    step_id: str
    session_id: str
    number: int
    run: str
    workspace: Workspace
    sandboxed: bool = True
    """False only after a person allowed this command to run without a sandbox."""
    read_only: bool = False
    """The command may not write to the worktree: mode `plan`."""


class CloseInput(Model):
    """The ending of an agent: pending results, `cut_off` for each call without one, the reason."""

    step_id: str
    ids: Ids
    session: EventRange
    results: tuple[ToolResult, ...] = ()
    missing: tuple[str, ...] = ()
    """Activity ids of calls that have no result."""
    reason: str = Field(max_length=400)


class ForkInput(Model):
    """A new session that goes on from another one's end, by reference."""

    ids: Ids
    parent: EventRange
    session_id: str


class SessionUse(Model):
    """What a session's stream says was used, however its agent ended."""

    session: EventRange
    spent: Spent


class RecordInput(Model):
    """Events for the run's journal at `journal`'s end."""

    step_id: str
    ids: Ids
    run: str
    journal: EventRange
    events: tuple[RunEvent, ...]


class DraftInput(Model):
    """Where a drafting agent's structured answer stands."""

    answer: EventRange
    index: int
    okr_id: str
    intent: str
    draft: int


class DraftOutput(Model):
    """The OKR, or the sentence that says what is wrong with the answer."""

    okr: Okr | None = None
    problem: str = Field(default="", max_length=1000)


class PrepareInput(Model):
    """Sets up the run's private repository and one worktree of it. Idempotent."""

    run: str
    data_id: str
    name: str
    repo: str
    subdir: str = "."
    include_dirty: bool = False
    start: str = ""
    """Commit to start from; empty: the repository's HEAD."""
    base: str = ""
    """Commit that diffs and measures rest on; empty: where it starts."""


class CommitInput(Model):
    """Commits whatever the worktree holds; a step whose trailer exists is done."""

    step_id: str
    ids: Ids
    workspace: Workspace
    message: str = Field(max_length=4000)


class Committed(Model):
    """`commit` is the worktree's HEAD afterwards; `changed`: whether its tree differs from before."""

    commit: str
    changed: bool
    diffstat: Diffstat = Diffstat()


class FinishInput(Model):
    """Hands the finished branch to the user's repository: objects and one ref."""

    run: str
    workspace: Workspace
    commit: str
    keep: bool = True


class Finished(Model):
    """The branch `codetether/<run>`, empty when there is nothing on it."""

    branch: str = ""
    commit: str = ""
    diffstat: Diffstat = Diffstat()


class MeasureInput(Model):
    """Reads one key result on a commit, in a clean worktree, protected files from `approved`."""

    step_id: str
    ids: Ids
    run: str
    key_result: KeyResult
    workspace: Workspace
    commit: str
    approved: str
    allowed: bool = False
    """A person approved this command: it may run even where no sandbox can be had."""


class JudgedInput(Model):
    """Where a judging agent's answer stands, and the commit that it judged."""

    answer: EventRange
    index: int
    commit: str
