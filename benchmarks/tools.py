"""Searching and editing: a tool's call in a warm process against what it cannot be faster than."""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from statistics import median

from app.domain.session import Ids
from app.domain.tool import Workspace
from app.tools.base import ToolContext
from app.tools.execute import execute
from app.tools.ripgrep import program
from benchmarks.rows import Row

FILES, LINES, ROUNDS = 20_000, 50_000, 9
SEARCH_LIMIT, EDIT_LIMIT = 1.3, 5.0


async def measure() -> list[Row]:
    """`grep` and `glob` over 20,000 files against `rg`, `edit` in 50,000 lines against reading and writing them."""
    with tempfile.TemporaryDirectory(prefix="codetether-bench-") as folder:
        data, tree = Path(folder) / "data", Path(folder) / "data" / "tree"
        await asyncio.to_thread(_fill, tree)
        return [
            await _search(data, tree, "grep", {"pattern": "needle"}, ("--line-number", "--sort=path", "needle", ".")),
            await _search(data, tree, "glob", {"pattern": "*7.py"}, ("--files", "--sort=path", "--glob=*7.py", ".")),
            await _edit(data, tree),
        ]


async def _search(data: Path, tree: Path, name: str, arguments: dict[str, str], plain: tuple[str, ...]) -> Row:
    text = json.dumps(arguments)

    async def ours() -> None:
        done = await execute(name, text, _context(data, tree))
        assert done.status == "ok" and not done.preview.startswith("0")

    async def theirs() -> None:
        words = [program(), "--no-config", "--hidden", *plain]
        await asyncio.to_thread(subprocess.run, words, cwd=tree, check=True, stdout=subprocess.PIPE)

    return await _compared(f"{name}, {FILES:,} files", ours, theirs, SEARCH_LIMIT, "against plain rg")


async def _edit(data: Path, tree: Path) -> Row:
    file = tree / "large.txt"
    number = count()

    async def ours() -> None:
        at = next(number)
        change = {"path": file.name, "old": f"state {at} of it\n", "new": f"state {at + 1} of it\n"}
        done = await execute("edit", json.dumps(change), _context(data, tree, f"edit-{at}"))
        assert done.status == "ok", done.text

    async def theirs() -> None:
        await asyncio.to_thread(_rewritten, file)

    lines = [f"{line:06} a line of some length, as code has them\n" for line in range(LINES)]
    lines[LINES // 2] = "state 0 of it\n"
    file.write_text("".join(lines))
    return await _compared(
        f"edit, {LINES:,} lines", ours, theirs, EDIT_LIMIT, "against reading, writing and syncing the file"
    )


def _rewritten(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    with file.open("w", encoding="utf-8", newline="") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())


async def _compared(
    name: str, ours: Callable[[], Awaitable[None]], theirs: Callable[[], Awaitable[None]], limit: float, note: str
) -> Row:
    """Both in turn, so that the machine's moods fall on both; the medians."""
    mine: list[float] = []
    other: list[float] = []
    for _ in range(ROUNDS):
        mine.append(await _seconds(ours))
        other.append(await _seconds(theirs))
    ratio = median(mine[1:]) / median(other[1:])
    return Row(name, 1000 * median(mine[1:]), "ms", ratio=ratio, limit=limit, note=note)


async def _seconds(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _context(data: Path, tree: Path, step: str = "search") -> ToolContext:
    return ToolContext(
        data=data,
        workspace=Workspace(data_id="bench", run="bench", name="main", root="/home/somebody/project"),
        worktree=tree,
        mounts=lambda: None,
        ids=Ids(),
        step_id=step,
        session_id="bench",
        attempt=1,
        sandboxed=True,
        allowed=False,
        emit=lambda _: None,
    )


def _fill(tree: Path) -> None:
    for number in range(FILES):
        folder = tree / f"part-{number % 100:02}"
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"line {line} of file {number}\n" for line in range(20))
        (folder / f"file-{number}.py").write_text(text + "a needle\n" * (number % 200 == 0))
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
