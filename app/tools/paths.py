"""Paths as a model writes them, and where they really lead."""

import errno
import os
import unicodedata
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath

from app.domain.tool import Workspace
from app.stream.files import safe_name
from app.tools.base import ToolContext, ToolError, session_folder

OUTPUT = "@output/"
"""Prefix of the whole texts of results that were cut: `@output/<name>`."""
SENSITIVE = (".env", ".env.*", "*.pem", "id_rsa*", "*.key")
_HARMLESS = (".env.example", ".env.sample", ".env.template")


@lru_cache(1024)
def sensitive(path: str) -> bool:
    """True for files that usually hold secrets, judged by their name alone."""
    name = PurePosixPath(path).name.lower()
    return name not in _HARMLESS and any(fnmatchcase(name, pattern) for pattern in SENSITIVE)


@lru_cache(256)
def top_of(worktree: Path) -> Path:
    """Where a worktree really lies, looked up once: if it leads elsewhere later, what lies there is outside."""
    return Path(os.path.realpath(worktree))


def outside(workspace: Workspace, worktree: Path, path: str) -> bool:
    """True when the path, symlinks followed, leaves the worktree. A path no file can have is outside."""
    if path.startswith(OUTPUT):
        return False
    if "\0" in path:
        return True
    try:
        return not below(_real(workspace, worktree, path), top_of(worktree))
    except ToolError:
        return False  # it is the name of nothing: the call fails with this sentence


def inside(workspace: Workspace, worktree: Path, path: str) -> str:
    """The path below the worktree that this one leads to, symlinks followed; empty where it leads out of it."""
    if path.startswith(OUTPUT) or "\0" in path:
        return ""
    try:
        real, top = _real(workspace, worktree, path), top_of(worktree)
    except ToolError:
        return ""
    return os.path.relpath(real, top) if below(real, top) else ""


def resolve(ctx: ToolContext, path: str, *, write: bool = False) -> Path:
    """The real path in the worktree, symlinks followed; it may not exist.

    A name that is not there is taken for the one that is the same text in another Unicode form (`é` as one
    sign or as two: macOS writes the other one). Raises `ToolError` for paths that leave the worktree (unless
    allowed, and then only to read), and for `.git`, for the private Vault, and for files of secrets unless allowed.
    """
    if not path or "\0" in path:
        raise ToolError("the path is empty or holds a NUL byte; name a file")
    if path.startswith(OUTPUT):
        return _output(ctx, path, write)
    real = _real(ctx.workspace, ctx.worktree, path)
    top = top_of(ctx.worktree)
    if not below(real, top):
        if closed(ctx, real):
            raise ToolError(f"`{path}` belongs to the private Vault, which no tool reads; go on without it")
        if ctx.allowed and not write:
            return real
        raise ToolError(f"`{path}` leads out of the repository; use a path below `{ctx.workspace.root}`")
    if _in_git(path) or _in_git(str(real).removeprefix(str(top))):
        raise ToolError(f"`{path}` belongs to git's own files; use git commands through `bash` instead")
    if not ctx.allowed and (sensitive(path) or sensitive(real.name)):
        raise ToolError(f"`{path}` may hold secrets, and nobody allowed it; go on without it")
    return real


def closed(ctx: ToolContext, real: Path) -> bool:
    """Whether a real path lies in the private Vault's folder, which nobody can allow."""
    return real.is_relative_to(os.path.realpath(ctx.data / "vault"))


def shown(ctx: ToolContext, real: Path) -> str:
    """The path for the model, such that `resolve` finds the same file again.

    Relative to the folder the agent works in; outside that folder, absolute as in the user's repository.
    """
    top = top_of(ctx.worktree)
    base = Path(os.path.normpath(top / ctx.workspace.subdir))
    if real.is_relative_to(base):
        return str(real.relative_to(base))
    if real.is_relative_to(top):
        return str(Path(ctx.workspace.root) / real.relative_to(top))
    output = session_folder(ctx) / "output"
    return f"{OUTPUT}{real.stem}" if real.parent == output else str(real)


def refuse_unreadable(real: Path, written: str) -> None:
    """Raises `PermissionError` for a file that rg would pass over in silence, `ToolError` for one it would wait for."""
    if not real.is_dir() and not real.is_file():
        raise ToolError(f"`{written}` is not a regular file and cannot be searched; name a file or a folder")
    if not os.access(real, os.R_OK):
        raise PermissionError(errno.EACCES, "permission denied", str(real))


def output_file(ctx: ToolContext) -> Path:
    """Where the whole text of this step's result lies if it had to be cut."""
    return session_folder(ctx) / "output" / f"{safe_name(ctx.step_id)}.txt"


def _output(ctx: ToolContext, path: str, write: bool) -> Path:
    name = path.removeprefix(OUTPUT)
    if write:
        raise ToolError(f"`{path}` is the record of an earlier result and cannot be changed; write another file")
    if not name or "/" in name or name.startswith("."):
        raise ToolError(f"`{path}` is no recorded result; use the path exactly as the cut result told it")
    return session_folder(ctx) / "output" / f"{name}.txt"


def same_text(one: str, other: str) -> bool:
    """Whether two names are the same but for their Unicode form."""
    return one == other or composed(one) == composed(other)


def composed(name: str) -> str:
    """The name in the one Unicode form (NFC) in which names are compared."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def below(real: Path, top: Path) -> bool:
    """`is_relative_to` of real paths, for each call of each tool: ten times as fast."""
    return real == top or str(real).startswith(f"{top}{os.sep}")


def _real(workspace: Workspace, worktree: Path, path: str) -> Path:
    return _there(_followed(workspace, worktree, path), path)


def _there(real: Path, written: str) -> Path:
    """The path itself where it exists or is ASCII; else with each missing name as the folder spells it."""
    if str(real).isascii() or os.path.lexists(real):
        return real
    for place in reversed((real, *real.parents)):
        if os.path.lexists(place):
            continue
        try:
            names = [name for name in os.listdir(place.parent) if same_text(name, place.name)]  # noqa: PTH208
        except OSError:
            return real
        if len(names) > 1:
            raise ToolError(
                f"`{written}` is not there, but {len(names)} names are that differ from `{place.name}` only in their "
                "Unicode form; rename one of them with a command in `bash`"
            )
        if not names:
            return real
        found = os.path.realpath(place.parent / names[0] / real.relative_to(place))  # it may be a link
        return _there(Path(found), written)
    return real


def _followed(workspace: Workspace, worktree: Path, path: str) -> Path:
    written = PurePosixPath(path)
    if not written.is_absolute():
        inside = os.path.normpath(PurePosixPath(workspace.subdir) / written)
        if PurePosixPath(inside).parts[:1] != ("..",):
            return Path(os.path.realpath(os.path.join(worktree, workspace.subdir, written)))  # noqa: PTH118 - read often
        path = os.path.join(workspace.root, inside)  # noqa: PTH118 - beside the repository, not beside the worktree
    for root in (workspace.root, os.path.realpath(workspace.root)):
        if PurePosixPath(os.path.normpath(path)).is_relative_to(root):
            return Path(os.path.realpath(worktree / os.path.relpath(os.path.normpath(path), root)))
    return Path(os.path.realpath(path))


def _in_git(path: str) -> bool:
    return ".git" in path.lower().split("/")
