"""What a permission mode means for calls that were judged under another one, and for plans."""

from app.domain.tool import MODES, Mode, ToolCall

ENTERED = "you are in plan mode: look around, change nothing, and call `plan_exit` with your plan"
APPROVED = "a person approved the plan; carry it out"
NO_PLAN = "you are not in plan mode; go on"


def judged_again(call: ToolCall, before: Mode, now: Mode) -> ToolCall:
    """The call under today's mode, when its verdict was found under `before`: never looser than either, but `full`."""
    if before == now:
        return call
    if now == "plan":
        if call.effect == "write":
            return call.model_copy(update={"verdict": "deny", "reason": "the mode is `plan` now: nothing is changed"})
        return call.model_copy(update={"read_only": call.effect == "run"})
    if now == "full" and call.verdict == "ask":
        return call.model_copy(update={"verdict": "allow"})
    tighter = MODES.index(now) < MODES.index(before)
    if tighter and call.verdict == "allow" and call.reason:
        return call.model_copy(update={"verdict": "ask"})
    return call


def told(mode: Mode) -> str:
    """What an agent at work is told when a person changes its mode."""
    more = "; change nothing and call `plan_exit` with your plan" if mode == "plan" else ""
    return f"The permission mode is `{mode}` from now on{more}."
