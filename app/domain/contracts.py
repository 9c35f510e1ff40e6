"""Every workflow, signal, update, query and activity: its name, its input and output types.

Workflows, activities and `app/runs` know each other only through this file. An activity type
of ours contains a dot; a tool's activity type is the tool's own name, which never does.
"""

from typing import ClassVar

from pydantic import Field

from app.domain.base import Model
from app.domain.budget import Budget, Spent
from app.domain.context import Context
from app.domain.event import RunEvent
from app.domain.okr import KeyResult, Member, Okr
from app.domain.plugin import PluginRef
from app.domain.run import Checkpoint, Diffstat, ModelRef, Outcome
from app.domain.session import EventRange, Ids
from app.domain.tool import Mode, Rule, ToolCall, ToolResult, Workspace

# Task queues ------------------------------------------------------------------------------------

QUEUE = "codetether"


def llm_queue(data_id: str) -> str:
    """The queue of this host's model turns: many slots, for they wait; the streams lie in this data folder."""
    return f"codetether-llm-{data_id}"


def host_queue(data_id: str) -> str:
    """The queue of the worker that owns this data folder: streams, worktrees, tools, measures."""
    return f"codetether-host-{data_id}"


# Workflows, signals, updates, queries -----------------------------------------------------------

GO = "GoWorkflow"  # RunInput -> RunResult
DIRECT = "DirectWorkflow"  # RunInput -> RunResult
RELAY = "RelayWorkflow"  # RelayInput -> RelayResult
AGENT = "AgentWorkflow"  # AgentInput -> AgentResult

APPROVE = "approve"  # signal(draft: int = 1): the draft that was seen
DENY = "deny"  # signal(reason: str = "")
AMEND = "amend"  # signal(text: str)
TELL = "tell"  # signal(Tell), to a top workflow, which passes it on
MODE = "mode"  # signal(ModeChange), to a top workflow, which passes it on
PAUSE = "pause"  # signal()
RESUME = "resume"  # signal(Budget | None): the new limits
REPORT = "report"  # signal(RunEvent), child -> top workflow: to be recorded
ASK = "ask"  # signal(Request), agent -> top workflow
RESERVE = "reserve"  # signal(ReserveRequest), agent -> top workflow
ANSWERED = "answered"  # signal(ToolAnswer), top workflow -> agent
GRANTED = "granted"  # signal(Grant), top workflow -> agent
HOLD = "hold"  # signal(bool), top workflow -> agent: paused or not
DECIDE = "decide"  # update(Decision) -> RunView, validated
VIEW = "view"  # query() -> RunView


class Tell(Model):
    """A person's words for the agent at work, read at its next turn."""

    text: str = Field(min_length=1, max_length=4000)
    by: str = Field(default="", max_length=120)


class ModeChange(Model):
    """The permission mode from the next call on."""

    mode: Mode
    by: str = Field(default="", max_length=120)


class ReserveRequest(Model):
    """An agent that used up its share asks for more, and waits."""

    agent: str
    spent: Spent
    call: Spent = Spent()
    """What its last call used: the next one may use as much."""


class Grant(Model):
    """The agent's new limits. Equal to the old ones: there is no more."""

    budget: Budget
    recalled: bool = False
    """Not an answer: others used up what this agent held."""


class ToolAnswer(Model):
    """A person's answer to one tool question; the rule holds for the rest of the run."""

    request_id: str
    allowed: bool
    text: str = Field(default="", max_length=8000)
    rule: Rule | None = None


