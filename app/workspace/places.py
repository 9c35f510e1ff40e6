"""Where a run's private repository, worktrees and references lie."""

import re
from pathlib import Path

from app.domain.tool import Workspace
from app.errors import UserError
from app.workspace.files import remove
from app.workspace.git import Git

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def safe(name: str) -> str:
    """`name`, when it can name a folder and a branch. Raises `UserError` otherwise."""
    if not _SAFE.fullmatch(name) or ".." in name or name.endswith((".lock", ".")):
        raise UserError(f"`{name}` cannot name a run or a worktree; use letters, digits, `-`, `_` and single dots")
    return name


def folder_name(text: str) -> str:
    """`text` as the name of one folder: distinct texts that are safe names stay distinct."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[-150:]


def private_dir(data: Path, run: str) -> Path:
    """The run's private repository."""
    return data / "repos" / f"{safe(run)}.git"


def private_git(data: Path, run: str) -> Git:
    """Calls in the run's private repository, without a worktree.

    A `commondir` file that an agent put there would bring foreign configuration and references.
    """
    private = private_dir(data, run)
    remove(private / "commondir")
    for name in ("worktrees", "info", "refs", "objects"):
        if (private / name).is_symlink():  # it would lead our own writes out of the repository
            remove(private / name)
            (private / name).mkdir()
    return Git(private, private)


def run_folder(data: Path, run: str) -> Path:
    """The folder that holds the run's worktrees; locked while they are made or taken away."""
    return data / "worktrees" / safe(run)


def worktree_path(data: Path, ws: Workspace) -> Path:
    """The worktree's folder on this machine; in the sandbox it is seen at `ws.root`."""
    return run_folder(data, ws.run) / safe(ws.name)


def index_path(data: Path, ws: Workspace) -> Path:
    """Our own index of the worktree, out of the agent's reach; it only saves hashing, losing it is fine."""
    return run_folder(data, ws.run) / f".{safe(ws.name)}.index"


def head_ref(name: str) -> str:
    """In the private repository: the last commit that we made of the worktree `name`."""
    return f"refs/codetether/head/{safe(name)}"


def keep_ref(run: str) -> str:
    """In the user's repository: what the run rests on, so that their `git gc` leaves it alone."""
    return f"refs/codetether/keep/{safe(run)}"
