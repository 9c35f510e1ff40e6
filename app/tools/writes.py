"""Changes to the worktree that happen once, whole, and survive the death of the worker.

Order on disk: new contents, then the journal (what was, what will be), then the files, then `done`.
A retry that finds the journal finishes it and never computes the edit again: an edit does not apply
to a file that already has it.
"""

import errno
import json
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.stream.files import create_file, locked, make_folder, replace_file, safe_name, sync_file, write_at
from app.tools.base import ToolContext, ToolError, session_folder
from app.tools.beneath import folder_of, open_file, sync_names
from app.tools.paths import shown, top_of
from app.tools.submodules import refuse_inside

_NEW_FILE = 0o644


@dataclass(frozen=True)
class Plan:
    """What a tool wants: the new content of each real path (None: gone), and what to tell the model."""

    files: Mapping[Path, bytes | None]
    message: str
    modes: Mapping[Path, int] = field(default_factory=dict[Path, int])
    """Permission bits where they change or must be taken from another file."""


@dataclass(frozen=True)
class _Change:
    path: Path
    before: str | None
    after: str | None
    mode: int
    number: int


def written(ctx: ToolContext, plan_of: Callable[[], Plan]) -> str:
    """Carries out the plan under the worktree's lock and returns its message.

    An earlier attempt's plan is finished instead of asking for a new one. Raises `ToolError` when a
    file changed meanwhile; `plan_of` may raise it too, before anything is touched.
    """
    folder = session_folder(ctx) / "writes"
    make_folder(folder, below=ctx.data)
    journal = folder / f"{safe_name(ctx.step_id)}.json"
    done = journal.with_suffix(".done")
    with locked(ctx.worktree):
        if fresh := not journal.exists():
            _record(ctx, journal, plan_of())
        entry = json.loads(journal.read_bytes())
        if not done.exists():
            _finish(ctx, journal, _changes(ctx, entry), fresh=fresh)
            create_file(done, b"")
        for number in range(len(entry["files"])):
            _content(journal, number).unlink(missing_ok=True)
        return str(entry["message"])


def digests_after(ctx: ToolContext) -> dict[str, str]:
    """What this step left: the SHA-256 of each file, by its path from the top of the worktree."""
    journal = session_folder(ctx) / "writes" / f"{safe_name(ctx.step_id)}.json"
    if not journal.exists():
        return {}
    entry: dict[str, Any] = json.loads(journal.read_bytes())
    return {each["path"]: each["after"] or "" for each in entry["files"]}


def _content(journal: Path, number: int) -> Path:
    return journal.with_suffix(f".{number}")


def _record(ctx: ToolContext, journal: Path, plan: Plan) -> None:
    left = {path for path, content in plan.files.items() if content is not None}
    for path in plan.files:
        _refuse_unwritable(ctx, path)
        if path in left and (file := next((level for level in path.parents if level in left), None)):
            raise ToolError(
                f"`{shown(ctx, path)}` cannot exist, for `{shown(ctx, file)}` is to be a file; leave one out"
            )
    refuse_inside(ctx, plan.files)
    top = top_of(ctx.worktree)
    _refuse_guarded(ctx, [os.path.relpath(path, top) for path in plan.files])
    entries: list[dict[str, Any]] = []
    for number, (path, content) in enumerate(plan.files.items()):
        if content is not None:
            replace_file(_content(journal, number), content)
        entries.append(
            {
                "path": os.path.relpath(path, top),
                "before": _digest(path),
                "after": None if content is None else sha256(content).hexdigest(),
                "mode": plan.modes.get(path, _mode(path)),
            }
        )
    create_file(journal, json.dumps({"message": plan.message, "files": entries}).encode())


def _changes(ctx: ToolContext, entry: dict[str, Any]) -> list[_Change]:
    top = top_of(ctx.worktree)
    return [
        _Change(top / each["path"], each["before"], each["after"], each["mode"], number)
        for number, each in enumerate(entry["files"])
    ]


def _finish(ctx: ToolContext, journal: Path, changes: list[_Change], *, fresh: bool) -> None:
    """`fresh`: it was journalled a moment ago, under the same lock: nothing is read again."""
    pending: list[_Change] = []
    for change in changes:
        _refuse_unwritable(ctx, change.path)
        now = change.before if fresh else _digest(change.path)
        if now not in (change.before, change.after):
            raise _meanwhile(ctx, change)
        if now != change.after:
            pending.append(change)
        elif now is not None and _mode(change.path) != change.mode:
            _set_mode(ctx, change)
    for change in sorted(pending, key=lambda each: each.after is not None):
        with folder_of(top_of(ctx.worktree), change.path, make=change.after is not None) as folder:
            if change.after is None:
                os.unlink(change.path.name, dir_fd=folder)
            else:
                _put(ctx, change, _content(journal, change.number), folder)
            sync_names(folder)


def _put(ctx: ToolContext, change: _Change, content: Path, folder: int) -> None:
    """The file that holds the new content gets the name; where the worktree is on another disk, a copy of it does."""
    try:
        content.chmod(change.mode)
        os.replace(content, change.path.name, dst_dir_fd=folder)
    except FileNotFoundError:  # it has had the name already, and something put back what was there before
        raise _meanwhile(ctx, change) from None
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        content.chmod(0o600)
        _copy(ctx, change, content.read_bytes(), folder)


def _copy(ctx: ToolContext, change: _Change, content: bytes, folder: int) -> None:
    name = sha256(f"{ctx.session_id}\0{ctx.step_id}\0{change.number}".encode()).hexdigest()[:16]
    temporary = f".codetether-{name}"  # a retry takes the same name: no litter
    with suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        write_at(fd, 0, content)
        os.fchmod(fd, change.mode)
        sync_file(fd)
    finally:
        os.close(fd)
    os.replace(temporary, change.path.name, src_dir_fd=folder, dst_dir_fd=folder)


def _meanwhile(ctx: ToolContext, change: _Change) -> ToolError:
    return ToolError(f"`{shown(ctx, change.path)}` was changed meanwhile by something else; read it again")


def _set_mode(ctx: ToolContext, change: _Change) -> None:
    fd = open_file(ctx, change.path)
    try:
        os.fchmod(fd, change.mode)
    finally:
        os.close(fd)


def _digest(path: Path) -> str | None:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else _NEW_FILE


def _refuse_guarded(ctx: ToolContext, names: list[str]) -> None:
    """A job puts back at its end what a command may not change, as it was when the job began."""
    from app.tools.gate.sandbox.protected import PROTECTED

    guarded = next((name for name in names if Path(name).parts[0] in PROTECTED), None)
    if ctx.jobs and guarded is not None:
        running = ", ".join(f"`job-{number}`" for number in ctx.jobs)
        raise ToolError(f"`{guarded}` is protected while {running} runs; stop it with `job` first")


def _refuse_unwritable(ctx: ToolContext, path: Path) -> None:
    name = shown(ctx, path)
    if os.path.realpath(path) != str(path):  # a link appeared after the path was judged
        raise ToolError(f"`{name}` was replaced by a symbolic link meanwhile; look at it again")
    if path.exists() and not path.is_file():
        raise ToolError(f"`{name}` is not a regular file; name a file")
    parent = next(level for level in path.parents if level.exists())
    if not parent.is_dir():
        raise ToolError(f"`{name}` cannot exist, for `{shown(ctx, parent)}` is a file; choose another path")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ToolError(f"`{shown(ctx, parent)}` may not be written; change its permissions with `bash` first")
