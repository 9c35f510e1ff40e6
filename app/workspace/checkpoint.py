"""A checkpoint is a commit of whatever the worktree holds, made once for a step."""

from dataclasses import replace
from pathlib import Path

from app.domain.activities import CommitInput, Committed
from app.domain.tool import Workspace
from app.errors import UserError
from app.workspace.changes import diffstat
from app.workspace.files import locked
from app.workspace.git import Git
from app.workspace.places import head_ref, index_path, private_dir, private_git, worktree_path
from app.workspace.staging import load, stage
from app.workspace.worktrees import show_commit

RUN_TRAILER = "Codetether-Run"
STEP_TRAILER = "Codetether-Step"


def commit(data: Path, order: CommitInput) -> Committed:
    """The commit of everything not ignored, on top of the last one that we made.

    What the agent did to its own index, HEAD, branches or stash does not count, only its files do.
    """
    ws = order.workspace
    worktree = worktree_path(data, ws)
    if not worktree.is_dir():
        raise UserError(f"worktree `{worktree}` is gone; resume the run from its last checkpoint: `ctl resume`", 1)
    with locked(worktree) as lock:
        git = replace(private_git(data, ws.run), work_tree=worktree, index=index_path(data, ws), lock=lock)
        parent = git.resolve(head_ref(ws.name)) or ws.base
        done = _done(git, parent, order)
        load(git, parent)
        made = done or _commit(git, parent, order)
        show_commit(private_dir(data, ws.run), worktree, parent if done else made, index_path(data, ws))
    stat = diffstat(private_git(data, ws.run), ws.base, made)
    return Committed(commit=made, changed=made != parent or bool(done), diffstat=stat)


def _done(git: Git, head: str, order: CommitInput) -> str:
    """The commit of this step, when an earlier attempt got that far."""
    run, step = (f"%(trailers:key={name},valueonly,separator=)" for name in (RUN_TRAILER, STEP_TRAILER))
    for line in git.line("log", "-z", f"--format=%H {run} {step}", head, "--not", order.workspace.base).split("\0"):
        hash, _, whose = line.partition(" ")
        if whose == f"{order.workspace.run} {order.step_id}":
            return hash
    return ""


def _commit(git: Git, parent: str, order: CommitInput) -> str:
    tree = stage(git)
    if tree == git.resolve(parent, "tree"):
        return parent
    made = git.line("commit-tree", tree, "-p", parent, input=_message(order, order.workspace))
    git.run("update-ref", head_ref(order.workspace.name), made, parent)
    return made


def _message(order: CommitInput, ws: Workspace) -> bytes:
    """The words of the order, with our trailers as their last paragraph; nobody else's count."""
    lines = [line for line in order.message.replace("\0", "").splitlines() if not line.startswith("Codetether-")]
    words = "\n".join(lines).strip() or "Checkpoint"
    return f"{words}\n\n{RUN_TRAILER}: {ws.run}\n{STEP_TRAILER}: {order.step_id}\n".encode(errors="replace")
