"""What each run used, by quarter of an hour and model: `costs/<run>.json`, so that no total reads a stream.

Written once, when a run has ended, and made again from the streams where it is missing. Quarters, because
every time zone's day begins with one.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple

from app.stream.files import make_folder, replace_file, safe_name
from app.stream.used import Used

COSTS = "costs"
_VERSION = 1


class Sum(NamedTuple):
    """What one run used of one model in the quarter of an hour that began at `at` (RFC 3339, UTC)."""

    run: str
    repo: str
    at: str
    model: str
    used: Used


def keep(data: Path, run: str, repo: str) -> dict[str, Any]:
    """Reads the run's streams and writes its sums. Raises `OSError`."""
    document = _summed(data, run, repo)
    make_folder(data / COSTS, below=data)
    replace_file(_file(data, run), json.dumps(document, separators=(",", ":")).encode())
    return document


def forget(data: Path, run: str) -> None:
    """Has the sums made again when somebody asks for them."""
    _file(data, run).unlink(missing_ok=True)


def sums(data: Path) -> Iterator[Sum]:
    """The sums of all runs; streams are read only of runs that go on, and of ended ones without a file."""
    for file in sorted((data / "runs").glob("*.json")):
        document = _kept(data / COSTS / file.name) or _made(data, file)
        if document:
            run, repo = str(document["run"]), str(document["repo"])
            yield from (Sum(run, repo, at, model, Used(*used)) for at, model, *used in document["sums"])


def _made(data: Path, file: Path) -> dict[str, Any]:
    try:
        view = json.loads(file.read_bytes())
        run, repo = str(view["run"]), str(view["repo"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # `ctl doctor` tells of it
    if view.get("result"):
        with suppress(OSError):  # a folder that cannot be written can be read all the same
            return keep(data, run, repo)
    return _summed(data, run, repo)


def _summed(data: Path, run: str, repo: str) -> dict[str, Any]:
    from app.stream.paid import of_run  # it loads the domain, which totals of ended runs do without

    found: defaultdict[tuple[str, str], Used] = defaultdict(Used)
    for call in of_run(data, run):
        found[_quarter(call.at), call.model] += call.used
    rows = [(at, model, *astuple(used)) for (at, model), used in sorted(found.items())]
    return {"version": _VERSION, "run": run, "repo": repo, "sums": rows}


def _quarter(at: str) -> str:
    """`2026-01-02T03:04:05.678Z` → `2026-01-02T03:00Z`."""
    return f"{at[:14]}{int(at[14:16] or 0) // 15 * 15:02}Z"


def _kept(file: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(file.read_bytes())
        return document if document["version"] == _VERSION else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(data: Path, run: str) -> Path:
    return data / COSTS / f"{safe_name(run)}.json"
