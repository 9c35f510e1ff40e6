"""A repository, a private one that borrows from it, a worktree, a home with secrets; and each back end."""

import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from app.settings import SandboxSettings
from app.tools.gate.sandbox import UNHELD, Mounts, Sandbox
from app.tools.gate.sandbox.probing import bubblewrap, landlock
from app.tools.process import Finished, run_command

BACKENDS = ("bubblewrap", "landlock", "none")


def sandbox_of(backend: str) -> Sandbox:
    """The back end itself, whatever else would be preferred; skips where this machine has not got it."""
    found = {"bubblewrap": bubblewrap, "landlock": landlock, "none": lambda: UNHELD}[backend]()
    if not found.works and backend != "none":
        pytest.skip(f"no {backend} here: {found.reason}")
    return found


@dataclass
class Place:
    """Where a command runs; `outside` is a folder that belongs to the user."""

    mounts: Mounts
    data: Path
    outside: Path
    home: Path
    sandbox: Sandbox

    async def run(self, command: str, *, network: bool = False, timeout: float = 30, **settings: Any) -> Finished:
        settings["network"] = settings.pop("network_hosts", ())
        mounts = replace(self.mounts, settings=SandboxSettings(**settings))
        return await run_command(
            data=self.data,
            key="k",
            argv=["bash", "-c", command],
            cwd=mounts.root,
            mounts=mounts,
            timeout=timeout,
            network=network,
            spool=self.data / "spool" / "k",
            sandbox=self.sandbox,
        )


@pytest.fixture
def place_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Place]:
    """Makes the place of a back end."""

    def make(backend: str) -> Place:
        sandbox = sandbox_of(backend)
        root, home, outside, data = (tmp_path / name for name in ("repository", "home", "outside", "data"))
        private, worktree = data / "repos" / "r.git", data / "worktrees" / "r" / "main"
        (home / ".ssh").mkdir(parents=True)
        outside.mkdir()
        (home / ".ssh" / "id").write_text("TOP-SECRET")
        (home / ".vault-token").write_text("TOP-SECRET")
        monkeypatch.setenv("HOME", str(home))
        as_us = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        for words in (
            ["init", "-q", str(root)],
            ["-C", str(root), *as_us, "commit", "-q", "--allow-empty", "-m", "start"],
            ["clone", "-q", "--bare", "--shared", str(root), str(private)],
            [f"--git-dir={private}", "worktree", "add", "-q", "--detach", str(worktree)],
        ):
            subprocess.run(["git", *words], check=True, capture_output=True)
        (private / "hooks").mkdir(exist_ok=True)
        mounts = Mounts(
            root=str(root),
            worktree=worktree,
            git_dir=private / "worktrees" / "main",
            common_dir=private,
            objects=(root / ".git" / "objects",),
            hidden=(data,),
        )
        return Place(mounts, data, outside, home, sandbox)

    return make


Attack = Callable[[Place], Awaitable[bool]]
