"""What `ctl doctor` looks at: each check returns lines, and none of them raises."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from app.cli.commands.common import in_bytes
from app.errors import UserError
from app.stream.files import STREAMS

if TYPE_CHECKING:
    from app.settings import Settings

Level = Literal["ok", "warn", "FAIL"]

_GIT = (2, 30)
_LITTLE, _TOO_LITTLE = 1024**3, 100 * 1024**2
"""Bytes of free space."""


class Check(NamedTuple):
    """One line: how it stands, what was looked at, what was found and the next step."""

    level: Level
    name: str
    text: str


def checks(settings: "Settings") -> Iterator[Check]:
    """All checks of this machine, the data folder, Vault and the stack, in this order."""
    parts: tuple[Callable[[Settings], Iterator[Check]], ...] = (
        *(_python, _git, _temporal, _sandbox, _ripgrep),
        *(_folder, _streams, _projections, _vault, _stack),
    )
    for part in parts:
        try:
            yield from part(settings)
        except (OSError, UserError, subprocess.SubprocessError) as error:
            yield Check("FAIL", part.__name__.strip("_"), str(error))


def journals(data: Path) -> dict[str, str]:
    """The runs that have a journal, each with its stream. A session's name can begin with `run-`, too."""
    import json

    found: dict[str, str] = {}
    for folder in sorted((data / STREAMS).glob("run-*")):
        segments = sorted(folder.glob("*.jsonl"))
        if not segments:
            continue
        with segments[0].open("rb") as file:
            line = file.readline()
        try:
            first = json.loads(line)
        except ValueError:
            continue  # nothing whole was ever written: a run whose first event was torn
        if isinstance(first, dict) and first.get("kind") == "event":  # pyright: ignore[reportUnknownMemberType]
            found[folder.name.removeprefix("run-")] = folder.name
    return found


def _python(_: "Settings") -> Iterator[Check]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 11)
    yield Check("ok" if good else "FAIL", "python", version + ("" if good else "; install Python 3.11 or newer"))


def _git(_: "Settings") -> Iterator[Check]:
    program = shutil.which("git")
    if program is None:
        yield Check("FAIL", "git", "not installed; install git 2.30 or newer")
        return
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)[\d.]*", said)
    good = found is not None and (int(found[1]), int(found[2])) >= _GIT
    version = found[0] if found else f"an unknown version ({said.strip()})"
    yield Check("ok" if good else "FAIL", "git", version + ("" if good else "; install git 2.30 or newer"))


def _temporal(settings: "Settings") -> Iterator[Check]:
    from app.cli.commands.stack import external_address
    from app.stack.server import program

    try:
        yield Check("ok", "temporal", program())
    except UserError as error:
        yield Check("warn" if external_address(settings) else "FAIL", "temporal", str(error))


def _sandbox(_: "Settings") -> Iterator[Check]:
    from app.tools.gate.sandbox import probe
    from app.tools.gate.sandbox.cgroups import folders
    from app.tools.gate.sandbox.limits import not_held

    found = probe()
    if found.enough:
        inside = f", with Landlock (ABI {found.landlock}) inside" if found.landlock else ", without Landlock inside"
        held = "files, secrets, network, processes, terminal"
        if "--disable-userns" in found.extras:
            held += ", nested namespaces"
        yield Check("ok", "sandbox", f"bubblewrap (`{found.program}`){inside} holds {held}")
    elif found.works:
        lacks = ", ".join(found.lacks)
        words = f"Landlock (ABI {found.landlock}) alone, for {found.reason}; it does not hold {lacks}"
        yield Check("warn", "sandbox", f"{words}: every command of a model waits for your approval")
    else:
        yield Check("warn", "sandbox", f"{found.reason}; every command of a model waits for your approval")
    if missing := not_held():
        yield Check("warn", "limits", f"not held: {missing}")
    else:
        where = "each command in a cgroup of its own" if folders() else "for each process"
        yield Check("ok", "limits", f"memory, CPU time, processes, file size: {where}")


def _ripgrep(_: "Settings") -> Iterator[Check]:
    from app.tools.base import ToolError
    from app.tools.ripgrep import program

    try:
        yield Check("ok", "rg", program())
    except ToolError as error:
        yield Check("FAIL", "rg", str(error))


def _folder(settings: "Settings") -> Iterator[Check]:
    data = settings.data_dir
    if not data.exists():
        yield Check("ok", "data folder", f"`{data}` is made by the first run")
        return
    mode = data.stat().st_mode & 0o777
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK) or not data.is_dir():
        yield Check("FAIL", "data folder", f"`{data}` is not writable; `chmod u+rwx {data}`")
    elif mode & 0o077:
        yield Check("warn", "data folder", f"`{data}` is open to others ({mode:04o}); `chmod 700 {data}`")
    else:
        yield Check("ok", "data folder", f"`{data}`, mode {mode:04o}")
    free = shutil.disk_usage(data).free
    level: Level = "FAIL" if free < _TOO_LITTLE else "warn" if free < _LITTLE else "ok"
    advice = "" if level == "ok" else "; free some: `ctl gc`"
    yield Check(level, "free space", in_bytes(free) + advice)


