"""The journal of a run, `streams/run-<id>`, and the projections made from it.

`runs/<run>.json` is the run's view, `okrs/<okr>.json` what an OKR's runs reached. Both are written
by the activity that appends to the journal, and can be made again from the journals alone. Of a run that
ended, `costs/<run>.json` holds what it used.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.domain.event import RunEvent
from app.domain.fold import apply
from app.domain.run import RunView
from app.domain.session import EventRange, Record
from app.errors import UserError
from app.stream import totals
from app.stream.errors import Damaged
from app.stream.files import STREAMS, locked, make_folder, replace_file, safe_name, told_plainly
from app.stream.stream import Stream

RUNS = "runs"
OKRS = "okrs"


def journal_id(run: str) -> str:
    """The session id of a run's journal."""
    return f"run-{run}"


def events(data: Path, run: str, start: int = 0) -> tuple[list[Record], int]:
    """The journal's records from byte `start` on, and its end; none for a run without a journal."""
    stream = Stream(data, journal_id(run))
    end = stream.end()
    if end <= start:
        return [], max(start, end)
    return stream.read(EventRange(session_id=stream.session_id, start=start, end=end)), end


def project(data: Path, run: str) -> RunView:
    """Brings the projections of `run` up to date with its journal and returns the view.

    Raises `UserError` for a run without a journal.
    """
    folder = data / RUNS
    with told_plainly(folder):
        make_folder(folder, below=data)
        with locked(folder):
            view = load_view(data, run)
            records, end = events(data, run, view.journal_end if view else 0)
            view = _folded(view, records)
            if view is None:
                raise UserError(f"run `{run}` has no journal in `{data}`; `ctl sessions list` shows what is there")
            view = view.model_copy(update={"journal_end": end})
            write_view(data, view)
    if view.result is not None:
        # What is missing is made when somebody asks for it: a sum must not keep a run from ending.
        with suppress(OSError, ValueError, KeyError, TypeError):
            totals.keep(data, run, view.repo)
    return view


def load_view(data: Path, run: str) -> RunView | None:
    """The projected view, or None where there is none that can be read."""
    try:
        return RunView.model_validate_json(_run_file(data, run).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def write_view(data: Path, view: RunView) -> None:
    """Writes `runs/<run>.json` and, for a run with an OKR, `okrs/<okr>.json`; each whole or as it was."""
    for name in (RUNS, OKRS):
        make_folder(data / name, below=data)
    replace_file(_run_file(data, view.run), view.model_dump_json().encode())
    if view.okr is not None:
        with locked(data / OKRS):
            _write_okr(data, view)


def update_view(data: Path, run: str, change: Callable[[RunView], RunView]) -> RunView | None:
    """Changes what only the projection knows (such as `merged`), under the projections' lock."""
    with locked(data / RUNS):
        view = load_view(data, run)
        if view is None:
            return None
        view = change(view)
        replace_file(_run_file(data, run), view.model_dump_json().encode())
        return view


def repair(data: Path) -> tuple[list[str], list[str]]:
    """Makes every projection again from the journals; (runs made again, sentences about damaged ones)."""
    done: list[str] = []
    damaged: list[str] = []
    streams = data / STREAMS
    names = sorted(entry.name for entry in streams.iterdir()) if streams.is_dir() else []
    for run in (name.removeprefix("run-") for name in names if name.startswith("run-")):
        try:
            records, end = events(data, run)
            if records and records[0].kind != "event":
                continue  # a session whose name begins like a journal's
            view = _folded(None, records)
        except (Damaged, ValueError) as error:
            damaged.append(f"`{run}`: {error}")
            continue
        if view is not None:
            old = load_view(data, run)
            write_view(data, view.model_copy(update={"journal_end": end, "merged": old.merged if old else ""}))
            totals.forget(data, run)
            done.append(run)
    return done, damaged


def _folded(view: RunView | None, records: list[Record]) -> RunView | None:
    for record in records:
        view = apply(view, RunEvent.model_validate(record.body), record.at)
    return view


def _run_file(data: Path, run: str) -> Path:
    return data / RUNS / f"{safe_name(run)}.json"


def _write_okr(data: Path, view: RunView) -> None:
    assert view.okr is not None
    file = data / OKRS / f"{safe_name(view.okr.id)}.json"
    try:
        before: dict[str, Any] = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        before = {}
    line = {
        "status": view.result.outcome if view.result else view.status,
        "progress": round(view.okr.progress, 4),
        "started_at": view.started_at,
        "updated_at": view.updated_at,
    }
    runs: dict[str, Any] = {**before.get("runs", {}), view.run: line}
    latest = max(runs, key=lambda name: (runs[name]["started_at"], name))
    told = view.okr.model_dump(mode="json") if latest == view.run else before.get("okr", {})
    document = {"id": view.okr.id, "repo": view.repo, "okr": told, "runs": runs, "latest": latest}
    replace_file(file, json.dumps(document, separators=(",", ":")).encode())
