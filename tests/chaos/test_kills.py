"""kill -9 at every named point: the same tree, the same outcome, nothing paid, edited or committed twice."""

import os
import random
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
from faults import write_plan
from harness import playing
from mortals import Mortals, kill_server, mortals

from app.demo.example import create
from app.demo.scenario import reply
from app.demo.server import Server
from app.domain.run import RunView
from app.stack import server
from app.stream import Stream

KINDS = (
    "agent.turn t0-model",  # of the draft
    "okr.draft",
    "measure.read d1-baseline",
    "run.record .* asked",
    "run.record .* decision",
    "agent.turn t1-model",
    "^read ",
    "^multiedit ",
    "^bash ",
    "measure.read r1-",
    "workspace.commit r1-",
    "^write ",
    "^apply_patch ",
    "^edit ",
    "workspace.finish",
    "run.record .* outcome",
)
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mortals]:
    with mortals(tmp_path_factory.mktemp("chaos")) as system:
        yield system


@pytest.fixture(scope="module")
def model() -> Generator[Server]:
    with playing(reply) as server:
        yield server


def git(repo: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=repo, check=True, capture_output=True, text=True).stdout.strip()


def carried_out(
    system: Mortals, model: Server, folder: Path, kills: list[tuple[str, str]]
) -> tuple[Path, RunView, int]:
    """The repository, the view and how many requests were made more than answers were recorded."""
    repo = create(folder / "ledger")
    plan = write_plan(folder / "plan", kills)
    path = f"/{folder.name}"
    with system.working(plan):
        run = system.start_run(repo, f"http://127.0.0.1:{model.server_address[1]}{path}/v1")
        view = system.carry_out(run, 540)
    return repo, view, model.asked[path] - answers(system, run)


def answers(system: Mortals, run: str) -> int:
    """Recorded answers of all of a run's sessions."""
    count = 0
    for folder in (system.data / "streams").glob(f"{run}-*"):
        stream = Stream(system.data, folder.name)
        count += sum(record.kind == "assistant" for record in stream.history(stream.end()))
    return count


def check(system: Mortals, repo: Path, view: RunView, expected_tree: str) -> None:
    assert view.result is not None and view.result.outcome == "completed", view.result
    assert git(repo, "rev-parse", f"{view.result.branch}^{{tree}}") == expected_tree
    steps = git(
        repo, "log", "--format=%(trailers:key=Codetether-Step,valueonly)", f"HEAD..{view.result.branch}"
    ).split()
    assert len(steps) == 2 and len(set(steps)) == 2
    assert git(repo, "status", "--porcelain") == ""
    assert system.left_processes() == []


@pytest.fixture(scope="module")
def expected_tree(system: Mortals, model: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tree of a run that nothing disturbed."""
    repo, view, more = carried_out(system, model, tmp_path_factory.mktemp("quiet"), [])
    assert view.result is not None and view.result.outcome == "completed" and more == 0
    return git(repo, "rev-parse", f"{view.result.branch}^{{tree}}")


@pytest.mark.parametrize("point", ["before", "done", "after"])
def test_the_worker_is_killed_at_every_kind_of_step(
    system: Mortals, model: Server, tmp_path: Path, expected_tree: str, point: str
) -> None:
    folder = tmp_path / point
    repo, view, more = carried_out(system, model, folder, [(kind, point) for kind in KINDS])
    left = [file.name for file in (folder / "plan").glob("*.json")]
    assert not left or point == "done", f"never reached: {left}"
    check(system, repo, view, expected_tree)
    fired = len(list((folder / "plan").glob("*.fired")))
    assert fired >= 14
    # Only a call that was in flight, or whose answer was not yet recorded, is made again.
    lost = {"before": 0, "done": 2, "after": 0}[point]
    assert more <= lost


def test_the_temporal_server_is_killed_and_started_again(
    system: Mortals, model: Server, tmp_path: Path, expected_tree: str
) -> None:
    repo = create(tmp_path / "ledger")
    plan = write_plan(tmp_path / "plan", [])
    with system.working(plan):
        run = system.start_run(repo, f"http://127.0.0.1:{model.server_address[1]}/server/v1")
        while not (system.data / "runs" / f"{run}.json").exists():
            os.sched_yield()
        kill_server(system)
        server.start(system.settings)
        view = system.carry_out(run, 300)
    check(system, repo, view, expected_tree)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
def test_a_hundred_seeded_kills(system: Mortals, model: Server, tmp_path: Path, expected_tree: str) -> None:
    seed = int(os.environ.get("CODETETHER_SEED", "20261123"))
    dice = random.Random(seed)
    kinds = (
        r"agent\.turn",
        r"run\.record",
        r"measure\.read",
        "bash",
        "read",
        "edit",
        "write",
        "patch",
        "commit",
        "prepare",
    )
    fired, number = 0, 0
    while fired < 100:
        number += 1
        folder = tmp_path / f"sweep-{number}"
        kills = [(dice.choice(kinds), dice.choice(("before", "done", "after"))) for _ in range(12)]
        repo, view, more = carried_out(system, model, folder, kills)
        check(system, repo, view, expected_tree)
        here = len(list((folder / "plan").glob("*.fired")))
        assert more <= here, f"seed {seed}, run {number}"
        fired += here
