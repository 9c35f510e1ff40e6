"""The real system for end-to-end tests: a Temporal server, a worker, `ctl`, and a model that plays a script."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving import serving

from app.demo.scenario import Reply
from app.demo.server import Server
from app.settings import Settings
from app.stack.identity import data_id
from app.stack.server import any_port
from app.stack.state import Service, save

Script = Callable[[list[dict[str, Any]], set[str]], Reply]


@dataclass(frozen=True)
class System:
    """One data folder with its own Temporal server and worker."""

    settings: Settings

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.settings.data_dir

    def environment(self, **more: str) -> dict[str, str]:
        """What `ctl` is started with."""
        own = {"CODETETHER_DATA_DIR": str(self.data), "CODETETHER_CONFIG_DIR": str(self.settings.config_dir)}
        return {**os.environ, **own, **more}

    def ctl(self, *words: str, cwd: Path, code: int | None = 0, timeout: float = 90, **env: str) -> str:
        """Runs `ctl` and returns what it printed; fails unless it left with `code` (None: any)."""
        done = subprocess.run(
            [sys.executable, "-I", "-m", "app.cli", *words],
            cwd=cwd,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def json(self, *words: str, cwd: Path, code: int | None = 0, **env: str) -> Any:
        """Runs `ctl ... --json` and returns the document it printed."""
        done = subprocess.run(
            [sys.executable, "-I", "-m", "app.cli", *words, "--json"],
            cwd=cwd,
            env=self.environment(**env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)


def settings_apart(folder: Path) -> Settings:
    """Settings of a system in `folder`, whose server has ports of its own: the usual ones are a person's."""
    settings = Settings(data_dir=folder / "data", config_dir=folder / "config")
    data_id(settings.data_dir)
    address, ui = (f"127.0.0.1:{any_port()}" for _ in range(2))
    save(settings.data_dir, "temporal", Service(pid=0, started="", address=address, ui=f"http://{ui}"))
    return settings


@contextmanager
def playing(script: Script, port: int = 0) -> Generator[Server]:
    """A model server that plays `script`; `flags` names it to `ctl`."""
    with serving(Server(port, 0.0, script)) as server:
        yield server


def flags(server: Server) -> list[str]:
    """The flags of `ctl` that name a model server."""
    return ["--model", "openai/test", "--base-url", f"http://127.0.0.1:{server.server_address[1]}/v1"]
