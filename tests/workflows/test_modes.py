"""A call that was judged under another mode than it runs in."""

from app.domain.tool import ToolCall
from workflows.parts.modes import judged_again

EDIT = ToolCall(index=0, activity="write", effect="write")
RUN = ToolCall(index=0, activity="bash", effect="run", verdict="ask", reason="it wants the network")


def test_the_mode_counts_at_the_next_call() -> None:
    assert judged_again(EDIT, "ask", "ask") is EDIT
    assert judged_again(EDIT, "full", "plan").verdict == "deny"
    assert judged_again(RUN, "ask", "plan").read_only and judged_again(RUN, "ask", "plan").verdict == "ask"
    assert judged_again(RUN, "ask", "full").verdict == "allow"
    free = RUN.model_copy(update={"verdict": "allow"})
    assert judged_again(free, "full", "ask").verdict == "ask"
    assert judged_again(EDIT, "full", "ask").verdict == "allow"
