"""Results are created once; projections are made from journals alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.domain.event import RunEvent
from app.domain.run import ModelRef, RunInput, RunResult
from app.domain.session import Ids, NewRecord
from app.stream import StoredResult, Stream, digest, read_result, write_result
from app.stream.journal import journal_id, load_view, project, repair, update_view
from app.stream.listing import runs


def test_of_many_writers_of_one_result_exactly_one_counts(tmp_path: Path) -> None:
    def write(number: int) -> str:
        return write_result(tmp_path, "s", "w:r:t0-s0-read", StoredResult(status="ok", text=str(number))).text

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(write, range(32)))
    stored = read_result(tmp_path, "s", "w:r:t0-s0-read")
    assert stored is not None and answers == {stored.text}
    assert read_result(tmp_path, "s", "another") is None


def order(run: str) -> RunInput:
    return RunInput(
        run=run,
        kind="run",
        intent="fix it",
        repo="/r",
        data_id="d",
        model=ModelRef(provider="demo", name="scripted"),
        ids=Ids(),
    )


def write(data: Path, run: str, *events: RunEvent) -> None:
    stream = Stream(data, journal_id(run))
    for number, event in enumerate(events):
        end = stream.end()
        records = [NewRecord(kind="event", body=event.model_dump(mode="json"))]
        stream.append(expected=end, step_id=f"{end}-{number}", digest=digest(event), records=records, ids=Ids())


def test_views_follow_the_journal_and_can_be_made_again(tmp_path: Path) -> None:
    write(tmp_path, "run-a", RunEvent(kind="started", body={"input": order("run-a").model_dump(mode="json")}))
    assert project(tmp_path, "run-a").status == "working"
    result = RunResult(outcome="completed", reason="done")
    write(tmp_path, "run-a", RunEvent(kind="outcome", body=result.model_dump(mode="json")))
    view = project(tmp_path, "run-a")
    assert view.status == "ended" and view.result == result
    update_view(tmp_path, "run-a", lambda view: view.model_copy(update={"merged": "abc"}))
    for file in (tmp_path / "runs").iterdir():
        if file.is_file():
            file.write_text("{ torn")
    assert load_view(tmp_path, "run-a") is None
    assert repair(tmp_path) == (["run-a"], [])
    again = load_view(tmp_path, "run-a")
    assert again is not None and again.result == result and again.journal_end == view.journal_end
    assert [row["run"] for row in runs(tmp_path)] == ["run-a"]
