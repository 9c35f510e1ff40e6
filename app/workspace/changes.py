"""What lies between two commits: counted, shown, as a patch."""

from collections.abc import Iterable
from pathlib import Path

from app.domain.run import Diffstat
from app.errors import UserError
from app.workspace.git import Git
from app.workspace.places import private_dir, private_git
from app.workspace.repository import locate

_PLAIN = ("-r", "--no-ext-diff", "--no-textconv", "--submodule=short")


def diffstat(git: Git, base: str, commit: str) -> Diffstat:
    """Files and lines that differ; binary files have no lines."""
    files = added = removed = 0
    for entry in git.fields("diff-tree", *_PLAIN, "--no-renames", "--numstat", "-z", base, commit):
        plus, minus, _ = entry.split("\t", 2)
        files += 1
        added += int(plus) if plus.isdigit() else 0
        removed += int(minus) if minus.isdigit() else 0
    return Diffstat(files=files, added=added, removed=removed)


def changed_files(git: Git, base: str, commit: str) -> list[str]:
    """Paths that were added, changed or deleted, a renamed file under both names."""
    return git.fields("diff-tree", *_PLAIN, "--no-renames", "--name-only", "-z", base, commit)


def kinds(git: Git, commit: str, paths: Iterable[str]) -> dict[str, str]:
    """`blob`, `tree` or `commit` (a submodule) for each of `paths` that the commit has."""
    wanted = sorted(set(paths))
    if not wanted:
        return {}
    entries = (entry.partition("\t") for entry in git.fields("ls-tree", "-z", "--full-tree", commit, "--", *wanted))
    return {path: meta.split(" ")[1] for meta, _, path in entries if path in wanted}


def diff_text(
    data: Path, run: str, base: str, commit: str, *, repo: Path, stat: bool = False, color: bool = False
) -> str:
    """The changes as `git diff` shows them; `stat`: a line for each file.

    Raises `UserError` when neither the private repository nor the user's has the commits.
    """
    git = _holder(data, run, base, commit, repo)
    shape = ("--stat=100",) if stat else ("-p",)
    tint = ("--color=always",) if color else ("--no-color",)
    text = git.run("diff-tree", *_PLAIN, "-M", *shape, *tint, base, commit)
    return text.decode(errors="replace")


def patch(data: Path, run: str, base: str, commit: str, *, repo: Path) -> bytes:
    """The changes as `git apply` takes them, binary files included."""
    git = _holder(data, run, base, commit, repo)
    return git.run("diff-tree", *_PLAIN, "--no-renames", "-p", "--binary", "--full-index", "--no-color", base, commit)


def _holder(data: Path, run: str, base: str, commit: str, repo: Path) -> Git:
    if private_dir(data, run).is_dir():
        git = private_git(data, run)
        if git.resolve(base) and git.resolve(commit):
            return git
    git = locate(repo).git
    if git.resolve(base) and git.resolve(commit):
        return git
    raise UserError(f"the commits of run `{run}` are gone from `{repo}`; start another run", 1)
