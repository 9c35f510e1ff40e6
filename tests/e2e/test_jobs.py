"""Commands in the background of an agent: they live across its turns, and never longer than it."""

import asyncio
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from background import comes_true, going
from harness import Script, System
from playbook import Messages, chores, kept, shell, steps, texts

from app.demo.scenario import Call, Reply
from app.domain.run import ModelRef
from app.pids import start_time
from app.runs import door, order
from app.runs.plugin import PLUGIN
from app.stack.connect import connect
from app.stack.state import living

Model = Callable[[Script], list[str]]
PATIENCE = 60
TICKS = "echo begun >> starts.txt; for n in $(seq 100000); do echo tick $n; sleep 0.05; done"


def job(action: str, **more: Any) -> Reply:
    return Reply(calls=(Call("job", {"action": action, "id": "" if action == "list" else "job-1", **more}),))


def background(command: str, **more: Any) -> Reply:
    return shell(command, background=True, **more)


def marked() -> tuple[str, Callable[[], bool]]:
    """A command that runs for long and starts a process of its own, and whether anything of it is there."""
    mark = f"sleep 71{os.getpid()}"

    def running() -> bool:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark.encode() in (folder / "cmdline").read_bytes().replace(b"\0", b" "):
                    return True
            except OSError:
                continue
        return False

    return f"echo 1 > part.txt; (setsid {mark} &) ; trap '' TERM; echo ready; {mark}", running


def run_of(system: System, repo: Path) -> str:
    return str(system.json("okr", "runs", cwd=repo)[0]["run"])


def test_a_job_lives_across_turns_until_it_is_stopped(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    told: list[str] = []
    users: list[str] = []

    def script(messages: Messages, _offered: set[str]) -> Reply:
        told[:], users[:] = texts(messages, "tool"), texts(messages, "user")
        offset = int(re.findall(r"offset=(\d+)", told[-1])[0]) if steps(messages) == 3 else 0
        return (
            background(TICKS),
            shell("echo 2 > other.txt"),
            job("wait", until="tick 3\n"),
            job("wait", offset=offset, until="tick"),
            job("stop"),
            job("read", offset=0),
            background("echo short; exit 3"),
            job("wait", id="job-2"),
            Reply("I am done."),
        )[steps(messages)]

    run = system.json("run", "tick", *model(script), cwd=repo)
    assert run["result"]["outcome"] == "completed"
    started, _, waited, later, stopped, whole, _, short = told
    assert started.startswith("job-1 is started. ") and "path `@output/job-1`" in started
    assert waited.startswith("tick 1\ntick 2\ntick 3\n") and "job-1: running for " in waited
    at = int(re.findall(r"offset=(\d+)", waited)[0])
    first = later.splitlines()[0]
    assert first.startswith("tick ") and whole.encode()[at:].startswith(f"{first}\n".encode())  # no byte twice
    assert "job-1: stopped (" in stopped and "job-1: stopped (" in whole
    assert short.startswith("short\n[job-2: exit code 3 after ")
    assert not [words for words in users if "job-1" in words]  # who stops a job need not be told that it ended
    assert kept(repo, run["run"], "starts.txt") == "begun\n"


@pytest.mark.chaos
def test_a_killed_worker_cuts_a_job_off_and_a_cancel_ends_one(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    command, running = marked()
    told: list[str] = []
    users: list[str] = []

    def script(messages: Messages, _offered: set[str]) -> Reply:
        told[:], users[:] = texts(messages, "tool"), texts(messages, "user")
        return (
            background(TICKS),
            job("wait", until="tick 2\n"),
            shell("touch here.txt; sleep 60"),
            job("list"),
            background(command),
            job("wait", id="job-2", until="never printed", timeout=600),
        )[steps(messages)]

    with going(system, "run", "tick", *model(script), cwd=repo) as process:
        assert comes_true(lambda: bool(list((system.data / "worktrees").glob("*/*/here.txt"))), PATIENCE)
        worker = living(system.data, "worker")
        assert worker is not None
        os.kill(worker.pid, signal.SIGKILL)
        assert comes_true(running, PATIENCE)  # job-2, of the worker that came after
        run = run_of(system, repo)
        system.ctl("cancel", run, cwd=repo)
        assert not running() and process.wait(PATIENCE) == 1
    assert told[2].startswith("the worker died while this command ran")
    assert told[3].startswith("job-1: cut off: the worker died while it ran")
    assert [words for words in users if words.startswith("job-1 ended: cut off: the worker died while it ran")]
    assert kept(repo, run, "starts.txt") == "begun\n"
    notes = [json.loads(file.read_bytes()) for file in (system.data / "processes").glob("*.json")]
    assert notes and not [note for note in notes if start_time(note["pid"]) == note["started"]]


async def test_what_holds_a_job_back_and_what_ends_it(system: System, tmp_path: Path, model: Model) -> None:
    """Five are the most; mode `plan`, a history that must begin anew, and the end of the agent end them."""
    repo = chores(tmp_path / "chores")
    command, running = marked()
    seen: list[bool] = []
    told: list[str] = []
    users: list[str] = []

    def script(messages: Messages, _offered: set[str]) -> Reply:
        told[:], users[:] = texts(messages, "tool"), texts(messages, "user")
        if steps(messages) == 0:
            return Reply(calls=tuple(background(f"{number}; sleep 99").calls[0] for number in range(6)))
        if steps(messages) == 1:
            return Reply(calls=(Call("plan_enter", {}),))
        if steps(messages) == 2:
            return background("touch planned.txt; sleep 99")
        if not [words for words in users if "begin anew" in words]:
            return shell(f"echo {steps(messages)}")
        if not [words for words in told if "job-7 is started" in words]:
            return Reply(calls=(*background(command).calls, *job("wait", id="job-7", until="ready").calls))
        seen.append(running())
        return Reply("I am done.")

    flag = dict(zip(*[iter(model(script))] * 2, strict=True))
    name = ModelRef(provider="openai", name="test", base_url=flag["--base-url"])
    budget = order.budget_of(name, usd=None, tokens=None)
    made = order.new(system.settings, kind="run", intent="hold", repo=str(repo), model=name, budget=budget)
    client = await connect(system.settings, plugins=[PLUGIN])
    await door.start(client, made.model_copy(update={"history_limit": 40}))
    async with asyncio.timeout(PATIENCE):
        await client.get_workflow_handle(made.run).result()
    assert told[5].startswith("error: 5 jobs are open (job-1, job-2, job-3, job-4, job-5), which is the most")
    ended = [words for words in users if words.startswith("job-")]
    assert [words for words in ended if "was ended: mode `plan` changes nothing" in words]
    assert ended[-1].startswith("job-6 was ended: the history of this agent had to begin anew")
    assert "part.txt: Read-only file system\nready\n[job-7: running for " in told[-1]
    assert seen == [True] and not running()
