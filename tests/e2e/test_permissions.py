"""Modes, plans, rules and repeats, as a person meets them."""

from collections.abc import Callable
from pathlib import Path

from harness import Script, System
from playbook import chores, kept, shell, texts, working

from app.demo.scenario import Call, Reply

Model = Callable[[Script], list[str]]
ENTER = Reply(calls=(Call("plan_enter", {}),))
EXIT = Reply(calls=(Call("plan_exit", {"plan": "Empty todo.txt."}),))
WRITE = Reply(calls=(Call("write", {"path": "todo.txt", "content": ""}),))
SPOIL = shell("echo x > todo.txt")


def test_a_plan_changes_nothing_until_a_person_approves_it(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    heard: list[str] = []
    plan = working(ENTER, SPOIL, WRITE, EXIT, EXIT, WRITE)

    def script(messages: list[dict[str, object]], offered: set[str]) -> Reply:
        heard[:] = texts(messages, "tool")
        return plan(messages, offered)

    run = system.json("run", "empty the list", *model(script), cwd=repo, code=6)["run"]
    told = system.json("watch", run, cwd=repo, code=6)
    (request,) = told["requests"]
    assert (request["kind"], request["text"]) == ("plan", "Empty todo.txt.")
    (line,) = (line for line in system.json("status", cwd=repo)["runs"] if line["run"] == run)
    assert line["planning"]
    system.ctl("deny", run, "--reason", "say it longer", cwd=repo)
    system.json("watch", run, cwd=repo, code=6)
    system.ctl("approve", run, cwd=repo)
    assert system.json("watch", run, cwd=repo)["result"]["outcome"] == "completed"
    assert "Read-only" in heard[1] and "mode `plan`" in heard[2] and "say it longer" in heard[3]
    assert kept(repo, run) == ""


def test_a_mode_is_switched_while_a_run_waits_and_a_rule_is_kept(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    script = working(shell("echo a > package-lock.json"), WRITE, shell("echo b > package-lock.json"))
    flags = model(script)
    run = system.json("run", "empty the list", *flags, cwd=repo, code=6)["run"]
    assert "`package-lock.json` is a protected file" in system.ctl("watch", run, cwd=repo, code=6)
    assert "no request `nope`" in system.ctl("approve", run, "--always", "--request", "nope", cwd=repo, code=1)
    system.ctl("mode", run, "plan", cwd=repo)
    system.ctl("approve", run, "--always", "--save", cwd=repo)
    assert system.json("watch", run, cwd=repo)["result"]["branch"] == ""
    listed = system.json("permissions", "list", cwd=repo)
    assert [rule["rule"] for rule in listed["rules"]] == ["bash: echo a > package-lock.json"]
    checked = system.json("permissions", "check", "echo a > package-lock.json", cwd=repo)
    assert checked["verdict"] == "allow" and checked["parts"][-1]["rule"] == "bash: echo a > package-lock.json"
    system.ctl("permissions", "forget", "bash: echo a > package-lock.json", cwd=repo)
    assert system.json("permissions", "check", "echo a > package-lock.json", cwd=repo)["verdict"] == "ask"
    again = system.json("run", "empty the list", "--permission-mode", "auto-edit", *flags, cwd=repo)
    assert kept(repo, again["run"], "package-lock.json") == "b\n"


def test_an_agent_that_repeats_itself_is_asked_about(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    same = Reply(calls=(Call("list", {}),))
    script = working(same, same, same, WRITE)
    told = system.json("run", "empty the list", *model(script), cwd=repo, code=6)
    assert "repeats" in told["requests"][0]["id"]
    system.ctl("approve", told["run"], cwd=repo)
    assert system.json("watch", told["run"], cwd=repo)["result"]["outcome"] == "completed"
    denied = system.json("run", "empty it again", *model(script), cwd=repo, code=6)["run"]
    system.ctl("deny", denied, cwd=repo)
    assert system.json("watch", denied, cwd=repo, code=5)["result"]["outcome"] == "stalled"


def test_a_mode_that_is_switched_down_reaches_every_agent_of_a_team(
    system: System, tmp_path: Path, model: Model
) -> None:
    repo = chores(tmp_path / "chores")
    ask = Reply(calls=(Call("question", {"question": "which way?"}),))

    def member(messages: list[dict[str, object]], offered: set[str]) -> Reply:
        first = "You are: builder\n" in texts(messages, "user")[0]
        return working(ask, WRITE)(messages, offered) if first else working(WRITE, SPOIL)(messages, offered)

    run = system.json("autochat", "empty the list", "--permission-mode", "full", *model(member), cwd=repo, code=6)
    before = run["requests"] if "requests" in run else system.json("watch", run["run"], cwd=repo, code=6)["requests"]
    assert before[0]["kind"] == "question"
    system.ctl("mode", run["run"], "plan", cwd=repo)
    system.ctl("answer", "this way", cwd=repo)
    result = system.json("watch", run["run"], cwd=repo)["result"]
    assert result["branch"] == "" and result["turns"] > 1, "nobody of the team changed anything"
