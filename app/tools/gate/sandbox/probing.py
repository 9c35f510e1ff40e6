"""Which back end holds a command on this machine: found by running one."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from itertools import combinations

from app.tools.gate.sandbox.bubblewrap import EXTRAS, bare, program
from app.tools.gate.sandbox.kinds import Sandbox, inner
from app.tools.gate.sandbox.landlock import LACKS

_ASK = "import runpy; m = runpy.run_path({path!r}); print(m['abi'](), int(m['can_filter']()))"


@cache
def probe() -> Sandbox:
    """The best back end that works here; asked once in a process."""
    if not sys.platform.startswith("linux"):
        return Sandbox(False, reason=f"there is none for {sys.platform} yet")
    bubble = bubblewrap()
    if bubble.works:
        return bubble
    alone = landlock()
    if alone.works:
        return replace(alone, reason=bubble.reason)
    return Sandbox(False, bubble.program, f"{bubble.reason}; {alone.reason}")


def bubblewrap() -> Sandbox:
    """Bubblewrap, with as many walls as it can have here."""
    version, _ = _kernel()
    bwrap = program()
    if not bwrap:
        return Sandbox(False, reason="`bwrap` is not installed (`apt install bubblewrap`)")
    words = ""
    for wall in sorted({min(version, 1), 0}, reverse=True):
        for count in range(len(EXTRAS), -1, -1):
            for extras in combinations(EXTRAS, count):
                words = _failure(bare(bwrap, extras, landlock=bool(wall)))
                if not words:
                    return Sandbox(True, bwrap, "", "bubblewrap", (), version * wall, extras)
    return Sandbox(False, bwrap, f"`{bwrap}` failed: {words}")


def landlock() -> Sandbox:
    """Landlock alone."""
    version, filters = _kernel()
    if version == 0:
        return Sandbox(False, reason="the kernel offers no Landlock")
    walls = ("--read", "/", "--write", "/dev/null", *(("--filter",) if filters else ()))
    if words := _failure([*inner(), "--supervise", *walls, "--", "true"]):
        return Sandbox(False, reason=f"Landlock failed: {words}")
    lacks = LACKS
    if not filters:
        lacks = ("the network", *lacks)
    if version < 6:
        lacks = ("signals to other processes", *lacks)
    return Sandbox(True, inner()[0], "", "landlock", lacks, version)


@cache
def _kernel() -> tuple[int, bool]:
    *start, file = inner()
    try:
        done = subprocess.run(
            [*start, "-c", _ASK.format(path=file)], capture_output=True, text=True, timeout=20, check=True
        )
        version, filters = done.stdout.split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0, False
    return int(version), filters == "1"


def _failure(argv: list[str]) -> str:
    """Why the command did not end well; empty when it did."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = os.fsdecode(done.stderr).strip().splitlines()
    return "" if done.returncode == 0 else (said[-1][:200] if said else f"exit {done.returncode}")
