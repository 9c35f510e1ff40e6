"""Readings in a real sandbox, on real commits."""

from pathlib import Path

import pytest
from workspace_desk import Desk, git

from app import workspace
from app.domain.activities import MeasureInput
from app.domain.okr import Command, KeyResult, Measure, Reading, TestCount
from app.domain.session import Ids
from app.domain.tool import Workspace
from app.tools.gate.sandbox import probe

needs_sandbox = pytest.mark.skipif(not probe().works, reason=f"no sandbox: {probe().reason}")


def sh(script: str, **more: object) -> Command:
    return Command.model_validate({"argv": ("sh", "-c", script)} | more)


async def read(
    desk: Desk, ws: Workspace, measure: Measure, commit: str = "", *, allowed: bool = True, attempt: int = 1
) -> Reading:
    key_result = KeyResult(id="kr-1", title="it", measure=measure, direction="up", target=1)
    order = MeasureInput(
        step_id="run-1/kr-1:turn 1",
        ids=Ids(),
        run=ws.run,
        key_result=key_result,
        workspace=ws,
        commit=commit or ws.base,
        approved=ws.base,
        allowed=allowed,
    )
    return await workspace.measure(desk.data, order, desk.settings, allowed=allowed, attempt=attempt)


def left(desk: Desk) -> list[str]:
    folder = desk.data / "worktrees" / "run-1"
    admin = desk.data / "repos" / "run-1.git" / "worktrees"
    names = [path.name for path in (*folder.iterdir(), *admin.iterdir())]
    return [name for name in names if "measure" in name]


CASES = [
    (sh("echo took 12 ms, then 3.5e1"), 35.0, ""),
    (sh("echo -- -4"), -4.0, ""),
    (sh("exit 3", read="exit"), 3.0, ""),
    (sh("true", read="exit"), 0.0, ""),
    (sh("echo 'lines: 10'; echo 'lines: 20'; echo 7", read="regex", pattern=r"lines: (\d+)"), 20.0, ""),
    (sh("echo nothing"), None, "it printed no number"),
    (sh("no-such-command-at-all"), None, "the command cannot be run (exit 127)"),
    (Command(argv=("./missing",)), None, "the command cannot be run (exit 127)"),
    (sh("sleep 60", timeout=0.5), None, "it did not end within 0.5 s"),
    (sh("echo 1", read="regex", pattern="("), None, "the pattern `(` is not valid"),
    (sh("echo 1", cwd="none"), None, "folder `none` does not exist in this commit"),
    (sh("echo 1", cwd="../.."), None, "folder `../..` lies outside of the repository"),
    (TestCount(argv=("sh", "-c", "echo '==== 2 failed, 5 passed in 0.1s ===='; exit 1")), 2.0, ""),
    (TestCount(argv=("echo", "hello")), None, "no test runner's summary"),
]


@needs_sandbox
@pytest.mark.parametrize(("measure", "value", "problem"), CASES)
async def test_a_reading(desk: Desk, measure: Measure, value: float | None, problem: str) -> None:
    ws = desk.prepare()
    reading = await read(desk, ws, measure)
    assert reading.value == value
    assert reading.problem.startswith(problem) and bool(reading.problem) == bool(problem)
    assert reading.commit == ws.base and reading.at
    assert left(desk) == []


@needs_sandbox
async def test_it_reads_the_commit_and_what_the_command_changes_is_thrown_away(desk: Desk) -> None:
    ws = desk.prepare()
    (desk.tree(ws) / "b.txt").write_text("1\n2\n")
    made = desk.commit(ws).commit
    (desk.tree(ws) / "b.txt").write_text("not committed\n")
    count = sh("wc -l < b.txt; echo more >> b.txt; pwd >&2; git status --porcelain; wc -l < b.txt", repeat=3)
    reading = await read(desk, ws, count, made)
    assert reading.samples == (3.0, 4.0, 5.0) and reading.value == 4.0 and reading.spread == 0.5
    assert str(desk.repo) in reading.output and " M b.txt" in reading.output
    assert (desk.tree(ws) / "b.txt").read_text() == "not committed\n"
    assert git(desk.repo, "status", "--porcelain") == ""


@needs_sandbox
async def test_the_approved_files_decide(desk: Desk) -> None:
    ws = desk.prepare()
    (desk.tree(ws) / "tests" / "test_a.py").write_text("easier\neasier\neasier\n")
    (desk.tree(ws) / "tests" / "test_more.py").write_text("added\n")
    (desk.tree(ws) / "code.txt").write_text("code\n")
    made = desk.commit(ws).commit
    reading = await read(desk, ws, sh("cat tests/* code.txt | wc -l"), made)
    assert reading.value == 2.0 and reading.own_value == 5.0
    assert reading.changed == ("tests/test_a.py", "tests/test_more.py")
    free = await read(desk, ws, sh("cat tests/* code.txt | wc -l", protects=("nothing",)), made)
    assert free.value == 5.0 and free.own_value is None and free.changed == ()


@needs_sandbox
async def test_the_network_waits_for_a_person(desk: Desk) -> None:
    ws = desk.prepare()
    assert (await read(desk, ws, sh("echo 1", network=True), allowed=False)).problem.startswith("not measured yet")
    assert (await read(desk, ws, sh("echo 1"), allowed=False)).value == 1.0


@needs_sandbox
async def test_what_a_killed_attempt_left_is_taken_away(desk: Desk) -> None:
    ws = desk.prepare()
    folder = desk.data / "worktrees" / "run-1" / ".measure-run-1_kr-1_turn_1-a1"
    folder.mkdir()
    (folder / "left").write_text("over")
    assert (await read(desk, ws, sh("ls | wc -l"), attempt=2)).value == 2.0
    assert left(desk) == []


@needs_sandbox
async def test_a_subfolder_and_a_dependency_folder(desk: Desk, tmp_path: Path) -> None:
    (desk.repo / ".venv").mkdir()
    (desk.repo / ".venv" / "version").write_text("7")
    ws = desk.prepare(subdir="tests")
    reading = await read(desk, ws, sh("ls test_a.py && cat ../.venv/version"))
    assert reading.value == 7.0
    assert str(tmp_path) not in reading.problem


async def test_a_judgement_is_not_read_here(desk: Desk) -> None:
    from app.domain.okr import Judge

    assert (await read(desk, desk.prepare(), Judge(question="good?"))).value is None
