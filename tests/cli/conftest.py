"""A data folder made through real streams and journals, and `ctl` called as a person calls it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.cli.lazy import run as run_ctl
from app.domain.budget import Spent
from app.domain.event import RunEvent
from app.domain.okr import Command, KeyResult, Member, Okr, Reading
from app.domain.run import Decision, ModelRef, RunInput, RunResult
from app.domain.session import Ids, NewRecord, Usage
from app.secrets import forget
from app.stream import Stream, digest
from app.stream.journal import journal_id, project

SPENT = Spent(usage=Usage(input=1000, output=200, cache_read=300), usd=0.0125, seconds=4.2, calls=3)


@dataclass
class Said:
    """What one command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its stdout as JSON."""
        return json.loads(self.out)


class Desk:
    """Writes what activities would write."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def order(self, run: str, okr: str = "", repo: str = "/nowhere") -> RunInput:
        """The order of a run; with an OKR's id it is a `go`."""
        return RunInput(
            run=run,
            kind="go" if okr else "run",
            intent="make the import faster",
            repo=repo,
            data_id="d",
            model=ModelRef(provider="moonshotai", name="kimi-k2.5"),
            ids=Ids(okr_id=okr, okr_run_id=run),
        )

    def okr(self, name: str, now: float = 75.0) -> Okr:
        """An OKR that went from 100 s to `now`, of 50."""
        measure = Command(argv=("python", "bench.py"), repeat=5, protects=("bench.py", "data/*.csv"))
        kr = KeyResult(
            id="kr1",
            title="The import takes \x1b[31mhalf\x1b[0m the time",
            measure=measure,
            direction="down",
            target=50,
            unit="s",
            baseline=Reading(value=100.0),
            last=Reading(value=now, spread=1.5),
        )
        team = (Member(name="coder", role="Makes it faster."),)
        return Okr(id=name, intent="make the import faster", objective="A fast import", key_results=(kr,), team=team)

    def tell(self, run: str, *events: RunEvent) -> None:
        """Appends to the journal; the projection follows with `project`."""
        stream = Stream(self.data, journal_id(run))
        for number, event in enumerate(events):
            end = stream.end()
            records = [NewRecord(kind="event", body=event.model_dump(mode="json"))]
            stream.append(expected=end, step_id=f"{end}-{number}", digest=digest(event), records=records, ids=Ids())

    def run(self, run: str, okr: str = "", *, result: RunResult | None = None, repo: str = "/nowhere") -> None:
        """A run with one turn; a `go` with a draft that was denied once."""
        self.tell(run, RunEvent(kind="started", body={"input": self.order(run, okr, repo).model_dump(mode="json")}))
        if okr:
            denied = Decision(request_id="draft-1", verdict="deny", text="too \x1b[2Jvague", by="ada")
            self.tell(run, RunEvent(kind="draft", body={"okr": self.okr(okr).model_dump(mode="json")}))
            self.tell(run, RunEvent(kind="decision", body=denied.model_dump()))
        turn = {"agent": "coder", "turn": 1, "session_id": f"{run}-t1-coder"}
        self.tell(
            run,
            RunEvent(kind="turn_started", body=turn),
            RunEvent(kind="turn_ended", body={**turn, "status": "done", "text": "ok", "spent": SPENT.model_dump()}),
        )
        if result is not None:
            self.tell(run, RunEvent(kind="outcome", body=result.model_dump(mode="json")))
        project(self.data, run)

    def session(self, name: str, *, result: str = "3 passed") -> None:
        """A conversation with one call and its result."""
        call = {"id": "c1", "name": "bash", "arguments": json.dumps({"command": "pytest -q " + "x" * 900})}
        answer = {
            "message": {},
            "text": "I run the \x1b[2Jtests",
            "calls": [call],
            "finish": "tool_calls",
            "model": "moonshotai/kimi-k2.5",
            "usage": Usage(input=100, output=20).model_dump(),
            "usd": 0.01,
            "seconds": 1.0,
        }
        stream, ids = Stream(self.data, name), Ids(session_id=name)
        for records in (
            [NewRecord(kind="user", body={"text": "fix the import", "origin": "task"})],
            [NewRecord(kind="assistant", body=answer)],
            [
                NewRecord(
                    kind="tool_result",
                    body={"call_id": "c1", "name": "bash", "status": "ok", "text": result, "step_id": "s"},
                )
            ],
        ):
            end = stream.end()
            stream.append(expected=end, step_id=f"s{end}", digest=digest(end), records=records, ids=ids)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A data folder of its own, named by the environment; no Temporal and no Vault are configured."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_UI_URL", "VAULT_ADDR", "VAULT_TOKEN", "CODETETHER_ADDRESS", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CODETETHER_DATA_DIR", str(data))
    monkeypatch.setenv("CODETETHER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    forget()
    yield Desk(data)
    forget()


@pytest.fixture
def ctl(desk: Desk, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:  # noqa: ARG001
    """`ctl` in this process."""

    def call(*argv: str) -> Said:
        code = run_ctl(list(argv))
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call
