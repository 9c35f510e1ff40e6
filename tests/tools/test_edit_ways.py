"""`edit` finds a piece of text that a model wrote nearly right, says how, and never the wrong one."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app.tools.base import Output, ToolContext
from app.tools.execute import execute


async def edit(ctx: ToolContext, old: str, new: str, path: str = "a.py", **more: Any) -> Output:
    return await execute("edit", json.dumps({"path": path, "old": old, "new": new, **more}), ctx)


@pytest.mark.parametrize(
    ("before", "old", "new", "after", "way"),
    [
        ("a = 1\nb = 2\n", "a = 1", "a = 3", "a = 3\nb = 2\n", ""),
        ("a = 1  \nb = 2\n", "a = 1\nb = 2", "a = 1\nb = 3", "a = 1  \nb = 3\n", "lines trimmed"),
        (
            "class A:\n    def f(self):\n        return 1\n",
            "def f(self):\n    return 1\n",
            "def f(self):\n    x = 2\n    return x\n",
            "class A:\n    def f(self):\n        x = 2\n        return x\n",
            "lines trimmed",
        ),
        (
            "if a:\n\tgo()\n\tstop()\n",
            "    go()\n    stop()",
            "    go()\n    wait()\n    stop()",
            "if a:\n\tgo()\n\twait()\n\tstop()\n",
            "lines trimmed",
        ),
        (
            "if a:\n  x()\n  y()\nif b:\n  x():\n    y()\n  x()\n    y()\n",
            "    x()\n      y()",
            "    x()\n      z()",
            "if a:\n  x()\n  y()\nif b:\n  x():\n    y()\n  x()\n    z()\n",
            "indentation apart",
        ),
        ("f(a,   b)\ng()\n", "f(a, b)\ng()", "f(b, a)\ng()", "f(b, a)\ng()\n", "spaces apart"),
        (
            "def f():\n    first = one\n    second = two\n    third = 3\n    return first\n",
            "def f():\n    first = one\n    second = two\n    third = 4\n    return first\n",
            "def f():\n    return 0\n",
            "def f():\n    return 0\n",
            "first and last line",
        ),
    ],
)
async def test_a_unique_match_is_taken_and_named(
    ctx: ToolContext, worktree: Path, before: str, old: str, new: str, after: str, way: str
) -> None:
    (worktree / "a.py").write_text(before)
    done = await edit(ctx, old, new)
    assert (done.status, (worktree / "a.py").read_text()) == ("ok", after), done.text
    assert ("matched with " + way in done.text) if way else ("matched" not in done.text)


@pytest.mark.parametrize(
    ("before", "old"),
    [
        ("  a()\n  b()\nif x:\n    a()\n    b()\n", "a()\nb()\n"),
        ("def f():\n    one\n    two\n    return 1\n", "def f():\n    wholly\n    different\n    return 1\n"),
        ("a\n", "b"),
        ("a\n", "   "),
    ],
)
async def test_what_fits_twice_or_too_little_changes_nothing(
    ctx: ToolContext, worktree: Path, before: str, old: str
) -> None:
    (worktree / "a.py").write_text(before)
    refused = await edit(ctx, old, "new")
    assert refused.status == "error" and "exactly" in refused.text
    assert (worktree / "a.py").read_text() == before


async def test_mixed_endings_stay_where_they_are(ctx: ToolContext, worktree: Path) -> None:
    (worktree / "a.py").write_bytes(b"one\r\ntwo\nthree\r\nfour\r\n")
    assert (await edit(ctx, "two\nthree\n", "2\n3\n")).status == "ok"
    assert (worktree / "a.py").read_bytes() == b"one\r\n2\n3\nfour\r\n"


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"), ("utf-16-le", b"")],
)
async def test_encoding_mark_endings_and_mode_are_kept(
    ctx: ToolContext, worktree: Path, encoding: str, mark: bytes
) -> None:
    file = worktree / "a.py"
    file.write_bytes(mark + "größe = 1\r\nweiter = 2\r\n".encode(encoding))
    file.chmod(0o755)
    assert (await execute("read", '{"path": "a.py"}', ctx)).text == "1\tgröße = 1\n2\tweiter = 2"
    assert (await edit(ctx, "größe = 1\n", "größe = 3\nlänge = 4\n")).status == "ok"
    assert file.read_bytes() == mark + "größe = 3\r\nlänge = 4\r\nweiter = 2\r\n".encode(encoding)
    assert file.stat().st_mode & 0o777 == 0o755


async def test_latin_1_is_read_and_what_it_cannot_hold_is_refused(context, worktree: Path) -> None:
    file = worktree / "a.py"
    file.write_bytes("# Straße, Größe, Käse und Öl für die Übung\nx = 1\n".encode("latin-1"))
    assert "Straße, Größe" in (await execute("read", '{"path": "a.py"}', context())).text
    assert (await edit(context(), "x = 1", "x = 'ü'")).status == "ok"
    assert file.read_bytes().endswith("x = 'ü'\n".encode("latin-1"))
    before = file.read_bytes()
    refused = await edit(context(step_id="t/2"), "x = ", "日本 = ")
    assert refused.status == "error" and "has no sign for" in refused.text and file.read_bytes() == before


async def test_stray_bytes_in_utf_8_survive(ctx: ToolContext, worktree: Path) -> None:
    (worktree / "a.py").write_bytes("äöü ".encode() + b"\xff\nx = 1\n")
    assert (await edit(ctx, "x = 1", "x = 2")).status == "ok"
    assert (worktree / "a.py").read_bytes() == "äöü ".encode() + b"\xff\nx = 2\n"


@pytest.mark.parametrize("tool", ["edit", "multiedit", "write"])
async def test_a_file_that_changed_since_it_was_read_is_refused(context, worktree: Path, tool: str) -> None:
    (worktree / "a.py").write_text("x = 1\n")
    read = await execute("read", '{"path": "a.py"}', context())
    arguments = {
        "edit": {"path": "a.py", "old": "x", "new": "y"},
        "multiedit": {"path": "a.py", "edits": [{"old": "x", "new": "y"}]},
        "write": {"path": "a.py", "content": "y = 1\n"},
    }[tool]
    (worktree / "a.py").write_text("x = 2\n")
    refused = await execute(tool, json.dumps(arguments), context(seen=read.seen.get))
    assert refused.status == "error" and "read it again" in refused.text
    assert (worktree / "a.py").read_text() == "x = 2\n"
    again = await execute("read", '{"path": "a.py"}', context())
    done = await execute(tool, json.dumps(arguments), context(seen=again.seen.get, step_id="t/2"))
    assert done.status == "ok"
    assert done.seen == {"a.py": sha256((worktree / "a.py").read_bytes()).hexdigest()}
