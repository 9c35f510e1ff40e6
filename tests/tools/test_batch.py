"""`batch` makes several calls at once, and none of them passes the gate more easily than alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.tool import Rule, ToolCall
from app.tools.base import ToolContext
from app.tools.execute import execute
from app.tools.gate.permission import judge
from app.tools.gate.sandbox import Sandbox
from app.tools.registry import named


def judged(ctx: ToolContext, calls: list[dict[str, Any]], mode: Any = "ask", rules: tuple[Rule, ...] = ()) -> ToolCall:
    return judge(
        "batch",
        json.dumps({"calls": calls}),
        index=0,
        offered=named(["@writing"]),
        workspace=ctx.workspace,
        worktree=ctx.worktree,
        mode=mode,
        rules=rules,
        sandbox=Sandbox(works=True),
    )


async def test_all_calls_are_made_and_one_that_fails_spoils_no_other(ctx: ToolContext, worktree: Path) -> None:
    (worktree / "a").write_text("one\n")
    calls = [{"tool": "read", "arguments": {"path": path}} for path in ("a", "b")]
    done = await execute("batch", json.dumps({"calls": calls}), ctx)
    assert done.text.startswith("[1] read: ok\n1\tone\n\n[2] read: error\n`b` does not exist")
    assert (done.preview, list(done.seen)) == ("1 of 2 ok", ["a"])


async def test_long_results_share_the_room_and_stay_readable(
    context: Callable[..., ToolContext], worktree: Path
) -> None:
    (worktree / "a").write_text("x" * 99 + "\n" + ("y" * 99 + "\n") * 1000)
    call = {"tool": "read", "arguments": {"path": "a", "limit": 140}}
    done = await execute("batch", json.dumps({"calls": [call] * 10}), context())
    assert len(done.text) <= 16_000 and done.text.count("the whole output: read path=") == 10
    name = done.text.split('read path="')[-1].split('"')[0]
    whole = await execute("read", json.dumps({"path": name}), context(step_id="t/2"))
    assert whole.status == "ok" and "x" * 99 in whole.text


@pytest.mark.parametrize(
    ("tool", "arguments", "why"),
    [
        ("bash", {"command": "ls"}, "does more than read"),
        ("batch", {"calls": []}, "does more than read"),
        ("question", {"question": "?"}, "does more than read"),
        ("nothing", {}, "unknown tool"),
        ("propose_okr", {}, "unknown tool"),
        ("read", {}, "is wrong"),
        ("read", {"path": "/etc/passwd"}, "outside the repository"),
        ("read", {"path": ".env"}, "may hold secrets"),
    ],
)
@pytest.mark.parametrize("mode", ["ask", "full"])
def test_a_bundle_with_a_call_that_must_stand_alone_runs_nothing(
    ctx: ToolContext, tool: str, arguments: dict[str, Any], why: str, mode: str
) -> None:
    calls = [{"tool": "read", "arguments": {"path": "a"}}, {"tool": tool, "arguments": arguments}]
    call = judged(ctx, calls, mode)
    assert (call.runs_as, call.activity) == ("none", "none")
    assert "call 2" in call.preview and why in call.preview and "none was made" in call.preview


def test_a_rule_against_a_call_holds_inside(ctx: ToolContext) -> None:
    calls = [{"tool": "read", "arguments": {"path": "a"}}]
    assert (judged(ctx, calls).runs_as, judged(ctx, calls).verdict) == ("activity", "allow")
    never = Rule(tool="read", pattern="a", verdict="deny")
    assert judged(ctx, calls, rules=(never,)).runs_as == "none"
