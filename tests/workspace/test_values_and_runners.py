"""What runners and commands print, and what is read from it."""

import pytest

from app.domain.okr import Command, TestCount
from app.workspace.runners import Counts, count
from app.workspace.values import middle, value_of

OUTPUTS = {
    "pytest": ("x\n=== short ===\nFAILED a\n=== 3 failed, 5 passed, 1 error in 0.12s ===\n", Counts(4, 5)),
    "pytest -q": ("..F\n1 failed, 2 passed, 1 xfailed, 3 warnings in 1.20s\n", Counts(1, 2)),
    "pytest minutes": ("==== 2 passed, 1 skipped in 75.01s (0:01:15) ====\n", Counts(0, 2)),
    "pytest colours": ("\x1b[31m\x1b[1m1 failed\x1b[0m, \x1b[32m2 passed\x1b[0m in 0.02s\x1b[0m\n", Counts(1, 2)),
    "pytest errors": ("!!! Interrupted: 2 errors during collection !!!\n==== 2 errors in 0.20s ====\n", Counts(2, 0)),
    "pytest none": ("==== no tests ran in 0.01s ====\n", Counts(0, 0)),
    "pytest twice": ("1 passed in 0.1s\n1 failed, 1 passed in 0.1s\n", Counts(1, 2)),
    "unittest": ("F\nRan 12 tests in 0.1s\n\nFAILED (failures=2, errors=1, skipped=1)\n", Counts(3, 8)),
    "unittest ok": ("....\nRan 4 tests in 0.1s\n\nOK (skipped=1, expected failures=1)\n", Counts(0, 2)),
    "unittest none": ("\nRan 0 tests in 0.000s\n\nNO TESTS RAN\n", Counts(0, 0)),
    "go": (
        "--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/x (0.00s)\nFAIL\tex/a\t0.1s\nok  \tex/b\t0.1s\n",
        Counts(1, None),
    ),
    "go -v": ("--- PASS: TestA (0.00s)\n--- FAIL: TestB (0.00s)\nFAIL\nFAIL\tex/a\t0.1s\n", Counts(1, 1)),
    "go ok": ("ok  \tex/a\t(cached)\n?   \tex/b\t[no test files]\n", Counts(0, None)),
    "go build": ("# ex/a\n./a.go:1: bad\nFAIL\tex/a [build failed]\nFAIL\n", Counts(1, 0)),
    "go panic": ("panic: x\nFAIL\tex/a\t0.004s\nFAIL\n", Counts(1, 0)),
    "cargo": (
        "test a ... ok\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
        "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        Counts(1, 5),
    ),
    "nextest": ("     Summary [   0.012s] 4 tests run: 3 passed, 1 failed, 0 skipped\n", Counts(1, 3)),
    "jest": ("Test Suites: 1 failed, 1 passed, 2 total\nTests:       1 failed, 4 passed, 5 total\n", Counts(1, 4)),
    "jest broken file": ("Test Suites: 1 failed, 1 passed, 2 total\nTests:       4 passed, 4 total\n", Counts(1, 4)),
    "vitest": (" Test Files  1 failed | 1 passed (2)\n      Tests  1 failed | 4 passed (5)\n", Counts(1, 4)),
    "node": (
        "TAP version 13\nok 1 - a\nnot ok 2 - b\n1..2\n# pass 3\n# fail 1\n# cancelled 0\n",
        Counts(1, 3),
    ),
    "node spec": ("ℹ tests 4\nℹ pass 4\nℹ fail 0\n", Counts(0, 4)),
    "mocha": ("\n  4 passing (10ms)\n  1 failing\n", Counts(1, 4)),
    "tap": ("1..5\nok 1 - a\nnot ok 2 - b\nok 3 # SKIP\nnot ok 4 # TODO later\n", Counts(2, 1)),
    "nothing": ("hello\n", None),
    "a mention": ("I saw 3 failed, 5 passed yesterday\nok then\n", None),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_runners_summary(name: str) -> None:
    output, expected = OUTPUTS[name]
    assert count(output) == expected
    assert count(output.replace("\n", "\r\n")) == expected


def number(output: str) -> float | None:
    return value_of(Command(argv=("x",)), 0, output, False).number


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("12", 12.0),
        ("a 1 b 2", 2.0),
        ("-3.5", -3.5),
        ("x=-.5", -0.5),
        ("1.5e-3 s", 0.0015),
        ("87%", 87.0),
        ("12ms", 12.0),
        ("p95", None),
        ("v1.2.3", None),
        ("on 2024-01-02", 2.0),
        ("\x1b[31m7\x1b[0m", 7.0),
        ("1e999", None),
        ("none", None),
    ],
)
def test_the_last_number(output: str, expected: float | None) -> None:
    assert number(output) == expected


@pytest.mark.parametrize(
    ("pattern", "output", "expected"),
    [
        (r"\d+ lines", "3 lines", None),
        (r"^n=(.*)$", "n=1\nn=2\n", 2.0),
        (r"\d+", "1 2 3", 3.0),
        (r"(x)?\d", "4", None),
        (r"(a+)+$", "a" * 60 + "b", None),
    ],
)
def test_patterns(pattern: str, output: str, expected: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.workspace.values.SEARCH_TIMEOUT", 2.0)
    value = value_of(Command(argv=("x",), read="regex", pattern=pattern), 0, output, False)
    assert value.number == expected and bool(value.problem) == (expected is None)


@pytest.mark.parametrize(
    ("counts", "exit", "output", "expected"),
    [
        ("failed", 1, "2 failed, 1 passed in 0.1s", 2.0),
        ("passed", 1, "2 failed, 1 passed in 0.1s", 1.0),
        ("failed", 0, "1 passed in 0.1s", 0.0),
        ("failed", 2, "1 passed in 0.1s", "no test failed, but it ended with exit 2"),
        ("failed", 0, "3 skipped in 0.1s", "it ran no test"),
        ("passed", 0, "ok  \tex/a\t0.1s", "it does not say how many"),
        ("failed", 2, "error: could not compile", "no test runner's summary"),
        ("failed", -9, "1 passed in 0.1s", "it was ended by a signal (9)"),
    ],
)
def test_test_counts(counts: str, exit: int, output: str, expected: float | str) -> None:
    value = value_of(TestCount.model_validate({"argv": ("x",), "counts": counts}), exit, output, False)
    if isinstance(expected, str):
        assert value.number is None and value.problem.startswith(expected)
    else:
        assert value.number == expected


def test_the_median_and_its_spread() -> None:
    assert middle([4.0]) == (4.0, 0.0)
    assert middle([5.0, 1.0, 3.0, 2.0, 4.0]) == (3.0, 1.0)
