"""What all back ends share: what a command sees, what was found on this machine, the environment."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from app.settings import SandboxSettings

GIT = "/run/codetether/repo.git"
OBJECTS = "/run/codetether/objects"
INNER = Path(__file__).with_name("inner.py")
"""The program that sets limits and Landlock and becomes the command."""

SECRET = (
    *(".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".netrc", ".vault-token", ".npmrc", ".pypirc"),
    *(".git-credentials", ".config/git/credentials", ".config/gcloud", ".config/gh", ".config/codetether-agent"),
    *(".password-store", ".local/share/keyrings", ".mozilla", ".config/google-chrome", ".config/chromium"),
    *(".config/BraveSoftware", ".bash_history", ".zsh_history", ".python_history", ".node_repl_history"),
    ".psql_history",
)
"""Places below the home folder that no command sees."""

_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM")
_IDENTITY = {"NAME": "CodeTether", "EMAIL": "agent@codetether.invalid"}

Backend = Literal["bubblewrap", "landlock", "none"]


@dataclass(frozen=True)
class Mounts:
    """What a command of one worktree sees, and where.

    `root`: the repository's own path, where `worktree` appears, writable. `git_dir` and `common_dir`: the
    worktree's git directory and the private repository it belongs to. `objects`: what that borrows from.
    `readonly`: (source, place) of dependency folders. `hidden`: folders that are empty inside.
    """

    root: str
    worktree: Path
    git_dir: Path
    common_dir: Path
    objects: tuple[Path, ...] = ()
    readonly: tuple[tuple[Path, str], ...] = ()
    hidden: tuple[Path, ...] = ()
    read_only: bool = False
    """Nothing of the repository can be written: mode `plan`."""
    settings: SandboxSettings = field(default_factory=SandboxSettings)


@dataclass(frozen=True)
class Sandbox:
    """What a probe with a real command found. `reason` says why it does not work, or why it is not better.

    `lacks`: what this back end lets through, in words; a person is asked for each command because of it.
    `extras`: what of bubblewrap's newer options works here.
    """

    works: bool
    program: str = ""
    reason: str = ""
    backend: Backend = "none"
    lacks: tuple[str, ...] = ()
    landlock: int = 0
    extras: tuple[str, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether a command without network needs nobody's permission."""
        return self.works and not self.lacks


UNHELD = Sandbox(False)
"""No wall: for a command that a person allowed to run without a sandbox. Its limits still count."""


def inner(program: Path | str = INNER) -> list[str]:
    """The words that start `inner.py`: with the interpreter that a virtual environment was made of."""
    return [str(interpreter()), "-I", "-S", str(program)]


def interpreter() -> Path:
    """The interpreter itself, not a link in a virtual environment that the sandbox may not show."""
    return Path(str(getattr(sys, "_base_executable", "") or sys.executable)).resolve()


def environment(mounts: Mounts, *, sandboxed: bool, temporary: str = "/tmp") -> dict[str, str]:
    """The allow-listed environment of a command: no secret of ours, no configuration of the user's shell.

    `sandboxed`: by bubblewrap, where git and the worktree have places of their own.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    git_dir = f"{GIT}/worktrees/{mounts.git_dir.name}" if sandboxed else str(mounts.git_dir)
    return {
        "PATH": os.defpath,
        **kept,
        "TMPDIR": temporary,
        "PYTHONDONTWRITEBYTECODE": "1",  # a measured tree and a checkpoint hold no caches of a tool run
        "GIT_DIR": git_dir,
        "GIT_WORK_TREE": mounts.root if sandboxed else str(mounts.worktree),
        "GIT_TERMINAL_PROMPT": "0",
        "CODETETHER": "1",
        **{f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in _IDENTITY.items()},
    }
