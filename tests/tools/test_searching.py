"""glob, list, grep, with the real ripgrep."""

import json
from pathlib import Path

import pytest

from app.tools.base import ToolContext
from app.tools.execute import execute


@pytest.fixture
def tree(worktree: Path) -> Path:
    """A small project with ignored files, hidden ones and secrets."""
    files = {
        ".gitignore": "build/\nsecret.py\n",
        ".github/ci.yml": "needle\n",
        ".env": "needle=1\n",
        ".env.example": "needle=\n",
        "a.py": "import os\nneedle = 1\nlast\n",
        "pkg/b.py": "NEEDLE\r\nneedle two\r\n",
        "pkg/deep/c.txt": "needle\n",
        "build/out.py": "needle\n",
        "secret.py": "needle\n",
    }
    for name, content in files.items():
        (worktree / name).parent.mkdir(parents=True, exist_ok=True)
        (worktree / name).write_bytes(content.encode())
    return worktree


async def run(ctx: ToolContext, name: str, **arguments: object) -> str:
    return (await execute(name, json.dumps(arguments), ctx)).text


@pytest.mark.usefixtures("tree")
async def test_glob_leaves_out_what_git_ignores(ctx: ToolContext) -> None:
    assert await run(ctx, "glob", pattern="*.py") == "a.py\npkg/b.py"
    assert await run(ctx, "glob", pattern="pkg/**/*.{txt,md}") == "pkg/deep/c.txt"
    assert await run(ctx, "glob", pattern="*.py", path="pkg") == "pkg/b.py"
    assert await run(ctx, "glob", pattern=".env*") == ".env.example"
    assert await run(ctx, "glob", pattern="*.rs") == "no file matches"
    assert "not understood" in await run(ctx, "glob", pattern="a{")
    assert ".git/config" not in await run(ctx, "glob", pattern="**")
    assert "is a file" in await run(ctx, "glob", pattern="*", path="a.py")


@pytest.mark.usefixtures("tree")
async def test_list_draws_a_tree(ctx: ToolContext) -> None:
    assert await run(ctx, "list") == (
        ".github/\n  ci.yml\npkg/\n  deep/ (1 file)\n  b.py\n.env.example\n.gitignore\na.py"
    )
    assert await run(ctx, "list", path="pkg", depth=3) == "deep/\n  c.txt\nb.py"
    assert "does not exist" in await run(ctx, "list", path="pgk")


@pytest.mark.usefixtures("tree")
async def test_grep_finds_lines(ctx: ToolContext) -> None:
    assert (await run(ctx, "grep", pattern="needle")).splitlines() == [
        ".env.example:1:needle=",
        ".github/ci.yml:1:needle",
        "a.py:2:needle = 1",
        "pkg/b.py:2:needle two",
        "pkg/deep/c.txt:1:needle",
    ]
    assert await run(ctx, "grep", pattern="needle", glob="*.py") == "a.py:2:needle = 1\npkg/b.py:2:needle two"
    assert await run(ctx, "grep", pattern="^needle$", path="pkg") == "pkg/deep/c.txt:1:needle"
    assert await run(ctx, "grep", pattern="needle", path="a.py") == "a.py:2:needle = 1"
    assert (await run(ctx, "grep", pattern="needle", path="pkg/b.py", ignore_case=True)).count("\n") == 1
    assert await run(ctx, "grep", pattern="needle", path="a.py", context=1) == (
        "a.py-1-import os\na.py:2:needle = 1\na.py-3-last"
    )
    assert await run(ctx, "grep", pattern="nowhere") == "no line matches"
    assert await run(ctx, "grep", pattern="-needle") == "no line matches"


@pytest.mark.usefixtures("tree")
async def test_grep_says_what_is_wrong_with_a_pattern(ctx: ToolContext) -> None:
    text = await run(ctx, "grep", pattern="(")
    assert text.startswith("the pattern is not understood: unclosed group") and "\n" not in text
    assert "holds a line feed" in await run(ctx, "grep", pattern=r"a\nb")


async def test_grep_stops_at_its_cap(ctx: ToolContext, worktree: Path) -> None:
    (worktree / "many").write_text("x\n" * 100_000)
    text = await run(ctx, "grep", pattern="x")
    assert text.count("many:") == 200 and "more than 200 matches" in text


@pytest.mark.usefixtures("tree")
async def test_paths_in_a_subfolder_can_be_used_again(context) -> None:
    ctx = context(subdir="pkg")
    assert await run(ctx, "grep", pattern="needle two") == "b.py:2:needle two"
    assert (await run(ctx, "read", path="b.py")).startswith("1\tNEEDLE")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("x/*a*a*a*a*a*a*a*a*a*a*a*a*b", "no file matches"),
        ("**/" * 30 + "b", "no file matches"),
        ("x/{1..99999999}", "no file matches"),
        ("x/" + "{a,b}" * 40, "no file matches"),
        ("x/*{a,b}", "x/" + "a" * 200),
        ("[x]/**/a*", "x/" + "a" * 200),
        ("x/[", "not understood"),
        ("x/{a", "not understood"),
    ],
)
async def test_no_pattern_hangs_or_breaks_a_walk(context, tmp_path: Path, pattern: str, found: str) -> None:
    folder = tmp_path / "tree"
    (folder / "x").mkdir(parents=True)
    (folder / "x" / ("a" * 200)).write_text("")
    assert found in await run(context(worktree=folder), "glob", pattern=pattern)
