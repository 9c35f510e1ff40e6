"""`todo_read` and `todo_write`: the plan of one session, kept for as long as the session."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from app.stream.files import make_folder, replace_file
from app.tools.base import Arguments, Output, Tool, ToolContext, clip, in_thread, session_folder

_MARKS = {"pending": "[ ]", "in_progress": "[~]", "done": "[x]"}


class Item(Arguments):
    """One step of the plan."""

    text: str = Field(min_length=1, max_length=500)
    status: Literal["pending", "in_progress", "done"] = "pending"


class TodoRead(Arguments):
    """`todo_read` takes no arguments."""


class TodoWrite(Arguments):
    """Arguments of `todo_write`."""

    items: tuple[Item, ...] = Field(max_length=100, description="The whole list; it replaces the one before")


def _file(ctx: ToolContext) -> Path:
    return session_folder(ctx) / "todo.json"


def _read(_: TodoRead, ctx: ToolContext) -> Output:
    try:
        return _shown(TodoWrite.model_validate_json(_file(ctx).read_bytes()).items)
    except FileNotFoundError:
        return _shown(())


def _write(args: TodoWrite, ctx: ToolContext) -> Output:
    file = _file(ctx)
    make_folder(file.parent, below=ctx.data)
    replace_file(file, args.model_dump_json().encode())
    return _shown(args.items)


def _shown(items: tuple[Item, ...]) -> Output:
    done = sum(item.status == "done" for item in items)
    text = "\n".join(f"{_MARKS[item.status]} {' '.join(item.text.split())}" for item in items)
    return Output("ok", text or "(the list is empty)", f"{done} of {len(items)} done")


TODO_READ = Tool(
    name="todo_read",
    description="Shows your list of steps.",
    arguments=TodoRead,
    effect="read",
    run=in_thread(_read),
)
TODO_WRITE = Tool(
    name="todo_write",
    description="Replaces your list of steps. Use it for work of three steps or more, and keep one step in progress.",
    arguments=TodoWrite,
    effect="read",  # the worktree stays as it is
    run=in_thread(_write),
    preview=lambda args: clip(f"{len(args.items)} steps"),
)