class AgentInput(Model):
    """One agent until it is done. `session` is empty at first, or what continue-as-new carries."""

    run: str
    top: str
    """Workflow id of the top workflow: the one that records, asks and grants."""
    name: str = Field(max_length=60)
    ids: Ids
    persona: str = Field(max_length=60)
    """A prompt of `app/prompts/`: `draft`, `relay`, `solo`, `judge`."""
    task: str = Field(max_length=60_000)
    session: EventRange
    tools: tuple[str, ...]
    model: ModelRef
    workspace: Workspace
    mode: Mode = "ask"
    most: Mode = "full"
    """No mode of the run gives it more than this: an agent that only looks never gets what a writing one has."""
    now: Mode | None = None
    """The mode at this moment, where it is not the `mode` that the session began with."""
    rules: tuple[Rule, ...] = ()
    fallback: tuple[ModelRef, ...] = ()
    budget: Budget
    max_steps: int = Field(default=50, ge=1, le=10_000)
    history_limit: int = 0
    plugins: tuple[PluginRef, ...] = ()
    hooks: tuple[str, ...] = ()
    """The events that have hooks: at any other one nothing is scheduled."""
    # Carried through continue-as-new:
    turn: int = 0
    spent: Spent = Spent()
    call: Spent = Spent()
    """What the last call used."""
    told: tuple[str, ...] = Field(default=(), max_length=50)
    started: bool = False
    malformed: int = 0
    last_text: str = Field(default="", max_length=4000)
    results: tuple[ToolResult, ...] = ()
    at: int = 0
    """Which model of the chain answers; 0 is `model`."""
    window: int = 0
    """Tokens of that model's context, as the last turn or its server told; 0: not known yet."""
    context: int = 0
    """Tokens that the conversation has now, pending results included."""
    notes: tuple[str, ...] = ()
    stops: int = 0
    seen: tuple[str, ...] = ()
    """Fingerprints of call and result since the last edit; the same one three times is no progress."""
    jobs: int = 0
    """How many background jobs this agent began: the next one has the next number."""


class AgentResult(Model):
    """`status` done: it gave its last answer; the others say which limit ended it."""

    status: str = Field(max_length=40)  # done | steps | budget | stalled | malformed | cancelled | failed
    reason: str = Field(default="", max_length=1000)
    text: str = Field(default="", max_length=4000)
    answer: EventRange | None = None
    """The batch that holds the structured answer (`answer_index` of its calls)."""
    answer_index: int = 0
    session: EventRange
    spent: Spent
    steps: int = 0
    rules: tuple[Rule, ...] = ()
    told: tuple[str, ...] = ()
    """Words that came too late to be read; the next agent reads them."""


class RelayInput(Model):
    """A team that passes a baton until the key results are met or a stop rule ends it."""

    run: str
    top: str
    ids: Ids
    task: str = Field(max_length=20_000)
    objective: str = ""
    key_results: tuple[KeyResult, ...] = ()
    team: tuple[Member, ...] = Field(min_length=1, max_length=8)
    model: ModelRef
    fallback: tuple[ModelRef, ...] = ()
    workspace: Workspace
    mode: Mode = "ask"
    rules: tuple[Rule, ...] = ()
    budget: Budget
    max_turns: int
    max_steps: int = 50
    once: bool = False
    """One agent, one turn: `ctl run`."""
    plugins: tuple[PluginRef, ...] = ()
    hooks: tuple[str, ...] = ()
    history_limit: int = 0
    session: str = ""
    session_end: int = 0
    # Carried through continue-as-new:
    turn: int = 0
    spent: Spent = Spent()
    baton: str = Field(default="", max_length=8000)
    told: tuple[str, ...] = ()
    checkpoint: Checkpoint = Checkpoint()
    quiet: int = 0
    """Turns in a row that changed neither the tree nor any key result."""
    sessions: tuple[str, ...] = ()


class RelayResult(Model):
    """How the relay ended, with what it reached."""

    outcome: Outcome
    reason: str = Field(default="", max_length=1000)
    text: str = Field(default="", max_length=4000)
    key_results: tuple[KeyResult, ...] = ()
    spent: Spent = Spent()
    turns: int = 0
    checkpoint: Checkpoint = Checkpoint()
    sessions: tuple[str, ...] = ()


# Activities -------------------------------------------------------------------------------------

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
