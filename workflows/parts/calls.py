"""The calls of one answer: which run at once, how one is carried out, and what is carried of their results."""

from app.domain.contracts import AgentInput
from app.domain.session import EventRange
from app.domain.tool import ToolCall, ToolInput, ToolResult
from workflows.parts.asking import Passed
from workflows.parts.jobs import Jobs
from workflows.parts.steps import step, step_id

Named = tuple[ToolCall, str]
"""A call and its activity id."""


def groups(calls: list[Named]) -> list[list[Named]]:
    """The calls in order; read-only ones that stand next to each other together, all others alone."""
    found: list[list[Named]] = []
    for call in calls:
        if found and _free(call[0]) and _free(found[-1][-1][0]):
            found[-1].append(call)
        else:
            found.append([call])
    return found


async def carry_out(agent: AgentInput, jobs: Jobs, turn: EventRange, passed: Passed, name: str) -> ToolResult:
    """What a call that may run left. One that is for the background has begun a job then."""
    call = passed.call
    if refused := jobs.refused(call):
        return ToolResult(id=name, status="error", preview=refused)
    await jobs.stop(call.stops)
    order = ToolInput(
        step_id=step_id(name),
        turn=turn,
        index=call.index,
        updated=passed.updated,
        allowed=bool(call.reason),
        sandboxed=not call.reason.startswith("no sandbox"),
        read_only=call.read_only,
        answer=passed.words,
        job=jobs.begun + 1 if call.background else 0,
        jobs=jobs.open,
    )
    result = await step(
        call.activity, order, ToolResult, id=name, data_id=agent.workspace.data_id, summary=call.preview
    )
    if call.background and result.status == "ok":
        jobs.start(call, name)
    return result


def pending(result: ToolResult) -> ToolResult:
    """What the next turn must know of a result; one that a tool left is read from the results folder."""
    return ToolResult(id=result.id, status=result.status, preview="" if result.fingerprint else result.preview)


def _free(call: ToolCall) -> bool:
    """Whether a call may run beside its neighbours: it changes nothing and nobody is asked."""
    return call.effect == "read" and call.verdict != "ask"
