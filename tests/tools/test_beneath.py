"""A folder that becomes a link after its path was judged leads nowhere: neither reads nor writes leave the worktree."""

import json
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.tools import grep, writes
from app.tools.base import ToolContext, ToolError
from app.tools.beneath import open_file
from app.tools.execute import execute
from app.tools.paths import resolve
from app.tools.ripgrep import lines
from app.tools.text import read_bytes
from app.tools.writes import Plan, written

Swap = Callable[[], None]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "f").write_text("secret")
    return folder


@pytest.fixture
def swap(worktree: Path, outside: Path) -> Swap:
    """Puts a link to `outside` in the place of the worktree's `d`, which holds a file of the same name."""
    (worktree / "d").mkdir()
    (worktree / "d" / "f").write_text("plain")

    def swapped() -> None:
        if not (worktree / "d").is_symlink():
            (worktree / "d").rename(worktree / "was")
            (worktree / "d").symlink_to(outside)

    return swapped


def test_what_is_read_lies_in_the_worktree(ctx: ToolContext, swap: Swap) -> None:
    real = resolve(ctx, "d/f")
    assert read_bytes(ctx, real, "d/f") == b"plain"
    swap()
    with pytest.raises(ToolError, match="replaced by a symbolic link"):
        read_bytes(ctx, real, "d/f")


def test_a_file_that_became_a_link_is_not_read(ctx: ToolContext, worktree: Path, outside: Path) -> None:
    real = worktree / "f"
    real.symlink_to(outside / "f")
    with pytest.raises(ToolError, match="replaced by a symbolic link"):
        open_file(ctx, real)


@pytest.mark.parametrize("content", [b"new", None])
def test_what_is_written_lies_in_the_worktree(
    ctx: ToolContext, outside: Path, swap: Swap, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """The link appears right after the last look at the path."""
    plan = Plan({resolve(ctx, "d/f", write=True): content}, "done")
    looked = writes._refuse_unwritable  # pyright: ignore[reportPrivateUsage]
    looks = 0

    def look(ctx: ToolContext, path: Path) -> None:
        nonlocal looks
        looked(ctx, path)
        looks += 1
        if looks == 2:
            swap()

    monkeypatch.setattr(writes, "_refuse_unwritable", look)
    with pytest.raises(ToolError, match="replaced by a symbolic link"):
        written(ctx, lambda: plan)
    assert os.listdir(outside) == ["f"] and (outside / "f").read_text() == "secret"  # noqa: PTH208


async def test_grep_shows_no_line_of_a_link_that_a_job_put_there(
    context: Callable[..., ToolContext], worktree: Path, swap: Swap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rg finds the link; when its lines are shown the folder is back."""
    (worktree / "d" / "g").write_text("secretive\n" + "secret" * 200 + "\n")
    ctx = context(jobs=(1,))

    @contextmanager
    def swapped(folder: Path, arguments: Sequence[str]) -> Generator[Iterator[bytes]]:
        swap()
        with lines(folder, arguments) as output:
            found = list(output)
        (worktree / "d").unlink()
        (worktree / "was").rename(worktree / "d")
        yield iter(found)

    call = json.dumps({"pattern": "secret", "path": "d"})
    assert "d/g:1:secretive" in (whole := (await execute("grep", call, ctx)).text) and "d/g:2:secret" in whole
    monkeypatch.setattr(grep, "lines", swapped)
    assert (await execute("grep", call, ctx)).text == "no line matches"
