"""Submodules: a run's branch holds which commit they are at, never a file of them."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from app.tools.base import ToolContext, ToolError
from app.tools.paths import top_of


def refuse_inside(ctx: ToolContext, paths: Iterable[Path]) -> None:
    """Raises `ToolError` for a path in a submodule: what a tool writes there would be lost without a word."""
    top = top_of(ctx.worktree)
    if not (top / ".gitmodules").exists():
        return
    from app.workspace.changes import kinds
    from app.workspace.places import private_git

    inner = [PurePosixPath(os.path.relpath(path, top)) for path in paths]
    above = [str(folder) for path in inner for folder in path.parents[:-1]]
    found = kinds(private_git(ctx.data, ctx.workspace.run), ctx.workspace.base, above)
    if name := next((name for name, kind in found.items() if kind == "commit"), None):
        raise ToolError(
            f"`{name}` is a submodule: no file in it can be part of this work; write elsewhere, or say at the end "
            "what has to change in its own repository"
        )
