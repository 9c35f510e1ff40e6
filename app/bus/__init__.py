r"""Token deltas from the worker to whoever watches: a unix socket in the data folder, lossy.

The worker owns `bus.sock`. A reader connects, sends one line with the run it watches (empty: all) and
gets one JSON `Delta` a line. Nothing is kept: who is slow or absent misses deltas and loses nothing
else, for what counts stands in the streams. Across machines a broker takes this place.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir

from app.domain.event import Delta

_QUEUE = 1000
"""Deltas that wait for a slow reader before the oldest are dropped."""
_SOCKET_LIMIT = 100
"""Bytes: the kernel refuses longer socket addresses (108 on Linux, 104 on macOS)."""

_readers: dict[asyncio.Queue[Delta], str] = {}
_loops: set[asyncio.AbstractEventLoop] = set()
"""The one whose readers they are."""


def publish(delta: Delta) -> None:
    """Hands `delta` to every reader of its run, from any thread. Never waits, never fails."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:  # of a thread that does a tool's work
        for loop in _loops:
            loop.call_soon_threadsafe(_hand_out, delta)
    else:
        _hand_out(delta)


def _hand_out(delta: Delta) -> None:
    for queue, run in list(_readers.items()):
        if run in ("", delta.run):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(delta)


def listened() -> bool:
    """Whether anybody reads at all: making a delta that nobody reads is work for nothing."""
    return bool(_readers)


def socket_path(data: Path) -> Path:
    """Where the socket of this data folder lies; in the temporary folder when its own path is too long."""
    path = data / "bus.sock"
    if len(os.fsencode(path)) <= _SOCKET_LIMIT:
        return path
    return Path(gettempdir()) / f"codetether-{os.getuid()}-{sha256(os.fsencode(path)).hexdigest()[:16]}.sock"


@asynccontextmanager
async def serve(data: Path) -> AsyncIterator[None]:
    """Serves this process's deltas for the length of the block. A socket left by a killed worker is replaced."""
    path = socket_path(data)
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(_serve, path)
    finally:
        os.umask(before)
    _loops.add(asyncio.get_running_loop())
    try:
        yield
    finally:
        _loops.discard(asyncio.get_running_loop())
        server.close()
        path.unlink(missing_ok=True)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    queue: asyncio.Queue[Delta] = asyncio.Queue(_QUEUE)
    sending: asyncio.Task[None] | None = None
    try:
        _readers[queue] = (await reader.readline()).decode(errors="replace").strip()
        sending = asyncio.create_task(_send(queue, writer))
        await reader.read()  # until the reader goes away
    except (ConnectionError, ValueError):
        pass
    finally:
        _readers.pop(queue, None)
        if sending is not None:
            sending.cancel()
        writer.close()


async def _send(queue: asyncio.Queue[Delta], writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while True:
            delta = await queue.get()
            writer.write(delta.model_dump_json().encode() + b"\n")
            await writer.drain()


async def subscribe(data: Path, run: str = "") -> AsyncIterator[Delta]:
    """The deltas of `run` as they come; ends when the worker goes away or there is none."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket_path(data), limit=1024 * 1024)
    except OSError:
        return
    try:
        writer.write(run.encode() + b"\n")
        await writer.drain()
        while line := await reader.readline():
            yield Delta.model_validate_json(line)
    except (ConnectionError, ValueError):
        return
    finally:
        writer.close()
