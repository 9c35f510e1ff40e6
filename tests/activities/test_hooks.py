"""A hook runs once: a retry finds what was said, and one that was cut off blocks what it guards."""

import json
from pathlib import Path

import pytest
from playbook import chores
from temporalio.testing import ActivityEnvironment

from activities.hook import HookActivities
from activities.host import Host
from app import workspace
from app.context import record
from app.domain.activities import Brief, PrepareInput
from app.domain.hook import HookInput, HookOutput
from app.domain.run import ModelRef
from app.domain.session import Ids, NewRecord
from app.settings import Settings
from app.stream import Stream
from app.stream.files import make_folder, safe_name

STEP = "w:r:t0-s0-bash-pre"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    settings = Settings(data_dir=tmp_path / "data", config_dir=tmp_path / "config")
    settings.config_dir.mkdir()
    hook = {"type": "command", "command": "echo ran >> ran.txt; echo no >&2; exit 2"}
    told = {"hooks": {"PreToolUse": [{"hooks": [hook]}], "PostToolUse": [{"hooks": [hook]}]}}
    (settings.config_dir / "hooks.json").write_text(json.dumps(told))
    return Host(settings=settings, data_id="d")


@pytest.fixture
def order(host: Host, tmp_path: Path) -> HookInput:
    repo = chores(tmp_path / "repo")
    space = workspace.prepare(host.data, PrepareInput(run="r", data_id="d", name="main", repo=str(repo)), host.settings)
    brief = Brief(
        run="r", agent="a", persona="solo", tools=("bash",), model=ModelRef(provider="p", name="m"),
        workspace=space, mode="ask", ids=Ids(session_id="s"),
    )  # fmt: skip
    call = {"id": "c", "name": "bash", "arguments": '{"command": "true"}'}
    records = [
        NewRecord(kind="system", body=brief.model_dump(mode="json")),
        NewRecord(kind="assistant", body={"calls": [call], "text": "", "message": {}, "usage": {}, "usd": 0.0}),
    ]
    turn = Stream(host.data, "s").append(expected=0, step_id="w:r:t0", digest="x", records=records, ids=Ids())
    return HookInput(step_id=STEP, data_id="d", event="PreToolUse", session=turn, turn=turn)


def ran(host: Host) -> int:
    """How often the hook was run."""
    files = list((host.data / "worktrees" / "r").glob("*/ran.txt"))
    return len(files[0].read_text().splitlines()) if files else 0


async def run(host: Host, order: HookInput) -> HookOutput:
    return await ActivityEnvironment().run(HookActivities(host).run, order)


async def test_a_retry_finds_what_was_said(host: Host, order: HookInput) -> None:
    first = await run(host, order)
    assert (first.verdict, first.reason, ran(host)) == ("deny", "no", 1)
    assert await run(host, order) == first and ran(host) == 1
    record_of_all = host.data / "streams" / "s" / "results" / safe_name(STEP)
    record_of_all.unlink()  # as after a crash between the hook's end and the record of the step
    assert await run(host, order) == first and ran(host) == 1


@pytest.mark.parametrize(("event", "verdict"), [("PreToolUse", "deny"), ("PostToolUse", "")])
async def test_one_that_was_cut_off_is_not_run_again(host: Host, order: HookInput, event: str, verdict: str) -> None:
    make_folder(host.data / "processes", below=host.data)
    note = {"pid": 2**22 + 1, "started": "never", "boot": "another"}  # what a killed worker leaves
    (host.data / "processes" / f"{safe_name(f'{STEP}.0')}.json").write_text(json.dumps(note))
    said = await run(host, order.model_copy(update={"event": event}))
    assert (said.verdict, ran(host)) == (verdict, 0)
    assert ("never run twice" in said.reason) is (verdict == "deny")


async def test_another_events_hooks_stay_silent(host: Host, order: HookInput) -> None:
    said = await run(host, order.model_copy(update={"event": "Stop", "turn": None, "session": order.session}))
    assert said == HookOutput() and ran(host) == 0
    assert record.load(host.data, "s", STEP) is not None


@pytest.mark.parametrize(("size", "reason"), [(300_000, "no"), (1_100_000, "more than 1,000,000")])
async def test_what_a_hook_cannot_be_told_is_blocked(host: Host, order: HookInput, size: int, reason: str) -> None:
    call = {"id": "c", "name": "write", "arguments": json.dumps({"path": "big", "content": "x" * size})}
    answer = NewRecord(kind="assistant", body={"calls": [call], "text": "", "message": {}, "usage": {}, "usd": 0.0})
    end, step = order.session.end, "w:r:t1"
    turn = Stream(host.data, "s").append(expected=end, step_id=step, digest="y", records=[answer], ids=Ids())
    said = await run(host, order.model_copy(update={"step_id": f"{step}-pre", "turn": turn, "session": turn}))
    assert said.verdict == "deny" and reason in said.reason
