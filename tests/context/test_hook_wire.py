"""Claude Code's hooks: who is meant, what is told, and what an answer means. Doubt blocks."""

import json
from typing import Any

import pytest

from app.context import wire
from app.context.hooks import Hook, events_of, read
from app.context.said import Together
from app.domain.hook import HookOutput
from app.domain.tool import ToolCall
from app.errors import UserError
from workflows.parts.hooks import decided


def hook(event: str = "PreToolUse", **more: Any) -> Hook:
    return Hook(event=event, command="check", **more)


@pytest.mark.parametrize(
    ("matcher", "tool", "meant"),
    [
        ("", "bash", True), ("*", "read", True), ("Bash", "bash", True), ("Bash", "read", False),
        ("bash", "bash", True),
        ("Write|Edit", "edit", True), ("Write|Edit", "multiedit", True), ("Write|Edit", "apply_patch", True),
        ("Edit", "read", False), ("Web.*", "webfetch", True), ("Rea", "read", False),
    ],
)  # fmt: skip
def test_matchers_are_patterns_for_whole_names(matcher: str, tool: str, meant: bool) -> None:
    assert hook(matcher=matcher).matches(tool) is meant


SPECIFIC = {"hookEventName": "PreToolUse", "permissionDecision": "ask", "permissionDecisionReason": "look"}


@pytest.mark.parametrize(
    ("exit", "out", "err", "verdict", "reason"),
    [
        (0, "", "", "", ""),
        (0, "all is well", "", "", ""),
        (2, "{", "no\n", "deny", "no"),
        (1, "", "broken", "", ""),
        (0, '{"decision": "block", "reason": "because"}', "", "deny", "because"),
        (0, '{"decision": "approve"}', "", "allow", ""),
        (0, json.dumps({"hookSpecificOutput": SPECIFIC}), "", "ask", "look"),
        (0, '{"decision": ', "", "deny", "cannot be understood"),
        (0, '{"decision": "maybe"}', "", "deny", "`decision`"),
        (0, '{"hookSpecificOutput": {"hookEventName": "Stop", "permissionDecision": "allow"}}', "", "deny", "`Stop`"),
        (0, '{"hookSpecificOutput": {"permissionDecision": true}}', "", "deny", "cannot be understood"),
        (127, "", "sh: 1: check: not found", "deny", "not found"),
        (137, "", "", "deny", "killed"),
        (None, "", "", "deny", "could not be started"),
    ],
)
def test_what_an_answer_means(exit: int | None, out: str, err: str, verdict: str, reason: str) -> None:
    said = wire.said(hook(), exit, out, err)
    assert said.verdict == verdict and reason in said.reason


def test_only_guards_block_in_doubt() -> None:
    assert wire.said(hook("PostToolUse"), 0, "{", "").verdict == ""
    assert "cannot be understood" in wire.said(hook("PostToolUse"), 0, "{", "").message
    assert wire.said(hook("PreCompact"), 127, "", "").verdict == "deny"
    assert wire.said(hook(timeout=1.0), 0, "", "", timed_out=True).verdict == "deny"


def test_words_and_stops() -> None:
    assert wire.said(hook("SessionStart"), 0, "hello\n", "").words == "hello"
    assert wire.said(hook("Stop"), 0, "hello\n", "").words == ""
    assert wire.said(hook(), 0, '{"continue": false, "stopReason": "enough"}', "").stop == "enough"


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("bash", {"command": "ls", "timeout": 2.5, "cwd": "."}, {"command": "ls", "timeout": 2500, "cwd": "."}),
        ("bash", {"timeout": 5, "background": True}, {"timeout": 5000, "run_in_background": True}),
        (
            "edit",
            {"path": "a.py", "old": "x", "new": "y"},
            {"file_path": "/r/s/a.py", "old_string": "x", "new_string": "y"},
        ),
        ("read", {"path": "/r/b", "offset": 1}, {"file_path": "/r/b", "offset": 1}),
        ("grep", {"pattern": "x", "path": "."}, {"pattern": "x", "path": "."}),
    ],
)
def test_arguments_travel_there_and_back(name: str, values: dict[str, Any], told: dict[str, Any]) -> None:
    assert wire.tool_input(name, values, "/r/s") == told
    back = json.loads(wire.arguments(name, told))
    assert back == {**values, **({"path": told["file_path"]} if "file_path" in told else {})}


