"""From a folder to a tree, whatever an agent did in it.

`git add` is never used: for a submodule it starts `git status` inside of it, under a configuration that
the agent can write, outside of the sandbox. Here only files and links are staged, by name: the files
of a nested repository become files, submodules stay as they are.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from app.workspace.files import remove
from app.workspace.git import Git, GitError, joined

_GITLINK = "160000"


def stage(git: Git, unfit: Callable[[list[str]], None] = lambda _: None) -> str:
    """Stages everything not ignored in `git.work_tree` over what `git.index` holds; the hash of the tree.

    The index must be a private one; both must be given. `unfit` raises when one of the files may not be read as it is.
    """
    top = git.work_tree
    assert top is not None
    submodules = _submodules(git)
    _drop(git, submodules)
    changed = _changed(git, top, submodules)
    present = _Present(top)
    kept = [path for path in changed if present(path)]
    _drop(git, [path for path in changed if not present(path)])
    unfit(kept)
    _make_readable(top, kept)
    git.run("update-index", "--add", "--replace", "-z", "--stdin", input=joined(kept))
    _restore(git, submodules, present)
    return git.line("write-tree")


def load(git: Git, tree: str) -> None:
    """Makes `git.index` hold `tree`, keeping what it knows of unchanged files; rebuilt when unreadable."""
    assert git.index is not None
    remove(git.index.with_name(f"{git.index.name}.lock"))
    try:
        if git.index.is_file():
            git.run("read-tree", "-m", tree)
            return
    except GitError:
        remove(git.index)
    git.run("read-tree", tree)


def ignored(git: Git, paths: Iterable[str]) -> set[str]:
    """Those of `paths` that the ignore rules name, tracked or not. None may lie behind a link."""
    rules = _Rules(git.git_dir, git.common_dir, git.work_tree, git.index, lock=git.lock)
    try:
        named = rules.fields("check-ignore", "--no-index", "-z", "--stdin", input=joined(f"./{path}" for path in paths))
        return {path.removeprefix("./") for path in named}
    except GitError as error:
        if error.exit_code == 1:
            return set()
        raise


class _Rules(Git):
    """`git check-ignore` does not know literal paths; `./` in front keeps it from reading magic into them."""

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in super()._environment().items() if name != "GIT_LITERAL_PATHSPECS"}


def _submodules(git: Git) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in git.fields("ls-files", "--stage", "-z"):
        meta, _, path = entry.partition("\t")
        mode, hash, _ = meta.split(" ")
        if mode == _GITLINK:
            found[path] = hash
    return found


def _changed(git: Git, top: Path, submodules: dict[str, str]) -> list[str]:
    tracked = {*git.fields("ls-files", "--modified", "-z"), *_unmerged(git)}
    others: set[str] = set()
    nested: set[str] = set()
    inside = tuple(f"{path}/" for path in submodules)
    for path in git.fields("ls-files", "--others", "--exclude-standard", "-z"):
        if path.endswith("/"):
            nested.update(_files_below(top, path.rstrip("/")))
        else:
            others.add(path)
    if nested := {path for path in nested if not path.startswith(inside)}:
        others |= nested - ignored(git, nested)
    return sorted(path for path in tracked | others if not path.startswith(inside))


def _unmerged(git: Git) -> set[str]:
    return {entry.partition("\t")[2] for entry in git.fields("ls-files", "--unmerged", "-z")}


def _files_below(top: Path, folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(top / folder):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        folders[:] = [name for name in folders if name.lower() != ".git" and name not in links]
        for name in (*files, *links):
            if name.lower() != ".git":
                yield os.path.relpath(Path(place) / name, top)


class _Present:
    """Whether a path is a file or a link that really lies in the folder, not behind a link."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._folders: dict[str, bool] = {"": True}

    def __call__(self, path: str) -> bool:
        mode = self._mode(path)
        return (stat.S_ISREG(mode) or stat.S_ISLNK(mode)) and self._real(path.rpartition("/")[0])

    def _real(self, folder: str) -> bool:
        if folder not in self._folders:
            above = self._real(folder.rpartition("/")[0])
            self._folders[folder] = above and stat.S_ISDIR(self._mode(folder))
        return self._folders[folder]

    def _mode(self, path: str) -> int:
        try:
            return (self._top / path).lstat().st_mode
        except OSError:
            return 0


def _make_readable(top: Path, paths: list[str]) -> None:
    for path in paths:
        file = top / path
        if not file.is_symlink() and not os.access(file, os.R_OK):
            file.chmod(file.stat().st_mode | stat.S_IRUSR)


def _drop(git: Git, paths: Iterable[str]) -> None:
    if gone := joined(paths):
        git.run("update-index", "--force-remove", "-z", "--stdin", input=gone)


def _restore(git: Git, submodules: dict[str, str], present: _Present) -> None:
    lines = [f"{_GITLINK} {hash}\t{path}" for path, hash in submodules.items() if not present(path)]
    if lines:
        git.run("update-index", "--add", "-z", "--index-info", input=joined(lines))
