"""Notes outlive a run, change once for each step, and belong to one repository."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from app.tools.base import Output, ToolContext
from app.tools.execute import execute
from app.tools.memory import SHOWN, folder_of, remembered

Context = Callable[..., ToolContext]


async def call(ctx: ToolContext, action: str, text: str = "", **more: Any) -> Output:
    return await execute("memory", json.dumps({"action": action, "text": text, **more}), ctx)


async def test_what_is_appended_is_there_once_whatever_is_tried_again(context: Context) -> None:
    await call(context(step_id="t/1"), "append", "Run `make test`.")
    await call(context(step_id="t/2"), "append", "It needs Redis.")
    for attempt in (2, 3):
        assert (await call(context(step_id="t/1", attempt=attempt), "append", "Run `make test`.")).status == "ok"
    assert (await call(context(), "read")).text == "Run `make test`.\nIt needs Redis.\n"
    (context().data / "streams" / "s%2F1" / "writes" / "t%2F2.done").unlink()  # died before it was marked
    await call(context(step_id="t/2", attempt=2), "append", "It needs Redis.")
    assert (await call(context(), "read")).text.count("Redis") == 1


async def test_agents_at_once_lose_nothing(context: Context) -> None:
    await asyncio.gather(*(call(context(step_id=f"t/{n}"), "append", f"line {n}") for n in range(10)))
    assert sorted((await call(context(), "read")).text.split("\n")[:-1]) == [f"line {n}" for n in range(10)]


async def test_notes_are_of_one_repository_and_the_prompt_is_capped(context: Context) -> None:
    ctx = context()
    await call(context(step_id="t/1"), "replace", "x" * 9000, name="tests")
    shown = remembered(ctx.data, ctx.workspace.root)
    assert shown.startswith("## tests\nxxx") and len(shown) < SHOWN + 100 and shown.endswith("`memory` with `read`")
    assert remembered(ctx.data, "/home/somebody/other") == ""


async def test_bad_names_and_too_much_are_refused(context: Context) -> None:
    for name in ("../x", "", "A", "a/b", "-a"):
        assert (await call(context(), "append", "x", name=name)).status == "error"
    await call(context(step_id="t/1"), "append", "x" * 20_000)
    refused = await call(context(step_id="t/2"), "append", "x" * 20_000)
    assert refused.status == "error" and "`replace`" in refused.text
    folder = folder_of(context().data, context().workspace.root)
    assert [file.name for file in folder.iterdir()] == ["notes.md"]
    assert (folder / "notes.md").stat().st_mode & 0o077 == 0
