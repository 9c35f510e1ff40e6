"""What is the user's stays the user's: their git, their tests, their files, and their say."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Script, System
from playbook import chores, commit_all, git, kept, key_result, proposal, read, shell, texts, working

Model = Callable[[Script], list[str]]
DONE = shell("rm -f todo.txt; touch todo.txt")


def test_an_editable_install_measures_the_worktree(system: System, tmp_path: Path, model: Model) -> None:
    repo = tmp_path / "editable"
    (repo / "src" / "thing").mkdir(parents=True)
    (repo / "src" / "thing" / "__init__.py").write_text("LEFT = 3\n")
    (repo / ".gitignore").write_text(".venv\n")
    commit_all(repo)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", repo / ".venv"], check=True)
    (packages,) = (repo / ".venv" / "lib").glob("python*/site-packages")
    (packages / "thing.pth").write_text(f"{repo / 'src'}\n")
    argv = (".venv/bin/python", "-c", "import thing; print(thing.LEFT)")
    script = working(shell("echo 'LEFT = 0' > src/thing/__init__.py"), draft=proposal(key_result(argv)))
    result = system.json("go", "nothing is left", "--yes", *model(script), cwd=repo)["result"]
    (kr,) = result["key_results"]
    assert (result["outcome"], kr["baseline"]["value"], kr["last"]["value"]) == ("completed", 3, 0)
    assert (repo / "src" / "thing" / "__init__.py").read_text() == "LEFT = 3\n"


def test_whoever_edits_the_measure_is_reviewed_by_a_person(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    script = working(shell("echo 'print(0)' > count.py"))
    told = system.json("go", "nothing is left", "--yes", *model(script), cwd=repo, code=5)
    result = told["result"]
    assert result["outcome"] == "needs_review" and "count.py" in result["reason"]
    (reading,) = (kr["last"] for kr in result["key_results"])
    assert (reading["value"], reading["own_value"], reading["changed"]) == (3, 0, ["count.py"])
    assert "count.py" in system.ctl("okr", "show", told["okr"]["id"], cwd=repo)


def _booby_trap(repo: Path, marker: Path) -> None:
    """Everything of git that runs commands leaves a mark."""
    hooks = repo.parent / "hooks"
    for folder in (hooks, repo / ".git" / "hooks"):
        folder.mkdir(exist_ok=True)
        for name in ("pre-commit", "post-commit", "post-checkout", "reference-transaction", "post-index-change"):
            (folder / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
            (folder / name).chmod(0o755)
    with (repo / ".git" / "config").open("a") as config:
        config.write(
            f'[core]\n\tfsmonitor = "touch {marker}; false"\n\thooksPath = {hooks}\n'
            f'[filter "evil"]\n\tclean = touch {marker}; cat\n\tsmudge = touch {marker}; cat\n'
            f'[alias]\n\tst = "!touch {marker}"\n'
            f'[diff]\n\texternal = "touch {marker}; true"\n[diff "evil"]\n\ttextconv = "touch {marker}; cat"\n'
        )


def _state(repo: Path) -> dict[str, bytes]:
    """All that git and people see of the checkout, but objects and the refs that a run leaves."""
    private = ("objects", "logs", "refs/heads/codetether", "refs/codetether")
    skipped = [repo / ".git" / name for name in private]
    files = (path for path in repo.rglob("*") if path.is_file() and not path.is_symlink())
    found = {str(p.relative_to(repo)): p.read_bytes() for p in files if not any(p.is_relative_to(s) for s in skipped)}
    stash = repo / ".git" / "logs" / "refs" / "stash"
    return found | {"stash": stash.read_bytes()}


def test_git_is_left_alone_even_by_an_agent_that_uses_it(system: System, tmp_path: Path, model: Model) -> None:
    repo, marker = chores(tmp_path / "chores"), tmp_path / "marker"
    (repo / ".gitattributes").write_text("*.txt filter=evil diff=evil\n")
    commit_all(repo)
    (repo / "notes.txt").write_text("put away\n")
    git(repo, "stash", "-q")
    (repo / "notes.txt").write_text("at work\n")
    (repo / "todo.txt").write_text("one\ntwo\nthree\nfour\n")
    git(repo, "add", "todo.txt")
    _booby_trap(repo, marker)
    before = _state(repo)
    script = working(
        shell("echo 1 > mine.txt; git stash -u; git stash pop; git config user.name Evil; git config core.bare true"),
        shell("echo two > todo.txt; git commit -qam mine; git checkout -q -b side; git branch -D main"),
        DONE,
    )
    run = system.json("go", "nothing is left", "--yes", *model(script), cwd=repo)["run"]
    system.ctl("diff", "--stat", cwd=repo)
    assert not marker.exists()
    assert _state(repo) == before
    shutil.rmtree(repo.parent / "hooks")
    (repo / ".git" / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
    assert kept(repo, run) == "" and kept(repo, run, "mine.txt") == "1\n"


def test_work_starts_in_the_subfolder_one_stands_in(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores", "part")
    script = working(shell("pwd > where.txt; cp /dev/null todo.txt"))
    told = system.json("go", "nothing is left", "--yes", *model(script), cwd=repo / "part")
    assert told["result"]["outcome"] == "completed"
    assert kept(repo, told["run"], "part/where.txt").strip() == str(repo / "part")
    assert kept(repo, told["run"], "part/todo.txt") == ""


@pytest.fixture
def secretive(tmp_path: Path) -> Path:
    """A repository with a secret in it, and a file beside it."""
    repo = chores(tmp_path / "chores")
    (repo / ".env").write_text("KEY=secret\n")
    commit_all(repo)
    (tmp_path / "outside.txt").write_text("far away\n")
    return repo


def test_a_person_is_asked_and_answers_hold(system: System, secretive: Path, model: Model) -> None:
    heard: list[str] = []
    online = shell("echo reached", network=True)
    plan = working(read(".env"), online, read("../outside.txt"), read(".env"), online, DONE)

    def script(messages: list[dict[str, object]], offered: set[str]) -> object:
        heard[:] = texts(messages, "tool")
        return plan(messages, offered)

    told = system.json("go", "nothing is left", "--yes", *model(script), cwd=secretive, code=6)  # pyright: ignore[reportArgumentType]
    run = told["run"]
    assert [request["rule"] for request in told["requests"]] == ["read: .env"]
    assert "may hold secrets" in told["requests"][0]["reason"]
    system.ctl("approve", run, "--always", cwd=secretive)
    asked = system.json("watch", run, cwd=secretive, code=6)["requests"]
    assert [request["rule"] for request in asked] == ["bash: echo reached (network)"]
    system.ctl("deny", run, "--never", "--reason", "stay at home", cwd=secretive)
    asked = system.json("watch", run, cwd=secretive, code=6)["requests"]
    assert "outside the repository" in asked[0]["reason"]
    system.ctl("approve", run, cwd=secretive)
    assert system.json("watch", run, cwd=secretive)["result"]["outcome"] == "completed"
    env, denied, outside, again, never = heard[:5]
    assert "KEY=secret" in env and "KEY=secret" in again and "far away" in outside
    assert "stay at home" in denied and "never" in never


def test_mode_full_asks_nobody(system: System, secretive: Path, model: Model) -> None:
    plan = working(read(".env"), shell("true", network=True), read("../outside.txt"), DONE)
    words = ("go", "nothing is left", "--yes", "--permission-mode", "full")
    told = system.json(*words, *model(plan), cwd=secretive)
    assert told["result"]["outcome"] == "completed"


def test_merging_measures_again_and_takes_a_conflict_back(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    ends = ["echo a > notes.txt; ", "echo b > more.txt; ", "echo c > notes.txt; "]
    runs = [
        system.json("go", "nothing is left", "--yes", *model(working(shell(f"{end} cp /dev/null todo.txt"))), cwd=repo)[
            "run"
        ]
        for end in ends
    ]
    assert "measured" not in system.ctl("merge", runs[0], cwd=repo)
    said = system.ctl("merge", runs[1], cwd=repo)
    assert "measured on the merged commit" in said and "0" in said and "NOT met" not in said
    before = git(repo, "rev-parse", "HEAD"), (repo / "notes.txt").read_text()
    assert "`notes.txt`" in system.ctl("merge", runs[2], cwd=repo, code=1)
    assert (git(repo, "rev-parse", "HEAD"), (repo / "notes.txt").read_text()) == before
    assert git(repo, "status", "--porcelain") == "" and (repo / "more.txt").read_text() == "b\n"
