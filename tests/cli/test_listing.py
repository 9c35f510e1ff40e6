"""`ctl okr` and `ctl sessions` read files only."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.domain.event import RunEvent
from app.domain.run import Diffstat, Request, RunResult
from app.stream.journal import project

DONE = RunResult(outcome="budget", reason="the budget is used up", branch="codetether/x", diffstat=Diffstat(files=2))


def result(desk: Any, okr: str) -> RunResult:
    return DONE.model_copy(update={"key_results": desk.okr(okr).key_results})


def test_an_empty_folder_says_how_to_begin(ctl: Any) -> None:
    for words in (("okr", "list"), ("okr", "runs"), ("sessions", "list")):
        said = ctl(*words)
        assert said.code == 0 and "ctl" in said.out
        assert ctl(*words, "--json").json == []
    assert ctl("okr", "status").code == 2
    assert ctl("cost").code == 2


def test_okrs_are_listed_with_their_progress(desk: Any, ctl: Any) -> None:
    desk.run("go-import-aaaa-1", "import-aaaa", result=result(desk, "import-aaaa"))
    desk.run("run-other-bbbb")
    [line] = ctl("okr", "list", "--json").json
    assert line["okr"] == "import-aaaa" and line["progress"] == 0.5 and line["status"] == "budget"
    assert line["runs"] == ["go-import-aaaa-1"]
    assert "import-aaaa" in ctl("okr", "list").out and "50%" in ctl("okr", "list").out
    rows = {row["run"]: row for row in ctl("okr", "runs", "--json").json}
    assert set(rows) == {"go-import-aaaa-1", "run-other-bbbb"}
    assert rows["run-other-bbbb"]["progress"] is None and rows["run-other-bbbb"]["status"] == "working"
    assert rows["go-import-aaaa-1"]["progress"] == 0.5 and rows["go-import-aaaa-1"]["branch"] == "codetether/x"
    [only] = ctl("okr", "runs", "import", "--json").json
    assert only["run"] == "go-import-aaaa-1"
    assert ctl("okr", "runs", "nothing").code == 2


def test_a_run_that_has_paid_for_nothing_yet_is_not_shown_as_free(desk: Any, ctl: Any) -> None:
    order = desk.order("run-new-cccc").model_dump(mode="json")
    desk.tell("run-new-cccc", RunEvent(kind="started", body={"input": order}))
    project(desk.data, "run-new-cccc")
    [line] = ctl("okr", "runs", "--json").json
    assert line["calls"] == 0 and "$" not in ctl("okr", "runs").out


@pytest.mark.parametrize("name", [(), ("import-a",), ("go-imp",), ("go-import-aaaa-1",)])
def test_status_shows_key_results_and_what_comes_next(desk: Any, ctl: Any, name: tuple[str, ...]) -> None:
    desk.run("go-import-aaaa-1", "import-aaaa", result=result(desk, "import-aaaa"))
    said = ctl("okr", "status", *name)
    assert said.code == 0, said.err
    for word in ("100", "75", "≤ 50 s", "50%", "the budget is used up", "ctl diff go-import-aaaa-1", "ctl continue"):
        assert word in said.out
    assert "\x1b" not in said.out
    told = ctl("okr", "status", *name, "--json").json
    [kr] = told["okr"]["key_results"]
    assert kr["progress"] == 0.5 and kr["met"] is False and told["result"]["outcome"] == "budget"


def test_status_of_a_run_in_progress(desk: Any, ctl: Any) -> None:
    desk.run("go-import-aaaa-1", "import-aaaa")
    said = ctl("okr", "status")
    assert said.code == 0 and "working" in said.out and "ctl watch go-import-aaaa-1" in said.out


def test_status_of_a_waiting_run_names_commands_that_work(desk: Any, ctl: Any) -> None:
    desk.run("go-import-aaaa-1", "import-aaaa")
    asked = Request(id="draft-2", kind="draft", title="approve the OKR")
    desk.tell("go-import-aaaa-1", RunEvent(kind="asked", body=asked.model_dump(mode="json")))
    project(desk.data, "go-import-aaaa-1")
    deny = ctl("okr", "status", "--json").json["next"][1]
    words = ["no-such-run" if word == "go-import-aaaa-1" else word for word in shlex.split(deny)[1:]]
    assert "there is no run `no-such-run`" in ctl(*words).err, deny


def test_a_beginning_must_mean_one_thing(desk: Any, ctl: Any) -> None:
    desk.run("go-import-aaaa-1", "import-aaaa")
    desk.run("go-import-bbbb-1", "import-bbbb")
    said = ctl("okr", "status", "import")
    assert said.code == 2 and "`import-aaaa`" in said.err and "`import-bbbb`" in said.err


def test_show_tells_measures_and_denials(desk: Any, ctl: Any) -> None:
    desk.run("go-import-aaaa-1", "import-aaaa")
    said = ctl("okr", "show", "import")
    for word in (
        "python bench.py",
        "median of 5",
        "bench.py, data/*.csv",
        "coder",
        "deny draft-1 by ada: too ·[2Jvague",
    ):
        assert word in said.out
    assert "\x1b" not in said.out
    assert ctl("okr", "show", "import", "--json").json["decisions"][0]["verdict"] == "deny"


def test_without_a_name_the_latest_of_this_repository_is_shown(desk: Any, ctl: Any, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for words in (("okr", "show"), ("sessions", "show"), ("okr", "status")):
        assert ctl(*words).code == 2 and "start one" in ctl(*words).err
    desk.run("go-here-aaaa-1", "here-aaaa", repo=str(tmp_path))
    desk.session("go-here-aaaa-1-t1-coder", result="of this one")
    desk.run("go-elsewhere-bbbb-1", "elsewhere-bbbb")
    desk.session("go-elsewhere-bbbb-1-t1-coder", result="of another")
    assert ctl("okr", "show", "--json").json["id"] == ctl("okr", "status", "--json").json["okr"]["id"] == "here-aaaa"
    assert "of this one" in ctl("sessions", "show").out


def test_sessions_are_told_from_journals(desk: Any, ctl: Any) -> None:
    desk.run("run-fix-bbbb")
    desk.run("go-import-aaaa-1", "import-aaaa")
    desk.session("run-fix-bbbb-t1-coder")
    desk.session("go-import-aaaa-1-t1-coder")
    (desk.data / "runs" / "run-fix-bbbb.json").unlink()
    lines = {line["session"]: line for line in ctl("sessions", "list", "--json").json}
    assert set(lines) == {"run-fix-bbbb-t1-coder", "go-import-aaaa-1-t1-coder"}
    line = lines["go-import-aaaa-1-t1-coder"]
    assert (line["run"], line["steps"], line["tokens"]) == ("go-import-aaaa-1", 1, 120)
    [only] = ctl("sessions", "list", "--run", "go-import", "--json").json
    assert only["session"] == "go-import-aaaa-1-t1-coder"
    assert "go-import-aaaa-1-t1-coder" in ctl("sessions", "list").out


def test_the_list_is_limited_and_says_so(desk: Any, ctl: Any) -> None:
    for number in range(52):
        desk.session(f"s{number:02d}")
    said = ctl("sessions", "list")
    assert len(said.out.splitlines()) == 52 and "2 older ones" in said.out
    assert len(ctl("sessions", "list", "--all", "--json").json) == 52


def test_a_conversation_is_shown_without_control_sequences(desk: Any, ctl: Any) -> None:
    desk.session("go-x-1-t1-coder", result="\x1b]0;owned\x07" + "y" * 900 + "END")
    said = ctl("sessions", "show", "go-x")
    assert "fix the import" in said.out and "→ bash" in said.out and "← bash: ok" in said.out
    assert "\x1b" not in said.out and "\x07" not in said.out
    assert "END" not in said.out and "more characters: --full" in said.out
    full = ctl("sessions", "show", "go-x", "--full").out
    assert "END" in full and "x" * 900 in full and "\x1b" not in full
    records = [json.loads(line) for line in ctl("sessions", "show", "go-x", "--json").out.splitlines()]
    assert [record["kind"] for record in records] == ["user", "assistant", "tool_result"]
    assert ctl("sessions", "show", "nobody").code == 2


def test_a_list_loads_no_models_no_server_and_no_renderer(desk: Any) -> None:
    # pydantic itself comes with typer, which loads it for any option.
    desk.run("go-import-aaaa-1", "import-aaaa", result=result(desk, "import-aaaa"))
    code = (
        "import sys; from app.cli.lazy import run; assert run(sys.argv[1:]) == 0;"
        "heavy = ('temporalio', 'rich', 'app.settings', 'app.domain', 'app.stream.stream');"
        "print([name for name in heavy if name in sys.modules])"
    )
    for words in (["okr", "list"], ["okr", "runs"], ["okr", "list", "--json"], ["cost", "--days", "7"]):
        argv = [sys.executable, "-I", "-c", code, *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=desk.data)
        assert done.stdout.splitlines()[-1] == "[]"
