"""The calls of one answer: which run at once, and what is carried of their results."""

from app.domain.tool import ToolCall, ToolResult

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


def pending(result: ToolResult) -> ToolResult:
    """What the next turn must know of a result; one that a tool left is read from the results folder."""
    return ToolResult(id=result.id, status=result.status, preview="" if result.fingerprint else result.preview)


def _free(call: ToolCall) -> bool:
    """Whether a call may run beside its neighbours: it changes nothing and nobody is asked."""
    return call.effect == "read" and call.verdict != "ask"
