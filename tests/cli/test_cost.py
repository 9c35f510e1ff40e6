"""`ctl cost` reads conversations and journals only, leaves no paid call out, and its rows add up to its total."""

import os
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.domain.budget import Spent
from app.domain.event import RunEvent
from app.domain.okr import Command, KeyResult, Reading
from app.domain.run import RunResult
from app.domain.session import Ids, NewRecord, Usage
from app.stream import Stream, lines, lost
from app.stream.journal import project, repair

RUN = "go-import-aaaa-1"
KIMI, OPUS = "moonshotai/kimi-k2.5", "anthropic/claude-opus-4"
FIGURES = ("calls", "input", "output", "cache_read", "cache_write", "reasoning", "known_usd")


class Books:
    """Writes calls as activities would, at any time."""

    def __init__(self, desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk, self.at = desk, "2026-03-01T12:00:00.000Z"
        monkeypatch.setattr(lines, "now", lambda: self.at)

    def call(self, session: str, usd: float | None, model: str = KIMI, kind: Any = "assistant", **usage: int) -> None:
        stream = Stream(self.desk.data, session)
        end = stream.end()
        used = Usage.model_validate({"input": 101, "output": 7, **usage}).model_dump()
        body = {"text": 'about "kind":"assistant"', "model": model, "usage": used, "usd": usd, "seconds": 1.5}
        records = [NewRecord(kind="user", body={"text": "x", "usage": "none"}), NewRecord(kind=kind, body=body)]
        stream.append(expected=end, step_id=f"s{end}", digest="d", records=records, ids=Ids())

    def began(self, turn: int, agent: str, run: str = RUN) -> None:
        body = {"agent": agent, "turn": turn, "session_id": f"{run}-t{turn}-{agent}"}
        self.desk.tell(run, RunEvent(kind="turn_started", body=body))

    def ended(self, turn: int, agent: str, spent: Spent, run: str = RUN) -> None:
        body = {"agent": agent, "turn": turn, "session_id": f"{run}-t{turn}-{agent}", "spent": spent.model_dump()}
        self.desk.tell(run, RunEvent(kind="turn_ended", body=body))

    def order(self, run: str, okr: str = "", repo: str = "/nowhere") -> None:
        order = self.desk.order(run, okr, repo).model_dump(mode="json")
        self.desk.tell(run, RunEvent(kind="started", body={"input": order}))

    def read(self, **values: float) -> None:
        """A reading of key results; each is met at 1."""
        measure = Command(argv=("true",))
        found = [
            KeyResult(id=name, title=f"{name} is met", measure=measure, direction="up", target=1,
                      baseline=Reading(value=0.0), last=Reading(value=value))
            for name, value in values.items()
        ]  # fmt: skip
        krs = [kr.model_dump(mode="json") for kr in found]
        self.desk.tell(RUN, RunEvent(kind="reading", body={"key_results": krs}))


@pytest.fixture
def books(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Books:
    return Books(desk, monkeypatch)


@pytest.fixture
def whole(books: Books) -> Books:
    """A run with everything that costs: drafts, judges, a compaction, a fallback model, a broken-off answer."""
    books.order(RUN, "import-aaaa")
    okr = books.desk.okr("import-aaaa").model_dump(mode="json")
    books.desk.tell(RUN, RunEvent(kind="draft", body={"okr": okr}))
    books.call(f"{RUN}-draft-1", 0.01)
    books.call(f"{RUN}-d1-baseline-kr1", 0.002)
    books.read(kr1=0, kr2=0, kr3=0)
    books.began(1, "coder")
    books.call(f"{RUN}-t1-coder", 0.1000000001, cache_read=50, reasoning=3)
    books.call(f"{RUN}-t1-coder", 0.05, OPUS, cache_write=11)
    books.call(f"{RUN}-t1-coder", 0.003, kind="compacted")
    used = {"model": OPUS, "usage": Usage(input=40).model_dump(), "usd": 0.0006, "whole": True, "seconds": 1.0}
    lost.note(books.desk.data, f"{RUN}-t1-coder", "s1", 1, used)
    lost.note(books.desk.data, f"{RUN}-t1-coder", "s1", 1, used)
    books.ended(1, "coder", Spent(calls=4))
    books.call(f"{RUN}-r1-measure-kr2", 0.004)
    books.read(kr1=1, kr2=0, kr3=0)
    books.began(2, "tester")
    books.call(f"{RUN}-t2-tester", 0.02)
    project(books.desk.data, RUN)
    return books


def rows(ctl: Any, *words: str) -> dict[str, dict[str, Any]]:
    """The rows by their first name, after checking that they add up to the total, to the last digit."""
    told = ctl("cost", *words, "--json").json
    for figure in FIGURES:
        parts = [Decimal(str(row[figure])) for row in told["rows"]]
        assert sum(parts) == Decimal(str(told["total"][figure])), figure
    key = {"turn": lambda row: f"{row['turn']} {row['agent']}"}.get(told.get("by"), lambda row: row[told["by"]])
    return {str(key(row)): row for row in told["rows"]}


def test_every_paid_call_is_in_every_view(whole: Books, ctl: Any) -> None:
    turns = rows(ctl)
    assert {name: row["calls"] for name, row in turns.items()} == {
        "0 draft": 1, "0 judge": 1, "1 coder": 4, "1 judge": 1, "2 tester": 1
    }  # fmt: skip
    coder = turns["1 coder"]
    assert coder["usd"] == 0.1536000001 and coder["input"] == 343
    assert (coder["cache_read"], coder["cache_write"], coder["reasoning"]) == (50, 11, 3)
    agents = rows(ctl, RUN, "--by", "agent")
    assert {name: row["calls"] for name, row in agents.items()} == {"draft": 1, "judge": 2, "coder": 4, "tester": 1}
    models = rows(ctl, "go-imp", "--by", "model")
    assert models[OPUS]["calls"] == 2 and models[OPUS]["usd"] == 0.0506 and models[KIMI]["calls"] == 6
    assert whole.desk.data.is_dir()


@pytest.mark.usefixtures("whole")
def test_a_turn_counts_for_the_key_results_that_were_open(ctl: Any) -> None:
    found = ctl("cost", "--by", "kr", "--json").json
    by_name = {row["kr"] or row["for"]: row for row in found["rows"]}
    assert set(by_name) == {"drafting", "judging", "kr1", "kr2", "kr3"} and "equal shares" in found["rule"]
    # kr1 was met after turn 1: it has a third of that turn, and nothing of the next.
    assert by_name["kr1"]["usd"] == pytest.approx(0.1536 / 3, abs=1e-6)
    assert by_name["kr2"]["usd"] == pytest.approx(0.1536 / 3 + 0.01, abs=1e-6)
    rows(ctl, "--by", "kr")
    said = ctl("cost", "--by", "kr").out
    assert "kr2: kr2 is met" in said and "equal shares" in said
    shown = [line.split("$")[1].split()[0] for line in said.splitlines() if "$" in line and "per 1 M" not in line]
    assert sum(map(Decimal, shown[:-1])) == Decimal(shown[-1]), "what is shown adds up, too"


def test_an_unknown_price_is_never_free(whole: Books, ctl: Any) -> None:
    whole.call(f"{RUN}-t2-tester", None)
    turns = rows(ctl)
    assert turns["2 tester"]["usd"] is None and turns["2 tester"]["known_usd"] == 0.02
    assert turns["1 coder"]["usd"] is not None and ctl("cost", "--json").json["total"]["usd"] is None
    assert "$0.0200 + unknown" in ctl("cost").out
    shares = {row["kr"]: row for row in ctl("cost", "--by", "kr", "--json").json["rows"]}
    assert shares["kr2"]["usd"] is None and shares["kr3"]["usd"] is None and shares["kr1"]["usd"] is not None


def test_what_only_the_journal_knows_is_not_left_out(books: Books, ctl: Any) -> None:
    spent = Spent(usage=Usage(input=1000, output=200), usd=0.0125, calls=3)
    books.order(RUN, "import-aaaa")
    books.ended(1, "coder", spent)
    more = spent + Spent(usage=Usage(input=500), unpriced=1, calls=1)
    books.desk.tell(RUN, RunEvent(kind="outcome", body=RunResult(outcome="failed", spent=more).model_dump(mode="json")))
    project(books.desk.data, RUN)
    turns = rows(ctl)
    assert turns["1 coder"]["usd"] == 0.0125 and turns["0 measures and the rest"]["usd"] is None
    assert "unknown" in ctl("cost").out


def test_runs_whose_names_begin_alike_are_kept_apart(books: Books, ctl: Any) -> None:
    for run in ("go-x-1", "go-x-11", "go-x-1-2"):
        books.order(run)
        books.call(f"{run}-t1-a", 0.01)
        project(books.desk.data, run)
    for run in ("go-x-1", "go-x-11", "go-x-1-2"):
        assert ctl("cost", run, "--json").json["total"]["calls"] == 1
    assert ctl("cost", "go-x-1", "--days", "3").code == 2 and ctl("cost", "--by", "kr", "--all").code == 2


@pytest.fixture
def kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A person whose midnight is at half past six in UTC's evening."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    os.environ.pop("TZ", None)
    time.tzset()


@pytest.mark.usefixtures("kolkata")
def test_days_are_the_persons_and_a_run_may_cross_midnight(books: Books, ctl: Any, tmp_path: Path) -> None:
    for run, repo in ((RUN, "/one"), ("go-other-bbbb-1", str(tmp_path / "two"))):
        books.order(run, "", repo)
        for at, usd in (("2026-03-01T18:29:59.999Z", 0.01), ("2026-03-01T18:30:00.000Z", 0.02)):
            books.at = at
            books.call(f"{run}-t1-coder", usd)
        project(books.desk.data, run)
    told = ctl("cost", "--days", "3650", "--json").json
    assert {(row["day"], row["usd"]) for row in told["rows"]} == {("2026-03-01", 0.01), ("2026-03-02", 0.02)}
    assert "+0530" in told["zone"] and told["total"]["usd"] == 0.06
    (tmp_path / "two" / ".git").mkdir(parents=True)
    os.chdir(tmp_path / "two")
    here = ctl("cost", "--days", "3650", "--json").json
    assert {row["repository"] for row in here["rows"]} == {str(tmp_path / "two")} and here["total"]["usd"] == 0.03
    every = {row["repository"]: row["usd"] for row in ctl("cost", "--all", "--json").json["rows"]}
    assert every == {"/one": 0.03, str(tmp_path / "two"): 0.03}
    assert "IST" in ctl("cost", "--days", "3650", "--all").out and "$0.0600" in ctl("cost", "--all").out


def test_sums_of_ended_runs_are_kept_and_made_again(whole: Books, ctl: Any) -> None:
    data, ended = whole.desk.data, RunResult(outcome="completed", spent=Spent(calls=8))
    before = ctl("cost", "--all", "--json").json["total"]
    assert before["calls"] == 8 and not (data / "costs").exists(), "of a run that goes on nothing is kept"
    whole.desk.tell(RUN, RunEvent(kind="outcome", body=ended.model_dump(mode="json")))
    project(data, RUN)
    streams = data / "streams"
    streams.rename(data / "away")  # sums of ended runs read no stream
    assert ctl("cost", "--all", "--json").json["total"] == before
    (data / "away").rename(streams)
    whole.call(f"{RUN}-t2-tester", 1.0)
    repair(data)
    assert ctl("cost", "--all", "--json").json["total"]["calls"] == 9
