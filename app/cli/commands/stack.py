"""`ctl up`, `ctl down`, `ctl status`, `ctl worker`: the local stack."""

import os
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.commands.common import print_table, say
from app.cli.output import JsonFlag, note, one_line, print_json
from app.errors import UserError

if TYPE_CHECKING:
    from app.settings import Settings
    from app.stack.state import Service

up_app = typer.Typer(add_completion=False)
down_app = typer.Typer(add_completion=False)
status_app = typer.Typer(add_completion=False)
worker_app = typer.Typer(add_completion=False)


@up_app.command()
def up(json: JsonFlag = False) -> None:
    """Start the local stack, Temporal and a worker, where it is not running."""
    from app.settings import load
    from app.stack.local import ensure
    from app.stack.vault import ensure_private, health

    settings = load()
    ensure(settings, note)
    if health(settings.data_dir) == "open":  # else `ensure` said why it is not
        ensure_private(settings, note)
    told = report(settings)
    if json:
        print_json(told)
    else:
        _print(told)


@down_app.command()
def down(json: JsonFlag = False) -> None:
    """Stop what `ctl up` started, and nothing else. Runs go on with the next `ctl up`."""
    from app.settings import load
    from app.stack import local

    stopped = local.down(load(), note)
    if json:
        print_json({"stopped": stopped})
    else:
        say(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@status_app.command()
def status(json: JsonFlag = False) -> None:
    """What runs, where, since when. Exit code 0 when all is up, 1 when it is not."""
    from app.settings import load

    told = report(load())
    if json:
        print_json(told)
    else:
        _print(told)
    if not told["up"]:
        raise typer.Exit(1)


@worker_app.command()
def worker(
    address: Annotated[
        str | None, typer.Option("--address", help="Of a Temporal server; default: as configured.")
    ] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", help="Its namespace.")] = None,
) -> None:
    """Run a worker in this terminal until Ctrl-C, against any configured Temporal."""
    from app.settings import load
    from app.stack.vault import ensure_private

    settings = load(address=address, namespace=namespace)
    try:
        ensure_private(settings, note)
    except UserError as error:
        note(str(error))  # work that needs a key waits
    environment = {
        **os.environ,
        "CODETETHER_DATA_DIR": str(settings.data_dir),
        "CODETETHER_CONFIG_DIR": str(settings.config_dir),
        "CODETETHER_NAMESPACE": settings.namespace,
        **({"CODETETHER_ADDRESS": settings.address} if settings.address else {}),
    }
    note("a worker in this terminal; Ctrl-C drains and ends it")
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-I", "-m", "worker"], environment)


def report(settings: "Settings") -> dict[str, Any]:
    """The stack in words: `up` (all that a run needs is there), `services`, `runs` in progress."""
    from app.stack import vault
    from app.stack.identity import build_id
    from app.stack.state import is_ready, living
    from app.stream.listing import runs

    data = settings.data_dir
    server = living(data, "temporal")
    external = "" if server else external_address(settings)
    address = server.address if server else external
    listens = bool(address) and answers(address)
    services = [line for name in ("temporal", "worker", "demo", "vault") if (line := _service(data, name))]
    if external:
        services[0] |= {"state": "external" if listens else "does not answer", "address": external}
    working = living(data, "worker")
    current = working is not None and working.build == build_id() and is_ready(data, working)
    return {
        "up": current and listens and vault.is_right(data),
        "data": str(data),
        "address": address,
        "ui": server.ui if server else os.environ.get("TEMPORAL_UI_URL", ""),
        "services": services,
        "runs": [
            {
                name: row.get(name, "")
                for name in ("run", "status", "detail", "agent", "turn", "updated_at", "mode", "planning")
            }
            for row in runs(data)
            if row.get("status") != "ended"
        ],
    }


def external_address(settings: "Settings") -> str:
    """Where the Temporal server is that a person configured; empty when nobody did."""
    if settings.address or os.environ.get("TEMPORAL_ADDRESS"):
        return settings.address or os.environ["TEMPORAL_ADDRESS"]
    from app.stack.connect import configured

    return str(configured(settings).get("target_host", ""))


def answers(address: str) -> bool:
    """Whether something listens there."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=3.0):
            return True
    except (OSError, ValueError):
        return False


def since(started: str) -> str:
    """When a process started, RFC 3339 in UTC, from what `app.pids.start_time` says of it."""
    if not started.isdigit():
        return started
    try:
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return ""
    at = time.time() - uptime + int(started) / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _service(data: Path, name: str) -> dict[str, Any] | None:
    from app.stack.identity import build_id
    from app.stack.state import is_ready, load
    from app.stack.vault import health

    service: Service | None = getattr(load(data), name)
    if service is None and name in ("demo", "vault"):
        return None
    if service is None or not service.alive:
        return {"name": name, "state": "down", "pid": None, "since": "", "address": "", "build": ""}
    state, build = "up", ""
    if name == "worker":
        state = "up" if is_ready(data, service) else "starting"
        build = "current" if service.build == build_id() else "older"
    if name == "vault":
        state = {"open": "up", "mute": "does not answer"}.get(found := health(data), found)
    line = {"name": name, "state": state, "pid": service.pid, "since": since(service.started)}
    return line | {"address": service.address, "build": build}


def _print(told: dict[str, Any]) -> None:
    print_table(
        ("SERVICE", "STATE", "PID", "SINCE (UTC)", "ADDRESS", "BUILD"),
        [
            (
                *(line["name"], line["state"], str(line["pid"] or "—"), line["since"][:19].replace("T", " ") or "—"),
                *(line["address"] or "—", line["build"] or "—"),
            )
            for line in told["services"]
        ],
    )
    say(f"temporal  {told['address'] or 'none; start it: ctl up'}")
    if told["ui"]:
        say(f"ui        {told['ui']}")
    say(f"data      {told['data']}")
    for line in told["runs"]:
        words = f": {one_line(line['detail'])}" if line["detail"] else ""
        mode = "plan" if line["planning"] else line["mode"]
        say(f"run       {line['run']}  {line['status']}{words}  (mode {mode})")
    if not told["runs"]:
        say("no run in progress")
    if not told["up"]:
        note("not all is up; start it: ctl up")
