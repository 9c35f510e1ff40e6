"""The parts of workflows, which the sandbox does not watch, import nothing that is not pure, and keep nothing."""

import ast
from pathlib import Path

import pytest

import workflows.parts

PURE = {
    "abc", "asyncio", "collections", "collections.abc", "contextlib", "dataclasses", "datetime", "enum", "functools",
    "hashlib", "itertools", "json", "math", "re", "typing", "app.domain", "temporalio", "workflows.parts",
}  # fmt: skip
OURS = ("app.domain.", "temporalio.", "workflows.parts.")
"""Modules that read no clock, randomness, environment or file; `datetime` but for what reads the clock."""
IMPURE = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "asyncio.to_thread", "open", "id", "hash"}
FILES = sorted(Path(workflows.parts.__file__).parent.glob("*.py"))


def imported(tree: ast.Module) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_part_is_pure(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    known = PURE | {
        name for name in imported(tree) if name.startswith(("app.domain.", "temporalio.", "workflows.parts."))
    }
    assert imported(tree) <= known
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Call) and ast.unparse(node.func) in IMPURE), ast.unparse(node)
        assert not isinstance(node, ast.Global), "a part keeps nothing"
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            assert (
                not isinstance(node.value, ast.List | ast.Dict | ast.Set) or ast.unparse(node).split(" ")[0].isupper()
            )


def test_there_are_parts() -> None:
    assert len(FILES) > 10
