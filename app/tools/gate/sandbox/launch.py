"""Starting a command behind its walls, noting it before it runs, and ending all of it.

The note (`processes/<key>.json`) is fsynced before the command may start. So whoever comes after a killed
worker knows its pid and start time, its cgroups, and how the protected files were.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.pids import boot_id, start_time
from app.stream.files import make_folder, replace_file, safe_name
from app.tools.gate.sandbox import cgroups, protected
from app.tools.gate.sandbox.bubblewrap import alternates_of, wrap
from app.tools.gate.sandbox.kinds import Mounts, Sandbox, environment
from app.tools.gate.sandbox.landlock import landlocked, unheld

_GATE = 'read -r go || exit 125; exec "$@" </dev/null'
_FED = 'read -r go || exit 125; exec "$@"'
_GRACE = 5.0
"""Seconds in which a supervisor ends what it started, before it is killed itself."""


@dataclass(frozen=True)
class Order:
    """One command: what, where, and behind which walls. `key` names its step; `stdin`: what it reads, if anything."""

    data: Path
    key: str
    argv: tuple[str, ...]
    cwd: str
    mounts: Mounts
    network: bool
    sandbox: Sandbox
    stdin: bytes | None = None

    @property
    def supervised(self) -> bool:
        """Without a process namespace a parent of the command ends what it leaves behind."""
        return self.sandbox.backend != "bubblewrap" and sys.platform.startswith("linux")

    @property
    def own(self) -> Path:
        """A folder for this command's temporary files and copies."""
        return self.data / "processes" / safe_name(self.key)


@dataclass
class Running:
    """A started command. `notes` is complete when the context is over."""

    process: asyncio.subprocess.Process
    supervised: bool
    cgroups: cgroups.Cgroups
    notes: tuple[str, ...] = ()


@asynccontextmanager
async def launched(order: Order) -> AsyncGenerator[Running]:
    """The command, from the moment at which it may run; afterwards nothing of it is left."""
    group = cgroups.make(order.mounts.settings)
    noted = await asyncio.to_thread(_prepare, order)
    running: Running | None = None
    try:
        async with AsyncExitStack() as stack:
            proxy: Path | None = None
            if order.network and order.mounts.settings.network and order.sandbox.backend == "bubblewrap":
                from app.tools.gate.sandbox.proxy import serving

                proxy = await stack.enter_async_context(serving(order.mounts.settings.network))
            running = Running(await _start(order, proxy), order.supervised, group)
            try:
                group.hold(running.process.pid)
                _note(order, running.process.pid, group, noted)
                assert running.process.stdin
                running.process.stdin.write(b"go\n" + (order.stdin or b""))
                running.process.stdin.close()
                yield running
            finally:
                await asyncio.shield(_over(running.process, order.supervised))
    finally:
        said = await asyncio.shield(asyncio.to_thread(_tidy, order.own, noted, group.paths))
        if running is not None:
            running.notes = said


async def end(process: asyncio.subprocess.Process, *, supervised: bool) -> None:
    """Ends the command and all that belongs to it, and waits for that."""
    if supervised and process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE)
    _kill_group(process.pid)
    await process.wait()


def started(data: Path, key: str) -> bool:
    """Whether the command of this step was ever started."""
    return _journal(data, key).exists()


def kill_left(data: Path, key: str) -> tuple[str, ...]:
    """Ends whatever is left of an earlier attempt, in this process or another, and puts protected files back."""
    try:
        note = json.loads(_journal(data, key).read_bytes())
    except (FileNotFoundError, ValueError):
        return ()
    if note["boot"] == boot_id():
        _end_noted(note)
    if "protected" not in note:
        return ()
    return _tidy(data / "processes" / safe_name(key), protected.load(note["protected"]), note["cgroups"])


def forget(data: Path, key: str) -> None:
    """Drops the note of a command whose result is recorded, or that may be run again."""
    _journal(data, key).unlink(missing_ok=True)


def _prepare(order: Order) -> protected.Protected:
    copies = order.own / "kept" if order.sandbox.backend != "bubblewrap" else None
    if order.supervised:
        make_folder(order.own / "tmp", below=order.data)
    return protected.before(order.mounts.worktree, copies)


def _tidy(own: Path, noted: protected.Protected, groups: list[str]) -> tuple[str, ...]:
    from app.workspace.files import remove

    cgroups.remove(groups)
    said = protected.after(noted)
    remove(own)
    return said


async def _start(order: Order, proxy: Path | None) -> asyncio.subprocess.Process:
    mounts, bubble = order.mounts, order.sandbox.backend == "bubblewrap"
    place = "/" if bubble else str(mounts.worktree / Path(order.cwd).relative_to(mounts.root))
    temporary = str(order.own / "tmp") if order.sandbox.backend == "landlock" else "/tmp"
    alternates, write = os.pipe()
    try:
        os.write(write, alternates_of(mounts))
        os.close(write)
        return await asyncio.create_subprocess_exec(
            "/bin/sh",
            *("-c", _GATE if order.stdin is None else _FED, "sh", *_words(order, alternates, proxy)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=place,
            env=environment(mounts, sandboxed=bubble, temporary=temporary),
            start_new_session=True,
            pass_fds=(alternates,),
        )
    finally:
        os.close(alternates)


def _words(order: Order, alternates: int, proxy: Path | None) -> list[str]:
    mounts, sandbox = order.mounts, order.sandbox
    if sandbox.backend == "bubblewrap":
        return wrap(
            order.argv,
            cwd=order.cwd,
            mounts=mounts,
            network=order.network,
            alternates=alternates,
            sandbox=sandbox,
            proxy=proxy,
        )
    if sandbox.backend == "landlock":
        return landlocked(order.argv, mounts=mounts, network=order.network, temporary=order.own / "tmp")
    return unheld(order.argv, mounts=mounts) if order.supervised else list(order.argv)


async def _over(process: asyncio.subprocess.Process, supervised: bool) -> None:
    await end(process, supervised=supervised)
    process._transport.close()  # pyright: ignore


def _end_noted(note: dict[str, Any]) -> None:
    deadline = time.monotonic() + _GRACE
    told = not note.get("supervised")
    while start_time(note["pid"]) == note["started"]:
        if not told:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(note["pid"], signal.SIGTERM)
            told = True
        if not note.get("supervised") or time.monotonic() > deadline:
            _kill_group(note["pid"])
        time.sleep(0.005)  # nothing tells a stranger that a process is gone


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _note(order: Order, pid: int, group: cgroups.Cgroups, noted: protected.Protected) -> None:
    file = _journal(order.data, order.key)
    make_folder(file.parent, below=order.data)
    document = {
        "pid": pid,
        "started": start_time(pid),
        "boot": boot_id(),
        "supervised": order.supervised,
        "cgroups": group.paths,
        "protected": noted.dump(),
    }
    replace_file(file, json.dumps(document).encode())


def _journal(data: Path, key: str) -> Path:
    return data / "processes" / f"{safe_name(key)}.json"
