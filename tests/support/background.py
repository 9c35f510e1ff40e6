"""`ctl` in the background, as a person has it in a terminal while something else happens."""

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from harness import System


@contextmanager
def going(system: System, *words: str, cwd: Path, **env: str) -> Generator["subprocess.Popen[str]"]:
    """`ctl`, whose stdout and stderr come as one; ended at last."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "app.cli", *words],
        cwd=cwd,
        env=system.environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(process: "subprocess.Popen[str]", words: str) -> str:
    """The first line that holds `words`; fails when the process ends without it."""
    assert process.stdout
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return line
    raise AssertionError("".join(seen))


def comes_true(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether `condition` holds before the time is over; nothing tells when a process that is not ours ends."""
    deadline = monotonic() + seconds
    while not condition() and monotonic() < deadline:
        sleep(0.02)
    return condition()
