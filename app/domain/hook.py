"""Hooks as workflows see them: which event ran, what was said; commands and their words stay in activities."""

from typing import ClassVar, Literal

from pydantic import Field

from app.domain.activities import Brief
from app.domain.base import Model
from app.domain.session import EventRange
from app.domain.tool import Mode, Rule, ToolCall

EVENTS = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "PreCompact")
HookVerdict = Literal["", "allow", "ask", "deny"]
"""`deny` also stands for `block`: of a prompt, of an end, of a result. Empty: nothing was said."""


class HookInput(Model):
    """One event of one agent: `hook.run` runs every hook that is meant for it."""

    compact: ClassVar[bool] = True

    step_id: str
    data_id: str
    event: str
    session: EventRange
    brief: Brief | None = None
    """Before the first turn; later it stands in the stream."""
    prompt: str = Field(default="", max_length=60_000)
    turn: EventRange | None = None
    """The batch that holds the call, and its index there."""
    index: int = 0
    updated: str = ""
    """Activity id of the hook whose arguments the call was run with; empty: its own."""
    result: str = ""
    """Activity id of the call whose result a hook is told."""
    rules: tuple[Rule, ...] = ()
    mode: Mode | None = None
    """The mode that the call was judged under, where it is not the brief's."""
    active: bool = False
    """For `Stop`: the agent goes on because of such a hook already."""


class HookOutput(Model):
    """What all hooks of one event said together: the strictest word counts."""

    compact: ClassVar[bool] = True

    verdict: HookVerdict = ""
    reason: str = Field(default="", max_length=400)
    call: ToolCall | None = None
    """The call with the arguments that a hook wrote, judged again."""
    words: bool = False
    """Whether there is something to tell the model; it stands in the record of the step."""
    stop: str = Field(default="", max_length=400)
    """Why the agent must end."""
