"""A model and its server may do anything: it is told what was wrong, and a person sees how it ended."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import Script, System
from odd_server import Raw, answering, speaking
from playbook import chores, commit_all, kept, proposal, texts, working

from app.demo.scenario import Call, Reply

Model = Callable[[Script], list[str]]
PAGE = b"<!DOCTYPE html><html><body>Sign in to the hotel network</body></html>"
ODD: list[tuple[tuple[str, str], str]] = [
    (("read", '{"path": "notes.txt"'), "not valid JSON"),
    (("read", '["notes.txt"]'), "not a JSON object"),
    (("merge", "{}"), "`merge`"),
    (("read", '{"path": "notes.txt"}'), "nothing yet"),
    (("x" * 1100, "{}"), "xxx"),
    (("read", '{"path": "image.bin"}'), "binary"),
    (("read", '{"path": "huge.txt"}'), "offset="),
    (("read", '{"path": 7, "colour": "red"}'), "`path` of `read`"),
    (("write", json.dumps({"path": "n" * 1100, "content": ""})), "name too long"),
    (("read", '{"path": "no/such/file"}'), "`no/such/file`"),
    (("bash", '{"command": "yes | head -c 9000000"}'), "characters left out"),
    (("write", '{"path": "done.txt", "content": "done\\n"}'), "done.txt"),
]


def test_nonsense_is_answered_and_the_work_goes_on(system: System, tmp_path: Path) -> None:
    repo = chores(tmp_path / "chores")
    (repo / "image.bin").write_bytes(b"\x89PNG\0\1\2" * 2000)
    (repo / "huge.txt").write_text("a line of text\n" * 800_000)
    commit_all(repo)
    refused = [(200, "text/html", PAGE), (502, "text/html", PAGE), (200, "application/json", b"{}")]
    heard: list[str] = []

    def answer(messages: list[dict[str, Any]]) -> Raw:
        done = sum(message["role"] == "assistant" for message in messages)
        if done == 2 and refused:
            return refused.pop()
        if done < len(ODD):
            return speaking("", ODD[done][0])
        heard[:] = texts(messages, "tool")
        return speaking("I am done.")

    with answering(answer) as server:
        told = system.json("run", "work", *server.flags, cwd=repo)
    assert told["result"]["outcome"] == "completed" and not refused
    for said, (call, wanted) in zip(heard, ODD, strict=True):
        assert wanted.lower() in said.lower() and len(said) < 40_000, (call[0][:20], said[:400])
    assert kept(repo, told["run"], "done.txt") == "done\n"
    assert "I am done." in system.ctl("sessions", "show", told["result"]["sessions"][0], cwd=repo)


def test_nothing_usable_ends_a_draft(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    for odd in (Reply("Let us be agile."), Reply(calls=(Call("propose_okr", {"objective": "Be done"}),))):
        told = system.json("go", "nothing is left", "--yes", *model(working(draft=odd)), cwd=repo, code=1)
        assert told["result"]["outcome"] == "failed" and told["result"]["branch"] == ""
        assert "in a row" in told["result"]["reason"] and "`--model`" in told["result"]["reason"]


def test_nothing_usable_ends_a_turn(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    flags = model(working(*[Reply(calls=(Call("merge", {}),))] * 20, draft=proposal()))
    told = system.json("run", "work", *flags, cwd=repo, code=None)
    assert told["result"]["outcome"] in ("failed", "stalled") and "nothing usable" in told["result"]["reason"]


def test_an_empty_answer_is_no_end(system: System, tmp_path: Path) -> None:
    repo = chores(tmp_path / "chores")
    for given, outcome in ((["", "", "I am done."], "completed"), ([""] * 9, "failed")):
        with answering(lambda _messages, left=given: speaking(left.pop(0))) as server:
            told = system.json("run", "work", *server.flags, cwd=repo, code=None)
        assert told["result"]["outcome"] == outcome
        assert told["result"]["text"] == ("I am done." if outcome == "completed" else "")
        assert ("nothing usable" in told["result"]["reason"]) == (outcome == "failed")


def test_a_call_that_does_not_run_is_shown(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    odd = Reply(calls=(Call("merge", {}), Call("read", {"path": 7}), Call("write", {"path": "a", "content": ""})))
    shown = system.ctl("run", "work", "--permission-mode", "plan", *model(working(odd)), cwd=repo)
    assert "unknown tool `merge`" in shown and "`path` of `read`" in shown and "denied: write a" in shown


def test_an_answer_that_was_cut_or_refused_is_told(system: System, tmp_path: Path) -> None:
    repo = chores(tmp_path / "chores")
    with answering(lambda _messages: speaking("", finish="content_filter")) as server:
        reason = system.json("run", "work", *server.flags, cwd=repo, code=1)["result"]["reason"]
    assert "`openai/odd` refused" in reason
    no = json.dumps({"error": {"message": "this model's maximum context length is 10 tokens"}}).encode()
    with answering(lambda _messages: (400, "application/json", no)) as server:
        reason = system.json("run", "work", *server.flags, cwd=repo, code=1)["result"]["reason"]
    assert "too long for model `openai/odd`" in reason
    with answering(lambda _messages: speaking("x" * 4_000_000)) as server:
        result = system.json("run", "work", *server.flags, cwd=repo, code=1)["result"]
    assert "does not end" in result["reason"] and result["spent"]["calls"] == 2