def test_configuration_files() -> None:
    group = {"matcher": "Bash", "hooks": [{"type": "command", "command": "a", "timeout": 9999}, {"type": "prompt"}]}
    hooks = read(json.dumps({"hooks": {"PreToolUse": [group], "Notification": 3}, "model": "x"}).encode(), "f", "user")
    assert [(each.timeout, bool(each.problem)) for each in hooks] == [(600, False), (60, True)]
    assert events_of(hooks) == ("PreToolUse",)
    bad = json.dumps({"hooks": {"PreToolUse": [{"matcher": "(", "hooks": [{"command": "a"}]}]}}).encode()
    (broken,) = read(bad, "f", "user")
    assert broken.matches("anything") and "not valid" in broken.problem
    for content in (b"[1]", b"{", b'{"hooks": {"Stop": 1}}', b'{"hooks": {"Stop": [{"hooks": [{"timeout": -1}]}]}}'):
        with pytest.raises(UserError, match="`f`"):
            read(content, "f", "user")


def together(*heard: tuple[str, wire.Said]) -> HookOutput:
    all_of_them = Together("PreToolUse", "{}")
    for origin, said in heard:
        all_of_them.hear(hook(origin=origin), said, "bash")
    return all_of_them.output(None)


def test_the_strictest_word_counts_and_a_repository_loosens_nothing() -> None:
    allow, ask, deny = (
        wire.Said.model_validate({"verdict": each, "reason": each}) for each in ("allow", "ask", "deny")
    )
    assert together(("project", allow)).verdict == ""
    assert together(("user", allow)).verdict == "allow"
    assert together(("user", allow), ("project", ask)).verdict == "ask"
    assert together(("project", deny), ("user", allow)).verdict == "deny"
    rewritten = wire.Said(updated={"command": "rm"})
    assert together(("user", allow), ("user", rewritten)).verdict == ""  # it was said of other arguments


@pytest.mark.parametrize(
    ("gate", "said", "verdict"),
    [
        ("allow", "", "allow"), ("allow", "ask", "ask"), ("allow", "deny", "deny"), ("ask", "allow", "allow"),
        ("ask", "ask", "ask"), ("ask", "deny", "deny"), ("deny", "allow", "deny"), ("deny", "ask", "deny"),
    ],
)  # fmt: skip
def test_hooks_and_the_gate(gate: str, said: str, verdict: str) -> None:
    call = ToolCall.model_validate({"index": 0, "activity": "bash", "verdict": gate, "reason": "no sandbox: x"})
    after = decided(call, HookOutput.model_validate({"verdict": said, "reason": "why"}))
    assert after.verdict == verdict and (verdict == "deny" or after.reason == "no sandbox: x")


def test_arguments_that_are_no_call_are_denied() -> None:
    changed = Together("PreToolUse", "{}")
    changed.hear(hook(), wire.Said(verdict="allow", updated={"nonsense": 1}), "bash")
    out = changed.output(ToolCall(index=0, activity="none", runs_as="none", preview="error: `command` is missing"))
    assert (out.verdict, out.call) == ("deny", None) and "`command` is missing" in out.reason


def test_a_call_inside_a_bundle_can_only_be_denied() -> None:
    bundle = Together("PreToolUse", "{}")
    bundle.hear(hook(), wire.Said(verdict="allow"), "read", whole=False)
    assert bundle.output(None).verdict == ""
    bundle.hear(hook(), wire.Said(updated={"file_path": "x"}), "read", whole=False)
    assert bundle.output(None).verdict == "deny" and bundle.arguments == "{}"
