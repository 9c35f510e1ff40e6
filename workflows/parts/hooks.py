"""Where an agent meets hooks. Nothing is scheduled for an event that has none, so old histories replay."""

from temporalio.exceptions import ApplicationError

from app.domain.activities import HOOK, Brief
from app.domain.contracts import AgentInput
from app.domain.hook import HookInput, HookOutput
from app.domain.session import EventRange
from app.domain.tool import Mode, Rule, ToolCall, ToolResult
from workflows.parts.steps import step, step_id

STOPS = 3
"""How often hooks of `Stop` may send an agent back to work."""


async def begin(order: AgentInput, session: EventRange, brief: Brief) -> list[str]:
    """`SessionStart` and `UserPromptSubmit`, before the first turn: the steps whose words are to be told."""
    notes: list[str] = []
    for event in ("SessionStart", "UserPromptSubmit"):
        if event not in order.hooks:
            continue
        prompt = order.task if event == "UserPromptSubmit" else ""
        said = await _run(order, session, event, f"start-{event}", brief=brief, prompt=prompt)
        if said.verdict == "deny" and event == "UserPromptSubmit":
            raise ApplicationError(f"a hook refused the task: {said.reason}"[:900], non_retryable=True)
        notes += [f"start-{event}"] if said.words else []
    return notes


async def before(
    order: AgentInput,
    session: EventRange,
    turn: EventRange,
    call: ToolCall,
    name: str,
    rules: tuple[Rule, ...],
    mode: Mode,
) -> HookOutput:
    """`PreToolUse`: what the hooks say of a call. `mode`: the one under which its verdict was found."""
    if "PreToolUse" not in order.hooks or call.runs_as != "activity" or call.verdict == "deny":
        return HookOutput()
    return await _run(order, session, "PreToolUse", pre(name), turn=turn, index=call.index, rules=rules, mode=mode)


def decided(call: ToolCall, said: HookOutput) -> ToolCall:
    """The verdict of the permission gate with that of the hooks: `deny` and `ask` tighten, `allow` answers an `ask`.

    `reason` stays what the gate said, for it tells what a person allows; but for a call that only a hook asks for.
    """
    if said.verdict == "deny":
        return call.model_copy(update={"verdict": "deny", "reason": f"a hook: {said.reason}"[:400]})
    if call.verdict == "deny":
        return call
    if said.verdict == "ask" and call.verdict == "allow":
        why = call.reason or f"a hook asks: {said.reason}"[:400]
        return call.model_copy(update={"verdict": "ask", "reason": why, "rule": ""})
    if said.verdict == "allow" and call.verdict == "ask":
        return call.model_copy(update={"verdict": "allow"})
    return call


async def after(
    order: AgentInput, session: EventRange, turn: EventRange, call: ToolCall, result: ToolResult, updated: str
) -> list[str]:
    """`PostToolUse`: the steps whose words are to be told."""
    if "PostToolUse" not in order.hooks:
        return []
    name = f"{result.id}-post"
    said = await _run(
        order, session, "PostToolUse", name, turn=turn, index=call.index, result=result.id, updated=updated
    )
    return [name] if said.words else []


async def stopping(order: AgentInput, session: EventRange, turn: int, stops: int) -> list[str]:
    """`Stop`: the steps whose words send the agent back to work; none: it may end."""
    if "Stop" not in order.hooks or stops >= STOPS:
        return []
    name = f"t{turn}-stop"
    said = await _run(order, session, "Stop", name, active=stops > 0)
    return [name] if said.verdict == "deny" and said.words else []


async def compacting(order: AgentInput, session: EventRange, name: str) -> None:
    """`PreCompact`. Raises `ApplicationError` when a hook refuses: the conversation cannot go on then."""
    if "PreCompact" not in order.hooks:
        return
    said = await _run(order, session, "PreCompact", pre(name))
    if said.verdict == "deny":
        raise ApplicationError(f"a hook refused the compaction: {said.reason}"[:900], non_retryable=True)


def pre(name: str) -> str:
    """The step of the hooks before a call."""
    return f"{name}-pre"


async def _run(
    order: AgentInput,
    session: EventRange,
    event: str,
    name: str,
    *,
    brief: Brief | None = None,
    prompt: str = "",
    turn: EventRange | None = None,
    index: int = 0,
    rules: tuple[Rule, ...] = (),
    mode: Mode | None = None,
    result: str = "",
    updated: str = "",
    active: bool = False,
) -> HookOutput:
    """Raises `ApplicationError` when a hook says that the agent must not go on."""
    asked = HookInput(
        step_id=step_id(name),
        data_id=order.workspace.data_id,
        event=event,
        session=session,
        brief=brief,
        prompt=prompt,
        turn=turn,
        index=index,
        updated=updated,
        result=result,
        rules=rules,
        mode=mode,
        active=active,
    )
    said = await step(HOOK, asked, HookOutput, id=name, data_id=order.workspace.data_id, summary=event)
    if said.stop:
        raise ApplicationError(f"a hook stopped the agent: {said.stop}", non_retryable=True)
    return said
