"""`memory`: notes about a repository that outlive a run, as Markdown files in the data folder.

They are a part of the system prompt of every later conversation in that repository, up to `SHOWN`
characters; a person reads and changes them with `ctl memory`.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import Field

from app.stream.files import create_file, locked, make_folder, replace_file, safe_name
from app.tools.base import Arguments, Output, Tool, ToolContext, ToolError, clip, in_thread, session_folder

SHOWN = 8000
"""Characters of all notes that a system prompt holds."""
LARGEST = 32_000
"""Characters of one file."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Memory(Arguments):
    """Arguments of `memory`."""

    action: Literal["read", "append", "replace"]
    name: str = Field(default="notes", pattern=f"^{NAME.pattern}$", description="Which notes, such as `notes`, `tests`")
    text: str = Field(default="", max_length=LARGEST, description="Markdown to append, or the whole new text")


def folder_of(data: Path, root: str) -> Path:
    """Where the notes about the repository at `root` lie; it may not exist yet."""
    name = safe_name(root.strip("/") or "root")
    return data / "memory" / name


def notes(data: Path, root: str) -> list[Path]:
    """The files of notes, by name; a name that no note can have is somebody else's file."""
    return sorted(file for file in folder_of(data, root).glob("*.md") if NAME.fullmatch(file.stem))


def remembered(data: Path, root: str) -> str:
    """All notes for a system prompt, cut to `SHOWN` characters; empty where there are none."""
    parts = [
        f"## {file.stem}\n{file.read_text(encoding='utf-8', errors='replace').strip()}" for file in notes(data, root)
    ]
    text = "\n\n".join(parts)
    return text if len(text) <= SHOWN else text[:SHOWN] + "\n… more: call `memory` with `read`"


def _memory(args: Memory, ctx: ToolContext) -> Output:
    folder = folder_of(ctx.data, ctx.workspace.root)
    file = folder / f"{args.name}.md"
    if args.action == "read":
        names = ", ".join(f"`{each.stem}`" for each in notes(ctx.data, ctx.workspace.root))
        if not file.exists():
            return Output("ok", f"there are no notes `{args.name}`; there are: {names or 'none'}", "nothing")
        return Output("ok", file.read_text(encoding="utf-8", errors="replace") or "(empty)", f"read {args.name}")
    if not args.text.strip():
        raise ToolError("`text` is empty; say what is to be remembered")
    make_folder(folder, below=ctx.data)
    with locked(folder):
        _change(args, ctx, file)
    return Output("ok", f"remembered in `{args.name}`", clip(f"{args.name}: {args.text}"))


def _change(args: Memory, ctx: ToolContext, file: Path) -> None:
    """Once for each step: its marks say what it makes of the file, and that it has."""
    marks = session_folder(ctx) / "writes"
    make_folder(marks, below=ctx.data)
    done, planned = (marks / f"{safe_name(ctx.step_id)}.{kind}" for kind in ("done", "memory"))
    before = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    digest = planned.read_text() if planned.exists() else ""
    if done.exists() or digest == sha256(before.encode()).hexdigest():
        return
    after = args.text if args.action == "replace" else f"{before.rstrip()}\n{args.text}".lstrip()
    after = after.rstrip() + "\n"
    if len(after) > LARGEST:
        raise ToolError(
            f"`{args.name}` would have more than {LARGEST:,} characters; `replace` it with what still counts"
        )
    replace_file(planned, sha256(after.encode()).hexdigest().encode())
    replace_file(file, after.encode())

    create_file(done, b"")


MEMORY = Tool(
    name="memory",
    description="Notes about this repository that later conversations begin with: how it is built and tested, "
    "decisions, traps. Not for the task at hand. The person can read and change them.",
    arguments=Memory,
    effect="read",  # the worktree stays as it is; each step changes the notes once
    run=in_thread(_memory),
    preview=lambda args: clip(f"{args.action} {args.name}: {args.text}"),
)
