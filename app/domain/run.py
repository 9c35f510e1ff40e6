"""A run: what was ordered, what it waits for, how it ended."""

from typing import Literal

from pydantic import Field

from app.domain.base import Model
from app.domain.budget import Budget, Spent
from app.domain.okr import KeyResult, Okr, Reading
from app.domain.plugin import PluginRef
from app.domain.session import Ids
from app.domain.tool import Mode, Rule

Outcome = Literal[
    "completed",
    "needs_review",
    "max_iterations",
    "quality_failed",
    "stalled",
    "budget",
    "denied",
    "cancelled",
    "failed",
]
RunKind = Literal["go", "autochat", "run"]
Status = Literal["drafting", "waiting", "working", "measuring", "paused", "ended"]

EXIT_CODES: dict[Outcome, int] = {
    "completed": 0,
    "failed": 1,
    "cancelled": 1,
    "denied": 3,
    "max_iterations": 5,
    "quality_failed": 5,
    "stalled": 5,
    "budget": 5,
    "needs_review": 5,
}
"""Others: 2 usage, 4 cannot reach a service, 6 waiting for a decision, 130 detached."""


class ModelRef(Model):
    """`provider/name` and where it is served; never a key."""

    provider: str = Field(max_length=64)
    name: str = Field(max_length=128)
    base_url: str = Field(default="", max_length=400)
    window: int = Field(default=0, ge=0)
    """Tokens of its context, as a person told; 0: what the table says, or its server."""

    @property
    def id(self) -> str:
        """`provider/name`, as a person writes it."""
        return f"{self.provider}/{self.name}"


class Decision(Model):
    """A person's answer to a request. For tools `scope` says for how long it holds."""

    request_id: str
    verdict: Literal["approve", "deny", "amend"]
    text: str = Field(default="", max_length=4000)
    by: str = Field(default="", max_length=120)
    scope: Literal["once", "always", "never"] = "once"
    rule: str = Field(default="", max_length=400)
    """The rule of `always` and `never` in a person's words; empty: the request's own."""


class Request(Model):
    """What a run waits for: approval of a draft (`draft-1`) or of one tool call, or an answer to a question."""

    id: str
    kind: Literal["draft", "tool", "plan", "question"]
    title: str = Field(max_length=400)
    reason: str = Field(default="", max_length=400)
    rule: str = Field(default="", max_length=400)
    agent: str = Field(default="", max_length=120)
    """For tools and questions: the workflow id of the agent that waits."""
    text: str = Field(default="", max_length=4000)
    """For a plan: what is to be approved."""


class Checkpoint(Model):
    """A state that can be gone back to: stream end, commit, readings."""

    session_id: str = ""
    stream_end: int = 0
    commit: str = ""
    readings: tuple[Reading, ...] = ()


class Diffstat(Model):
    """What a branch changes against its base."""

    files: int = 0
    added: int = 0
    removed: int = 0


class RunInput(Model):
    """Input of GoWorkflow and DirectWorkflow. `run` is the workflow id and names branch and files."""

    run: str = Field(max_length=100)
    kind: RunKind
    intent: str = Field(min_length=1, max_length=20_000)
    repo: str = Field(max_length=1000)
    """The top of the user's repository, absolute."""
    subdir: str = "."
    data_id: str
    model: ModelRef
    ids: Ids
    budget: Budget = Budget()
    fallback: tuple[ModelRef, ...] = Field(default=(), max_length=8)
    """Models that are asked, in this order, when the one before them failed for good."""
    max_turns: int = Field(default=40, ge=1, le=1000)
    mode: Mode = "ask"
    rules: tuple[Rule, ...] = ()
    """Of `config.toml` and of this repository, as they were when the run was ordered."""
    include_dirty: bool = False
    interactive: bool = True
    """Whether a person may answer; the run waits in any case, it only says so differently."""
    approved_by: str = Field(default="", max_length=120)
    """Who approved the first draft ahead, with `--yes --detach`; empty: nobody."""
    resume: Okr | None = None
    """A run that goes on from an earlier one: its approved OKR,"""
    resume_commit: str = ""
    """the commit to start from,"""
    resume_base: str = ""
    """and the commit the first run started from, which measures and diffs rest on."""
    session: str = ""
    """`ctl run --continue`: the session to fork."""
    session_end: int = 0
    plugins: tuple[PluginRef, ...] = ()
    """Installed plugins, as they were when the run started."""
    hooks: tuple[str, ...] = ()
    """The events that have hooks, of the person's own or of files of the repository that they trust."""
    notes: tuple[str, ...] = Field(default=(), max_length=20)
    """What a person is told at the start: files of the repository that are not used, and why."""
    history_limit: int = 0
    """Test hook: continue as new after this many history events; 0: when the server suggests it."""


class RunResult(Model):
    """How a run ended."""

    outcome: Outcome
    reason: str = Field(default="", max_length=1000)
    text: str = Field(default="", max_length=4000)
    """The last agent's closing words."""
    key_results: tuple[KeyResult, ...] = ()
    spent: Spent = Spent()
    turns: int = 0
    base: str = ""
    commit: str = ""
    branch: str = ""
    diffstat: Diffstat = Diffstat()
    sessions: tuple[str, ...] = ()


class RunView(Model):
    """What a run shows of itself: the query's answer, and the shape of `runs/<run>.json`."""

    run: str
    kind: RunKind
    intent: str
    repo: str
    subdir: str = "."
    status: Status
    detail: str = ""
    model: ModelRef
    fallback: tuple[ModelRef, ...] = ()
    mode: Mode = "ask"
    planning: bool = False
    """The agent at work went into mode `plan` by itself."""
    budget: Budget
    max_turns: int = 40
    ids: Ids = Ids()
    started_at: str = ""
    updated_at: str = ""
    okr: Okr | None = None
    requests: tuple[Request, ...] = ()
    decisions: tuple[Decision, ...] = ()
    turn: int = 0
    agent: str = ""
    spent: Spent = Spent()
    base: str = ""
    checkpoint: Checkpoint = Checkpoint()
    warnings: tuple[str, ...] = ()
    result: RunResult | None = None
    journal_end: int = 0
    merged: str = ""
    """The commit that `ctl merge` made, or `discarded`."""

    @property
    def mode_now(self) -> Mode:
        """The mode that the agent at work has."""
        return "plan" if self.planning else self.mode
