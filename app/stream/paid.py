"""Every model call that a run paid for, read from files alone: no server, and nothing that Temporal forgets.

Each answer and each compaction is a record of its session's stream with `model`, `usage`, `usd`; an answer that
broke off has a file in `lost/`. A session's name says whose it is: `<run>-draft-2`, `<run>-t3-coder`,
`<run>-r3-measure-kr1`, `<run>-d1-baseline-kr1`.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

from app.stream.errors import Damaged
from app.stream.files import STREAMS, safe_name, session_folder
from app.stream.lost import files as lost_files
from app.stream.segments import read_bytes
from app.stream.tail import find_tail
from app.stream.used import DOLLAR, Used, tokens_of, total

GONE = "unknown: its conversation is gone"
"""The model of calls that only the journal knows."""
Stage = Literal["drafting", "working", "judging", "other"]
_HEAD = 1000
"""Bytes of a line within which its kind stands."""
_PAYING = (b'"kind":"assistant"', b'"kind":"compacted"')
_NAMES: tuple[tuple[re.Pattern[str], Stage], ...] = (
    (re.compile(r"draft-\d+()()"), "drafting"),
    (re.compile(r"t(\d+)-(.+)"), "working"),
    (re.compile(r"r(\d+)-measure-.+()"), "judging"),
    (re.compile(r"d\d+-baseline-.+()()"), "judging"),
)


class Paid(NamedTuple):
    """One call (or what is left of several). `turn` 0: before the first one; `at`: RFC 3339, UTC."""

    stage: Stage
    agent: str
    turn: int
    model: str
    at: str
    used: Used


def of_run(data: Path, run: str) -> list[Paid]:
    """All calls of the run; what only its journal counted stands at the end, so that no money is left out."""
    journal = _events(data, run)
    ended = [(body, at) for kind, body, at in journal if kind == "turn_ended"]
    names = [*_sessions(data, run), *(str(body["session_id"]) for body, _ in ended if body.get("session_id"))]
    sessions = {safe_name(name): name for name in names}
    calls = [call for folder in sorted(sessions) for call in _of_session(data, run, sessions[folder])]
    calls += [_of_turn(body, at) for body, at in ended if not _kept(data, body)]
    for body, at in [(body, at) for kind, body, at in journal if kind == "outcome"][-1:]:
        rest = _told(body.get("spent", {})).beyond(total(call.used for call in calls))
        if rest.calls:
            calls.append(Paid("other", "measures and the rest", 0, GONE, at, rest))
    return calls


def _kept(data: Path, body: dict[str, Any]) -> bool:
    return session_folder(data, str(body.get("session_id") or "-")).is_dir()


def _of_turn(body: dict[str, Any], at: str) -> Paid:
    """A turn as its journal counted it, where its conversation is gone."""
    turn = int(body.get("turn", 0))
    used = _told(body.get("spent", {}))
    return Paid("working" if turn else "drafting", str(body.get("agent", "")), turn, GONE, at, used)


def _of_session(data: Path, run: str, session: str) -> Iterator[Paid]:
    stage, agent, turn = _whose(session.removeprefix(f"{run}-"))
    for at, body in bodies(data, session):
        yield Paid(stage, agent, turn, str(body.get("model", "")), at, Used.of(body))


def bodies(data: Path, session: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """When, and the body, of each paid call of a session. A stream that is gone or damaged gives what it can."""
    folder = session_folder(data, session)
    try:
        content = read_bytes(folder, 0, find_tail(folder).end)
    except (OSError, Damaged):
        content = b""
    for line in content.split(b"\n"):
        if not any(kind in line[:_HEAD] for kind in _PAYING):
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "usage" in record["body"]:
            yield str(record["at"]), record["body"]  # pyright: ignore[reportUnknownArgumentType]
    yield from ((str(body.get("at", "")), body) for body in lost_files(data, session))


def _whose(name: str) -> tuple[Stage, str, int]:
    for pattern, stage in _NAMES:
        if found := pattern.fullmatch(name):
            agent = found[2] or {"drafting": "draft", "judging": "judge"}.get(stage, "")
            return stage, agent, int(found[1] or 0)
    return "other", name, 0


def _sessions(data: Path, run: str) -> list[str]:
    """The names of the run's sessions; those of a run whose name begins with this one's are not."""
    try:
        found = [unquote(entry.name) for entry in os.scandir(data / STREAMS) if entry.name.startswith(f"{run}-")]
        runs = [file.stem for file in (data / "runs").glob("*.json") if file.stem.startswith(f"{run}-")]
    except OSError:
        return []
    return [name for name in found if not name.startswith(tuple(f"{other}-" for other in runs))]


def _events(data: Path, run: str) -> list[tuple[str, dict[str, Any], str]]:
    """The journal's events: kind, body, when; none where it cannot be read."""
    folder = session_folder(data, f"run-{run}")
    try:
        lines = read_bytes(folder, 0, find_tail(folder).end).splitlines()
        told = [json.loads(line) for line in lines]
    except (OSError, ValueError, Damaged):
        return []
    return [(line["body"]["kind"], line["body"].get("body", {}), line["at"]) for line in told]


def _told(spent: dict[str, Any]) -> Used:
    """What the journal counted of a turn, or of the run."""
    calls, unknown = int(spent.get("calls", 0)), int(spent.get("unpriced", 0))
    usd = round(spent.get("usd", 0) * DOLLAR)
    return Used(calls=calls, usd=usd, unknown=unknown, **tokens_of(spent.get("usage", {})))
