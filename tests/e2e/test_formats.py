"""What programs read: JSON lines, one document, files, and conversations that go on."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Script, System, playing
from harness import flags as flags_of
from playbook import Messages, chores, git, kept, shell, texts, working
from pydantic import TypeAdapter

from app.cli.events import Event, schema
from app.demo.scenario import Reply

Model = Callable[[Script], list[str]]
DONE = shell("cp /dev/null todo.txt")
SCHEMA = Path(__file__).parents[2] / "docs" / "stream-json.schema.json"


def said(system: System, *words: str, cwd: Path, code: int = 0, **env: str) -> tuple[str, str]:
    """What `ctl` wrote to stdout and to stderr."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", "app.cli", *words],
        cwd=cwd,
        env=system.environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def stream(system: System, *words: str, cwd: Path, code: int = 0) -> list[dict[str, Any]]:
    """The events of a command, each one as the committed schema has it."""
    out, _ = said(system, *words, "--output-format", "stream-json", cwd=cwd, code=code)
    lines = out.splitlines()
    for line in lines:
        TypeAdapter[Any](Event).validate_json(line)
    return [json.loads(line) for line in lines]


def test_the_committed_schema_is_that_of_the_code() -> None:
    assert SCHEMA.read_text() == json.dumps(schema(), indent=2) + "\n", "the right side is what belongs there"


