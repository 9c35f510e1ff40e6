"""Making a run's private repository and its worktrees, so that any crash on the way can be repeated."""

from collections.abc import Iterable
from pathlib import Path

from app.domain.activities import PrepareInput
from app.domain.tool import Workspace
from app.errors import UserError
from app.settings import Settings
from app.workspace.dependencies import carry_along, normal
from app.workspace.files import copy_index, locked, remove, write_whole
from app.workspace.git import Git, joined
from app.workspace.places import head_ref, index_path, keep_ref, private_dir, private_git, run_folder, worktree_path
from app.workspace.repository import START_REF, Repository, create_private, has_filter, locate, publish, with_index
from app.workspace.staging import load, stage

_UNFINISHED = (
    "index.lock",
    "HEAD.lock",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "rebase-merge",
    "rebase-apply",
)


def prepare(data: Path, order: PrepareInput, settings: Settings) -> Workspace:
    """The run's worktree, made or found. Raises `UserError` when there is nothing to work on."""
    repo = locate(Path(order.repo))
    folder = run_folder(data, order.run)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if not private_dir(data, order.run).is_dir():
            _create(data, repo, order)
        git = private_git(data, order.run)
        start = _known(git, order.start or START_REF, repo)
        ws = Workspace(
            data_id=order.data_id,
            run=order.run,
            name=order.name,
            root=str(repo.top),
            subdir=_subdir(repo, order),
            base=_known(git, order.base or start, repo),
        )
        _ensure_worktree(data, ws, start)
        carry_along(git, ws, worktree_path(data, ws), settings)
    (worktree_path(data, ws) / ws.subdir).mkdir(parents=True, exist_ok=True)
    return ws


def _create(data: Path, repo: Repository, order: PrepareInput) -> None:
    theirs = _known(repo.git, order.start, repo) if order.start else repo.head
    repo.git.run("update-ref", keep_ref(order.run), theirs)
    target = private_dir(data, order.run)
    fresh = target.with_name(f".new-{target.name}")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    remove(fresh)
    git = create_private(repo, fresh, theirs)
    if order.include_dirty and not order.start:
        dirty = _dirty_commit(repo, git, fresh, order.run, theirs)
        git.run("update-ref", START_REF, dirty)
        (fresh / "HEAD").write_text(f"{dirty}\n", encoding="ascii")
    publish(fresh, target)


def _dirty_commit(repo: Repository, git: Git, folder: Path, run: str, head: str) -> str:
    """The user's tree as it is now, on top of HEAD; HEAD when they are the same."""
    index = folder / "dirty-index"
    tree = stage(with_index(repo, Git(git.git_dir, None, repo.top), index), unfit=lambda paths: _filtered(repo, paths))
    remove(index)
    if tree == git.resolve(head, "tree"):
        return head
    message = f"Uncommitted changes in {repo.top.name}\n\nCodetether-Run: {run}\n"
    commit = git.line("commit-tree", tree, "-p", head, input=message.encode(errors="replace"))
    # What was only staged lies loose in the user's store, where their `git gc` may take it: have it ourselves.
    pack = str(folder / "objects" / "pack" / "pack")
    git.run("pack-objects", "--revs", "-q", pack, input=f"{commit}\n^{head}\n".encode())
    return commit


def _filtered(repo: Repository, paths: Iterable[str]) -> None:
    """Raises `UserError` for a file that git-crypt, LFS or the like changes on its way into git: we run no filter,
    and as it lies in the checkout it must not get there (it may be plain where it is to be encrypted)."""
    git = Git(repo.git_dir, repo.common_dir, repo.top)
    asked = git.fields("check-attr", "-z", "--stdin", "filter", input=joined(paths))
    for path, name in zip(asked[::3], asked[2::3], strict=True):
        if has_filter(repo, name):
            raise UserError(
                f"`{path}` has changes that are not committed, and its filter `{name}`, which a run does not start, "
                f"changes it on its way into git; `git -C {repo.top} add` it, then start again",
                1,
            )


def _known(git: Git, name: str, repo: Repository) -> str:
    if commit := git.resolve(name):
        return commit
    raise UserError(f"repository `{repo.top}` has no commit `{name}`; start a run from one that it has", 1)


def _subdir(repo: Repository, order: PrepareInput) -> str:
    inside = Path(order.repo).resolve().relative_to(repo.top.resolve()) / order.subdir
    found = normal(str(inside))
    if found is None:
        raise UserError(f"folder `{order.subdir}` lies outside of repository `{repo.top}`; name one inside")
    return found


def _ensure_worktree(data: Path, ws: Workspace, start: str) -> None:
    """The head reference is set last: without it, whatever lies there is half of a worktree."""
    git, worktree = private_git(data, ws.run), worktree_path(data, ws)
    head = git.resolve(head_ref(ws.name))
    if head and worktree.is_dir():
        return
    checkout(data, ws, worktree, head or start, index_path(data, ws))
    git.run("update-ref", head_ref(ws.name), head or start)


def checkout(data: Path, ws: Workspace, folder: Path, commit: str, index: Path, tree: str = "") -> None:
    """Makes `folder` a fresh worktree of the private repository with the files of `tree` (else of `commit`)."""
    private = private_dir(data, ws.run)
    remove(folder)
    remove(index)
    remove(private / "worktrees" / folder.name)
    folder.mkdir(parents=True)
    Git(private, private, folder, index).run("read-tree", "--reset", "-u", tree or commit)
    show_commit(private, folder, commit, index)


def show_commit(private: Path, folder: Path, commit: str, index: Path) -> None:
    """Sets the worktree's own git directory, the one that the agent uses, to `commit`, whatever was done to it."""
    admin = private / "worktrees" / folder.name
    if admin.is_symlink() or not admin.is_dir():
        remove(admin)
        admin.mkdir(parents=True)
    for name in _UNFINISHED:
        remove(admin / name)
    _put(admin / "commondir", b"../..\n")
    _put(admin / "gitdir", bytes(folder / ".git") + b"\n")
    _put(admin / "locked", b"seen at another path in the sandbox\n")  # `git gc` and `git worktree prune` obey it
    _put(admin / "HEAD", f"{commit}\n".encode())
    _put(admin / "index", b"")
    copy_index(index, admin / "index")
    _put(folder / ".git", b"gitdir: " + bytes(admin) + b"\n")


def _put(path: Path, data: bytes) -> None:
    """The agent owns the folder: neither the file nor the one beside it may lead elsewhere."""
    remove(path.with_name(f"{path.name}.new"))
    if path.is_dir() and not path.is_symlink():
        remove(path)
    write_whole(path, data)


def tree_with(git: Git, commit: str, approved: str, paths: tuple[str, ...], index: Path) -> str:
    """The tree of `commit` in which `paths` are as in `approved`, absent ones removed."""
    git = Git(git.git_dir, git.common_dir, index=index)
    load(git, commit)
    git.run("update-index", "--force-remove", "-z", "--stdin", input=joined(paths))
    wanted = set(paths)
    listed = git.fields("ls-tree", "-r", "-z", approved)
    if entries := [entry for entry in listed if entry.partition("\t")[2] in wanted]:
        git.run("update-index", "--add", "--replace", "-z", "--index-info", input=joined(entries))
    tree = git.line("write-tree")
    remove(index)
    return tree


def forget_worktree(data: Path, run: str, folder: Path) -> None:
    """Removes a worktree with its git directory; a part of it or nothing being there is fine."""
    remove(private_dir(data, run) / "worktrees" / folder.name)
    remove(folder)
