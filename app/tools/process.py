"""Running one command: never two at once for a step, and nothing of it left when it is over.

The process waits at a gate (a shell that reads one line) until its pid and start time are journalled,
fsynced. So whoever comes after a killed worker knows that it started, and ends what is left of it. The
command leads a session of its own; inside the sandbox a PID namespace dies with it, and with us.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.stream.files import make_folder
from app.tools.gate.sandbox import UNHELD, Mounts, Sandbox, probe
from app.tools.gate.sandbox.launch import Order, end, forget, kill_left, launched, started
from app.tools.gate.sandbox.limits import reached

__all__ = ["SHELL", "SPOOL_LIMIT", "Finished", "cut_off", "forget", "kill_left", "run_command", "started"]

SHELL = ("sh", "-c", 'if command -v bash >/dev/null 2>&1; then exec bash -c "$0"; else exec sh -c "$0"; fi')
"""With a command behind it: runs that by bash, or by sh where there is no bash."""
SPOOL_LIMIT = 10 * 1024 * 1024
"""Bytes of output that are kept; what a command prints beyond them is counted and dropped."""
_LOOK = 1.0
"""Seconds between two looks at the free space of the disk."""


@dataclass(frozen=True)
class Finished:
    """How a command ended. `exit` None: it was killed at its timeout; below 0: by that signal.

    `notes`: sentences about limits that it reached and protected files that were put back.
    """

    exit: int | None
    output: str
    timed_out: bool
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def ending(self) -> str:
        """How it ended, of itself, in a few words."""
        by_signal = self.exit is None or self.exit < 0
        return f"killed by signal {-(self.exit or 0)}" if by_signal else f"exit code {self.exit}"


async def run_command(
    *,
    data: Path,
    key: str,
    argv: Sequence[str],
    cwd: str,
    mounts: Mounts,
    timeout: float,
    network: bool = False,
    sandboxed: bool = True,
    emit: Callable[[str], None] | None = None,
    spool: Path,
    sandbox: Sandbox | None = None,
    stdin: bytes | None = None,
) -> Finished:
    """Runs `argv` at `cwd` (a path below `mounts.root`) and returns its end; stdout and stderr are one text.

    `key` names the step for `kill_left` and `started`. `timeout`: seconds; at its end the whole process
    group is killed. Cancelling kills it too, and waits until nothing is left. `sandbox`: the back end, by
    default the best. Call it from the event loop's own thread: the kernel ends the sandbox with the thread
    that started it.
    """
    began = time.monotonic()
    make_folder(spool.parent, below=data)
    if sandbox is None:
        sandbox = probe() if sandboxed else UNHELD
    order = Order(data, key, tuple(argv), cwd, mounts, network, sandbox, stdin)
    async with launched(order) as running:
        process = running.process
        reading = asyncio.create_task(_read(process, spool, emit))
        room = asyncio.create_task(_disk_full(data, mounts.settings.free_disk))
        waiting = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({waiting, room}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            full = room.done() and not waiting.done()
            timed_out = not waiting.done() and not full
        finally:
            room.cancel()
        await end(process, supervised=running.supervised)  # what the command left behind
        await waiting
        with suppress(TimeoutError):  # a grandchild that left the session may still hold the pipe
            await asyncio.wait_for(reading, 2.0)
        code = None if timed_out else process.returncode
        output = _text(spool)
        notes = reached(mounts.settings, code, output, running.cgroups)
    if full:
        notes = (f"it was killed because the disk of `{data}` is almost full (`[sandbox] free_disk`)", *notes)
    return Finished(code, output, timed_out, time.monotonic() - began, (*notes, *running.notes))


async def cut_off(*, data: Path, key: str, spool: Path) -> str:
    """Ends what is left of a killed worker's command; what it had printed until then."""
    notes = await asyncio.to_thread(kill_left, data, key)
    return "\n".join((_text(spool), *notes)) if notes else _text(spool)


async def _disk_full(data: Path, least: int) -> None:
    """Returns when the disk has less than `least` bytes for us."""
    while True:
        space = os.statvfs(data)
        if space.f_bavail * space.f_frsize < least:
            return
        await asyncio.sleep(_LOOK)


async def _read(process: asyncio.subprocess.Process, spool: Path, emit: Callable[[str], None] | None) -> None:
    assert process.stdout
    kept = 0
    with spool.open("wb", buffering=0) as file:
        while chunk := await process.stdout.read(64 * 1024):
            if kept < SPOOL_LIMIT:
                file.write(chunk[: SPOOL_LIMIT - kept])
            kept += len(chunk)
            if emit is not None:
                emit(chunk.decode(errors="replace"))
        if kept > SPOOL_LIMIT:
            file.write(f"\n[{kept - SPOOL_LIMIT} more bytes were printed and not kept]\n".encode())


def _text(spool: Path) -> str:
    try:
        return spool.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return ""
