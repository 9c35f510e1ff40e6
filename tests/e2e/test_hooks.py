"""Instruction files, skills and hooks reach a real agent; what nobody trusted starts nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Script, System
from playbook import chores, commit_all, kept, read, shell, steps, texts

from app.demo.scenario import Call, Reply

Model = Callable[[Script], list[str]]
DENY = "grep -q forbidden && { echo 'that is forbidden' >&2; exit 2; } || exit 0"


def hooked(repo: Path, **events: list[dict[str, Any]]) -> Path:
    """The repository with hooks of its own, committed."""
    (repo / ".claude").mkdir(exist_ok=True)
    (repo / ".claude" / "settings.json").write_text(json.dumps({"hooks": events}))
    commit_all(repo)
    return repo


def one(command: str, matcher: str = "", **more: Any) -> list[dict[str, Any]]:
    """One hook of an event."""
    return [{"matcher": matcher, "hooks": [{"type": "command", "command": command, **more}]}]


@pytest.fixture
def own_hooks(system: System) -> Any:
    """`own_hooks(PreToolUse=...)` writes the person's own hooks, for the length of a test."""
    file = system.settings.config_dir / "hooks.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    yield lambda **events: file.write_text(json.dumps({"hooks": events}))
    file.unlink(missing_ok=True)


