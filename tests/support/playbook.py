"""A tiny repository with one number to bring down, and the parts that scripts for a model are made of."""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import Script

from app.demo.scenario import Call, Reply

Messages = list[dict[str, Any]]
COUNT = ("python3", "count.py")
"""Prints the number of lines of `todo.txt`; a measure rests on it, not on `todo.txt`."""


def git(repo: Path, *words: str) -> str:
    """Runs git, which must succeed, and returns what it printed."""
    return subprocess.run(["git", *words], cwd=repo, check=True, capture_output=True, text=True).stdout


def identify(repo: Path) -> Path:
    """Gives the repository an owner: whoever runs the tests may have told git nothing. Returns it."""
    git(repo, "config", "user.name", "Test")
    git(repo, "config", "user.email", "test@codetether.invalid")
    return repo


def commit_all(repo: Path) -> str:
    """Commits everything in `repo`, which becomes a repository if it is none; returns the commit."""
    if not (repo / ".git").exists():
        git(repo, "init", "-q", "-b", "main")
        identify(repo)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "state")
    return git(repo, "rev-parse", "HEAD").strip()


def chores(repo: Path, folder: str = ".") -> Path:
    """A repository whose `todo.txt`, in `folder`, has three lines."""
    place = repo / folder
    place.mkdir(parents=True)
    (place / "todo.txt").write_text("one\ntwo\nthree\n")
    (place / "count.py").write_text("print(len(open('todo.txt').readlines()))\n")
    (repo / "notes.txt").write_text("nothing yet\n")
    commit_all(repo)
    return repo


def key_result(argv: tuple[str, ...] = COUNT, *, target: float = 0, **more: Any) -> dict[str, Any]:
    """A key result of a command whose last number has to come down to `target`."""
    kind = {"kind": "command", "argv": list(argv), **more}
    return {"title": "Less is left to do", "measure": kind, "direction": "down", "target": target}


def proposal(*key_results: dict[str, Any], names: tuple[str, ...] = ("first", "second")) -> Reply:
    """The answer of a drafting agent."""
    team = [{"name": name, "role": "Does what is left to do."} for name in names]
    found = list(key_results) or [key_result()]
    return Reply(calls=(Call("propose_okr", {"objective": "Be done", "key_results": found, "team": team}),))


def shell(command: str, **more: Any) -> Reply:
    """An answer that runs one command."""
    return Reply(calls=(Call("bash", {"command": command, **more}),))


def read(path: str) -> Reply:
    """An answer that reads one file."""
    return Reply(calls=(Call("read", {"path": path}),))


def working(*replies: Reply, draft: Reply | None = None) -> Script:
    """A model that proposes `draft` and then, as every agent, plays `replies` and says that it is done."""

    def script(messages: Messages, offered: set[str]) -> Reply:
        if "propose_okr" in offered:
            return draft or proposal()
        return ([*replies, Reply("I am done.")])[min(steps(messages), len(replies))]

    return script


def by_member(draft: Reply, **work: Callable[[Messages], Reply]) -> Script:
    """A model that proposes `draft`; each member of the team answers by its own function."""

    def script(messages: Messages, offered: set[str]) -> Reply:
        if "propose_okr" in offered:
            return draft
        return next(answer for name, answer in work.items() if f"You are: {name}\n" in texts(messages, "user")[0])(
            messages
        )

    return script


class Held:
    """A model that waits, with its first answer, until the test has made its trouble."""

    def __init__(self, command: str = "cp /dev/null todo.txt") -> None:
        self.command, self.asked, self.go_on = command, threading.Event(), threading.Event()

    def __call__(self, messages: Messages, offered: set[str]) -> Reply:  # noqa: ARG002
        if steps(messages):
            return Reply("Done.")
        self.asked.set()
        assert self.go_on.wait(60)
        return shell(self.command)


def steps(messages: Messages) -> int:
    """How many answers the agent gave so far."""
    return sum(message["role"] == "assistant" for message in messages)


def texts(messages: Messages, role: str) -> list[str]:
    """What was said in a role (`user`, `tool`), in order."""
    return [_text(message["content"]) for message in messages if message["role"] == role]


def _text(content: object) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportUnknownArgumentType]
    return str(content or "")


def kept(repo: Path, run: str, path: str = "todo.txt") -> str:
    """A file as it is on the branch of a run."""
    return git(repo, "show", f"codetether/{run}:{path}")
