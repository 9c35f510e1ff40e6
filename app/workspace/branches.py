"""The finished branch in the user's repository, and taking a run's traces away."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from app.domain.activities import Finished, FinishInput
from app.domain.run import Diffstat
from app.errors import UserError
from app.workspace.changes import diffstat
from app.workspace.checkpoint import RUN_TRAILER
from app.workspace.files import locked, remove
from app.workspace.git import EMAIL, Git
from app.workspace.places import keep_ref, private_dir, private_git, run_folder, safe
from app.workspace.repository import Repository, locate


def finish(data: Path, order: FinishInput) -> Finished:
    """Puts `codetether/<run>` at the commit, objects first; no branch when there is nothing on it.

    A branch that the user moved or has checked out stays: `-2` and so on is taken then. `keep`
    False gives up the reference that holds the run's start against the user's `git gc`.
    """
    repo = locate(Path(order.workspace.root))
    base = order.workspace.base
    branch, stat = "", Diffstat()
    commit = order.commit or base
    if commit != base:
        _fetch(data, repo, order)
        branch = _point(repo, order.run, order.commit)
        stat = diffstat(repo.git, base, order.commit)
    if not order.keep:
        _delete_ref(repo.git, keep_ref(order.run))
    return Finished(branch=branch, commit=commit, diffstat=stat)


def merged_into_head(repo: Path, branch: str, made: str = "") -> bool:
    """Whether everything on the branch is in the user's HEAD.

    `made`: the commit that its merge made, which alone tells of a squashed one; a merge may have been taken back.
    """
    place = locate(repo)
    tips = (place.git.resolve(f"refs/heads/{branch}"), place.git.resolve(made) if made else "")
    return any(tip and place.git.succeeds("merge-base", "--is-ancestor", tip, place.head) for tip in tips)


def discard(data: Path, repo: Path, run: str) -> None:
    """Removes the run's branches, reference, worktrees and private repository.

    Raises `UserError` (exit 1), before anything is removed, for a branch that the user has
    checked out or put commits on.
    """
    place = locate(repo)
    found = [(name, tip) for name in _names(place, run) if (tip := place.git.resolve(f"refs/heads/{name}"))]
    ours = [(name, tip) for name, tip in found if name == _first_name(place, run) or _is_ours(place, tip, run)]
    for name, tip in ours:
        if _checked_out(place, name):
            raise UserError(f"branch `{name}` is checked out; `git switch` to another one first", 1)
        if _has_foreign(place, name, tip):
            raise UserError(f"branch `{name}` has commits of yours; delete it yourself: `git branch -D {name}`", 1)
    for name, tip in ours:
        place.git.run("update-ref", "-d", f"refs/heads/{name}", tip)
    remove_run_files(data, repo, run)


def remove_run_files(data: Path, repo: Path, run: str) -> None:
    """Removes the run's worktrees, private repository and keep reference; its branch stays."""
    folder, private = run_folder(data, run), private_dir(data, run)
    if folder.is_dir():
        with locked(folder):
            remove(folder)
    for place in (private, private.with_name(f".new-{private.name}")):
        gone = place.with_name(f".gone-{private.name}")
        remove(gone)
        if place.is_dir():
            place.rename(gone)  # never half of a repository under its own name
            remove(gone)
    try:
        git = locate(repo).git
    except UserError:  # their repository is gone, and the reference with it
        return
    _delete_ref(git, keep_ref(run))


def collect_garbage(data: Path, runs: Iterable[tuple[Path, str]]) -> None:
    """Removes the files of each (repository, run) that is over; their branches stay."""
    for repo, run in runs:
        remove_run_files(data, repo, run)


def _fetch(data: Path, repo: Repository, order: FinishInput) -> None:
    """Copies into the user's store, durably, whatever the commit needs beyond the run's kept start."""
    if any(repo.git.resolve(f"refs/heads/{name}") == order.commit for name in _names(repo, order.run)):
        return
    if not private_dir(data, order.run).is_dir() or not private_git(data, order.run).resolve(order.commit):
        if repo.git.resolve(order.commit):
            return
        raise UserError(f"commit `{order.commit[:12]}` of run `{order.run}` is gone; start another run", 1)
    kept = repo.git.resolve(keep_ref(order.run))
    wanted = f"{order.commit}\n" + (f"^{kept}\n" if kept else "")
    git = private_git(data, order.run)
    if git.line("rev-list", "--count", "--stdin", input=wanted.encode()) == "0":
        return
    with TemporaryDirectory(dir=data / "repos", prefix=".pack-") as folder:
        pack = Path(folder) / "pack"
        git.run("pack-objects", "--revs", "--stdout", "-q", input=wanted.encode(), output=pack)
        repo.git.run("index-pack", "--stdin", input=pack)


def _point(repo: Repository, run: str, commit: str) -> str:
    for number in count(1):
        name = _first_name(repo, run) + (f"-{number}" if number > 1 else "")
        ref = f"refs/heads/{name}"
        old = repo.git.resolve(ref)
        if old and repo.git.succeeds("merge-base", "--is-ancestor", commit, old):
            return name
        if not old or (_may_move(repo, name, old, commit)):
            repo.git.run("update-ref", "-m", "codetether: finished", ref, commit, old or "0" * len(commit))
            return name
    raise AssertionError("unreachable")


def _may_move(repo: Repository, name: str, old: str, commit: str) -> bool:
    return repo.git.succeeds("merge-base", "--is-ancestor", old, commit) and not _checked_out(repo, name)


def _first_name(repo: Repository, run: str) -> str:
    """A user's branch called `codetether` leaves no room for names below it."""
    separator = "-" if repo.git.resolve("refs/heads/codetether") else "/"
    return f"codetether{separator}{safe(run)}"


def _names(repo: Repository, run: str) -> list[str]:
    first = _first_name(repo, run)
    shape = "--format=%(refname)"
    refs = repo.git.line("for-each-ref", shape, f"refs/heads/{first}", f"refs/heads/{first}-*").splitlines()
    names = [ref.removeprefix("refs/heads/") for ref in refs]
    return [name for name in names if name == first or name.removeprefix(f"{first}-").isdigit()]


def _checked_out(repo: Repository, branch: str) -> bool:
    """In any worktree of the user."""
    ref = f"refs/heads/{branch}"
    heads = [repo.common_dir / "HEAD", *(repo.common_dir / "worktrees").glob("*/HEAD")]
    return any(head.read_text(encoding="utf-8", errors="replace").strip() == f"ref: {ref}" for head in heads)


def _is_ours(repo: Repository, tip: str, run: str) -> bool:
    shape = f"--format=%ce %(trailers:key={RUN_TRAILER},valueonly,separator=%x2C)"
    return repo.git.line("log", "-1", shape, tip) == f"{EMAIL} {run}"


def _has_foreign(repo: Repository, branch: str, tip: str) -> bool:
    """Whether deleting the branch would lose a commit that somebody else made."""
    others = (f"--exclude=refs/heads/{branch}", "--exclude=refs/codetether/*", "--all")
    emails = repo.git.line("log", "--format=%ce", tip, "--not", *others, "HEAD").splitlines()
    return any(email != EMAIL for email in emails)


def _delete_ref(git: Git, ref: str) -> None:
    if git.resolve(ref):
        git.run("update-ref", "-d", ref)