def _streams(settings: "Settings") -> Iterator[Check]:
    from app.stream.tail import find_tail

    folder = settings.data_dir / STREAMS
    count = torn = 0
    bad: list[Check] = []
    for stream in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not stream.is_dir():
            continue
        count += 1
        try:
            torn += bool(find_tail(stream).torn)
        except (OSError, ValueError) as error:
            bad.append(Check("FAIL", "streams", f"`{stream}` cannot be read: {error}; check the disk and its owner"))
    yield from bad
    if len(bad) < count or not count:
        left = f", {torn} with a torn end that the next append cuts off" if torn else ""
        yield Check("ok", "streams", f"{count - len(bad)} readable{left}")


def _projections(settings: "Settings") -> Iterator[Check]:
    from app.stream.journal import RUNS, events, load_view
    from app.stream.stream import Stream

    data = settings.data_dir
    found = journals(data)
    repair = "make it again: `ctl doctor --repair`"
    good = True
    for run, stream in found.items():
        end, view = Stream(data, stream).end(), load_view(data, run)
        if view is None:
            good = False
            yield Check("FAIL", "projections", f"run `{run}` has a journal but no readable view; {repair}")
        elif view.journal_end < end:
            good = False
            yield Check("warn", "projections", f"run `{run}` lags {end - view.journal_end} bytes; {repair}")
        elif view.journal_end > end:
            good = False
            lost = view.journal_end - end
            yield Check("FAIL", "projections", f"the journal of run `{run}` lost {lost} bytes; check the disk")
        try:
            events(data, run)
        except (OSError, ValueError, RuntimeError) as error:
            good = False
            yield Check("FAIL", "journals", f"run `{run}`: {error}")
    lone = [file.stem for file in sorted((data / RUNS).glob("*.json")) if file.stem not in found]
    for run in lone:
        good = False
        yield Check("warn", "projections", f"run `{run}` has no journal: its view cannot be made again")
    if good:
        yield Check("ok", "projections", f"{len(found)} runs, each as its journal tells")


def _vault(settings: "Settings") -> Iterator[Check]:
    address = os.environ.get("VAULT_ADDR", "")
    if not address:
        yield from _private_vault(settings.data_dir)
        return
    if not os.environ.get("VAULT_TOKEN") and not (Path.home() / ".vault-token").is_file():
        yield Check("warn", "vault", f"no token for `{address}`: set `VAULT_TOKEN` or run `vault login`")
        return
    import hvac
    import requests
    from hvac.exceptions import VaultError

    try:
        answer = hvac.Client(url=address, timeout=5).sys.read_health_status(method="GET")
        sealed = answer["sealed"] if isinstance(answer, dict) else answer.json()["sealed"]
    except (VaultError, requests.RequestException, KeyError, TypeError, ValueError):
        yield Check("FAIL", "vault", f"`{address}` does not answer as Vault; start it or correct `VAULT_ADDR`")
        return
    if sealed:
        yield Check("FAIL", "vault", f"`{address}` is sealed; unseal it: `vault operator unseal`")
    else:
        yield Check("ok", "vault", address)


def _private_vault(data: Path) -> Iterator[Check]:
    from app.secrets import install, private
    from app.stack.vault import health

    if private.ready(data) is None:
        yield Check("warn", "vault", f"not configured: {install.next_step('')}")
        return
    private.read_keys(data)
    found, where = health(data), f"the private Vault; its unseal key and token are in {private.where(data)}"
    if found == "open":
        yield Check("ok", "vault", where)
    elif install.program():
        yield Check("ok", "vault", f"{where}; it is not open, `ctl up` opens it")
    else:
        yield Check("FAIL", "vault", f"the private Vault needs `vault` on PATH: {install.install_line()}")


def _stack(settings: "Settings") -> Iterator[Check]:
    from app.cli.commands.stack import answers, external_address, report
    from app.stack.logs import tail
    from app.stack.server import PORT, UI_PORT
    from app.stack.state import load

    data = settings.data_dir
    server, external = load(data).temporal, external_address(settings)
    if server is not None and server.alive:
        good = answers(server.address)
        log = "" if good else f" does not answer: {tail(data, 'temporal')}; `ctl down`, then `ctl up`"
        yield Check("ok" if good else "FAIL", "temporal server", f"`{server.address}`{log}")
    elif external:
        good = answers(external)
        advice = "" if good else " does not answer; start it or correct the address"
        yield Check("ok" if good else "FAIL", "temporal server", f"`{external}`{advice}")
    else:
        yield Check("ok", "temporal server", "not running; the next run starts it (`ctl up`)")
        for port in (PORT, UI_PORT):
            if answers(f"127.0.0.1:{port}"):
                yield Check("warn", "ports", f"{port} is taken by another program; ours will take another port")
    worker = report(settings)["services"][1]
    if worker["state"] == "up" and worker["build"] == "older":
        yield Check("warn", "worker", "runs older code; the next command replaces it (`ctl up`)")
    elif worker["state"] == "up":
        yield Check("ok", "worker", f"process {worker['pid']}, current code")
    else:
        yield Check("ok", "worker", "not running; the next run starts it (`ctl up`)")
