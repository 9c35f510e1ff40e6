"""A person without a Vault, who has the program `vault`: `ctl login` makes them a private one."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import System

from app.pids import start_time
from app.secrets import forget, private, provider_key
from app.stack.state import Service, living

KEY = "sk-canary-in-a-private-vault"


def quiet(_text: str) -> None:
    """Hears what is being started."""


def key_of(name: str = "zai") -> str:
    """The provider's key, from Vault and not from memory."""
    forget()
    return provider_key(name).api_key.get_secret_value()


@dataclass(frozen=True)
class Owner(System):
    """A system whose private Vault is set up by `login`."""

    def login(self, provider: str, key: str, *words: str, code: int = 0, **env: str) -> str:
        """Stores a key untried, and returns what `ctl login` said."""
        process = self.logging_in(provider, key, *words, **env)
        said = process.communicate(timeout=60)[0]
        assert process.returncode == code, said
        return said

    def logging_in(self, provider: str, key: str, *words: str, **env: str) -> "subprocess.Popen[str]":
        """`ctl login` at work, which has its key on stdin."""
        process = subprocess.Popen(
            [*words, sys.executable, "-I", "-m", "app.cli", "login", provider, "--stdin", "--no-check"],
            cwd=self.data,
            env=self.environment(**env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdin
        process.stdin.write(f"{key}\n")
        process.stdin.flush()
        return process

    @property
    def server(self) -> Service:
        """The Vault's process, which lives."""
        service = living(self.data, "vault")
        assert service is not None
        return service

    def kill(self) -> Service:
        """SIGKILL for the Vault; returns what it was."""
        service = self.server
        os.kill(service.pid, 9)
        while start_time(service.pid) == service.started:
            pass
        return service

    def keys(self) -> private.Keys:
        """What opens it, from its file."""
        keys = private.parsed(private.key_file(self.data).read_text())
        assert keys is not None
        return keys

    def client(self, token: str = "") -> Any:
        """A client of the running Vault."""
        return private.client(self.server.address, self.data, token)

    def processes(self) -> list[int]:
        """Every living process that serves this store."""
        mark = str(private.folder(self.data) / "server.json").encode()
        return [
            int(pid.name) for pid in Path("/proc").glob("[1-9]*") if mark in _words(pid) and start_time(int(pid.name))
        ]


def _words(pid: Path) -> bytes:
    try:
        return (pid / "cmdline").read_bytes()
    except OSError:
        return b""
