"""Merging a finished branch: the one thing done in the user's checkout, by their own git, when they say so."""

import os
import subprocess
from pathlib import Path

from app.domain.base import Model
from app.errors import UserError
from app.workspace.changes import changed_files
from app.workspace.git import Git
from app.workspace.repository import Repository, borrowed, locate

_UNDER_WAY = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}
_PLACES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")


class Merged(Model):
    """HEAD after the merge. `already`: everything was there before, nothing was done."""

    commit: str
    conflict: tuple[str, ...] = ()
    already: bool = False


class MergeConflict(UserError):
    """The merge met conflicts and was taken back; `files` are those that conflict."""

    def __init__(self, message: str, files: tuple[str, ...]) -> None:
        super().__init__(message, 1)
        self.files = files


def dirty_files(repo: Path, limit: int = 20) -> list[str]:
    """What a run from HEAD would not see: tracked files that differ from it and untracked ones, at most `limit`."""
    place = locate(repo)
    with borrowed(place) as git:
        found = [*_differing(git), *git.fields("ls-files", "--others", "--exclude-standard", "--directory", "-z")]
    return found[:limit]


def merge(repo: Path, branch: str, *, squash: bool, message: str) -> Merged:
    """Merges with the user's own git: their identity, hooks, signing, environment and terminal.

    Raises `UserError` (exit 1), the checkout being as before, when something is in the way or conflicts.
    """
    place = locate(repo)
    tip = place.git.resolve(f"refs/heads/{branch}")
    if not tip:
        raise UserError(f"branch `{branch}` does not exist in `{place.top}`; `ctl okr list` shows the runs", 1)
    _refuse_under_way(place)
    if (place.git_dir / "HEAD").read_text(encoding="utf-8", errors="replace").strip() == f"ref: refs/heads/{branch}":
        raise UserError(f"branch `{branch}` itself is checked out; `git switch` to yours, then merge again", 1)
    head = place.head
    if place.git.succeeds("merge-base", "--is-ancestor", tip, head):
        return Merged(commit=head, already=True)
    _refuse_in_the_way(place, head, tip, branch)
    if squash:
        return _squash(place, branch, message, head)
    done = _theirs(place, "merge", "--no-ff", "--no-squash", "--commit", "--no-autostash", "-m", message, branch)
    if done != 0:
        _take_back(place, branch, done, head)
    return Merged(commit=place.head)


def _squash(place: Repository, branch: str, message: str, head: str) -> Merged:
    done = _theirs(place, "merge", "--squash", "--ff", "--no-autostash", branch)  # `merge.ff` may say otherwise
    if done != 0:
        _take_back(place, branch, done, head)
    if not _staged(place.git):
        (place.git_dir / "SQUASH_MSG").unlink(missing_ok=True)
        return Merged(commit=head, already=True)
    done = _theirs(place, "commit", "-m", message)
    if done != 0:
        _take_back(place, branch, done, head)
    return Merged(commit=place.head)


def _take_back(place: Repository, branch: str, code: int, head: str) -> None:
    """Restores tree, index and HEAD; always raises."""
    git = Git(place.git_dir, place.common_dir, place.top)
    files = tuple(sorted({entry.partition("\t")[2] for entry in git.fields("ls-files", "--unmerged", "-z")}))
    if (place.git_dir / "MERGE_HEAD").exists():
        _theirs(place, "merge", "--abort")
    elif git.resolve("HEAD") == head and _staged(git):
        _theirs(place, "reset", "--merge")
    if files:
        names = ", ".join(f"`{name}`" for name in files[:10])
        raise MergeConflict(
            f"branch `{branch}` conflicts with yours in {names}; your checkout is as before. "
            f"Resolve it by hand: `git merge {branch}`, or start a run from here",
            files,
        )
    raise UserError(f"git did not merge `{branch}` (exit {code}), see above; your checkout is as before", 1)


def _refuse_under_way(place: Repository) -> None:
    for name, what in _UNDER_WAY.items():
        if (place.git_dir / name).exists():
            raise UserError(f"a {what} is in progress in `{place.top}`; finish it or `git {what} --abort` first", 1)


def _refuse_in_the_way(place: Repository, head: str, tip: str, branch: str) -> None:
    common = place.git.line("merge-base", head, tip) if place.git.succeeds("merge-base", head, tip) else head
    touched = set(changed_files(place.git, common, tip))
    with borrowed(place) as git:
        staged = _staged(git)
        untracked = touched - set(git.fields("ls-files", "-z"))
        there = {path for path in untracked if os.path.lexists(place.top / path)}  # ignored ones too
        dirty = (touched & set(_differing(git))) | there
    if blocking := sorted(dirty) or staged:
        names = ", ".join(f"`{name}`" for name in blocking[:10])
        raise UserError(
            f"your checkout has changes that are not committed in {names}, which merging `{branch}` "
            "would touch; commit or `git stash` them, then merge again",
            1,
        )


def _staged(git: Git) -> list[str]:
    return git.fields("diff-index", "--cached", "--name-only", "--no-renames", "-z", "HEAD")


def _differing(git: Git) -> list[str]:
    git.succeeds("update-index", "-q", "--refresh", "--ignore-submodules")
    return git.fields("diff-index", "--name-only", "--no-renames", "--ignore-submodules=all", "-z", "HEAD")


def _theirs(place: Repository, *args: str) -> int:
    environment = {name: value for name, value in os.environ.items() if name not in _PLACES}
    # What git prints is for the person: stdout is for data.
    return subprocess.run(["git", *args], cwd=place.top, env=environment, stdout=2, check=False).returncode
