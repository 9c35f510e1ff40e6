"""Every workflow, signal, update and query: its name, its input and output types; and the task queues.

Workflows and `app/runs` know each other only through this file, and the activities through `activities.py` beside it.
"""

from pydantic import Field

from app.domain.base import Model
from app.domain.budget import Budget, Spent
from app.domain.okr import KeyResult, Member
from app.domain.plugin import PluginRef
from app.domain.run import Checkpoint, ModelRef, Outcome
from app.domain.session import EventRange, Ids
from app.domain.tool import Mode, Rule, ToolResult, Workspace

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
    held: bool = False
    """Paused by a person."""
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
    held: bool = False
    """Paused by a person."""
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
