"""The verdict on a call: by its mode, a person's rules, and what it touches."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.domain.tool import Mode, Rule, RuleVerdict, ToolCall, Workspace, at_most
from app.tools.base import ToolContext
from app.tools.gate.permission import judge
from app.tools.gate.rules import parse
from app.tools.gate.sandbox import Sandbox
from app.tools.registry import REGISTRY

HELD, BARE = Sandbox(True, "bwrap"), Sandbox(False, reason="it is not installed")


def rules(**texts: str) -> tuple[Rule, ...]:
    found: list[Rule] = []
    verdicts: tuple[RuleVerdict, ...] = ("allow", "ask", "deny")
    for verdict in verdicts:
        found += [parse(text, verdict) for text in texts.get(verdict, "").split(" | ") if text]
    return tuple(found)


class Gate:
    def __init__(self, ctx: ToolContext) -> None:
        self.workspace: Workspace = ctx.workspace
        self.worktree: Path = ctx.worktree

    def __call__(
        self, tool: str, mode: Mode = "ask", given: tuple[Rule, ...] = (), sandbox: Sandbox = HELD, **arguments: Any
    ) -> ToolCall:
        return judge(
            tool,
            json.dumps(arguments),
            index=0,
            offered=tuple(REGISTRY),
            workspace=self.workspace,
            worktree=self.worktree,
            mode=mode,
            rules=given,
            sandbox=sandbox,
        )


@pytest.fixture
def gate(ctx: ToolContext) -> Gate:
    return Gate(ctx)


@pytest.mark.parametrize(
    ("command", "verdicts"),  # in the modes plan, ask, auto-edit, full
    [
        ("pytest -q | tail", ("allow", "allow", "allow", "allow")),
        ("cat .env", ("ask", "ask", "ask", "allow")),
        ("cat .env.example", ("allow", "allow", "allow", "allow")),
        ("cat ~/.bashrc", ("ask", "ask", "ask", "allow")),
        ("cat /etc/os-release", ("allow", "allow", "allow", "allow")),
        ("cat ../other/x", ("ask", "ask", "ask", "allow")),
        ("echo x > /home/x", ("ask", "ask", "ask", "allow")),
        ("echo x > /etc/x", ("ask", "ask", "ask", "allow")),
        ("ls 2>/dev/null >/tmp/x", ("allow", "allow", "allow", "allow")),
        ("echo x > .github/workflows/ci.yml", ("allow", "ask", "allow", "allow")),
        ("$X", ("ask", "ask", "ask", "allow")),
        ("echo 'a", ("ask", "ask", "ask", "allow")),
    ],
)
def test_commands_by_mode(gate: Gate, command: str, verdicts: tuple[str, ...]) -> None:
    modes: tuple[Mode, ...] = ("plan", "ask", "auto-edit", "full")
    assert tuple(gate("bash", mode, command=command).verdict for mode in modes) == verdicts


def test_edits_by_mode(gate: Gate) -> None:
    modes: tuple[Mode, ...] = ("plan", "ask", "auto-edit", "full")
    for path, verdicts in {
        "src/a.py": ("deny", "allow", "allow", "allow"),
        ".github/workflows/x.yml": ("deny", "ask", "allow", "allow"),
        "sub/uv.lock": ("deny", "ask", "allow", "allow"),
        "/somewhere/else": ("deny", "ask", "ask", "allow"),
        ".env": ("deny", "ask", "ask", "allow"),
    }.items():
        found = tuple(gate("write", mode, path=path, content="x").verdict for mode in modes)
        assert found == verdicts, path


def test_a_plan_runs_commands_read_only_and_only_in_a_sandbox(gate: Gate) -> None:
    assert gate("bash", "plan", command="ls").read_only
    assert gate("bash", "plan", sandbox=BARE, command="ls").verdict == "deny"
    assert gate("bash", "plan", given=rules(allow="bash: *"), command="ls").read_only
    assert gate("write", "plan", given=rules(allow="write: *"), path="a", content="").verdict == "deny"


def test_without_a_sandbox_each_command_is_asked_for_and_the_reason_says_so_first(gate: Gate) -> None:
    asked = gate("bash", sandbox=BARE, command="cat .env; ls")
    assert asked.verdict == "ask" and asked.reason.startswith("no sandbox")
    freed = gate("bash", sandbox=BARE, given=rules(allow="bash: ls *"), command="ls -la")
    assert (freed.verdict, freed.reason[:10]) == ("allow", "no sandbox")  # the workflow runs it without one
    assert gate("bash", sandbox=BARE, given=rules(allow="bash: ls *"), command="ls; make").verdict == "ask"


@pytest.mark.parametrize(
    ("command", "allow", "ask", "deny", "verdict"),
    [
        ("rm -rf x", "", "", "bash: rm *", "deny"),
        ("ls && timeout 5 rm x", "", "", "bash: rm *", "deny"),
        ("sh -c 'sh -c \"rm x\"'", "", "", "bash: rm *", "deny"),
        ("find . -exec rm {} +", "", "", "bash: rm *", "deny"),
        ("/bin/rm x", "", "", "bash: rm *", "deny"),
        ("X=1 rm x", "", "", "bash: rm *", "deny"),
        ("git -C x --no-pager push origin", "", "", "bash: git push *", "deny"),
        ("git push --force", "bash: git push *", "", "bash: git push --force *", "deny"),
        ("git push origin", "bash: git push *", "", "bash: git push --force *", "allow"),
        ("rm x", "bash: rm x", "", "bash: rm *", "deny"),
        ("git $X", "", "", "bash: git push *", "ask"),
        ("xargs git", "", "", "bash: git push *", "ask"),
        ("rmdir x", "", "", "bash: rm *", "allow"),
        ("make test", "", "bash: make *", "", "ask"),
        ("make test", "bash: make test", "bash: make *", "", "allow"),
        ("make test", "bash: make *", "bash: make test", "", "ask"),
        ("make", "", "bash: make", "", "ask"),
        ("make test", "bash: make *", "*: *", "", "allow"),
        ("echo a", "", "", "*: *", "deny"),
    ],
)
def test_deny_beats_all_and_else_the_most_specific_rule_wins(
    gate: Gate, command: str, allow: str, ask: str, deny: str, verdict: str
) -> None:
    assert gate("bash", given=rules(allow=allow, ask=ask, deny=deny), command=command).verdict == verdict


@pytest.mark.parametrize(
    ("command", "pattern", "verdict"),
    [
        ("pip install x", "bash: pip install * (network)", "allow"),
        ("pip install x", "bash: pip install *", "ask"),
        ("pip install x; curl y", "bash: pip install * (network)", "ask"),
        ("PIP_INDEX_URL=z pip install x", "bash: pip install * (network)", "ask"),
        ("./pip install x", "bash: pip install * (network)", "ask"),
        ("pip install $X", "bash: pip install * (network)", "allow"),
        ("pip $X", "bash: pip install * (network)", "ask"),
        ("xargs pip install", "bash: pip install (network)", "ask"),
        ("sudo pip install x", "bash: pip install * (network)", "ask"),
        ("pip install x", "bash: *", "ask"),
    ],
)
def test_an_allowing_rule_covers_what_is_sure(gate: Gate, command: str, pattern: str, verdict: str) -> None:
    assert gate("bash", given=rules(allow=pattern), command=command, network=True).verdict == verdict


def test_denying_rules_beat_full_and_what_hides_from_them_is_denied(gate: Gate) -> None:
    given = rules(deny="bash: rm *")
    assert gate("bash", "full", given, command="rm x").verdict == "deny"
    assert gate("bash", "full", given, command="$X y").verdict == "deny"
    assert "write it plainly" in gate("bash", "full", given, command="curl x | sh").reason
    assert gate("bash", "full", command="$X y").verdict == "allow"
    assert gate("bash", "full", rules(deny="bash: git push *"), command="git $X").verdict == "deny"


def test_paths_are_globs_below_the_repository(gate: Gate) -> None:
    given = rules(deny="read: secret/*", ask="write: src/*", allow="read: /etc/hosts")
    assert gate("read", given=given, path="secret/deep/key").verdict == "deny"
    assert gate("read", given=given, path="./a/../secret/key").verdict == "deny"
    assert gate("write", given=given, path="src/a", content="").verdict == "ask"
    assert gate("read", given=given, path="/etc/hosts").verdict == "allow"
    assert gate("read", given=given, path="/etc/passwd").verdict == "ask"


def test_a_link_hides_nothing_from_rules_and_from_what_is_protected(gate: Gate) -> None:
    for folder in ("secret", ".github/workflows", "src"):
        (gate.worktree / folder).mkdir(parents=True)
    (gate.worktree / "s").symlink_to("secret")
    (gate.worktree / "src" / "w").symlink_to("../.github/workflows")
    assert gate("read", given=rules(deny="read: secret/*"), path="s/key").verdict == "deny"
    assert gate("read", given=rules(deny="read: s/*"), path="s/key").verdict == "deny"
    assert gate("write", path="src/w/ci.yml", content="").verdict == "ask"
    assert gate("write", given=rules(allow="write: src/*"), path="src/w/ci.yml", content="").verdict == "ask"
    assert gate("write", given=rules(allow="write: *"), path="src/w/ci.yml", content="").verdict == "allow"


def test_always_writes_a_rule_for_exactly_this_call(gate: Gate) -> None:
    asked = gate("bash", command="curl x && $CMD", network=True)
    tool, _, pattern = asked.rule.partition(": ")
    always = (Rule(tool=tool, pattern=pattern, verdict="allow"),)
    assert gate("bash", given=always, command="curl x && $CMD", network=True).verdict == "allow"
    assert gate("bash", given=always, command="curl x && $CMD y", network=True).verdict == "ask"


@pytest.mark.parametrize("text", ["pytest", "bash:", ": x", "ba sh: x", "bash: 'x", "bash: " + "x" * 301])
def test_what_is_no_rule_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="`"):
        parse(text, "allow")


def test_a_child_never_has_more_than_its_parent() -> None:
    assert at_most("plan", "full") == "plan" and at_most("full", "ask") == "ask"


@pytest.mark.parametrize("mode", ["plan", "ask", "auto-edit", "full"])
def test_a_command_in_the_background_is_judged_like_any_other(gate: Gate, mode: Mode) -> None:
    for command, more in (("ls", {}), ("cat .env; ls", {}), ("curl x | sh", {"network": True}), ("git push", {})):
        given = rules(deny="bash: git push *")
        plain, job = (gate("bash", mode, given, command=command, background=each, **more) for each in (False, True))
        same = {"verdict", "reason", "rule", "read_only"}
        assert plain.model_dump(include=same) == job.model_dump(include=same)
        assert (plain.background, job.background) == (False, True)


def test_what_ends_a_job_is_known_to_the_workflow(gate: Gate) -> None:
    assert gate("job", action="stop", id="job-12").stops == 12
    assert gate("job", "plan", action="read", id="job-12").stops == 0
    assert gate("job", action="read", id="../job-1").runs_as == "none"


def test_a_rule_holds_for_a_name_in_any_unicode_form(gate: Gate) -> None:
    given = rules(deny="read: caf\u00e9/* | write: cafe\u0301/*")
    for folder in ("caf\u00e9", "cafe\u0301"):
        assert gate("read", given=given, path=f"{folder}/a").verdict == "deny"
        assert gate("write", given=given, path=f"{folder}/a", content="").verdict == "deny"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("read", {"path": "x\ud800y"}),
        ("edit", {"path": "a", "old": "\ud83d", "new": "\ude00"}),
        ("batch", {"calls": [{"tool": "list", "arguments": {"path": "\udfff"}}]}),
    ],
)
def test_half_a_character_is_sent_back_to_the_model(gate: Gate, tool: str, arguments: dict[str, Any]) -> None:
    call = gate(tool, **arguments)
    assert call.activity == "none" and f"the arguments of `{tool}` hold half a character" in call.preview
    assert gate("read", path="\U0001f600").verdict == "allow"
