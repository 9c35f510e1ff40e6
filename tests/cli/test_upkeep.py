"""`ctl gc`, `ctl doctor`, `ctl status` and `ctl login`, without any server."""

import io
import json
import os
import stat
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from serving import serving

from app.domain.run import RunResult
from app.pids import boot_id, start_time
from app.stack.state import Service, save

KEY = "sk-live-0123456789-never-shown"


# gc -----------------------------------------------------------------------------------------------


def furnish(data: Path, run: str) -> list[Path]:
    """What a run leaves, with a folder that its agent made unreadable; the paths that `gc` may remove."""
    places = [data / "repos" / f"{run}.git", data / "worktrees" / run, data / "streams" / f"{run}-t1-coder" / "output"]
    for place in places:
        place.mkdir(parents=True)
        (place / "file").write_bytes(b"x" * 1000)
    locked = places[1] / "locked"
    locked.mkdir()
    (locked / "file").write_bytes(b"y")
    locked.chmod(0)
    note = data / "processes" / f"{run}-t1-coder:0:t0-s0-bash.json"
    note.parent.mkdir(exist_ok=True)
    note.write_text(json.dumps({"pid": 2**22 + 1, "started": "1", "boot": boot_id()}))
    return [*places, note]


def kept(data: Path) -> dict[str, bytes]:
    """All segments, journals and projections."""
    files = [*data.glob("streams/*/*.jsonl"), *data.glob("runs/*.json")]
    return {str(file): file.read_bytes() for file in files}


def test_gc_removes_what_is_over_and_nothing_else(desk: Any, ctl: Any) -> None:
    from app.stream.journal import update_view

    ended, with_branch = RunResult(outcome="denied"), RunResult(outcome="completed", branch="codetether/go-c-1")
    for run, result in (("go-a-1", with_branch), ("go-b-1", ended), ("go-c-1", with_branch), ("go-d-1", None)):
        desk.run(run, run[3:-2], result=result)
        desk.session(f"{run}-t1-coder")
    left = {run: furnish(desk.data, run) for run in ("go-a-1", "go-b-1", "go-c-1", "go-d-1")}
    update_view(desk.data, "go-a-1", lambda view: view.model_copy(update={"merged": "abc"}))
    before = kept(desk.data)
    told = ctl("gc", "--dry-run", "--days", "0", "--json").json
    assert set(told["runs"]) == {"go-a-1", "go-b-1"} and told["bytes"] > 6000
    assert all(path.exists() for paths in left.values() for path in paths)
    said = ctl("gc")  # the one without a branch is younger than `keep_days`
    assert said.code == 0 and "go-a-1" in said.out and "freed from 1 runs" in said.out
    assert ctl("gc", "--days", "0", "--json").json["runs"].keys() == {"go-b-1"}
    for run in ("go-a-1", "go-b-1"):
        assert not any(path.exists() for path in left[run])
    for run in ("go-c-1", "go-d-1"):  # not merged, and still at work
        assert all(path.exists() for path in left[run])
    assert kept(desk.data) == before
    assert "nothing to remove" in ctl("gc", "--days", "0").out


def test_gc_leaves_the_note_of_a_process_that_runs(desk: Any, ctl: Any) -> None:
    desk.run("go-a-1", "a", result=RunResult(outcome="denied"))
    note = furnish(desk.data, "go-a-1")[-1]
    pid = os.getpid()
    note.write_text(json.dumps({"pid": pid, "started": start_time(pid), "boot": boot_id()}))
    assert ctl("gc", "--days", "0").code == 0
    assert note.exists() and not (desk.data / "repos" / "go-a-1.git").exists()


# doctor -------------------------------------------------------------------------------------------


def levels(told: Any) -> dict[str, str]:
    return {check["name"]: check["level"] for check in told["checks"]}


def test_a_sound_folder_passes(desk: Any, ctl: Any) -> None:
    desk.run("go-a-1", "a")
    desk.session("go-a-1-t1-coder")
    said = ctl("doctor", "--json")
    assert said.code == 0, said.out
    found = levels(said.json)
    assert {found[name] for name in ("python", "git", "temporal", "rg", "data folder", "streams", "projections")} == {
        "ok"
    }
    assert found["vault"] == "warn"
    lines = ctl("doctor").out.splitlines()
    assert len(lines) == len(said.json["checks"]) and all(line[:4].strip() in ("ok", "warn") for line in lines)


def test_doctor_finds_and_repairs_lost_projections(desk: Any, ctl: Any) -> None:
    from app.domain.event import RunEvent

    desk.run("run-a")
    desk.run("go-b-1", "b")
    desk.session("run-a-t1-coder")  # its name begins like a journal's
    (desk.data / "runs" / "run-a.json").write_text("{ torn")
    desk.tell("go-b-1", RunEvent(kind="paused"))
    said = ctl("doctor")
    assert said.code == 1 and "run `run-a` has a journal but no readable view" in said.out
    assert "run `go-b-1` lags" in said.out and "ctl doctor --repair" in said.out
    mended = ctl("doctor", "--repair", "--json")
    assert mended.code == 0, mended.out
    assert sorted(mended.json["repaired"]) == ["go-b-1", "run-a"] and mended.json["damaged"] == []
    assert ctl("okr", "runs", "b", "--json").json[0]["status"] == "paused"


