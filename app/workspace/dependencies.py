"""What a worktree needs and git does not carry: dependency folders, seen read-only, and files like `.env`."""

import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from app.domain.tool import Workspace
from app.settings import Settings
from app.workspace.changes import kinds
from app.workspace.files import remove, write_whole
from app.workspace.git import Git
from app.workspace.places import private_dir, private_git, worktree_path
from app.workspace.repository import locate
from app.workspace.staging import ignored

if TYPE_CHECKING:
    from app.tools.gate.sandbox import Mounts

FOLDERS = (".venv", "venv", "node_modules", "target")
"""Looked for in the top folder and in the run's folder; only where the repository ignores them."""

_MARK = "# codetether: these come from your checkout"


def mounts(data: Path, ws: Workspace, settings: Settings, worktree: Path | None = None) -> "Mounts":
    """What the sandbox shows at which path; `worktree`: another folder than the agent's, for a measure."""
    from app.tools.gate.sandbox import Mounts  # it is above us: the gate uses worktrees

    folder = worktree or worktree_path(data, ws)
    names = _linked(private_git(data, ws.run), ws, settings)
    for name in names:
        _mount_point(folder, name)
    private = private_dir(data, ws.run)
    return Mounts(
        root=ws.root,
        worktree=folder,
        git_dir=private / "worktrees" / folder.name,
        common_dir=private,
        objects=object_folders(locate(Path(ws.root)).objects),
        hidden=(data, settings.config_dir),
        readonly=tuple(
            ((Path(ws.root) / name).resolve(), f"{ws.root}/{name}") for name in names if _is_folder(folder / name)
        ),
        settings=settings.sandbox,
    )


def carry_along(git: Git, ws: Workspace, worktree: Path, settings: Settings) -> None:
    """Makes the mount points and copies the wanted files; none of them is ever committed."""
    links = _linked(git, ws, settings)
    files = [name for name in map(normal, settings.copy_files) if name and _wanted_file(git, ws, worktree, name)]
    assert git.git_dir is not None
    _exclude(git.git_dir / "info" / "exclude", [f"{_literal(name)}/" for name in links] + [*map(_literal, files)])
    for name in links:
        _mount_point(worktree, name)
    for name in files:
        (worktree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(Path(ws.root) / name, worktree / name)


def normal(path: str) -> str | None:
    """The relative path without `.` and `..`; None when it leads out of the folder it is relative to."""
    parts: list[str] = []
    pure = PurePosixPath(path)
    for part in pure.parts:
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return None if pure.is_absolute() else str(PurePosixPath(*parts))


def object_folders(objects: Path) -> tuple[Path, ...]:
    """The object folder and those that it borrows from, and so on."""
    found: list[Path] = []
    waiting = [objects]
    while waiting:
        folder = waiting.pop(0).resolve()
        if folder in found or not folder.is_dir():
            continue
        found.append(folder)
        alternates = folder / "info" / "alternates"
        if alternates.is_file():
            lines = alternates.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
            waiting += [folder / line for line in lines if line and not line.startswith("#")]
    return tuple(found)


def _linked(git: Git, ws: Workspace, settings: Settings) -> list[str]:
    places = dict.fromkeys((".", ws.subdir))
    usual = [normal(f"{place}/{name}") for place in places for name in FOLDERS]
    asked = [normal(name) for name in settings.link]
    there = {name for name in (*usual, *asked) if name and name != "." and _is_there(Path(ws.root), name)}
    if not there:
        return []
    known = ignored(Git(git.git_dir, git.git_dir, Path(ws.root)), sorted(there))
    return sorted(name for name in there if (name in known or name in asked) and not _tracked(git, ws.base, name))


def _is_there(root: Path, name: str) -> bool:
    above = list(PurePosixPath(name).parents)[:-1]
    return (root / name).is_dir() and not any((root / part).is_symlink() for part in above)


def _wanted_file(git: Git, ws: Workspace, worktree: Path, name: str) -> bool:
    source = Path(ws.root) / name
    inside = source.resolve().is_relative_to(Path(ws.root).resolve())
    absent = not (worktree / name).exists() and not (worktree / name).is_symlink()
    return source.is_file() and inside and absent and not _tracked(git, ws.base, name)


def _tracked(git: Git, commit: str, name: str) -> bool:
    """Whether the commit has files there; of a submodule it has none."""
    return kinds(git, commit, [name]).get(name, "commit") != "commit"


def _mount_point(worktree: Path, name: str) -> None:
    """An empty folder to mount on, unless the agent put something else there."""
    if not any((worktree / part).is_symlink() for part in (name, *map(str, PurePosixPath(name).parents))):
        try:
            (worktree / name).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            return


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _literal(name: str) -> str:
    return "/" + "".join(f"\\{letter}" if letter in "\\*?[]!# " else letter for letter in name)


def _exclude(file: Path, patterns: list[str]) -> None:
    old = file.read_text(encoding="utf-8", errors="surrogateescape") if file.is_file() else ""
    new = [pattern for pattern in patterns if pattern not in old.splitlines()]
    if new:
        end = "" if not old or old.endswith("\n") else "\n"
        text = "\n".join((old + end + _MARK, *new, ""))
        remove(file.with_name(f"{file.name}.new"))
        write_whole(file, text.encode(errors="surrogateescape"))
