"""How many tests failed and passed, read from what the usual test runners print.

Each reader returns None when the output is not its runner's. A runner that is called several times
(several packages, several environments) adds up.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Errors count as failed. `passed` None: the runner names no passed tests (`go test` without `-v`)."""

    failed: int
    passed: int | None


def count(output: str) -> Counts | None:
    """The counts of the first runner that the output fits; None when it fits none."""
    lines = [_plain(line) for line in output.splitlines()]
    for reader in _READERS:
        if (found := reader(lines)) is not None:
            return found
    return None


_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _plain(line: str) -> str:
    return _ESCAPES.sub("", line).rstrip()


def _words(text: str) -> dict[str, int]:
    """`3 failed, 5 passed` or `1 failed | 4 passed` as a mapping."""
    return {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", text)}


_PYTEST = re.compile(r"=*\s*((?:\d+ [a-z]+(?:, )?)+|no tests ran) in [\d.:]+\s?s?(?: \([\d:]+\))?\s*=*")


def _pytest(lines: list[str]) -> Counts | None:
    found = [_words(match[1]) for line in lines if (match := _PYTEST.fullmatch(line))]
    if not found:
        return None
    failed = sum(words.get(name, 0) for words in found for name in ("failed", "error", "errors"))
    return Counts(failed, sum(words.get("passed", 0) for words in found))


_RAN = re.compile(r"Ran (\d+) tests? in .*")
_ENDED = re.compile(r"(OK|FAILED|NO TESTS RAN)(?: \((.*)\))?")


def _unittest(lines: list[str]) -> Counts | None:
    ran, failed, passed, seen = 0, 0, 0, False
    for line in lines:
        if match := _RAN.fullmatch(line):
            ran = int(match[1])
        elif (match := _ENDED.fullmatch(line)) and ran >= 0:
            seen = True
            named = {name.strip(): int(number) for name, number in re.findall(r"([a-z ]+)=(\d+)", match[2] or "")}
            bad = sum(named.get(name, 0) for name in ("failures", "errors", "unexpected successes"))
            failed += bad
            passed += max(0, ran - bad - named.get("skipped", 0) - named.get("expected failures", 0))
            ran = -1
    return Counts(failed, passed) if seen and any(_RAN.fullmatch(line) for line in lines) else None


_CARGO = re.compile(r"test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed;.*")
_NEXTEST = re.compile(r"\s*Summary \[.*?\]\s+\d+(?:/\d+)? tests? run: (.*)")


def _cargo(lines: list[str]) -> Counts | None:
    results = [match for line in lines if (match := _CARGO.fullmatch(line))]
    if results:
        return Counts(sum(int(match[2]) for match in results), sum(int(match[1]) for match in results))
    summaries = [_words(match[1]) for line in lines if (match := _NEXTEST.fullmatch(line))]
    if not summaries:
        return None
    failed = sum(words.get(name, 0) for words in summaries for name in ("failed", "timed"))
    return Counts(failed, sum(words.get("passed", 0) for words in summaries))


_GO_PACKAGE = re.compile(r"(ok|FAIL)\s+\S+\s+(?:[\d.]+s|\(cached\)|\[.*\]).*")


def _go(lines: list[str]) -> Counts | None:
    packages = [match for line in lines if (match := _GO_PACKAGE.fullmatch(line))]
    if not packages:
        return None
    failed = sum(line.startswith("--- FAIL: ") for line in lines)
    passed = sum(line.startswith("--- PASS: ") for line in lines)
    broken = sum(match[1] == "FAIL" and ("[" in match[0]) for match in packages)  # [build failed], [setup failed]
    crashed = sum(match[1] == "FAIL" for match in packages) if failed + broken == 0 else 0
    silent = passed == 0 and any(match[1] == "ok" and "no tests to run" not in match[0] for match in packages)
    return Counts(failed + broken + crashed, None if silent else passed)


_JEST = re.compile(r"Tests:\s+(.*\d+ total)")
_VITEST = re.compile(r"\s*Tests\s+(.*) \(\d+\)")


def _jest(lines: list[str]) -> Counts | None:
    tests = [_words(match[1]) for line in lines if (match := _JEST.fullmatch(line) or _VITEST.fullmatch(line))]
    suites = [_words(line) for line in lines if re.match(r"\s*(?:Test Suites:|Test Files)\s+.*\d", line)]
    errors = sum(int(match[1]) for line in lines if (match := re.fullmatch(r"\s*Errors\s+(\d+) errors?", line)))
    if not tests and not suites:
        return None
    failed = sum(words.get("failed", 0) for words in tests)
    failed = failed or sum(words.get("failed", 0) for words in suites)  # a file that could not even be loaded
    return Counts(failed + errors, sum(words.get("passed", 0) for words in tests))


_NODE = re.compile(r"(?:#|ℹ) (pass|fail|cancelled) (\d+)")


def _node(lines: list[str]) -> Counts | None:
    found = [match for line in lines if (match := _NODE.fullmatch(line))]
    if not any(match[1] == "pass" for match in found):
        return None
    failed = sum(int(match[2]) for match in found if match[1] != "pass")
    return Counts(failed, sum(int(match[2]) for match in found if match[1] == "pass"))


_MOCHA = re.compile(r"\s+(\d+) (passing|failing)(?: \(.*\))?")


def _mocha(lines: list[str]) -> Counts | None:
    found = [match for line in lines if (match := _MOCHA.fullmatch(line))]
    if not found:
        return None
    total = {word: sum(int(match[1]) for match in found if match[2] == word) for word in ("passing", "failing")}
    return Counts(total["failing"], total["passing"])


_TAP = re.compile(r"(ok|not ok)\b(?:\s+\d+)?(.*)")
_PLAN = re.compile(r"1\.\.(\d+)(?:\s*#.*)?")


def _tap(lines: list[str]) -> Counts | None:
    plans = [int(match[1]) for line in lines if (match := _PLAN.fullmatch(line))]
    if not plans:
        return None
    results = [match for line in lines if (match := _TAP.fullmatch(line))]
    spared = [bool(re.search(r"#\s*(?:todo|skip)", match[2], re.I)) for match in results]
    failed = sum(match[1] == "not ok" and not spare for match, spare in zip(results, spared, strict=True))
    passed = sum(match[1] == "ok" and not spare for match, spare in zip(results, spared, strict=True))
    missing = max(0, sum(plans) - len(results))
    return Counts(failed + missing + any(line.startswith("Bail out!") for line in lines), passed)


_READERS: tuple[Callable[[list[str]], Counts | None], ...] = (
    _pytest,
    _cargo,
    _go,
    _jest,
    _unittest,
    _node,
    _mocha,
    _tap,
)
