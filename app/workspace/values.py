"""From what a command left behind to a value, or to the sentence that says why there is none."""

import json
import math
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass

from app.domain.okr import Command, TestCount
from app.workspace.runners import count

SEARCH_TIMEOUT = 10.0
"""Seconds for a pattern: a model wrote it, and some patterns never end."""

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CANNOT_RUN = (126, 127)


@dataclass(frozen=True)
class Value:
    """`number` None: `problem` says why."""

    number: float | None = None
    problem: str = ""


def value_of(measure: Command | TestCount, exit: int | None, output: str, timed_out: bool) -> Value:
    """The value that the measure reads from one run of its command."""
    if timed_out:
        return Value(problem=f"it did not end within {measure.timeout:g} s")
    if exit is None or exit < 0:
        return Value(problem="it was ended by a signal" + (f" ({-exit})" if exit else ""))
    if exit in _CANNOT_RUN:
        return Value(problem=f"the command cannot be run (exit {exit}): {last_line(output)}")
    text = _ESCAPES.sub("", output)
    if isinstance(measure, TestCount):
        return _tests(measure, exit, text)
    match measure.read:
        case "exit":
            return Value(float(exit))
        case "last_number":
            return _last_number(text)
        case "regex":
            return _search(measure.pattern, text)


def middle(numbers: list[float]) -> tuple[float, float]:
    """The median, and half the distance between the quartiles (0 for one number)."""
    if len(numbers) < 2:
        return numbers[0], 0.0
    low, _, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return statistics.median(numbers), (high - low) / 2


def last_line(output: str) -> str:
    """The last line that says something, at most 200 characters."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it printed nothing"


def _tests(measure: TestCount, exit: int, output: str) -> Value:
    counts = count(output)
    if counts is None:
        return Value(problem=f"no test runner's summary in its output (exit {exit}): {last_line(output)}")
    if counts.failed == 0 and exit != 0:
        return Value(problem=f"no test failed, but it ended with exit {exit}: {last_line(output)}")
    if counts.failed == 0 and counts.passed == 0:
        return Value(problem=f"it ran no test: {last_line(output)}")
    if measure.counts == "failed":
        return Value(float(counts.failed))
    if counts.passed is None:
        return Value(problem="it does not say how many tests passed; add `-v` to `go test`")
    return Value(float(counts.passed))


def _last_number(output: str) -> Value:
    found = _NUMBER.findall(output)
    return _finite(found[-1]) if found else Value(problem="it printed no number")


def _finite(text: str) -> Value:
    try:
        number = float(text)
    except ValueError:
        return Value(problem=f"the pattern found `{text[:80]}`, which is no number")
    return Value(number) if math.isfinite(number) else Value(problem=f"`{text[:80]}` is not a finite number")


_SEARCHER = """
import json, re, sys
pattern, text = json.load(sys.stdin)
found = None
for found in re.finditer(pattern, text, re.M): pass
print(json.dumps(None if found is None else found[1 if found.re.groups else 0]))
"""


def _search(pattern: str, output: str) -> Value:
    try:
        re.compile(pattern)
    except re.error as error:
        return Value(problem=f"the pattern `{pattern[:200]}` is not valid: {error}")
    argv = [sys.executable, "-I", "-c", _SEARCHER]
    words = json.dumps([pattern, output])
    try:
        done = subprocess.run(argv, input=words, capture_output=True, text=True, timeout=SEARCH_TIMEOUT, check=True)
    except subprocess.SubprocessError:
        return Value(problem=f"the pattern `{pattern[:200]}` takes too long to search for")
    found = json.loads(done.stdout)
    return Value(problem=f"nothing matches the pattern `{pattern[:200]}`") if found is None else _finite(found)
