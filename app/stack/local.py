"""Starting and stopping the local stack. One command at a time: others wait for the lock."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from app.errors import UserError
from app.pids import start_time
from app.secrets import private
from app.secrets.place import vault_id
from app.settings import Settings
from app.stack import vault
from app.stack.identity import build_id, data_id
from app.stack.logs import opened_log, tail
from app.stack.state import Service, is_ready, living, load, save, stop, worker_gone
from app.stream.files import locked, told_plainly

DRAIN = 35.0
"""Seconds that a worker has to finish what it does; it is asked to drain for 30."""
_PATIENCE = 60.0
_PRIVATE = "private"
"""The private Vault, where a Vault is told by its digest."""

Say = Callable[[str], None]


def ensure(settings: Settings, say: Say, *, replace: bool = True) -> None:
    """Starts what is not running, and replaces a worker of older code; `say` hears what is being done.

    Without `replace` a worker that lives is left as it is: who only watches may hold older code, or an older token.
    """
    _ensure_demo_again(settings, say)
    data = settings.data_dir
    external = _external(settings)

    def worker_is_right() -> bool:
        return _current_worker(settings) or (not replace and living(data, "worker") is not None)

    if (external or living(data, "temporal")) and worker_is_right() and vault.is_right(data):
        return
    with told_plainly(data), stack_lock(data):
        vault.keep_up(settings, say)
        if not external and living(data, "temporal") is None:
            say("starting the local Temporal server")
            from app.stack.server import start

            start(settings)
        if not worker_is_right():
            _replace_worker(settings, say)


def _ensure_demo_again(settings: Settings, say: Say) -> None:
    """A run that goes on with the scripted model finds it where it was."""
    before = load(settings.data_dir).demo
    if before is None or before.alive:
        return
    from app.stack.demo import ensure_demo
    from app.stream.listing import runs

    rows = runs(settings.data_dir)
    if any(row.get("result") is None and row.get("model", {}).get("provider") == "demo" for row in rows):
        ensure_demo(settings, say)
    else:
        save(settings.data_dir, "demo", None)


def down(settings: Settings, say: Say) -> list[str]:
    """Stops what `ctl up` started, and only that; the names of what was stopped."""
    data = settings.data_dir
    stopped: list[str] = []
    with stack_lock(data):
        for name, patience in (("worker", DRAIN), ("demo", 5.0), ("vault", vault.DOWN), ("temporal", 15.0)):
            service: Service | None = getattr(load(data), name)
            if service is not None and service.alive:
                say(f"stopping the {name} (process {service.pid}{', it drains for up to 30 s' * (name == 'worker')})")
                stop(service, patience)
                stopped.append(name)
            if name == "worker":
                with suppress(OSError):  # a full disk keeps nothing running; the entry names a dead process
                    save(data, "worker", None)  # who watches does not take it for dead while the rest is stopped
    return stopped


def keys_elsewhere(settings: Settings) -> bool:
    """Whether keys are looked up by a worker that this environment's Vault says nothing about."""
    worker = living(settings.data_dir, "worker")
    named = worker is not None and worker.vault not in ("", _PRIVATE)
    return _external(settings) or (not vault_asked(settings) and named)


def vault_asked(settings: Settings) -> str:
    """Which Vault a worker of this environment asks: a digest of the named one, `private`, or empty for none."""
    return vault_id() or (_PRIVATE if private.wanted(settings.data_dir) else "")


def stack_lock(data: Path) -> AbstractContextManager[None]:
    """Held while anything of the stack is started or stopped. Makes the data folder."""
    data_id(data)
    folder = data / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return locked(folder, seconds=120.0)


def _external(settings: Settings) -> bool:
    if settings.address or os.environ.get("TEMPORAL_ADDRESS"):
        return True
    if living(settings.data_dir, "temporal"):
        return False  # saves loading the SDK to ask for profiles
    from app.stack.connect import configured

    return bool(configured(settings))


def _current_worker(settings: Settings) -> bool:
    data = settings.data_dir
    worker = living(data, "worker")
    return (
        worker is not None
        and worker.build == build_id()
        and worker.address == _polled(settings)
        and knows_vault(settings, worker)
        and is_ready(data, worker)
    )


def _polled(settings: Settings) -> str:
    """Where a worker started now would look for work; empty where Temporal's own profiles say it."""
    local = load(settings.data_dir).temporal
    return settings.address or os.environ.get("TEMPORAL_ADDRESS", "") or (local.address if local else "")


def knows_vault(settings: Settings, worker: Service) -> bool:
    """Whether it asks the Vault that this environment means; one that means none changes nothing.

    A worker that was told of no Vault looks for the private one at each question: also for one that is made later.
    """
    asked = vault_asked(settings)
    return asked in ("", worker.vault) or (asked == _PRIVATE and not worker.vault)


def _replace_worker(settings: Settings, say: Say) -> None:
    data = settings.data_dir
    old = living(data, "worker")
    if (before := load(data).worker) is not None:
        worker_gone(data, before.pid)
    if old is not None:
        reasons = {
            "the installed code is newer": old.build != build_id(),
            "another Vault is named now": not knows_vault(settings, old),
            "Temporal is at another address now": old.address != _polled(settings),
        }
        say(": ".join(["replacing the worker", *(why for why, true in reasons.items() if true)][:2]))
        stop(old, DRAIN)
    else:
        say("starting the worker")
    log = opened_log(data, "worker")
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "worker"],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd=data,
        env=_environment(settings),
    )
    log.close()
    service = Service(
        pid=process.pid,
        started=start_time(process.pid),
        build=build_id(),
        address=_polled(settings),
        vault=vault_asked(settings),
    )
    save(data, "worker", service)
    _wait_ready(data, service, process)


def _environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "CODETETHER_DATA_DIR": str(settings.data_dir),
        "CODETETHER_CONFIG_DIR": str(settings.config_dir),
        "CODETETHER_NAMESPACE": settings.namespace,
        **({"CODETETHER_ADDRESS": settings.address} if settings.address else {}),
    }


def _wait_ready(data: Path, service: Service, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _PATIENCE
    while not is_ready(data, service):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise UserError(f"the worker did not start: {tail(data, 'worker')}", 4)
        time.sleep(0.02)  # it tells by a file, which a detached process can still write
