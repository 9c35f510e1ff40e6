"""Running one command: never two at once for a step, and nothing of it left when it is over.

The process waits at a gate (a shell that reads one line) until its pid and start time are journalled,
fsynced. So whoever comes after a killed worker knows that it started, and ends what is left of it. The
command leads a session of its own; inside the sandbox a PID namespace dies with it, and with us.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.pids import boot_id, start_time
from app.stream.files import make_folder, replace_file, safe_name
from app.tools.gate.sandbox import Mounts, alternates_of, environment, wrap

SPOOL_LIMIT = 10 * 1024 * 1024
"""Bytes of output that are kept; what a command prints beyond them is counted and dropped."""
_GATE = 'read -r go || exit 125; exec "$@" </dev/null'
_FED = 'read -r go || exit 125; exec "$@"'


@dataclass(frozen=True)
class Finished:
    """How a command ended. `exit` None: it was killed at its timeout; below 0: by that signal."""

    exit: int | None
    output: str
    timed_out: bool
    seconds: float


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
    stdin: bytes | None = None,
) -> Finished:
    """Runs `argv` at `cwd` (a path below `mounts.root`) and returns its end; stdout and stderr are one text.

    `key` names the step for `kill_left` and `started`. `timeout`: seconds; at its end the whole process
    group is killed. Cancelling kills it too, and waits until nothing is left. Call it from the event
    loop's own thread: the kernel ends the sandbox with the thread that started it.
    """
    began = time.monotonic()
    make_folder(spool.parent, below=data)
    async with _started(
        data, key, argv, cwd=cwd, mounts=mounts, network=network, sandboxed=sandboxed, stdin=stdin
    ) as process:
        reading = asyncio.create_task(_read(process, spool, emit))
        timed_out = False
        try:
            async with asyncio.timeout(timeout):
                await process.wait()
        except TimeoutError:
            timed_out = True
        _kill_group(process.pid)  # what the command left behind
        await process.wait()
        with suppress(TimeoutError):  # a grandchild that left the session may still hold the pipe
            await asyncio.wait_for(reading, 2.0)
    code = None if timed_out else process.returncode
    return Finished(code, _text(spool), timed_out, time.monotonic() - began)


def started(data: Path, key: str) -> bool:
    """Whether the command of this step was ever started."""
    return _journal(data, key).exists()


def kill_left(data: Path, key: str) -> None:
    """Ends whatever is left of an earlier attempt, in this process or another."""
    try:
        note = json.loads(_journal(data, key).read_bytes())
    except (FileNotFoundError, ValueError):
        return
    if note["boot"] == boot_id() and start_time(note["pid"]) == note["started"]:
        _kill_group(note["pid"])
        while start_time(note["pid"]) == note["started"]:
            time.sleep(0.005)  # nothing tells a stranger that a process is gone


async def cut_off(*, data: Path, key: str, spool: Path) -> str:
    """Ends what is left of a killed worker's command; what it had printed until then."""
    await asyncio.to_thread(kill_left, data, key)
    return _text(spool)


def forget(data: Path, key: str) -> None:
    """Drops the note of a command whose result is recorded, or that may be run again."""
    _journal(data, key).unlink(missing_ok=True)


@asynccontextmanager
async def _started(
    data: Path,
    key: str,
    argv: Sequence[str],
    *,
    cwd: str,
    mounts: Mounts,
    network: bool,
    sandboxed: bool,
    stdin: bytes | None,
) -> AsyncGenerator[asyncio.subprocess.Process]:
    alternates, write = os.pipe()
    try:
        os.write(write, alternates_of(mounts))
        os.close(write)
        if sandboxed:
            words, place = wrap(argv, cwd=cwd, mounts=mounts, network=network, alternates=alternates), "/"
        else:
            words, place = list(argv), str(mounts.worktree / Path(cwd).relative_to(mounts.root))
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            *("-c", _GATE if stdin is None else _FED, "sh", *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=place,
            env=environment(mounts, sandboxed=sandboxed),
            start_new_session=True,
            pass_fds=(alternates,),
        )
    finally:
        os.close(alternates)
    try:
        _note(data, key, process.pid)
        assert process.stdin
        process.stdin.write(b"go\n" + (stdin or b""))
        process.stdin.close()
        yield process
    finally:
        _kill_group(process.pid)
        await asyncio.shield(process.wait())
        process._transport.close()  # pyright: ignore


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


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _note(data: Path, key: str, pid: int) -> None:
    file = _journal(data, key)
    make_folder(file.parent, below=data)
    replace_file(file, json.dumps({"pid": pid, "started": start_time(pid), "boot": boot_id()}).encode())


def _journal(data: Path, key: str) -> Path:
    return data / "processes" / f"{safe_name(key)}.json"
