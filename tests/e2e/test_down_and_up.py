"""`ctl down` in the middle of a run: the worker drains, and the run goes on with the next `ctl up`."""

from collections.abc import Generator
from pathlib import Path

import pytest
from harness import System, settings_apart

from app.demo.example import create
from app.stack.local import down
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
