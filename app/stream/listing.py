"""Lists from the projections' bytes alone: fast with thousands of runs, and without any server.

Nothing here validates: a list of a thousand runs must not wait for a thousand models.
"""

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def rows(folder: Path) -> list[Row]:
    """Every readable JSON object of `folder`; unreadable files are skipped (`ctl doctor` tells of them)."""
    found: list[Row] = []
    try:
        files = sorted(folder.glob("*.json"))
    except OSError:
        return found
    for file in files:
        try:
            row: Row | None = json.loads(file.read_bytes())
        except (OSError, ValueError):
            continue
        if row:
            found.append(row)
    return found


def runs(data: Path, repo: str = "") -> list[Row]:
    """The views of all runs (of one repository), the latest first."""
    found = [row for row in rows(data / "runs") if not repo or row.get("repo") == repo]
    return sorted(found, key=lambda row: (row.get("started_at", ""), row.get("run", "")), reverse=True)


def okrs(data: Path) -> list[Row]:
    """What each OKR's runs reached, the latest first."""
    return sorted(rows(data / "okrs"), key=lambda row: str(_latest(row).get("started_at", "")), reverse=True)


def _latest(row: Row) -> Row:
    return row.get("runs", {}).get(row.get("latest", ""), {})
