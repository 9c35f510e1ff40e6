"""Our own git calls: no hook, filter, helper, pager or transport of anybody's configuration ever runs.

Hooks, fsmonitor, signing, credentials, ssh and every transport are switched off on the command line,
which beats any file. Clean, smudge and textconv filters and merge drivers have no such switch, so calls that read or
write file contents use a private repository (`app/workspace/repository.py`) whose configuration is
ours; in the user's repository only references and objects are read and written.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from app.errors import UserError

TIMEOUT = 240.0
"""Seconds for one call; the activities that make them have five minutes."""

_Done: TypeAlias = "subprocess.CompletedProcess[bytes]"

NAME = "CodeTether"
EMAIL = "agent@codetether.invalid"

_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.fsync": "all",
    "core.pager": "cat",
    "core.editor": "true",
    "core.sshCommand": "false",
    "core.alternateRefsCommand": "true",
    "core.splitIndex": "false",
    "core.untrackedCache": "false",
    "core.quotePath": "false",
    "commit.gpgSign": "false",
    "log.showSignature": "false",
    "gpg.program": "false",
    "credential.helper": "",
    "diff.external": "",
    "diff.ignoreSubmodules": "all",
    "submodule.recurse": "false",
    "protocol.allow": "never",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
    "safe.directory": "*",  # ownership guards against foreign configuration, which cannot do anything here
}
_OPTIONS = tuple(part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}"))
_LITTLE = 1 << 20
"""Bytes: a disk with less is full."""
_KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "SYSTEMROOT")


class GitError(UserError):
    """A git call that failed: which one, where, and git's own last words. `full`: for want of space."""

    def __init__(self, args: tuple[str, ...], where: Path, exit_code: int, stderr: str) -> None:
        words = [line for line in stderr.strip().splitlines() if not line.startswith("hint:")]
        said = "; ".join(words[-3:])[:600] or f"exit {exit_code}"
        self.full = _full(where, stderr)
        advice = "; free some space and try again" if self.full else ""
        super().__init__(_known(stderr) or f"`git {args[0]}` failed in `{where}`: {said}{advice}", 1)
        self.exit_code = exit_code
        self.stderr = stderr


def _known(stderr: str) -> str:
    """Our own sentence for what git says of objects that are not there; empty for anything else."""
    if gone := re.search("unable to normalize alternate object path: (.+)", stderr):
        return f"the repository that `{gone[1]}` belonged to is gone; put it back there, then `ctl continue`"
    if missing := re.search(r"unable to read sha1 file of (.+) \(", stderr):
        return (
            f"the contents of `{missing[1]}` are not in the repository, which is no full clone; "
            "get them with `git fetch --refetch --no-filter` there, then start again"
        )
    return ""


def _full(where: Path, stderr: str) -> bool:
    """Whether git failed for want of space. It does not say why it could not write a file of a tree."""
    if "No space left" in stderr or "Disk quota exceeded" in stderr:
        return True
    with suppress(OSError):
        return "unable to write" in stderr and shutil.disk_usage(where).free < _LITTLE
    return False


@dataclass(frozen=True)
class Git:
    """Where a call works. `common_dir` is always given for worktrees that an agent can write to:
    the `commondir` file in there is the agent's. `lock` is inherited, so that a call which outlives
    a killed worker keeps the next attempt waiting."""

    git_dir: Path | None
    common_dir: Path | None = None
    work_tree: Path | None = None
    index: Path | None = None
    objects: Path | None = None
    lock: int | None = None

    def run(self, *args: str, input: bytes | Path = b"", output: Path | None = None) -> bytes:
        """What the call printed (nothing when it went to `output`). Raises `GitError`."""
        done = self._call(args, input, output)
        if done.returncode != 0:
            raise GitError(args, self._where, done.returncode, os.fsdecode(done.stderr))
        return done.stdout or b""

    def line(self, *args: str, input: bytes = b"") -> str:
        """The printed line, without its end; bytes that are not UTF-8 survive a round trip."""
        return os.fsdecode(self.run(*args, input=input).removesuffix(b"\n"))

    def fields(self, *args: str, input: bytes = b"") -> list[str]:
        """The printed NUL-terminated fields, as `-z` makes git print them."""
        text = self.run(*args, input=input)
        return [os.fsdecode(field) for field in text.split(b"\0")[:-1]]

    def succeeds(self, *args: str) -> bool:
        """Whether the call ended with 0; 1 is no. Raises `GitError` for any other exit."""
        done = self._call(args, b"", None)
        if done.returncode > 1:
            raise GitError(args, self._where, done.returncode, os.fsdecode(done.stderr))
        return done.returncode == 0

    def resolve(self, name: str, kind: str = "commit") -> str:
        """The hash of the object of `kind` that `name` leads to; empty when there is none."""
        done = self._call(("rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{{kind}}}"), b"", None)
        return os.fsdecode(done.stdout).strip() if done.returncode == 0 else ""

    @property
    def _where(self) -> Path:
        return self.work_tree or self.git_dir or Path.cwd()

    def _call(self, args: tuple[str, ...], input: bytes | Path, output: Path | None) -> _Done:
        with _opened(input, "rb") as source, _opened(output, "wb") as sink:
            return _communicate(
                (_program(), *_OPTIONS, *args),
                cwd=self.work_tree or self.git_dir or Path.cwd(),
                env=self._environment(),
                data=input if isinstance(input, bytes) else None,
                stdin=source or subprocess.PIPE,
                stdout=sink or subprocess.PIPE,
                lock=self.lock,
            )

    def _environment(self) -> dict[str, str]:
        places = {
            "GIT_DIR": self.git_dir,
            "GIT_COMMON_DIR": self.common_dir,
            "GIT_WORK_TREE": self.work_tree,
            "GIT_INDEX_FILE": self.index,
            "GIT_OBJECT_DIRECTORY": self.objects,
        }
        return (
            {name: os.environ[name] for name in _KEPT if name in os.environ}
            | {name: str(path) for name, path in places.items() if path is not None}
            | _QUIET
            | {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in _IDENTITY.items()}
        )


_IDENTITY = {"NAME": NAME, "EMAIL": EMAIL}
_QUIET = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ASKPASS": "true",
    "GIT_EDITOR": "true",
}


def joined(paths: Iterable[str]) -> bytes:
    """Paths as `-z --stdin` wants them."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _program() -> str:
    found = shutil.which("git")
    if found is None:
        raise UserError("`git` is not installed; install it (`apt install git`, `brew install git`) and try again", 1)
    return found


class _opened:
    """The file, opened, or None for anything that is not a path."""

    def __init__(self, path: bytes | Path | None, mode: str) -> None:
        self._file = path.open(mode) if isinstance(path, Path) else None

    def __enter__(self) -> "int | None":
        return self._file.fileno() if self._file else None

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()


def _communicate(
    argv: tuple[str, ...],
    *,
    cwd: Path,
    env: dict[str, str],
    data: bytes | None,
    stdin: int,
    stdout: int,
    lock: int | None,
) -> _Done:
    """Runs git in a session of its own; at the time limit the whole session is killed."""
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=() if lock is None else (lock,),
    )
    try:
        out, err = process.communicate(data if stdin == subprocess.PIPE else None, timeout=TIMEOUT)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise UserError(f"`git {argv[len(_OPTIONS) + 1]}` in `{cwd}` took over {TIMEOUT:.0f} s", 1) from None
        raise
    return subprocess.CompletedProcess(argv, process.returncode, out or b"", err or b"")