def test_a_go_and_a_run_as_json_lines(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    flags = model(working(DONE))
    events = stream(system, "go", "nothing is left", "--yes", *flags, cwd=repo)
    assert (events[0]["type"], events[0]["subtype"], events[0]["cwd"]) == ("system", "init", str(repo))
    assert [event["type"] for event in events].count("result") == 1
    result = events[-1]
    assert (result["type"], result["subtype"], result["is_error"]) == ("result", "success", False)
    assert (result["total_cost_usd"], result["num_turns"]) == (None, 1), "an unknown price is not shown as free"
    assert result["branch"] == f"codetether/{events[0]['session_id']}"
    blocks = [part for event in events[1:-1] for part in event["message"]["content"]]
    used = [part["id"] for part in blocks if part["type"] == "tool_use" and part["name"] == "bash"]
    assert used and used == [part["tool_use_id"] for part in blocks if part["type"] == "tool_result"]
    events = stream(system, "run", "look around", *model(working(Reply("All is well."))), cwd=repo)
    assert [event["type"] for event in events] == ["system", "assistant", "result"]
    assert events[-1]["result"] == "All is well." and events[-1]["branch"] == ""


def test_a_failed_run_as_json_lines(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    words = ("go", "nothing is left", "--yes", "--max-turns", "1", *model(working(Reply("I do nothing."))))
    last = stream(system, *words, cwd=repo, code=5)[-1]
    assert (last["type"], last["subtype"], last["is_error"]) == ("result", "error_max_turns", True)


def test_json_is_one_document_and_nothing_else(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    flags = model(working(DONE))

    def document(*words: str) -> Any:
        out, _ = said(system, *words, "--json", cwd=repo)
        return json.loads(out)

    gone = document("go", "nothing is left", "--yes", *flags)
    run = gone["run"]
    assert gone["cost"]["usd"] is None and gone["cost"]["tokens"] > 0
    assert document("run", "the same", *flags)["result"]["outcome"] == "completed"
    assert run in [line["run"] for line in document("okr", "runs")]
    assert gone["okr"]["id"] in [line["okr"] for line in document("okr", "list")]
    assert document("okr", "show", gone["okr"]["id"])["id"] == gone["okr"]["id"]
    assert document("okr", "status", run)["result"] == gone["result"]
    assert [line["run"] for line in document("sessions", "list", "--run", run)].count(run) == 2
    assert document("cost", run)["total"]["usd"] is None
    assert "-three" in document("diff", run)["diff"]
    assert document("status")["up"] is True
    assert document("watch", run)["result"] == gone["result"]
    records, _ = said(system, "sessions", "show", gone["result"]["sessions"][0], "--json", cwd=repo)
    assert {"user", "assistant", "tool_result"} <= {json.loads(line)["kind"] for line in records.splitlines()}


@pytest.mark.parametrize("flags", [("--output-format", "xml"), ("--json", "--output-format", "yaml")])
def test_an_unknown_format_is_a_usage_error(system: System, tmp_path: Path, flags: tuple[str, ...]) -> None:
    out, err = said(system, "run", "hello", *flags, cwd=chores(tmp_path / "chores"), code=2)
    assert out == "" and f"`--output-format {flags[-1]}`" in err


def test_a_build_server_gets_three_files(system: System, tmp_path: Path, model: Model) -> None:
    repo, folder = chores(tmp_path / "chores"), tmp_path / "kept" / "here"
    head = git(repo, "rev-parse", "HEAD").strip()
    flags = model(working(shell("cp /dev/null todo.txt; printf '\\0\\1' > data.bin")))
    out, _ = said(system, "go", "nothing is left", "--yes", "--json", "--out", str(folder), *flags, cwd=repo)
    told = json.loads(out)
    assert json.loads((folder / "result.json").read_text()) == told
    report = (folder / "report.md").read_text()
    assert "**completed**" in report and "Less is left to do" in report and told["result"]["branch"] in report
    assert told["result"]["base"] == head
    git(repo, "apply", "--index", str(folder / "changes.patch"))
    assert (repo / "todo.txt").read_text() == "" and (repo / "data.bin").read_bytes() == b"\0\1"
    assert git(repo, "write-tree") == git(repo, "rev-parse", f"{told['result']['branch']}^{{tree}}")


def test_a_report_that_cannot_be_written_is_said(system: System, tmp_path: Path) -> None:
    repo, taken, late = chores(tmp_path / "chores"), tmp_path / "taken", tmp_path / "late"
    taken.write_text("a file\n")

    def script(messages: Messages, offered: set[str]) -> Reply:
        if late.is_dir():
            late.rmdir()
            late.write_text("a file\n")
        return working(DONE)(messages, offered)

    with playing(script) as server:
        _, err = said(system, "run", "work", "--out", str(taken), *flags_of(server), cwd=repo, code=2)
        assert f"`--out {taken}`" in err and not server.asked, "nothing is paid for whose result has no place"
        _, err = said(system, "run", "work", "--out", str(late), "--detach", *flags_of(server), cwd=repo, code=2)
        assert "`--out`" in err and "`--detach`" in err and not server.asked
        _, err = said(system, "run", "work", "--out", str(late), *flags_of(server), cwd=repo, code=1)
    assert f"`{late}`" in err and "the run itself is complete" in err


def test_no_colour_where_none_is_wanted(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    flags = model(working(DONE))
    ctl = f"{sys.executable} -I -m app.cli"
    shown = {}
    for name, env in (("plain", {"NO_COLOR": "1"}), ("coloured", {"TERM": "xterm-256color"})):
        words = f"{ctl} go 'nothing is left' --yes {' '.join(flags)}"
        done = subprocess.run(
            ["script", "-qec", words, "/dev/null"],
            cwd=repo,
            env=system.environment(**{"TERM": "xterm", **env}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=90,
            check=False,
        )
        shown[name] = done.stdout.decode()
        assert "completed" in shown[name]
    colour = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    assert colour.search(shown["coloured"]) and not colour.search(shown["plain"])


def test_a_conversation_goes_on(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    heard: list[list[str]] = []

    def script(messages: Messages, _offered: set[str]) -> Reply:
        users = [text for text in texts(messages, "user") if "Task of the person" in text or "remember" in text]
        if messages[-1]["role"] == "tool":
            return Reply("Done.")
        heard.append(users)
        return shell(f"echo {len(heard)} >> mine.txt")

    flags = model(script)
    one = system.json("run", "remember alpha", *flags, cwd=repo)
    two = system.json("run", "remember beta", "--continue", *flags, cwd=repo)
    session = one["result"]["sessions"][-1]
    three = system.json("run", "remember gamma", "--continue", session, *flags, cwd=repo)
    said_of = [re.findall("alpha|beta|gamma", " ".join(dict.fromkeys(said_))) for said_ in heard]
    assert [list(dict.fromkeys(found)) for found in said_of] == [["alpha"], ["alpha", "beta"], ["alpha", "gamma"]]
    assert kept(repo, two["run"], "mine.txt") == "1\n2\n", "it goes on from the work that is not merged yet"
    assert kept(repo, three["run"], "mine.txt") == "1\n3\n"
    words = ("run", "x", "--continue", "nothing-like-it", *flags)
    assert "no session `nothing-like-it`" in system.ctl(*words, cwd=repo, code=2)
