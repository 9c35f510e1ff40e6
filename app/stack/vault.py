"""The private Vault's process: started, unsealed and stopped with the stack. What is in it: `app.secrets.private`."""

import http.client
import json
import os
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from app.errors import UserError
from app.pids import start_time
from app.secrets import install, private
from app.settings import Settings
from app.stack import certificate
from app.stack.logs import opened_log, tail
from app.stack.ports import any_port, kept_port, port_of
from app.stack.state import Service, living, load, save, stop
from app.stream.errors import Unwritable
from app.stream.files import make_folder, replace_file, told_plainly

Health = Literal["open", "sealed", "empty", "mute"]
Say = Callable[[str], None]

DOWN = 10.0
"""Seconds to end it in."""
_PATIENCE, _LITTLE_PATIENCE = 30.0, 10.0
"""Seconds for one that was just started, and for one that runs."""
_ANSWERS = 5.0
_AFTER_A_WORD = 'ulimit -c 0; read -r word && exec "$0" "$@" </dev/null'
"""A shell that becomes the server once it is told: not before `stack.json` holds its process id, and not at all
when whoever started it is dead by then. A server nobody knows would share the store with the next one."""
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG")


def health(data: Path) -> Health:
    """How our living process answers (Vault's `sys/health`); `mute` where there is none."""
    service = living(data, "vault")
    if service is None:
        return "mute"
    try:
        known = ssl.create_default_context(cafile=private.certificate(data))
        link = http.client.HTTPSConnection("127.0.0.1", port_of(service.address), timeout=_ANSWERS, context=known)
        try:
            link.request("GET", "/v1/sys/health")
            status = link.getresponse().status
        finally:
            link.close()
    except (OSError, http.client.HTTPException):
        return "mute"
    kinds: dict[int, Health] = {200: "open", 501: "empty", 503: "sealed"}
    return kinds.get(status, "mute")


def is_right(data: Path) -> bool:
    """Whether nothing is to be done: it is not wanted, or open."""
    return not private.wanted(data) or health(data) == "open"


def keep_up(settings: Settings, say: Say) -> None:
    """Starts and unseals it where it is wanted and is not open; under the stack's lock.

    What goes wrong is only said: a run that needs no key goes on, and one that does waits.
    """
    if is_right(settings.data_dir):
        return
    try:
        bring_up(settings, say)
    except UserError as error:
        say(str(error))


def ensure_private(settings: Settings, say: Say, *, create: bool = False) -> None:
    """Returns once the private Vault is open and takes its token; does nothing where it is not wanted.

    `create`: sets one up where there is none. Raises `UserError` with the next step.
    """
    from app.stack.local import stack_lock

    data = settings.data_dir
    if os.environ.get("VAULT_ADDR", "").strip() or not (create or private.wanted(data)):
        return
    try:
        with told_plainly(data), stack_lock(data):
            bring_up(settings, say)
    except Unwritable as error:
        raise UserError(str(error.strerror), 4) from None


def bring_up(settings: Settings, say: Say) -> None:
    """As `ensure_private`, under the stack's lock."""
    import requests
    from hvac.exceptions import VaultError

    from app.stack import vault_setup

    data = settings.data_dir
    try:
        if private.ready(data) is None:
            vault_setup.set_up(data, say)
            return
        private.tidy(data)
        keys = private.read_keys(data)
        service = running(data, say)
        vault_setup.opened(data, service.address, keys)
        vault_setup.with_a_token(data, service.address, keys, say)
    except (VaultError, requests.RequestException) as error:
        raise UserError(private.trouble(error, data), 4) from None


def running(data: Path, say: Say) -> Service:
    """Our process, started where it does not run, once it answers; it may be sealed."""
    service = living(data, "vault")
    if service is not None and private.certificate(data).is_file():
        if _answers(data, service, _LITTLE_PATIENCE):
            return service
        raise UserError(f"the private Vault does not answer: {tail(data, 'vault')}; `ctl down`, then `ctl up`", 4)
    if service is not None:
        stop(service, DOWN)  # nobody knows it without its certificate
    say("starting the private Vault")
    return start(data)


def start(data: Path) -> Service:
    """Starts the server, detached, on loopback, at the port it had, and returns once it answers."""
    program = install.program()
    if not program:
        raise UserError(f"the private Vault needs `vault`, which is not on PATH: {install.install_line()}", 4)
    own = private.folder(data)
    make_folder(own, below=data)
    replace_file(private.certificate(data), certificate.made())
    before = load(data).vault
    first = kept_port(port_of(before.address) if before else 0)
    for port in (first, any_port()):  # somebody may have taken it in this moment
        if service := _try(data, program, port):
            return service
    raise UserError(f"the private Vault did not start: {tail(data, 'vault')}", 4)


def _try(data: Path, program: str, port: int) -> Service | None:
    own = private.folder(data)
    replace_file(own / "server.json", json.dumps(_configuration(data, port), indent=1).encode())
    with opened_log(data, "vault") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _AFTER_A_WORD, program, "server", f"-config={own / 'server.json'}"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=own,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
        )
    assert process.stdin
    service = Service(pid=process.pid, started=start_time(process.pid), address=f"https://127.0.0.1:{port}")
    try:
        save(data, "vault", service)
        process.stdin.write(b"go\n")
    finally:
        process.stdin.close()
    if _answers(data, service, _PATIENCE, process):
        return service
    process.kill()
    process.wait()
    return None


def _configuration(data: Path, port: int) -> dict[str, object]:
    """Vault's own format: https://developer.hashicorp.com/vault/docs/configuration."""
    pem = str(private.certificate(data))
    return {
        "storage": {"file": {"path": str(private.folder(data) / "store")}},
        "listener": {"tcp": {"address": f"127.0.0.1:{port}", "tls_cert_file": pem, "tls_key_file": pem}},
        "api_addr": f"https://127.0.0.1:{port}",
        "disable_mlock": True,  # locking memory needs a capability that a person's own process has not
        "disable_clustering": True,
        "ui": False,
        "log_level": "warn",
        "default_lease_ttl": "768h",
        "max_lease_ttl": "87600h",  # a token that nobody used for a year is still good
    }


def _answers(data: Path, service: Service, seconds: float, process: "subprocess.Popen[bytes] | None" = None) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if health(data) != "mute":
            return True
        if not service.alive or (process is not None and process.poll() is not None):
            return False
        time.sleep(0.02)  # it tells nobody when it listens
    return False
