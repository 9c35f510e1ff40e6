"""Data folders that cannot be, a disk that takes nothing, and commands in a folder that is no repository."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playbook import chores, commit_all, git

from app.domain.run import Diffstat, RunResult
from app.pids import start_time
from app.stack.identity import data_id
from app.stack.state import Service, save
from app.stream.journal import update_view

DONE = RunResult(outcome="completed", branch="codetether/x", diffstat=Diffstat(files=1))


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two processes that only a signal ends."""
    with ExitStack() as stack:
        started = [subprocess.Popen(["sleep", "600"]) for _ in range(2)]
        for process in started:
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield started


def test_a_full_disk_keeps_nothing_running(tmp_path: Path, sleepers: list[subprocess.Popen[bytes]]) -> None:
    data = tmp_path / "data"
    data_id(data)
    for name, process in zip(("worker", "temporal"), sleepers, strict=True):
        save(data, name, Service(pid=process.pid, started=start_time(process.pid) or ""))  # pyright: ignore[reportArgumentType]
    (data / "logs").mkdir()
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from app.cli.lazy import run; sys.exit(run(['down']))"
    )
    down = subprocess.Popen(
        [sys.executable, "-I", "-c", code],
        env={"CODETETHER_DATA_DIR": str(data), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    ended = [process.wait(30) for process in sleepers]  # reaps them: a zombie would count as alive
    said, _ = down.communicate(timeout=30)
    assert ended == [-15, -15] and down.returncode == 0, said
    assert "stopped: worker, temporal" in said and "Traceback" not in said


@pytest.mark.parametrize("words", [("up",), ("down",), ("status",)])
def test_a_data_folder_that_is_a_file_is_no_defect(
    ctl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file\n")
    monkeypatch.setenv("CODETETHER_DATA_DIR", str(taken))
    said = ctl(*words)
    assert said.code == 1 and "defect" not in said.err, said.err
    if words != ("status",):
        assert f"`{taken}`" in said.err and "`CODETETHER_DATA_DIR`" in said.err


@pytest.mark.parametrize(
    "words",
    [("merge",), ("discard", "--force"), ("cancel",), ("pause",), ("approve",), ("tell", "x"), ("continue",)],
)
def test_outside_of_a_repository_a_change_names_its_run(desk: Any, ctl: Any, words: tuple[str, ...]) -> None:
    desk.run("run-far-aaaa", result=DONE, repo="/somewhere/else")
    said = ctl(*words)
    assert said.code == 2 and "name the run" in said.err and "`ctl okr runs`" in said.err, said.err
    assert "run-far-aaaa" in ctl("cost").out  # looking changes nothing


def test_discarding_asks_again_after_a_merge_was_taken_back(desk: Any, ctl: Any, tmp_path: Path) -> None:
    repo = chores(tmp_path / "chores")
    git(repo, "switch", "-q", "-c", "codetether/x")
    (repo / "todo.txt").write_text("")
    work = commit_all(repo)
    git(repo, "switch", "-q", "main")
    desk.run("run-back-aaaa", result=DONE, repo=str(repo))
    update_view(desk.data, "run-back-aaaa", lambda old: old.model_copy(update={"merged": work}))  # and reset since
    said = ctl("discard", "run-back")
    assert said.code == 2 and "is not merged" in said.err
    assert git(repo, "rev-parse", "codetether/x").strip() == work


def test_what_was_discarded_is_not_looked_for(desk: Any, ctl: Any) -> None:
    desk.run("run-gone-aaaa", result=DONE)
    update_view(desk.data, "run-gone-aaaa", lambda old: old.model_copy(update={"merged": "discarded"}))
    said = ctl("merge", "run-gone")
    assert said.code == 1 and "`run-gone-aaaa` was discarded" in said.err
