"""`stack.json`: what we started, by pid and start time, so that nothing else is ever stopped."""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from app.domain.base import Model
from app.pids import start_time
from app.stream.files import replace_file

Name = Literal["temporal", "worker", "demo", "vault"]


class Service(Model):
    """One process of the stack. `build`: of the code it runs; `vault`: the one it asks.

    `address`: where it listens; of a worker, the Temporal server that it polls.
    """

    pid: int
    started: str
    build: str = ""
    address: str = ""
    ui: str = ""
    vault: str = ""

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return bool(self.started) and start_time(self.pid) == self.started


class State(Model):
    """The processes that `ctl up` started."""

    temporal: Service | None = None
    worker: Service | None = None
    demo: Service | None = None
    """The scripted model, for runs with `--model demo/scripted`."""
    vault: Service | None = None
    """The private Vault, for keys where the environment names none."""


def load(data: Path) -> State:
    """What stands in `stack.json`; nothing where it is missing or unreadable."""
    try:
        return State.model_validate_json((data / "stack.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return State()


def save(data: Path, name: Name, service: Service | None) -> None:
    """Changes one entry. Only under the stack's lock."""
    state = load(data).model_copy(update={name: service})
    replace_file(data / "stack.json", state.model_dump_json(indent=1).encode())


def living(data: Path, name: Name) -> Service | None:
    """The service, if its process is alive."""
    service: Service | None = getattr(load(data), name)
    return service if service is not None and service.alive else None


def stop(service: Service, seconds: float) -> None:
    """Ends the process: SIGTERM, and SIGKILL after `seconds`. Returns when it is gone."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)):
        if not service.alive:
            return
        with suppress(ProcessLookupError):
            os.kill(service.pid, number)
        deadline = time.monotonic() + patience
        while service.alive and time.monotonic() < deadline:
            time.sleep(0.02)  # it is not our child any more: nothing else tells


def worker_ready(data: Path) -> None:
    """The worker says that it polls."""
    (data / "logs").mkdir(mode=0o700, exist_ok=True)
    document = {"pid": os.getpid(), "started": start_time(os.getpid())}
    replace_file(_ready_file(data, os.getpid()), json.dumps(document).encode())


def is_ready(data: Path, service: Service) -> bool:
    """Whether this very worker said that it polls."""
    try:
        note = json.loads(_ready_file(data, service.pid).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return note == {"pid": service.pid, "started": service.started}


def worker_gone(data: Path, pid: int) -> None:
    """Takes back what `worker_ready` said."""
    _ready_file(data, pid).unlink(missing_ok=True)


def _ready_file(data: Path, pid: int) -> Path:
    return data / "logs" / f"worker-{pid}.ready"
