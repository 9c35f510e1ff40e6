"""A job runs once: a retry finds its end, one that was cut off is not begun again, no worker waits for one."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from playbook import chores
from temporalio import activity
from temporalio.testing import ActivityEnvironment

from activities.host import Host
from activities.job import JobActivities
from app import workspace
from app.domain.activities import JobInput, PrepareInput
from app.domain.session import Ids
from app.pids import start_time
from app.settings import Settings
from app.stream.files import session_folder
from app.tools import jobs
from app.tools.base import ToolContext
from app.tools.process import run_command

STEP = "w:r:t0-s0"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(settings=Settings(data_dir=tmp_path / "data", config_dir=tmp_path / "config"), data_id="d")


class Noting:
    """One repository, and jobs of a session in it."""

    def __init__(self, host: Host, repo: Path) -> None:
        self.host, self.root = host, str(repo)
        prepare = PrepareInput(run="r", data_id="d", name="main", repo=self.root)
        self.space = workspace.prepare(host.data, prepare, host.settings)
        self.worktree = workspace.worktree_path(host.data, self.space)
        self.mounts = workspace.mounts(host.data, self.space, host.settings)

    def __call__(self, command: str, timeout: float = 60) -> JobInput:
        ctx = ToolContext(
            data=self.host.data, workspace=self.space, worktree=self.worktree, mounts=lambda: self.mounts, ids=Ids(),
            step_id=f"{STEP}-bash", session_id="s", attempt=1, sandboxed=True, allowed=False, emit=lambda _: None,
        )  # fmt: skip
        jobs.note(ctx, 1, jobs.Noted(step_id=ctx.step_id, command=command, cwd=self.root, timeout=timeout))
        return JobInput(step_id=f"{STEP}-bash-job", session_id="s", number=1, run="r", workspace=self.space)

    @property
    def spool(self) -> Path:
        return jobs.spool(session_folder(self.host.data, "s"), 1)


@pytest.fixture
def note(host: Host, tmp_path: Path) -> Noting:
    return Noting(host, chores(tmp_path / "repo"))


async def test_it_runs_once_and_its_end_is_found(host: Host, note: Noting) -> None:
    order = note("echo out; echo ran >> ran.txt; exit 3")
    first = await ActivityEnvironment().run(JobActivities(host).run, order)
    assert first.status == "ok" and first.preview.startswith("exit code 3 after ")
    assert await ActivityEnvironment().run(JobActivities(host).run, order) == first
    assert (note.worktree / "ran.txt").read_text() == "ran\n" and note.spool.read_text() == "out\n"


async def test_it_ends_at_its_limit(host: Host, note: Noting) -> None:
    ended = await ActivityEnvironment().run(JobActivities(host).run, note("sleep 60", timeout=0.3))
    assert (ended.status, ended.preview) == ("error", "killed after 0.3 s, its `timeout`")


async def test_one_whose_worker_died_is_not_begun_again(host: Host, note: Noting) -> None:
    order = note("echo ran >> ran.txt")
    await run_command(
        data=host.data, key=order.step_id, argv=["echo", "half"], cwd=note.root, mounts=note.mounts, timeout=60,
        spool=note.spool,
    )  # fmt: skip
    again = ActivityEnvironment()
    again.info = replace(again.info, attempt=2)
    ended = await again.run(JobActivities(host).run, order)
    assert ended.status == "cut_off" and ended.preview.startswith("cut off: the worker died")
    assert not (note.worktree / "ran.txt").exists() and note.spool.read_text() == "half\n"


@pytest.mark.parametrize("how", ["shutdown", "cancel"])
async def test_a_worker_that_stops_and_a_cancel_end_it(host: Host, note: Noting, how: str) -> None:
    order, environment = note("echo begun; sleep 60"), ActivityEnvironment()
    running = asyncio.create_task(environment.run(JobActivities(host).run, order))
    async with asyncio.timeout(20):
        while not note.spool.exists() or not note.spool.read_bytes():
            await asyncio.sleep(0.02)
        if how == "shutdown":
            environment.worker_shutdown()
            assert (await running).preview.startswith("cut off: the worker stopped")
        else:
            environment.cancel(cancellation_details=activity.ActivityCancellationDetails(cancel_requested=True))
            with pytest.raises(asyncio.CancelledError):
                await running
            again = await ActivityEnvironment().run(JobActivities(host).run, order)
            assert again.preview == "stopped"
    (file,) = (host.data / "processes").glob("*.json")
    noted = json.loads(file.read_bytes())
    assert start_time(noted["pid"]) != noted["started"]
