"""Every tool that takes a path against places that do not work: forbidden, gone, circular, huge, binary, odd."""

import asyncio
import ctypes
import io
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.tools.base import Output, ToolContext
from app.tools.execute import execute

HUNK = "*** Begin Patch\n*** Update File: {path}\n@@\n-needle\n+thread\n*** End Patch"
FILE_TOOLS: dict[str, Callable[[str], dict[str, Any]]] = {
    "read": lambda path: {"path": path},
    "edit": lambda path: {"path": path, "old": "needle", "new": "thread"},
    "multiedit": lambda path: {"path": path, "edits": [{"old": "needle", "new": "thread"}]},
    "apply_patch": lambda path: {"patch": HUNK.format(path=path)},
    "image": lambda path: {"path": path},
}
"""Tools that need the file that they name, with the arguments that would work on one with `needle` in it."""
WRITERS = {
    **{name: FILE_TOOLS[name] for name in ("edit", "multiedit", "apply_patch")},
    "write": lambda path: {"path": path, "content": "thread\n"},
}
SEARCHERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "grep": lambda path: {"pattern": "needle", "path": path},
    "codesearch": lambda path: {"name": "needle", "path": path},
}
FOLDER_TOOLS: dict[str, Callable[[str], dict[str, Any]]] = {
    "list": lambda path: {"path": path},
    "glob": lambda path: {"pattern": "**/*", "path": path},
    **SEARCHERS,
}
FILES = pytest.mark.parametrize("tool", FILE_TOOLS)


async def call(ctx: ToolContext, tool: str, arguments: dict[str, Any]) -> Output:
    return await execute(tool, json.dumps(arguments), ctx)


def refused(output: Output, *words: str) -> None:
    """One sentence that names the thing, and nothing of where the worktree really lies."""
    assert output.status == "error", output.text
    assert all(word in output.text for word in words), output.text
    assert "\n" not in output.text and "worktrees" not in output.text, output.text


def without_privilege(work: Callable[[], Output]) -> Output:
    """What `work` gives where permissions apply: in a thread that cannot overrule them as root."""

    def bound() -> Output:
        if os.getuid() == 0:
            give_up_overruling()
        return work()

    with ThreadPoolExecutor(1) as alone:
        return alone.submit(bound).result()


