"""Writing into a submodule, which no commit of a run can hold."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from app.domain.tool import Workspace
from app.tools.base import ToolContext
from app.tools.execute import execute
from app.workspace.places import private_dir


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


async def test_what_would_be_lost_is_refused(
    context: Callable[..., ToolContext], worktree: Path, tmp_path: Path
) -> None:
    _git(worktree, "commit", "-q", "--allow-empty", "-m", "library")
    module = _git(worktree, "rev-parse", "HEAD").strip()
    (worktree / ".gitmodules").write_text('[submodule "lib"]\n\tpath = third/lib\n\turl = ../lib\n')
    _git(worktree, "update-index", "--add", "--cacheinfo", f"160000,{module},third/lib")
    _git(worktree, "add", ".gitmodules")
    _git(worktree, "commit", "-q", "-m", "submodule")
    private = private_dir(tmp_path / "data", "r")
    _git(tmp_path, "clone", "-q", "--bare", str(worktree), str(private))
    base = _git(worktree, "rev-parse", "HEAD").strip()
    ws = Workspace(data_id="d", run="r", name="solo", root="/home/somebody/project", base=base)

    patch = "*** Begin Patch\n*** Add File: b\n+b\n*** Add File: third/lib/a\n+x\n*** End Patch"
    calls = {
        "write": json.dumps({"path": "third/lib/src/a", "content": "x"}),
        "apply_patch": json.dumps({"patch": patch}),
    }
    for name, arguments in calls.items():
        output = await execute(name, arguments, context(workspace=ws, step_id=name))
        assert output.status == "error" and "`third/lib` is a submodule" in output.text, output.text
    assert sorted(path.name for path in worktree.iterdir()) == [".git", ".gitmodules"]
    output = await execute("write", '{"path": "third/a", "content": "x"}', context(workspace=ws, step_id="beside"))
    assert output.status == "ok", output.text
