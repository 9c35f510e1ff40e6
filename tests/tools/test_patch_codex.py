"""The Codex grammar, through `apply_patch`."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from app.tools.base import Output, ToolContext
from app.tools.execute import execute
from app.tools.registry import REGISTRY

_steps = count()


@pytest.fixture
def apply(context: Callable[..., ToolContext]):
    """Applies the lines between Begin and End Patch."""

    async def run(body: str, *, bare: bool = False) -> Output:
        patch = body if bare else f"*** Begin Patch\n{body}\n*** End Patch"
        return await execute("apply_patch", json.dumps({"patch": patch}), context(step_id=f"patch {next(_steps)}"))

    return run


async def test_all_kinds_at_once(apply, worktree: Path) -> None:
    (worktree / "b").write_text("1\n2\n3\n")
    (worktree / "c").write_text("gone\n")
    (worktree / "d").write_text("x\ny\n")
    (worktree / "d").chmod(0o755)
    output = await apply(
        "*** Add File: new/a\n+one\n+\n+two\n*** Update File: b\n@@\n 1\n-2\n+two\n 3\n"
        "*** Delete File: c\n*** Update File: d\n*** Move to: e/d\n@@\n x\n-y\n+z"
    )
    assert output.text == "A new/a\nM b\nD c\nR d -> e/d"
    assert (worktree / "new/a").read_text() == "one\n\ntwo\n"
    assert (worktree / "b").read_text() == "1\ntwo\n3\n"
    assert not (worktree / "c").exists() and not (worktree / "d").exists()
    assert (worktree / "e/d").read_text() == "x\nz\n"
    assert (worktree / "e/d").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("before", "hunks", "after"),
    [
        ("a\nb\n", "-a\n+A\n b", "A\nb\n"),  # the first hunk needs no @@
        ("a\nb\nc\nd\n", "@@\n-a\n+A\n@@\n-d\n+D", "A\nb\nc\nD\n"),
        ("class A:\n  x\nclass B:\n  x\n", "@@ class B:\n-  x\n+  y", "class A:\n  x\nclass B:\n  y\n"),
        ("A\n f\n x\nB\n g\n x\n f\n x\n", "@@ B\n@@  f\n- x\n+ y", "A\n f\n x\nB\n g\n x\n f\n y\n"),
        ("def f():\n    x\n", "@@ def f():\n def f():\n-    x\n+    y", "def f():\n    y\n"),
        ("def f():\n    x\n", "@@ def f():\n+    first", "def f():\n    first\n    x\n"),
        ("x\ny\nx\n", "@@\n-x\n+z\n*** End of File", "x\ny\nz\n"),
        ("a\n", "@@\n+b", "a\nb\n"),
        ("a\nb  \nc\n", "@@\n a\n b\n-c\n+C", "a\nb  \nC\n"),  # trailing spaces stay
        ("    a\n    b\n", "@@\n a\n-b\n+    B", "    a\n    B\n"),
        ("say “hi” — now\nx\n", '@@\n say "hi" - now\n-x\n+y', "say “hi” — now\ny\n"),
        ("a\n\nb\n", "@@\n a\n\n-b\n+B", "a\n\nB\n"),  # an empty line is empty context
        ("a\nb\n", "@@\n-a\n+A\n\n", "A\nb\n"),
        ("a\nb", "@@\n-b\n+B", "a\nB"),
        ("a\r\nb\r\nc\r\n", "@@\n a\n-b\n+B\n+BB\n c", "a\r\nB\r\nBB\r\nc\r\n"),
        ("a\r\nb", "@@\n a\n-b\n+B", "a\r\nB"),
        ("a\r\nb", "@@\n b\n+c", "a\r\nb\r\nc"),
        ("a\r\nb", "@@\n+c", "a\r\nb\r\nc"),
        ("a\r\nb", "@@\n-b", "a"),
        ("x\nx\nx\n", "@@ -2,1 +2,1 @@\n-x\n+y", "x\ny\nx\n"),
        ("a\n", "@@\n-a", ""),
        ("--- a\n+++ b\n", "@@\n---- a\n+--- c\n +++ b", "--- c\n+++ b\n"),
    ],
)
async def test_updates(apply, worktree: Path, before: str, hunks: str, after: str) -> None:
    (worktree / "f").write_bytes(before.encode())
    output = await apply(f"*** Update File: f\n{hunks}")
    assert output.status == "ok", output.text
    assert (worktree / "f").read_bytes().decode() == after


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("*** Update File: f\n@@\n-x\n+y", "fits 2 places of `f` (lines 1, 3)"),
        ("*** Update File: f\n@@\n-nowhere\n+y", "has no line `nowhere`"),
        ("*** Update File: f\n@@ class Z\n-x\n+y", "`class Z` does not stand in `f`"),
        ("*** Update File: f\n@@\n x\n x", "do not stand together"),
        ("*** Update File: f\n@@\nx", "a line of a hunk begins with"),
        ("*** Update File: f", "changes nothing"),
        ("*** Update File: g\n@@\n-x", "`g` does not exist"),
        ("*** Add File: f\n+x", "exists already"),
        ("*** Add File: h\nx", "begins with `+`"),
        ("*** Delete File: nothing", "does not exist"),
        ("*** Delete File: link", "symbolic link"),
        ("*** Delete File: f\n*** Update File: f\n@@\n-x", "deleted earlier"),
        ("*** Update File: f\n*** Move to: ../f\n@@\n y\n-x", "leads out"),
        ("*** Add File: .git/hooks/post-commit\n+x", "git"),
        ("*** Add File: new/deep/x\n+x\n*** Add File: new\n+x", "cannot exist"),
        ("*** Add File: new\n+x\n*** Add File: new/x\n+x", "cannot exist"),
        ("*** Rename File: f", "not understood"),
        ("", "changes no file"),
    ],
)
async def test_what_does_not_fit_changes_nothing(apply, worktree: Path, body: str, words: str) -> None:
    (worktree / "f").write_text("x\ny\nx\n")
    (worktree / "link").symlink_to("f")
    output = await apply(f"*** Add File: first\n+x\n{body}" if body else body)
    assert output.status == "error" and words in output.text, output.text
    assert (worktree / "f").read_text() == "x\ny\nx\n"
    assert sorted(path.name for path in worktree.iterdir()) == [".git", "f", "link"]


@pytest.mark.parametrize(
    "wrap",
    ["<<'EOF'\n{}\nEOF", "<<EOF\n{}\nEOF\n", "cat <<'END'\n{}\nEND", "apply_patch <<'EOF'\n{}\nEOF", "```\n{}\n```"],
)
async def test_wrappers_are_taken_off(apply, worktree: Path, wrap: str) -> None:
    patch = wrap.format("*** Begin Patch\n*** Add File: a\n+x\n*** End Patch")
    assert (await apply(patch, bare=True)).text == "A a"
    assert (worktree / "a").read_text() == "x\n"


async def test_a_cut_patch_is_refused(apply) -> None:
    output = await apply("*** Begin Patch\n*** Add File: a\n+x", bare=True)
    assert "does not end with" in output.text


async def test_the_gate_learns_every_path() -> None:
    tool = REGISTRY["apply_patch"]
    patch = "*** Begin Patch\n*** Update File: a\n*** Move to: ../b\n*** Delete File: c\n*** End Patch"
    assert tool.paths(tool.arguments(patch=patch)) == ("a", "../b", "c")  # pyright: ignore
    assert tool.paths(tool.arguments(patch="nonsense")) == ()  # pyright: ignore


async def test_a_retry_answers_the_same(context, worktree: Path) -> None:
    (worktree / "f").write_text("a\n")
    arguments = json.dumps({"input": "*** Begin Patch\n*** Update File: f\n@@\n-a\n+b\n*** End Patch"})
    first = await execute("apply_patch", arguments, context())
    assert first.text == "M f"
    assert await execute("apply_patch", arguments, context(attempt=2)) == first
