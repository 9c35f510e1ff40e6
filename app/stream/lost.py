"""Calls that were paid and gave no answer: an answer that broke off, or that its provider refused to finish.

`streams/<session>/lost/<step>-<attempt>` holds {model, usage, usd, whole, seconds, kind, at}. They are no
part of the conversation; budgets and `ctl cost` count them.
"""

import json
from pathlib import Path
from typing import Any

from app.stream.files import create_file, make_folder, safe_name, session_folder, told_plainly
from app.telemetry.clock import now

_FOLDER = "lost"


def note(data: Path, session_id: str, step_id: str, attempt: int, body: dict[str, Any]) -> None:
    """Records what a failed attempt used, once. Raises `Unwritable`."""
    file = _folder(data, session_id) / safe_name(f"{step_id}-{attempt}")
    with told_plainly(file):
        make_folder(file.parent, below=data)
        create_file(file, json.dumps({**body, "step_id": step_id, "at": now()}, separators=(",", ":")).encode())


def files(data: Path, session_id: str, step_id: str = "") -> list[dict[str, Any]]:
    """What failed attempts (of one step) used, the first one first; unreadable files are left out."""
    try:
        found = sorted(_folder(data, session_id).iterdir())
    except OSError:
        return []
    bodies = [body for file in found if (body := _read(file)) is not None]
    return [body for body in bodies if step_id in ("", body.get("step_id"))]


def _read(file: Path) -> dict[str, Any] | None:
    try:
        body = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return body if isinstance(body, dict) and "usage" in body else None  # pyright: ignore[reportUnknownVariableType]


def _folder(data: Path, session_id: str) -> Path:
    return session_folder(data, session_id) / _FOLDER