def give_up_overruling() -> None:
    """Drops CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (capabilities(7)) of this thread, for ever."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then their upper halves
    assert libc.capget(header, sets) == 0
    for capability in (1, 2):
        assert libc.prctl(24, capability, 0, 0, 0) == 0, "PR_CAPBSET_DROP"
        for at in range(3):
            sets[at] &= ~(1 << capability)
    assert libc.capset(header, sets) == 0


@pytest.fixture
def opened(worktree: Path) -> Iterator[None]:
    """Opens every folder again afterwards, or it could not be removed."""
    yield
    for folder, names, _ in os.walk(worktree):
        for name in names:
            (Path(folder) / name).chmod(0o700)


def runs(ctx: ToolContext, tool: str, arguments: dict[str, Any]) -> Output:
    return without_privilege(lambda: asyncio.run(call(ctx, tool, arguments)))


def made(place: Path, content: str = "needle\n", mode: int = 0o644) -> None:
    place.parent.mkdir(exist_ok=True)
    place.write_text(content)
    place.chmod(mode)


@pytest.mark.usefixtures("opened")
@FILES
def test_a_file_that_may_not_be_read(ctx: ToolContext, tool: str) -> None:
    made(ctx.worktree / "secret", mode=0)
    refused(runs(ctx, tool, FILE_TOOLS[tool]("secret")), "`secret`", "permission")


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("tool", WRITERS)
def test_a_folder_that_may_not_be_written(ctx: ToolContext, tool: str) -> None:
    made(ctx.worktree / "kept" / "a")
    (ctx.worktree / "kept").chmod(0o500)
    refused(runs(ctx, tool, WRITERS[tool]("kept/a")), "`kept`", "permissions")
    assert (ctx.worktree / "kept" / "a").read_text() == "needle\n"


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("tool", [*WRITERS, "read", "image"])
def test_a_folder_that_may_not_be_entered(ctx: ToolContext, tool: str) -> None:
    made(ctx.worktree / "shut" / "a")
    (ctx.worktree / "shut").chmod(0)
    refused(runs(ctx, tool, {**FILE_TOOLS, **WRITERS}[tool]("shut/a")), "`shut", "permission")


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("tool", FOLDER_TOOLS)
def test_a_folder_that_may_not_be_looked_into(ctx: ToolContext, tool: str) -> None:
    made(ctx.worktree / "shut" / "a.py", "def needle(): needle()\n")
    made(ctx.worktree / "open.py", "def needle(): needle()\n")
    (ctx.worktree / "shut").chmod(0)
    found = runs(ctx, tool, FOLDER_TOOLS[tool]("."))
    assert found.status == "ok" and "open.py" in found.text and "a.py" not in found.text
    refused(runs(ctx, tool, FOLDER_TOOLS[tool]("shut")), "`shut`", "permission")


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("tool", SEARCHERS)
def test_a_search_in_a_file_that_may_not_be_read(ctx: ToolContext, tool: str) -> None:
    made(ctx.worktree / "a.py", "def needle(): needle()\n", mode=0)
    refused(runs(ctx, tool, SEARCHERS[tool]("a.py")), "`a.py`", "permission")


async def test_what_is_gone(ctx: ToolContext, worktree: Path) -> None:
    for tool, arguments in {**FILE_TOOLS, **FOLDER_TOOLS}.items():
        refused(await call(ctx, tool, arguments("gone.py")), "`gone.py` does not exist")
    (worktree / "a.py").symlink_to("gone.py")
    for tool, arguments in {**FILE_TOOLS, **FOLDER_TOOLS}.items():
        refused(await call(ctx, tool, arguments("a.py")), "`a.py` does not exist")


async def test_links_in_a_circle(context: Callable[..., ToolContext], worktree: Path) -> None:
    (worktree / "a").symlink_to("b")
    (worktree / "b").symlink_to("a")
    (worktree / "sub").mkdir()
    (worktree / "sub" / "up").symlink_to("../sub")
    for number, (tool, arguments) in enumerate({**FILE_TOOLS, **WRITERS, **FOLDER_TOOLS}.items()):
        refused(await call(context(step_id=f"{number}"), tool, arguments("a")), "`a`")
    assert (worktree / "a").is_symlink() and (worktree / "b").is_symlink()


@pytest.mark.parametrize("name", ["-rf", "--files", "two\nlines", "tab\there", "'quo\"te'", " spaced "])
async def test_odd_names(context: Callable[..., ToolContext], worktree: Path, name: str) -> None:
    for number, (tool, arguments) in enumerate(WRITERS.items()):
        if tool == "apply_patch" and ("\n" in name or name != name.strip()):
            continue  # a patch names its files in lines
        (worktree / name).write_text("needle\n")
        done = await call(context(step_id=f"{number}"), tool, arguments(name))
        assert (done.status, (worktree / name).read_text()) == ("ok", "thread\n"), (tool, done.text)
    assert (await call(context(), "list", {})).text == name
    held = io.BytesIO()
    Image.new("RGB", (2, 2)).save(held, "PNG")
    (worktree / name).write_bytes(held.getvalue())
    assert (await call(context(), "image", {"path": name})).status == "ok"


async def test_a_hundred_megabytes(context: Callable[..., ToolContext], worktree: Path) -> None:
    with (worktree / "huge.py").open("wb") as file:
        file.write(b"needle\n")
        file.truncate(100 << 20)
    for tool, arguments in FILE_TOOLS.items():
        refused(await call(context(), tool, arguments("huge.py")), "`huge.py` is larger than")
    for tool, arguments in FOLDER_TOOLS.items():
        if tool in SEARCHERS:
            assert (await call(context(), tool, arguments("."))).status == "ok"
    done = await call(context(), "write", WRITERS["write"]("huge.py"))
    assert done.status == "ok" and (worktree / "huge.py").read_text() == "thread\n"


async def test_binary(context: Callable[..., ToolContext], worktree: Path) -> None:
    content = b"needle\n\0\1\2\xff\xfe needle\n" * 20
    (worktree / "b.py").write_bytes(content)
    for tool, arguments in FILE_TOOLS.items():
        refused(await call(context(), tool, arguments("b.py")), "`b.py`", "image" if tool == "image" else "binary")
    for tool, arguments in SEARCHERS.items():
        assert (await call(context(), tool, arguments("."))).status == "ok"
    assert (worktree / "b.py").read_bytes() == content


@pytest.mark.parametrize("tool", ["edit", "multiedit", "apply_patch"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\r\nneedle\r\nb\r\n", b"a\r\nthread\r\nb\r\n"),
        (b"a\nneedle\nb\r\n", b"a\nthread\nb\r\n"),
        (b"a\r\nneedle\nb\r\n", b"a\r\nthread\nb\r\n"),
        (b"\xef\xbb\xbfneedle\nb", b"\xef\xbb\xbfthread\nb"),
        (b"\xff\xfe" + "a\r\nneedle\r\n".encode("utf-16-le"), b"\xff\xfe" + "a\r\nthread\r\n".encode("utf-16-le")),
    ],
    ids=["CRLF", "last CRLF", "mixed", "BOM", "UTF-16"],
)
async def test_endings_and_marks_stay(ctx: ToolContext, worktree: Path, tool: str, before: bytes, after: bytes) -> None:
    (worktree / "a").write_bytes(before)
    done = await call(ctx, tool, FILE_TOOLS[tool]("a"))
    assert (done.status, (worktree / "a").read_bytes()) == ("ok", after), done.text


@pytest.mark.parametrize("tool", ["edit", "multiedit", "apply_patch"])
async def test_two_agents_on_one_file_lose_nothing(
    context: Callable[..., ToolContext], worktree: Path, tool: str
) -> None:
    (worktree / "a").write_text("".join(f"needle {n};\n" for n in range(12)))
    patch = "*** Begin Patch\n*** Update File: a\n@@\n-needle {n};\n+thread {n};\n*** End Patch"
    changes: dict[str, Callable[[int], dict[str, Any]]] = {
        "edit": lambda n: {"path": "a", "old": f"needle {n};", "new": f"thread {n};"},
        "multiedit": lambda n: {"path": "a", "edits": [{"old": f"needle {n};", "new": f"thread {n};"}]},
        "apply_patch": lambda n: {"patch": patch.format(n=n)},
    }
    calls = (call(context(session_id=f"s{n % 2}", step_id=f"t/{n}"), tool, changes[tool](n)) for n in range(12))
    assert {done.status for done in await asyncio.gather(*calls)} == {"ok"}
    assert (worktree / "a").read_text() == "".join(f"thread {n};\n" for n in range(12))


async def test_two_agents_write_one_file_whole(context: Callable[..., ToolContext], worktree: Path) -> None:
    texts = [f"{n}" * 100_000 for n in range(6)]
    calls = (
        call(context(session_id=f"s{n}", step_id=f"t/{n}"), "write", {"path": "a", "content": text})
        for n, text in enumerate(texts)
    )
    assert {done.status for done in await asyncio.gather(*calls)} <= {"ok", "error"}
    assert (worktree / "a").read_text() in texts and [each.name for each in worktree.iterdir() if each.is_file()] == [
        "a"
    ]


async def test_two_agents_note_things_at_once(context: Callable[..., ToolContext]) -> None:
    calls = (
        call(
            context(session_id=f"s{n}", step_id=f"t/{n}"), "memory", {"action": "append", "name": "n", "text": f"[{n}]"}
        )
        for n in range(8)
    )
    assert {done.status for done in await asyncio.gather(*calls)} == {"ok"}
    kept = (await call(context(), "memory", {"action": "read", "name": "n"})).text
    assert sorted(kept.split()) == [f"[{n}]" for n in range(8)]
