"""Leaving a run, and ending it: nothing is lost, and nothing runs on."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from background import comes_true, going, until
from harness import Script, System, settings_apart
from odd_server import Raw, answering, speaking
from playbook import Messages, chores, git, kept, proposal, shell, texts, working

from app.demo.scenario import Reply
from app.stack.local import down
from app.stack.state import living, load

Model = Callable[[Script], list[str]]
DONE = shell("cp /dev/null todo.txt")
PATIENCE = 60


@pytest.fixture
def own(tmp_path: Path) -> Generator[System]:
    """A data folder of this test alone, whose stack is started by what the test does."""
    settings = settings_apart(tmp_path)
    yield System(settings)
    down(settings, lambda _text: None)


def latest(system: System, repo: Path) -> str:
    return str(system.json("okr", "runs", cwd=repo)[0]["run"])


def part_then_silence(messages: list[dict[str, Any]]) -> Raw | None:
    """A model that changes one file and then never answers again."""
    done = sum(message["role"] == "assistant" for message in messages)
    return None if done else speaking("", ("bash", json.dumps({"command": "echo 1 > part.txt"})))


def test_ctrl_c_leaves_a_run_that_goes_on(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    reached, opened = threading.Event(), threading.Event()

    def first(messages: Messages, offered: set[str]) -> Reply:
        if "propose_okr" in offered:
            return proposal()
        if not texts(messages, "tool"):
            reached.set()
            assert opened.wait(PATIENCE)
            return DONE
        return Reply("Done.")

    for words in (("--output-format", "text"), ("--output-format", "json")):
        reached.clear()
        opened.clear()
        with going(system, "go", "nothing is left", "--yes", *words, *model(first), cwd=repo) as process:
            assert reached.wait(PATIENCE)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=PATIENCE)
        run = latest(system, repo)
        assert process.returncode == 130 and f"ctl watch {run}" in said and f"ctl cancel {run}" in said, said
        assert system.json("okr", "status", run, cwd=repo)["status"] == "working"
        opened.set()
        assert "completed" in system.ctl("watch", run, cwd=repo)


@pytest.mark.parametrize(("key", "code"), [(b"\x03", 130), (b"\x04", 6)])
def test_a_key_leaves_a_question(system: System, tmp_path: Path, model: Model, key: bytes, code: int) -> None:
    repo = chores(tmp_path / "chores")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "app.cli", "go", "nothing is left", *model(working(DONE))],
        cwd=repo,
        env=system.environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # it becomes the controlling terminal
    )
    os.close(theirs)
    seen = b""
    while b"Approve?" not in seen:
        seen += os.read(ours, 4096)
    os.write(ours, key)
    try:
        assert process.wait(20) == code
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    run = latest(system, repo)
    system.ctl("approve", run, cwd=repo)
    assert "completed" in system.ctl("watch", run, cwd=repo)


def test_detached_runs_are_named_and_go_on(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    flags = model(working(DONE))
    told = system.json("go", "nothing is left", "--detach", *flags, cwd=repo)
    assert list(told) == ["run"]
    assert "waits for a decision" in system.ctl("watch", told["run"], cwd=repo, code=6)
    system.ctl("approve", cwd=repo)
    assert system.json("watch", told["run"], cwd=repo)["result"]["outcome"] == "completed"


def test_a_build_server_that_cancels_early_leaves_nothing(own: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    with going(own, "run", "work", *model(working(DONE)), cwd=repo, CI="1") as process:
        until(process, "starting the local Temporal server")
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and "was cancelled before it began" in said, said
    assert living(own.data, "temporal") is None and living(own.data, "worker") is None
    assert own.json("okr", "runs", cwd=repo) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_build_server_cancels(own: System, tmp_path: Path, number: signal.Signals) -> None:
    repo = chores(tmp_path / "chores")
    with answering(part_then_silence) as server:
        with going(own, "run", "work", *server.flags, "--out", str(tmp_path / "out"), cwd=repo, CI="1") as process:
            assert server.hanging.wait(PATIENCE)
            before = load(own.data)
            process.send_signal(number)
            said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1 and "its work so far is being saved" in said and "cancelled" in said, said
        assert server.left.wait(5)
    assert before.worker is not None and before.worker.started and not before.worker.alive
    assert before.temporal is not None and before.temporal.started and not before.temporal.alive
    assert living(own.data, "worker") is None and living(own.data, "temporal") is None
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["result"]["outcome"] == "cancelled"
    assert kept(repo, result["run"], "part.txt") == "1\n"
    assert git(repo, "status", "--porcelain") == ""


def commands() -> list[str]:
    """The command lines of all processes."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")
def test_cancelling_ends_the_command_that_runs(system: System, tmp_path: Path, model: Model) -> None:
    repo, seconds = chores(tmp_path / "chores"), f"36{os.getpid()}"
    command = f"echo 1 > part.txt; (setsid sleep {seconds} &) ; trap '' TERM; sleep {seconds}"

    def running() -> bool:
        return any(f"sleep {seconds}" in line for line in commands())

    with going(system, "go", "nothing is left", "--yes", *model(working(shell(command))), cwd=repo) as process:
        assert comes_true(running, PATIENCE)
        run = latest(system, repo)
        assert f"codetether/{run}" in system.ctl("cancel", run, cwd=repo)
        assert comes_true(lambda: not running())
        assert process.wait(PATIENCE) == 1
    assert system.json("okr", "status", run, cwd=repo)["result"]["outcome"] == "cancelled"
    assert kept(repo, run, "part.txt") == "1\n"


def test_cancelling_hangs_up_on_the_model(system: System, tmp_path: Path) -> None:
    repo = chores(tmp_path / "chores")
    with answering(part_then_silence) as server:
        run = system.json("run", "work", "--detach", *server.flags, cwd=repo)["run"]
        assert server.hanging.wait(PATIENCE)
        told = system.json("cancel", run, cwd=repo)
        assert server.left.wait(5)
    assert f"codetether/{run}" in told["done"]
    assert kept(repo, run, "part.txt") == "1\n"
    result = system.json("watch", run, cwd=repo, code=1)["result"]
    assert result["outcome"] == "cancelled" and result["spent"]["calls"] == 1
