"""A real worktree in a temporary folder, and contexts for calls in it."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.session import Ids
from app.domain.tool import Workspace
from app.tools.base import ToolContext

ROOT = "/home/somebody/project"


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    """An empty git repository that stands for the user's at `ROOT`."""
    folder = tmp_path / "data" / "worktrees" / "solo"
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@pytest.fixture
def context(tmp_path: Path, worktree: Path) -> Callable[..., ToolContext]:
    """Makes contexts; keywords replace fields."""

    def make(*, subdir: str = ".", **changes: Any) -> ToolContext:
        fields: dict[str, Any] = {
            "data": tmp_path / "data",
            "workspace": Workspace(data_id="d", run="r", name="solo", root=ROOT, subdir=subdir),
            "worktree": worktree,
            "mounts": lambda: None,
            "ids": Ids(),
            "step_id": "turn/1:call-0",
            "session_id": "s/1",
            "attempt": 1,
            "sandboxed": True,
            "allowed": False,
            "emit": lambda _: None,
        }
        return ToolContext(**(fields | changes))

    return make


@pytest.fixture
def ctx(context: Callable[..., ToolContext]) -> ToolContext:
    """The context of a first attempt."""
    return context()