def test_a_torn_end_is_no_fault_but_a_damaged_journal_is(desk: Any, ctl: Any) -> None:
    desk.run("go-a-1", "a")
    [segment] = (desk.data / "streams" / "run-go-a-1").glob("*.jsonl")
    whole = segment.read_bytes()
    segment.write_bytes(whole + b'{"offset": 1, "torn')
    said = ctl("doctor")
    assert said.code == 0 and "1 with a torn end" in said.out
    segment.write_bytes(whole[:-40])
    said = ctl("doctor")
    assert said.code == 1 and "the journal of run `go-a-1` lost" in said.out


def test_an_open_folder_is_told(desk: Any, ctl: Any) -> None:
    desk.data.chmod(0o755)
    assert levels(ctl("doctor", "--json").json)["data folder"] == "warn"
    assert stat.S_IMODE(desk.data.stat().st_mode) == 0o755


# stack --------------------------------------------------------------------------------------------


def test_status_tells_what_is_down_and_which_runs_wait(desk: Any, ctl: Any) -> None:
    desk.run("go-a-1", "a")
    desk.run("go-b-1", "b", result=RunResult(outcome="denied"))
    said = ctl("status", "--json")
    assert said.code == 1 and said.json["up"] is False
    assert [row["run"] for row in said.json["runs"]] == ["go-a-1"]
    assert [service["state"] for service in said.json["services"]] == ["down", "down"]
    assert "ctl up" in ctl("status").out
    assert "nothing was running" in ctl("down").out


def test_status_tells_an_older_worker(desk: Any, ctl: Any) -> None:
    pid = os.getpid()
    save(desk.data, "worker", Service(pid=pid, started=start_time(pid), build="older"))
    worker = ctl("status", "--json").json["services"][1]
    assert (worker["pid"], worker["state"], worker["build"]) == (pid, "starting", "older")
    assert worker["since"].startswith("20")


# login --------------------------------------------------------------------------------------------


class Servers:
    """A provider and a Vault on one port: what they were asked, and how the provider answers."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self.status = 200

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Answers `/v1/models` as a provider, everything else as Vault."""
        servers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.startswith("/v1/models"):
                    servers.seen.append(("GET", self.path, self.headers["authorization"]))
                    self.say(servers.status, {"object": "list", "data": []})
                else:
                    self.say(404, {"errors": []})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                servers.seen.append(("POST", self.path, body))
                self.say(200, {"data": {"version": 1}})

            do_PUT = do_POST

            def say(self, status: int, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def servers(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Servers, str]]:  # noqa: ARG001
    """Them, and where they listen; the key waits on stdin."""
    own = Servers()
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), own.handler())) as http:
        address = f"http://127.0.0.1:{http.server_port}"
        monkeypatch.setenv("VAULT_ADDR", address)
        monkeypatch.setenv("VAULT_TOKEN", "hvs.t")
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
        yield own, address


def test_a_key_is_tried_and_stored_and_never_printed(ctl: Any, servers: tuple[Servers, str]) -> None:
    own, address = servers
    said = ctl("login", "openai", "--base-url", f"{address}/v1", "--stdin")
    assert said.code == 0, said.err
    assert own.seen[0] == ("GET", "/v1/models", f"Bearer {KEY}")
    method, path, body = own.seen[1]
    assert path == "/v1/secret/data/codetether/providers/openai" and method in ("POST", "PUT")
    assert json.loads(body)["data"] == {"api_key": KEY, "base_url": f"{address}/v1"}
    assert KEY not in said.out + said.err


def test_a_refused_key_is_not_stored(ctl: Any, servers: tuple[Servers, str]) -> None:
    own, address = servers
    own.status = 401
    said = ctl("login", "openai", "--base-url", f"{address}/v1", "--stdin")
    assert said.code == 4 and "nothing was stored" in said.err and KEY not in said.err
    assert [method for method, *_ in own.seen] == ["GET"]


def test_a_key_can_be_stored_untried(ctl: Any, servers: tuple[Servers, str]) -> None:
    own, _ = servers
    said = ctl("login", "github-copilot", "--stdin", "--no-check", "--json")
    assert said.json["checked"] is False and "misuse of your subscription" in said.err
    assert [method for method, *_ in own.seen] in (["POST"], ["PUT"])


def test_login_says_what_is_missing(ctl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    said = ctl("login", "zai", "--stdin")
    assert said.code == 4 and "set `VAULT_ADDR` and `VAULT_TOKEN`, then `ctl login zai`; without a Vault" in said.err
    assert ctl("login", "nobody", "--stdin").code == 2
    assert "needs no key" in ctl("login", "demo", "--stdin").err
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert "that is no key" in ctl("login", "zai", "--stdin").err
