"""The record of a hook step in the results folder: what all hooks said, and what only the model reads of it."""

from pathlib import Path

from app.context.wire import Said
from app.domain.base import Model
from app.domain.context import Context
from app.domain.hook import HookOutput
from app.stream import Damaged, StoredResult, read_result, write_result


class HookRecord(Model):
    """`words` for the model; `arguments`: of the call, where a hook wrote them."""

    output: HookOutput = HookOutput()
    words: str = ""
    arguments: str = ""


def store(data: Path, session_id: str, step_id: str, record: HookRecord) -> HookRecord:
    """Records what a step came to unless that is recorded; returns the one that counts."""
    text = record.model_dump_json()
    kept = write_result(data, session_id, step_id, StoredResult(status="ok", text=text, preview=record.output.reason))
    return HookRecord.model_validate_json(kept.text)


def load(data: Path, session_id: str, step_id: str) -> HookRecord | None:
    """The record of a step, or None."""
    stored = read_result(data, session_id, step_id)
    return None if stored is None else HookRecord.model_validate_json(stored.text)


def store_one(data: Path, session_id: str, step_id: str, said: Said) -> Said:
    """Records what one hook of a step said, once."""
    kept = write_result(data, session_id, step_id, StoredResult(status="ok", text=said.model_dump_json()))
    return Said.model_validate_json(kept.text)


def load_one(data: Path, session_id: str, step_id: str) -> Said | None:
    """What one hook said, or None: it never ended."""
    stored = read_result(data, session_id, step_id)
    return None if stored is None else Said.model_validate_json(stored.text)


def words_of(data: Path, session_id: str, step_id: str) -> str:
    """What the hooks of a step tell the model; empty: nothing."""
    record = load(data, session_id, step_id)
    return "" if record is None or not record.words else f"A hook of this project says:\n{record.words}"


def arguments_of(data: Path, session_id: str, step_id: str) -> str:
    """The arguments that a hook wrote. Raises `Damaged` when their record is gone."""
    record = load(data, session_id, step_id)
    if record is None or not record.arguments:
        raise Damaged(f"the record of hook step `{step_id}` is missing; the call it changed cannot be run")
    return record.arguments


def summary(context: Context) -> str:
    """One line for a person: which files and skills were loaded, and what was cut of them."""
    files = [f"{file.path} ({file.size:,} bytes{', cut' if file.left_out else ''})" for file in context.files]
    names = [skill.name for skill in context.skills]
    parts = [f"reads {', '.join(files)}"] if files else []
    parts += [f"skills: {', '.join(names)}"] if names else []
    return " · ".join(parts)
