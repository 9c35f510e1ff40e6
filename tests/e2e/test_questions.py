"""An agent asks a person, and goes on with the answer."""

from collections.abc import Callable
from pathlib import Path

from harness import Script, System
from playbook import Messages, chores, texts, working

from app.demo.scenario import Call, Reply

ASKED = Reply(calls=(Call("question", {"question": "Which list?", "options": ["todo.txt", "notes.txt"]}),))


def test_a_question_waits_for_an_answer_and_the_agent_reads_it(
    system: System, tmp_path: Path, model: Callable[[Script], list[str]]
) -> None:
    repo = chores(tmp_path / "chores")
    heard: list[str] = []
    play = working(ASKED)

    def script(messages: Messages, offered: set[str]) -> Reply:
        heard.extend(texts(messages, "tool"))
        return play(messages, offered)

    view = system.json("run", "tidy up", *model(script), cwd=repo, code=6)
    (request,) = view["requests"]
    assert (request["kind"], request["title"]) == ("question", "Which list? [1 todo.txt | 2 notes.txt]")
    run = view["run"]
    assert "ctl answer" in system.ctl("watch", run, cwd=repo, code=6)
    assert "ctl answer" in system.ctl("approve", run, cwd=repo, code=None)  # words are needed
    system.ctl("answer", run, "2", cwd=repo)
    system.ctl("watch", run, cwd=repo)
    assert heard and set(heard) == {"notes.txt"}


def test_a_question_that_nobody_answers_is_denied_and_the_agent_goes_on(
    system: System, tmp_path: Path, model: Callable[[Script], list[str]]
) -> None:
    repo = chores(tmp_path / "chores")
    view = system.json("run", "tidy up", *model(working(ASKED)), cwd=repo, code=6)
    system.ctl("deny", view["run"], "--reason", "find out yourself", cwd=repo)
    assert "I am done." in system.ctl("watch", view["run"], cwd=repo)
    refused = system.ctl("answer", view["run"], "too late", cwd=repo, code=None)
    assert "waits for no decision" in refused
