"""Where a benchmark runs: a data folder of its own, a dev server on its own ports, a repository of small files."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from app import workspace
from app.domain.activities import PrepareInput
from app.domain.budget import Budget
from app.domain.contracts import AgentInput
from app.domain.run import ModelRef
from app.domain.session import EventRange, Ids, NewRecord
from app.domain.tool import Workspace
from app.pids import start_time
from app.runs.plugin import PLUGIN
from app.settings import Settings
from app.stack.connect import connect
from app.stack.identity import data_id
from app.stack.server import start
from app.stack.state import Service, is_ready, load, save, stop
from app.stream import Stream
from workflows.relay import WRITING_TOOLS

FILES = 50
FILE_BYTES = 1000


@dataclass(frozen=True)
class Place:
    """One data folder with a running server, and a worktree to read in."""

    settings: Settings
    client: Client
    workspace: Workspace

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.settings.data_dir


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    """A data folder below the system's temporary folder; its server ends with the block."""
    with tempfile.TemporaryDirectory(prefix="codetether-bench-") as folder:
        settings = Settings(data_dir=Path(folder) / "data", config_dir=Path(folder) / "config")
        own = data_id(settings.data_dir)
        address, ui = f"127.0.0.1:{_port()}", f"http://127.0.0.1:{_port()}"
        save(settings.data_dir, "temporal", Service(pid=0, started="", address=address, ui=ui))  # asks for its ports
        async with AsyncExitStack() as stack:
            server = await asyncio.to_thread(start, settings)
            stack.push_async_callback(asyncio.to_thread, stop, server, 15.0)
            order = PrepareInput(run="bench", data_id=own, name="main", repo=str(_repository(Path(folder) / "repo")))
            space = await asyncio.to_thread(workspace.prepare, settings.data_dir, order, settings)
            yield Place(settings, await connect(settings, plugins=[PLUGIN]), space)


def agent(at: Place, base_url: str, *, steps: int, transcript: int = 0) -> AgentInput:
    """An agent of its own session, whose stream holds `transcript` bytes of text already."""
    session = f"bench-{uuid.uuid4().hex[:12]}"
    ids = Ids(okr_run_id="bench", relay_id="bench-relay", session_id=session)
    span = EventRange(session_id=session)
    if transcript:
        span = Stream(at.data, session).append(
            expected=0, step_id="bench-first", digest="bench", records=_talk(transcript), ids=ids
        )
    return AgentInput(
        run="bench",
        top="bench",
        name="bench",
        ids=ids,
        persona="solo",
        task="Read the files.",
        session=span,
        tools=WRITING_TOOLS,
        model=ModelRef(provider="demo", name="bench", base_url=base_url),
        workspace=at.workspace,
        mode="full",
        budget=Budget(usd=None, tokens=None, seconds=None, steps=None),
        max_steps=steps + 2,
    )


@contextmanager
def worker_process(at: Place) -> Iterator[int]:
    """A real worker of the place; its pid, once it polls. It is ended by that pid, unless it ended before."""
    env = {**os.environ, "CODETETHER_DATA_DIR": str(at.data), "CODETETHER_CONFIG_DIR": str(at.settings.config_dir)}
    env["CODETETHER_ADDRESS"] = (load(at.data).temporal or Service(pid=0, started="")).address
    with (at.data / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "worker"],
            env=env,
            cwd=at.data,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    service = Service(pid=process.pid, started=start_time(process.pid))
    try:
        while not is_ready(at.data, service):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
            if process.returncode is not None:
                raise RuntimeError(f"the worker ended: {(at.data / 'worker.log').read_text()[-2000:]}")
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _talk(size: int) -> list[NewRecord]:
    """Words of a person, 2 kB a message, `size` bytes of text in all."""
    text = "The quick brown fox jumps over the lazy dog, and reads the next file.\n" * 30
    pieces = [text[:2000]] * (size // 2000) + [text[: size % 2000]] * bool(size % 2000)
    return [NewRecord(kind="user", body={"text": piece, "origin": "person"}) for piece in pieces]


def _repository(root: Path) -> Path:
    root.mkdir(parents=True)
    for number in range(FILES):
        line = f"line of file {number:02} with some words in it\n"
        (root / f"file-{number}.txt").write_text((line * (FILE_BYTES // len(line) + 1))[:FILE_BYTES])
    identity = ("-c", "user.name=Bench", "-c", "user.email=bench@codetether.invalid")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "--no-gpg-sign", "-m", "Files")):
        subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)
    return root


def _port() -> int:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return int(own.getsockname()[1])
