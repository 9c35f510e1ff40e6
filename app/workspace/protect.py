"""Which files a measure rests on, so that nobody meets a key result by changing the test."""

import re
import shlex
from collections.abc import Iterable
from functools import cache

from app.domain.okr import Judge, Measure
from app.workspace.changes import changed_files, kinds
from app.workspace.dependencies import normal
from app.workspace.git import Git

DEFAULTS = (
    *("**/tests/**", "**/test/**", "**/__tests__/**", "**/test_*.py", "**/*_test.py", "**/conftest.py"),
    *("**/*_test.go", "**/*.test.{js,ts,tsx,jsx,mjs,cjs}", "**/*.spec.*"),
    *("**/pyproject.toml", "**/setup.cfg", "**/setup.py", "**/pytest.ini", "**/tox.ini", "**/noxfile.py"),
    *("**/Makefile", "**/package.json", "**/jest.config.*", "**/vitest.config.*", "**/tsconfig*.json"),
    *("**/Cargo.toml", "**/build.rs", "**/go.mod", ".github/**", ".gitlab-ci.yml"),
)
"""Test folders and files, build and test configuration."""

_SHELLS = ("sh", "bash", "dash", "zsh")


def protected_changes(git: Git, approved: str, commit: str, measure: Measure, subdir: str = ".") -> tuple[str, ...]:
    """Protected files that `commit` added, changed or deleted since `approved`, sorted."""
    if isinstance(measure, Judge):
        return ()
    changed = changed_files(git, approved, commit)
    named = _named_in_argv(git, approved, measure.argv, normal(f"{subdir}/{measure.cwd}") or ".")
    globs = _globs(measure.protects, subdir) if measure.protects else DEFAULTS
    return tuple(sorted(path for path in changed if path in named or matches(path, globs)))


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether one of the globs names the path or a folder above it.

    `**` crosses folders, `*` and `?` do not, `{a,b}` is either; a glob without `/` names files anywhere.
    """
    return any(_pattern(glob).fullmatch(path) for glob in globs)


def _globs(globs: tuple[str, ...], subdir: str) -> list[str]:
    """As written, for the whole repository and for the run's folder."""
    plain = [glob.removeprefix("./") for glob in globs]
    return plain if subdir == "." else [*plain, *(f"{subdir}/{glob}" for glob in plain)]


def _named_in_argv(git: Git, approved: str, argv: tuple[str, ...], folder: str) -> set[str]:
    paths = {normal(f"{folder}/{word}") for word in _words(argv) if not word.startswith("/") and "\0" not in word}
    found = kinds(git, approved, (path for path in paths if path and path != "."))
    return {path for path, kind in found.items() if kind == "blob"}


def _words(argv: tuple[str, ...]) -> Iterable[str]:
    words = list(argv)
    if len(argv) > 2 and argv[0].rpartition("/")[2] in _SHELLS:
        words += [part for word in argv[1:] for part in _split(word)]
    for word in words:
        yield from (word, word.partition("::")[0], word.partition("=")[2])


def _split(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return text.split()


_TOKENS = re.compile(
    r"(?P<above>\*\*/)|(?P<deep>\*\*)|(?P<star>\*)|(?P<any>\?)|\{(?P<either>[^{}]*)\}|(?P<text>.)", re.S
)


@cache
def _pattern(glob: str) -> re.Pattern[str]:
    if "/" not in glob:
        glob = f"**/{glob}"
    parts = [_piece(match) for match in _TOKENS.finditer(glob.rstrip("/"))]
    return re.compile("".join(parts) + "(/.*)?", re.S)


def _piece(match: re.Match[str]) -> str:
    match match.lastgroup:
        case "above":
            return "(?:.*/)?"
        case "deep":
            return ".*"
        case "star":
            return "[^/]*"
        case "any":
            return "[^/]"
        case "either":
            return "(?:" + "|".join(map(re.escape, match["either"].split(","))) + ")"
        case _:
            return re.escape(match[0])
