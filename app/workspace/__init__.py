"""Worktrees, checkpoints, the finished branch, measures: everything that touches git.

The user's checkout, index and branches are never touched before they merge.
"""

from app.workspace.branches import collect_garbage, discard, finish, merged_into_head, remove_run_files
from app.workspace.changes import diff_text, diffstat, patch
from app.workspace.checkpoint import commit
from app.workspace.dependencies import mounts
from app.workspace.measure import measure
from app.workspace.merging import MergeConflict, Merged, dirty_files, merge
from app.workspace.places import private_dir, private_git, worktree_path
from app.workspace.protect import protected_changes
from app.workspace.repository import locate
from app.workspace.worktrees import prepare

__all__ = [
    "MergeConflict",
    "Merged",
    "collect_garbage",
    "commit",
    "diff_text",
    "diffstat",
    "dirty_files",
    "discard",
    "finish",
    "locate",
    "measure",
    "merge",
    "merged_into_head",
    "mounts",
    "patch",
    "prepare",
    "private_dir",
    "private_git",
    "protected_changes",
    "remove_run_files",
    "worktree_path",
]
