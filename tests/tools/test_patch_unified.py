"""Unified diffs: what git and difflib write must give the new files exactly; what models write, sensibly."""

import difflib
import json
import subprocess
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.tools.apply_patch import parse
from app.tools.base import Output, ToolContext
from app.tools.execute import execute
from app.tools.patch_match import apply_hunks
from app.tools.text import lines_of, text_of

_steps = count()
_LINE = st.sampled_from(
    ["", "a", "b", "c", " a", "- x", "-- a/x", "++ b/x", "@@ -1 +1 @@", "\\ odd", "\tt", "x ", "é", "+"]
)


@st.composite
def _texts(draw: st.DrawFn) -> str:
    text = "\n".join(draw(st.lists(_LINE, max_size=25)))
    return text + "\n" if text and draw(st.booleans()) else text


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Two texts, often near each other."""
    old = draw(_texts())
    if draw(st.booleans()):
        return old, draw(_texts())
    lines = old.split("\n")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines)))
        lines[at : at + draw(st.integers(0, 2))] = draw(st.lists(_LINE, max_size=2))
    return old, "\n".join(lines)


def _applied(old: str, diff: str) -> str:
    (patch,) = parse(diff)
    return text_of(apply_hunks(lines_of(old), patch.hunks, "`f`"))


@settings(max_examples=400, deadline=None)
@given(_pairs(), st.integers(0, 4), st.booleans())
def test_difflib(pair: tuple[str, str], context: int, crlf: bool) -> None:
    old, new = (text.replace("\n", "\r\n") if crlf else text for text in pair)
    before, after = ([line + "\n" for line in text.split("\n")] for text in (old, new))
    for lines in (before, after):
        lines[-1] = lines[-1][:-1]
        if not lines[-1]:
            lines.pop()
    out: list[str] = []
    for line in difflib.unified_diff(before, after, "a/f", "b/f", n=context):
        out.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    assert _applied(old, "".join(out)) == new if out else old == new


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_pairs(), st.integers(0, 4), st.booleans())
def test_git_diff(pair: tuple[str, str], context: int, crlf: bool) -> None:
    old, new = (text.replace("\n", "\r\n") if crlf else text for text in pair)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a").write_bytes(old.encode())
        (folder / "b").write_bytes(new.encode())
        command = ["git", "diff", "--no-index", "--no-color", f"-U{context}", "a", "b"]
        diff = subprocess.run(command, cwd=folder, capture_output=True, check=False).stdout.decode()
    assert _applied(old, diff) == new if diff else old == new


@pytest.fixture
def apply(context: Callable[..., ToolContext]):
    """Applies a patch as a step of its own."""

    async def run(patch: str) -> Output:
        return await execute("apply_patch", json.dumps({"patch": patch}), context(step_id=f"diff {next(_steps)}"))

    return run


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout.decode()


async def test_a_whole_git_commit(apply, worktree: Path) -> None:
    long = "".join(f"line {number}\n" for number in range(40))
    files = {"mod.py": long, "gone": "x\n", "old name": long + "end", "é/ü": "1\n", "run.sh": "true\n", "blank": ""}
    for name, content in files.items():
        (worktree / name).parent.mkdir(exist_ok=True)
        (worktree / name).write_text(content)
    _git(worktree, "add", "-A")
    _git(worktree, "commit", "-qm", "before")
    (worktree / "mod.py").write_text(long.replace("line 3\n", "three\n").replace("line 30\n", ""))
    (worktree / "gone").unlink()
    (worktree / "blank").unlink()
    (worktree / "sub").mkdir()
    (worktree / "old name").rename(worktree / "sub/new name")
    (worktree / "sub/new name").write_text(long.replace("line 9\n", "nine\n") + "end")
    (worktree / "é/ü").write_text("2\n")
    (worktree / "run.sh").chmod(0o755)
    (worktree / "empty").write_text("")
    (worktree / "tool").write_text("#!/bin/sh\n")
    (worktree / "tool").chmod(0o755)
    _git(worktree, "add", "-A")
    _git(worktree, "commit", "-qm", "after")
    want = _git(worktree, "rev-parse", "HEAD^{tree}")
    for text in (
        _git(worktree, "diff", "-M", "HEAD~", "HEAD"),
        _git(worktree, "diff", "--no-renames", "HEAD~", "HEAD"),
        _git(worktree, "format-patch", "--stdout", "-1"),
    ):
        _git(worktree, "checkout", "-q", "HEAD~")
        output = await apply(text)
        assert output.status == "ok", output.text
        _git(worktree, "add", "-A")
        assert _git(worktree, "write-tree") == want
        _git(worktree, "reset", "-q", "--hard")
        _git(worktree, "checkout", "-q", "-")


NUMBERS = "".join(f"{number}\n" for number in range(1, 21))


@pytest.mark.parametrize(
    ("before", "diff", "after"),
    [
        # the numbers are wrong, the counts too
        (NUMBERS, "--- a/f\n+++ b/f\n@@ -2,9 +2,1 @@\n 14\n-15\n+fifteen\n 16\n", NUMBERS.replace("15", "fifteen")),
        (NUMBERS, "--- f\n+++ f\n@@ -1,1 +1,1 @@\n 14\n-15\n+fifteen\n 16\n", NUMBERS.replace("15", "fifteen")),
        # no numbers at all
        (NUMBERS, "--- f\n+++ f\n@@ @@\n 14\n-15\n+fifteen\n", NUMBERS.replace("15", "fifteen")),
        (NUMBERS, "--- f\n+++ f\n@@\n-15\n+fifteen\n@@\n-17\n", NUMBERS.replace("15", "fifteen").replace("17\n", "")),
        # the nearest of equal places
        ("x\na\nx\nb\nx\n", "--- f\n+++ f\n@@ -3 +3 @@\n-x\n+y\n", "x\na\ny\nb\nx\n"),
        # a moved place shifts the hunks after it
        ("n\nn\nx\na\nx\n", "--- f\n+++ f\n@@ -2 +2 @@\n-a\n+A\n@@ -3 +3 @@\n-x\n+y\n", "n\nn\nx\nA\ny\n"),
        # a fence, a timestamp, carriage returns of the file
        ("a\r\nb\r\n", "```diff\n--- f\t2020-01-01\n+++ f\t2020-01-01\n@@ -1,2 +1,2 @@\n a\n-b\n+B\n```", "a\r\nB\r\n"),
        ("a\nb\n", "--- f\r\n+++ f\r\n@@ -1,2 +1,2 @@\r\n a\r\n-b\r\n+B\r\n", "a\nB\n"),
        ("a\nb", "--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\n+B\n", "a\nB"),
        ("a\nb", "--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+B\n", "a\nB\n"),
        ("a\nb\n", "--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\n+B\n\\ No newline at end of file\n", "a\nB"),
        # an empty context line that lost its space
        ("a\n\nb\n", "--- f\n+++ f\n@@ -1,3 +1,3 @@\n a\n\n-b\n+B\n", "a\n\nB\n"),
        ("a\n", "--- f.orig\n+++ f\n@@ -1 +1 @@\n-a\n+b\n", "b\n"),
    ],
)
async def test_diffs_of_models(apply, worktree: Path, before: str, diff: str, after: str) -> None:
    (worktree / "f").write_bytes(before.encode())
    output = await apply(diff)
    assert (output.status, output.text) == ("ok", "M f")
    assert (worktree / "f").read_bytes().decode() == after


async def test_several_plain_files(apply, worktree: Path) -> None:
    (worktree / "f").write_text("a\n")
    (worktree / "g").write_text("b\n")
    (worktree / "h").write_text("c\n")
    output = await apply(
        "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+A\n"
        "--- a/g\n+++ /dev/null\n@@ -1 +0,0 @@\n-b\n--- a/h\n+++ b/sub/h\n@@ -1 +1 @@\n-c\n+C\n"
    )
    assert output.text == "A new\nM f\nD g\nR h -> sub/h"
    assert (worktree / "new").read_text() == "n\n"
    assert (worktree / "sub/h").read_text() == "C\n"
    assert not (worktree / "g").exists() and not (worktree / "h").exists()


@pytest.mark.parametrize(
    ("diff", "words"),
    [
        ("hello", "changes no file"),
        ("@@ -1 +1 @@\n-a\n+b", "before the names"),
        ("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-z\n+b", "has no line `z`"),
        ("--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\nb\n-c", "a line of a hunk begins with"),
        ("--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@", "the hunk is empty"),
        ("--- a/f\n+++ b/f\n", "holds no hunk"),
        ("--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a", "does not delete"),
        ("--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x", "exists already"),
        ("--- a/../f\n+++ b/../f\n@@ -1 +1 @@\n-a\n+b", "leads out"),
        ("diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+/etc", "links"),
        ("diff --git a/x b/x\nindex 1..2\nBinary files a/x and b/x differ", "binary"),
        ("diff --git a/f b/.git/x\nrename from f\nrename to .git/x", "git"),
    ],
)
async def test_what_cannot_be_applied_changes_nothing(apply, worktree: Path, diff: str, words: str) -> None:
    (worktree / "f").write_text("a\nb\nc\n")
    first = "--- /dev/null\n+++ b/first\n@@ -0,0 +1 @@\n+x\n"
    output = await apply(first + diff if diff.startswith(("---", "diff")) else diff)
    assert output.status == "error" and words in output.text, output.text
    assert sorted(path.name for path in worktree.iterdir()) == [".git", "f"]
    assert (worktree / "f").read_text() == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"\xef\xbb\xbfa\nb\n", b"\xef\xbb\xbfa\nc\n"),
        (b"\xef\xbb\xbfa\nb\n", b"a\nb\n"),
        (b"a\nb\n", b"\xef\xbb\xbfa\nb\n"),
    ],
    ids=["stays", "goes", "comes"],
)
async def test_a_byte_order_mark_stands_in_the_first_line_of_a_diff(
    apply, worktree: Path, before: bytes, after: bytes
) -> None:
    (worktree / "f").write_bytes(before)
    _git(worktree, "add", "f")
    (worktree / "f").write_bytes(after)
    diff = _git(worktree, "diff")
    (worktree / "f").write_bytes(before)
    output = await apply(diff)
    assert (output.status, (worktree / "f").read_bytes()) == ("ok", after), output.text


async def test_a_plain_diff_of_folders(apply, worktree: Path, tmp_path: Path) -> None:
    """`diff -N` names no `/dev/null`: what is not there has the time 0; odd names are quoted before their time."""
    before = {"odd \tname": "a\n", "gone": "a\nb\n"}
    after = {"odd \tname": "b\n", "sub/come": "c\n"}
    for side, files in (("a", before), ("b", after)):
        for name, text in files.items():
            (tmp_path / side / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / side / name).write_text(text)
    for name, text in before.items():
        (worktree / name).write_text(text)
    made = subprocess.run(["diff", "-ruN", "a", "b"], cwd=tmp_path, capture_output=True, text=True, check=False)
    output = await apply(made.stdout)
    assert output.status == "ok", output.text
    found = {path.relative_to(worktree) for path in worktree.rglob("*") if path.is_file()}
    assert {str(name) for name in found if name.parts[0] != ".git"} == set(after)
    assert (worktree / "odd \tname").read_text() == "b\n"


async def test_a_file_that_is_as_old_as_time_is_changed(apply, worktree: Path) -> None:
    (worktree / "f").write_text("a\n")
    time = "1970-01-01 00:00:00.000000000 +0000"
    output = await apply(f"--- a/f\t{time}\n+++ b/f\t{time}\n@@ -1 +1 @@\n-a\n+b\n")
    assert (output.status, (worktree / "f").read_text()) == ("ok", "b\n"), output.text
