"""What the sandbox costs a command: `true` behind each back end, against `true` with nothing around it."""

import asyncio
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from app.tools.gate.sandbox import UNHELD, Mounts, Sandbox, probe
from app.tools.gate.sandbox.probing import landlock
from app.tools.process import run_command
from benchmarks.rows import Row

RUNS = 21


def _mounts(folder: Path) -> Mounts:
    root, private, worktree = folder / "repository", folder / "data" / "r.git", folder / "data" / "worktree"
    as_us = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (
        ("init", "-q", str(root)),
        ("-C", str(root), *as_us, "commit", "-q", "--allow-empty", "-m", "start"),
        ("clone", "-q", "--bare", "--shared", str(root), str(private)),
        (f"--git-dir={private}", "worktree", "add", "-q", "--detach", str(worktree)),
    ):
        subprocess.run(["git", *words], check=True, capture_output=True)
    git_dir = private / "worktrees" / "worktree"
    return Mounts(str(root), worktree, git_dir, private, (root / ".git" / "objects",), hidden=(folder / "data",))


async def _command(mounts: Mounts, sandbox: Sandbox) -> float:
    data = mounts.common_dir.parent
    times: list[float] = []
    for number in range(RUNS):
        done = await run_command(
            data=data,
            key=f"b{number}",
            argv=["true"],
            cwd=mounts.root,
            mounts=mounts,
            timeout=60,
            spool=data / "spool",
            sandbox=sandbox,
        )
        assert done.exit == 0, done.output
        times.append(done.seconds)
    return median(times)


async def _bare() -> float:
    times: list[float] = []
    for _ in range(RUNS):
        started = time.monotonic()
        await (await asyncio.create_subprocess_exec("true")).wait()
        times.append(time.monotonic() - started)
    return median(times)


async def measure() -> list[Row]:
    """A row for the bare command, and one for each back end that works here."""
    with tempfile.TemporaryDirectory() as folder:
        mounts = await asyncio.to_thread(_mounts, Path(folder))
        bare = await _bare()
        rows = [Row("true, bare", bare * 1000, "ms")]
        found = {"as tools run it": probe(), "Landlock alone": landlock(), "no wall, limits only": UNHELD}
        for words, sandbox in found.items():
            if sandbox.works or sandbox is UNHELD:
                taken = await _command(mounts, sandbox)
                limit = 150.0 if sandbox.backend == "bubblewrap" else None
                name = f"true, {words} ({sandbox.backend})"
                rows.append(Row(name, taken * 1000, "ms", limit=limit, note=f"{taken / bare:.0f} times a bare one"))
        return rows
