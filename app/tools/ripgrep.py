"""Our calls of ripgrep: never anybody's configuration, never git's own files."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from app.tools.base import ToolContext, ToolError
from app.tools.paths import composed, sensitive, shown

_OPTIONS = ("--no-config", "--color=never", "--hidden", "--no-ignore-global", "--no-messages", "--no-follow")


@lru_cache(maxsize=1)
def program() -> str:
    """The path of rg: ours before the system's. Raises `ToolError` without one."""
    found = shutil.which("rg", path=str(Path(sys.executable).parent)) or shutil.which("rg")
    if found is None:
        raise ToolError("`rg` is not installed; install it with `pip install ripgrep`")
    return found


def files(ctx: ToolContext, folder: Path, pattern: str = "") -> list[str]:
    """Paths below `folder`, sorted, without those that git ignores or that hold secrets.

    With a pattern, those that match it. An rg pattern alone would bring ignored files back: one of names
    alone is asked as a file type, which does not; any other is held against the names of one walk, but for
    one that only rg's automata match in bounded time: that takes the intersection of two.
    Raises `ToolError` for a pattern that is none.
    """
    name = pattern.removeprefix("**/")
    if not pattern:
        found = _listed(folder, ())
    elif "/" not in name and name.replace("*", "") and name.isascii():
        found = _listed(folder, (f"--type-add=wanted:{name}", "--type=wanted"))
    else:
        if set(pattern) & set("[]{}\\"):  # else nothing can be wrong with it
            _listed(folder, ("--max-depth=0", "--glob", pattern))  # rg says what is, and walks nowhere
        every = _listed(folder, ())
        found = _matching(every, pattern) if _simple(pattern) else every & _listed(folder, ("--glob", pattern))
    return sorted(path for path in found if ctx.allowed or not sensitive(path))


def _simple(pattern: str) -> bool:
    """Whether wcmatch, which backtracks and spells braces out, matches it at once and as rg does."""
    stars = pattern.replace("**", "").count("*")
    return stars <= 4 and pattern.count("**") <= 2 and pattern.count("{") <= 2 and ".." not in pattern


def _matching(paths: Iterable[str], pattern: str) -> set[str]:
    """Those that match as git's patterns do: without a slash by name alone, else from the top; `é` in any form."""
    from wcmatch import glob

    anchored = "/" in pattern.rstrip("/")
    wanted = composed(pattern.removeprefix("/") if anchored else f"**/{pattern}")
    flags = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.FORCEUNIX
    match = glob.compile(wanted, flags=flags).match
    return {path for path in paths if match(composed(path))}


@contextmanager
def lines(folder: Path, arguments: Sequence[str]) -> Generator[Iterator[bytes]]:
    """Output lines of rg in `folder`; it is killed when the block ends early.

    The last two arguments are `--` and the place. Raises `ToolError` when rg refuses the pattern.
    """
    command = [program(), *_OPTIONS, *arguments[:-2], "--glob=!.git", *arguments[-2:]]
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    finished = False
    try:
        assert process.stdout is not None and process.stderr is not None
        yield iter(process.stdout)
        finished = not process.stdout.read(1)
        said = process.stderr.read().decode(errors="replace") if finished else ""
        if said and process.wait() > 1:
            raise ToolError(_sentence(said))
    finally:
        if not finished:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def located(ctx: ToolContext, folder: Path, found: Sequence[str]) -> list[str]:
    """Paths of rg's output, which follow no link, as the model writes them."""
    place = shown(ctx, folder)
    return list(found) if place == "." else [f"{place}/{path}" for path in found]


def _listed(folder: Path, options: tuple[str, ...]) -> set[str]:
    with lines(folder, ("--files", "--null", *options, "--", ".")) as output:
        names = b"".join(output).split(b"\0")
    return {os.fsdecode(name.removeprefix(b"./")) for name in names if name}


def _sentence(stderr: str) -> str:
    if "is not allowed in a regex" in stderr:
        return "the pattern holds a line feed, but lines are searched one by one; search for a part of one line"
    said = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    what = (errors or said or ["it failed without a word"])[-1].removeprefix("rg: ")
    return f"the pattern is not understood: {what}; escape special characters with a backslash"
