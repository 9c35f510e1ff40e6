import json
from pathlib import Path

import pytest

from app.tools.base import ToolContext
from app.tools.execute import execute

SOURCES = {
    "a.py": "def target(x):\n    return x\n\nclass A:\n    def go(self):\n        return target(1)  # target\n",
    "a.js": "function target(x) { return x }\ntarget(1)\n",
    "a.ts": "export function target(x: number): number { return x }\ntarget(1)\n",
    "a.tsx": "export function target(x: number) { return <b>{x}</b> }\ntarget(1)\n",
    "a.go": "package a\nfunc target(x int) int { return x }\nfunc b() { target(1) }\n",
    "a.rs": "fn target(x: i32) -> i32 { x }\nfn b() { target(1); }\n",
    "A.java": "class A {\n  int target(int x) { return x; }\n  int b() { return target(1); }\n}\n",
    "a.c": "int target(int x) { return x; }\nint b(void) { return target(1); }\n",
    "a.cpp": "int target(int x) { return x; }\nint b() { return target(1); }\n",
}


@pytest.mark.parametrize("name", SOURCES)
async def test_a_definition_and_a_call_are_told_apart(ctx: ToolContext, worktree: Path, name: str) -> None:
    (worktree / name).write_text(SOURCES[name])
    found = await execute("codesearch", json.dumps({"name": "target"}), ctx)
    lines = found.text.splitlines()
    assert [line.split()[0] for line in lines] == ["definition", "reference"], found.text
    assert all(name in line for line in lines)


async def test_kind_and_side_narrow_it_and_ignored_files_are_left_out(ctx: ToolContext, worktree: Path) -> None:
    (worktree / "a.py").write_text("class target:\n    pass\n\ndef other():\n    return target()\n")
    (worktree / "b.py").write_text("def target():\n    pass\n")
    (worktree / ".gitignore").write_text("b.py\n")
    found = await execute("codesearch", json.dumps({"name": "target", "find": "definitions"}), ctx)
    assert found.text == "definition class a.py:1: class target:"
    none = await execute("codesearch", json.dumps({"name": "target", "kind": "function"}), ctx)
    assert none.text.startswith("no such symbol")


async def test_broken_code_and_what_is_no_name(ctx: ToolContext, worktree: Path) -> None:
    (worktree / "a.py").write_bytes(b"def target(:\n  \xff\xff ((\ndef target(): pass\n")
    assert (await execute("codesearch", '{"name": "target"}', ctx)).status == "ok"
    refused = await execute("codesearch", '{"name": "a b"}', ctx)
    assert refused.status == "error" and "`grep`" in refused.text
