"""Which files a measure rests on."""

import pytest
from workspace_desk import Desk

from app import workspace
from app.domain.okr import Command, Judge, Measure, TestCount
from app.workspace.protect import DEFAULTS, matches


@pytest.mark.parametrize(
    "path",
    [
        *("tests/x.txt", "tests/deep/er/x", "packages/a/tests/data.json", "src/test_x.py", "x_test.py", "a/b_test.go"),
        *("web/a.test.tsx", "a.spec.ts", "src/__tests__/a.js", "conftest.py", "a/conftest.py", "pyproject.toml"),
        *("pytest.ini", "Makefile", "package.json", "tsconfig.build.json", "Cargo.toml", "go.mod", ".github/w/a.yml"),
    ],
)
def test_defaults(path: str) -> None:
    assert matches(path, DEFAULTS)


@pytest.mark.parametrize("path", ["src/app.py", "testing.py", "contest.py", "latest/x.py", "README.md", "attest.go"])
def test_ordinary_files_are_free(path: str) -> None:
    assert not matches(path, DEFAULTS)


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("bench", "bench/a/b", True),
        ("bench/", "bench/a", True),
        ("*.json", "deep/x.json", True),
        ("/x", "x", False),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/deep/a.py", False),
        ("src/**/*.py", "src/a.py", True),
        ("a?c", "abc", True),
        ("a.{js,ts}", "a.ts", True),
        ("a.b", "axb", False),
        ("[x", "[x", True),
    ],
)
def test_globs(glob: str, path: str, expected: bool) -> None:
    assert matches(path, (glob,)) is expected


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (TestCount(argv=("pytest",)), ("conftest.py", "tests/test_a.py")),
        (Command(argv=("./bench.sh", "--data=data.csv")), ("bench.sh", "conftest.py", "data.csv", "tests/test_a.py")),
        (Command(argv=("sh", "-c", "cat data.csv|wc -l"), protects=("none",)), ("data.csv",)),
        (Command(argv=("python", "../bench.sh"), cwd="tests", protects=("none",)), ("bench.sh",)),
        (TestCount(argv=("pytest", "tests/test_a.py::test_x"), protects=("none",)), ("tests/test_a.py",)),
        (Command(argv=("true",), protects=("*.csv",)), ("data.csv",)),
        (Command(argv=("true", "new.txt", ".", "/etc/passwd", "../../x"), protects=("none",)), ()),
        (Judge(question="?"), ()),
    ],
)
def test_changed_added_and_deleted_files_that_a_measure_names(
    desk: Desk, measure: Measure, expected: tuple[str, ...]
) -> None:
    for name in ("bench.sh", "data.csv"):
        (desk.repo / name).write_text("1\n")
    ws = desk.prepare(include_dirty=True)
    tree = desk.tree(ws)
    (tree / "bench.sh").write_text("2\n")
    (tree / "data.csv").unlink()
    (tree / "tests" / "test_a.py").write_text("changed\n")
    (tree / "conftest.py").write_text("added\n")
    (tree / "new.txt").write_text("free\n")
    made = desk.commit(ws).commit
    git = workspace.private_git(desk.data, ws.run)
    assert workspace.protected_changes(git, ws.base, made, measure) == expected
