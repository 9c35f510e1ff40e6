"""The stack ends in the middle of a run, by `ctl down` or by a kill, and the run goes on."""

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from background import going, until
from harness import System, playing, settings_apart
from playbook import Held, chores

from app.demo.example import create
from app.stack.local import down, ensure
from app.stack.state import Name, living
from app.stream.journal import load_view


@pytest.fixture
def own(tmp_path: Path) -> Generator[System]:
    """A stack that nobody else uses: it is ended and started again."""
    settings = settings_apart(tmp_path)
    yield System(settings)
    down(settings, lambda _text: None)


def test_a_run_survives_the_end_of_the_stack(own: System, tmp_path: Path) -> None:
    ledger = create(tmp_path / "ledger")
    go = ("go", "make the import 2x faster", "--model", "demo/scripted", "--yes", "--detach")
    run = own.json(*go, cwd=ledger)["run"]
    said = own.ctl("down", cwd=ledger)
    assert "stopping the worker" in said and "stopping the temporal" in said
    assert "nothing" in own.ctl("down", cwd=ledger)
    assert own.json("status", cwd=ledger, code=1)
    watched = own.json("watch", run, cwd=ledger)  # starts the stack again
    assert watched["result"]["outcome"] == "completed"
    view = load_view(own.data, run)
    assert view is not None and [(d.verdict, d.text) for d in view.decisions] == [("approve", "--yes")]
    assert watched["cost"]["calls"] == 11  # nothing was asked twice


@pytest.mark.parametrize("names", [("temporal",), ("temporal", "worker")])
def test_who_watches_starts_what_was_killed(own: System, tmp_path: Path, names: tuple[Name, ...]) -> None:
    repo, model = chores(tmp_path / "chores"), Held()
    ensure(own.settings, lambda _text: None)
    with playing(model) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        with going(own, "run", "be done", "--model", "openai/held", "--base-url", url, cwd=repo) as ctl:
            assert model.asked.wait(60)
            for name in names:
                service = living(own.data, name)
                assert service is not None
                os.kill(service.pid, signal.SIGKILL)
            said = until(ctl, "gone")
            model.go_on.set()
            until(ctl, "completed")
    assert said.startswith("the local Temporal server") and ("worker" in said) == ("worker" in names)