class Talk:
    """A model that plays replies and keeps what it was told."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = replies
        self.system = ""
        self.messages: list[dict[str, Any]] = []
        self.offered: set[str] = set()

    def __call__(self, messages: list[dict[str, Any]], offered: set[str]) -> Reply:
        self.system = " ".join(texts(messages, "system"))
        self.messages, self.offered = messages, offered
        return ([*self.replies, Reply("I am done.")])[min(steps(messages), len(self.replies))]

    def heard(self, role: str) -> str:
        """Everything that was said in a role."""
        return "\n".join(texts(self.messages, role))


def test_instruction_files_reach_the_agent_and_are_shown(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    (repo / "AGENTS.md").write_text("Tests run with make check.\u200b\x1b[31m\n")
    (repo / "deep" / "er").mkdir(parents=True)
    (repo / "deep" / "CLAUDE.md").write_text("Deep code has tabs.\n")
    (repo / "deep" / "er" / "code.txt").write_text("x\n")
    commit_all(repo)
    (repo / "AGENTS.md").write_text("not committed, not read\n")
    talk = Talk(read("deep/er/code.txt"), read("deep/er/code.txt"))
    run = system.json("run", "look", *model(talk), cwd=repo)
    assert "Tests run with make check.[31m" in talk.system and "not committed" not in talk.system
    assert "Deep code" not in talk.system and talk.heard("user").count("Deep code has tabs.") == 1
    assert "skill" not in talk.offered
    shown = system.ctl("sessions", "show", run["result"]["sessions"][0], cwd=repo)
    assert "reads AGENTS.md (" in shown and "deep/CLAUDE.md" in shown


def test_a_skill_is_listed_and_loaded_when_it_is_wanted(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    for name, head in (("tidy-up", "name: tidy-up\ndescription: How to tidy up here"), ("bad", "name: Other")):
        (repo / ".agents" / "skills" / name).mkdir(parents=True)
        (repo / ".agents" / "skills" / name / "SKILL.md").write_text(f"---\n{head}\n---\nUse the broom.\n")
    commit_all(repo)
    talk = Talk(Reply(calls=(Call("skill", {"name": "tidy-up"}),)))
    run = system.json("run", "tidy", *model(talk), cwd=repo)
    assert "tidy-up (project): How to tidy up here" in talk.system and "broom" not in talk.system
    assert "Use the broom." in talk.heard("tool")
    (warning,) = run["warnings"]
    assert ".agents/skills/bad" in warning and "description" in warning


def test_hooks_of_a_repository_wait_for_trust(system: System, tmp_path: Path, model: Model) -> None:
    repo = hooked(chores(tmp_path / "chores"), PreToolUse=one(DENY, "Bash"))
    play = (shell("echo forbidden > todo.txt"),)
    run = system.json("run", "do it", *model(Talk(*play)), cwd=repo)
    assert kept(repo, run["run"]) == "forbidden\n"  # the hook was not used, and the person was told so
    assert ".claude/settings.json" in run["warnings"][0] and "ctl trust add" in run["warnings"][0]

    digest = system.json("trust", "show", cwd=repo)["digest"]
    assert "not `0000`" in system.ctl("trust", "add", "0000", cwd=repo, code=1)
    system.ctl("trust", "add", digest[:12], cwd=repo)
    assert [entry["root"] for entry in system.json("trust", "list", cwd=repo)] == [str(repo)]
    talk = Talk(*play)
    run = system.json("run", "do it", *model(talk), cwd=repo)
    assert run["result"]["branch"] == "" and not run["warnings"]
    assert "denied: a hook: that is forbidden" in talk.heard("tool")

    hooked(repo, PreToolUse=one("exit 0", "Bash"))
    run = system.json("run", "do it", *model(Talk(*play)), cwd=repo)
    assert "changed since you trusted them" in run["warnings"][0]

    (repo / ".claude" / "settings.json").write_text(
        json.dumps({"hooks": {"PreToolUse": one(f"{DENY} # not committed")}})
    )
    system.ctl("trust", "add", "--include-dirty", cwd=repo)
    talk = Talk(*play)
    run = system.json("run", "do it", "--include-dirty", *model(talk), cwd=repo)
    assert "that is forbidden" in talk.heard("tool") and not run["warnings"]
    system.ctl("trust", "remove", cwd=repo)


def test_an_agent_cannot_change_the_hook_that_guards_it(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    (repo / "guard.sh").write_text(f"{DENY}\n")
    hooked(repo, PreToolUse=one('sh "$CLAUDE_PROJECT_DIR"/guard.sh', "Bash"))
    system.ctl("trust", "add", cwd=repo)
    talk = Talk(Reply(calls=(Call("write", {"path": "guard.sh", "content": "exit 0\n"}),)), shell("echo forbidden > n"))
    run = system.json("run", "do it", *model(talk), cwd=repo)
    assert "that is forbidden" in talk.heard("tool") and kept(repo, run["run"], "guard.sh") == "exit 0\n"


def test_own_hooks_at_every_event(
    system: System, tmp_path: Path, model: Model, own_hooks: Callable[..., object]
) -> None:
    repo = chores(tmp_path / "chores")
    tell = "cat >> events.jsonl; echo >> events.jsonl; "
    stop = tell + """tail -n 1 events.jsonl | grep -q '"stop_hook_active": true' || { echo 'go on' >&2; exit 2; }"""
    changed = {"hookEventName": "PreToolUse", "updatedInput": {"command": "echo two > todo.txt", "timeout": 9000}}
    own_hooks(
        SessionStart=one(tell + "echo welcome"),
        UserPromptSubmit=one(tell),
        PreToolUse=one(f"{tell}echo '{json.dumps({'hookSpecificOutput': changed})}'", "Bash"),
        PostToolUse=one(tell + "echo 'mind the gap' >&2; exit 2", "Bash"),
        Stop=one(stop),
    )
    talk = Talk(shell("echo one > todo.txt"))
    run = system.json("run", "do it", *model(talk), cwd=repo)["run"]
    assert kept(repo, run) == "two\n"
    told = [json.loads(line) for line in kept(repo, run, "events.jsonl").split("\n") if line]
    assert [each["hook_event_name"] for each in told] == [
        *("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "Stop")
    ]
    pre, post = told[2:4]
    assert (pre["tool_name"], pre["tool_input"]["command"]) == ("Bash", "echo one > todo.txt")
    assert post["tool_input"]["command"] == "echo two > todo.txt" and "exit code 0" in post["tool_response"]["content"]
    assert "do it" in told[1]["prompt"] and pre["cwd"] == str(repo)
    words = talk.heard("user")
    assert all(part in words for part in ("welcome", "mind the gap", "go on"))


def test_a_hook_asks_and_its_own_allow_answers(
    system: System, tmp_path: Path, model: Model, own_hooks: Callable[..., object]
) -> None:
    repo = chores(tmp_path / "chores")
    say = """echo '{"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "%s"}}'"""
    (repo / ".env").write_text("KEY=1\n")
    hooked(repo, PreToolUse=one(say % "allow", "Read"))
    system.ctl("trust", "add", cwd=repo)
    run = system.json("run", "look", *model(Talk(read(".env"))), cwd=repo, code=6)["run"]  # no word of a repository
    waiting = system.ctl("watch", run, cwd=repo, code=6)
    assert f"ctl deny {run}" in waiting and "ctl amend" not in waiting, "only a draft can be amended"
    system.ctl("cancel", run, cwd=repo, code=None)
    own_hooks(PreToolUse=one(say % "allow", "Read"))
    talk = Talk(read(".env"))
    system.json("run", "look", *model(talk), cwd=repo)
    assert "KEY=1" in talk.heard("tool")
    own_hooks(PreToolUse=one(say % "ask", "Bash"))
    run = system.json("run", "look", *model(Talk(shell("true"))), cwd=repo, code=6)
    assert "a hook asks" in run["requests"][0]["reason"]
    system.ctl("cancel", run["run"], cwd=repo, code=None)


@pytest.mark.parametrize(
    ("command", "why"),
    [("no-such-program", "cannot be run"), ("echo '{\"decision\": 7}'", "`decision`"), ("sleep 60", "did not end")],
)
def test_a_guard_that_cannot_be_understood_blocks(
    system: System, tmp_path: Path, model: Model, own_hooks: Callable[..., object], command: str, why: str
) -> None:
    repo = chores(tmp_path / "chores")
    own_hooks(PreToolUse=one(command, timeout=0.5))
    talk = Talk(shell("echo x > todo.txt"))
    assert system.json("run", "do it", *model(talk), cwd=repo)["result"]["branch"] == ""
    assert "cannot be understood" in talk.heard("tool") and why in talk.heard("tool")
