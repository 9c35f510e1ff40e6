"""Tools on the files that people really have: odd names, huge, binary, linked in circles, gone, forbidden."""

import asyncio
import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from app.tools.base import Output, ToolContext
from app.tools.execute import execute

ODD = ("-rf", "two\nlines", "sp ace", 'quo"te', "日本語.py", unicodedata.normalize("NFD", "größe.py"), "[a]*?.py")


async def call(ctx: ToolContext, tool: str, **arguments: Any) -> Output:
    return await execute(tool, json.dumps(arguments), ctx)


@pytest.mark.parametrize("name", ODD)
async def test_odd_names_are_found_read_and_edited(context, worktree: Path, name: str) -> None:
    (worktree / name).write_text("needle = 1\n")
    assert (await call(context(), "read", path=name)).text == "1\tneedle = 1"
    assert (await call(context(), "glob", pattern="*")).text == name
    assert (await call(context(), "grep", pattern="needle")).text == f"{name}:1:needle = 1"
    assert (await call(context(), "grep", pattern="needle", path=name)).text.endswith(":1:needle = 1")
    assert (await call(context(), "edit", path=name, old="1", new="2")).status == "ok"
    assert (worktree / name).read_text() == "needle = 2\n"


async def test_a_hundred_megabytes_are_refused_or_searched_never_loaded(context, worktree: Path) -> None:
    with (worktree / "sparse").open("wb") as file:
        file.write(b"needle\n")
        file.truncate(100 * 1024 * 1024)
    for tool, more in (("read", {}), ("edit", {"old": "a", "new": "b"})):
        refused = await call(context(), tool, path="sparse", **more)
        assert refused.status == "error" and "`grep`" in refused.text
    assert (await call(context(), "grep", pattern="absent")).text == "no line matches"
    assert (worktree / "sparse").stat().st_size == 100 * 1024 * 1024


@pytest.mark.parametrize("content", [b"\x7fELF\0\0\1", b"\0" * 100, bytes(range(256)) * 40])
async def test_binary_is_refused_by_whatever_works_on_text(context, worktree: Path, content: bytes) -> None:
    (worktree / "binary").write_bytes(content)
    for tool, more in (("read", {}), ("edit", {"old": "E", "new": "b"})):
        refused = await call(context(), tool, path="binary", **more)
        assert refused.status == "error" and "binary" in refused.text
    assert (worktree / "binary").read_bytes() == content


async def test_links_in_a_circle_end(context, worktree: Path) -> None:
    (worktree / "sub").mkdir()
    (worktree / "sub" / "up").symlink_to("..")
    (worktree / "a").symlink_to("b")
    (worktree / "b").symlink_to("a")
    (worktree / "real.py").write_text("def target():\n    pass\n")
    assert (await call(context(), "glob", pattern="**/*.py")).text == "real.py"
    assert (await call(context(), "list", depth=10)).text.splitlines()[-1] == "real.py"
    assert (await call(context(), "codesearch", name="target")).text.count("definition") == 1
    for tool, more in (("read", {}), ("write", {"content": "x"}), ("edit", {"old": "a", "new": "b"})):
        refused = await call(context(), tool, path="a", **more)
        assert refused.status == "error" and "did you mean `a`" not in refused.text
    assert (worktree / "a").is_symlink() and not (worktree / "a").exists()


async def test_a_pipe_and_a_missing_file_are_sentences(context, worktree: Path) -> None:
    os.mkfifo(worktree / "pipe")
    for path, words in (("pipe", "not a regular file"), ("gone", "does not exist")):
        searches = (("grep", {"pattern": "x"}), ("codesearch", {"name": "x"}))  # rg would wait for who writes to it
        for tool, more in (("read", {}), ("multiedit", {"edits": [{"old": "a", "new": "b"}]}), *searches):
            refused = await call(context(), tool, path=path, **more)
            assert refused.status == "error" and words in refused.text


async def test_a_file_deleted_since_it_was_read(context, worktree: Path) -> None:
    (worktree / "a").write_text("x\n")
    read = await call(context(), "read", path="a")
    (worktree / "a").unlink()
    refused = await call(context(seen=read.seen.get), "edit", path="a", old="x", new="y")
    assert refused.status == "error" and "does not exist" in refused.text


async def test_two_agents_at_once_lose_no_edit(context, worktree: Path) -> None:
    (worktree / "a").write_text("".join(f"line {number};\n" for number in range(20)))
    edits = (
        call(context(session_id=f"s{n % 2}", step_id=f"t/{n}"), "edit", path="a", old=f"line {n};", new=f"new {n};")
        for n in range(20)
    )
    assert {done.status for done in await asyncio.gather(*edits)} == {"ok"}
    assert (worktree / "a").read_text() == "".join(f"new {number};\n" for number in range(20))


async def test_grep_does_not_take_a_word_about_a_binary_for_a_name(context, worktree: Path) -> None:
    (worktree / "a").write_bytes(b"needle\n" + (b"x" * 80 + b"\n") * 3000 + b"\0needle\n")
    (worktree / "b").write_text("needle\n")
    assert (await call(context(), "grep", pattern="needle")).text == "a:1:needle\nb:1:needle"
