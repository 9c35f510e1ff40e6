"""`bash`, with real processes. Not in the sandbox, which has tests of its own."""

import json
from pathlib import Path

import pytest

from app.tools.base import ToolContext
from app.tools.execute import execute
from app.tools.gate.sandbox import Mounts
from app.tools.paths import output_file
from app.tools.process import run_command

ROOT = "/home/somebody/project"


@pytest.fixture
def unboxed(context, worktree: Path):
    """Makes contexts whose commands run without a sandbox."""
    git = worktree / ".git"
    mounts = Mounts(root=ROOT, worktree=worktree, git_dir=git, common_dir=git)

    def make(**changes: object) -> ToolContext:
        return context(mounts=lambda: mounts, sandboxed=False, **changes)

    return make


async def test_a_command_answers_with_its_exit_code(unboxed, worktree: Path) -> None:
    (worktree / "sub").mkdir()
    heard: list[str] = []
    arguments = json.dumps({"command": "[[ a == a ]] && basename \"$PWD\"; echo '$HOME' >&2; exit 3", "cwd": "sub"})
    output = await execute("bash", arguments, unboxed(emit=heard.append))
    assert (output.status, output.text) == ("ok", "sub\n$HOME\nexit code 3")
    assert "".join(heard) == "sub\n$HOME\n"


async def test_a_timeout_is_an_error(unboxed) -> None:
    output = await execute("bash", '{"command": "printf begun; sleep 60", "timeout": 0.5}', unboxed())
    assert output.status == "error"
    assert output.text.startswith("begun\nkilled after 0.5 s")


async def test_long_output_is_cut_and_can_be_read(unboxed) -> None:
    output = await execute("bash", '{"command": "seq 20000"}', unboxed())
    assert "characters left out" in output.text and output.text.endswith("20000\nexit code 0")
    path = output.text.split('read path="')[1].split('"')[0]
    read = await execute("read", json.dumps({"path": path, "offset": 12345, "limit": 1}), unboxed(step_id="next"))
    assert read.text.startswith("12345\t12345\n")


@pytest.mark.parametrize("cwd", ["../x", "missing", ".git", "/etc"])
async def test_the_folder_must_be_in_the_repository(unboxed, cwd: str) -> None:
    output = await execute("bash", json.dumps({"command": "true", "cwd": cwd}), unboxed())
    assert output.status == "error"


async def test_a_started_command_is_never_run_again(unboxed, worktree: Path) -> None:
    ctx = unboxed(attempt=2)
    await run_command(
        data=ctx.data,
        key=ctx.step_id,
        argv=["sh", "-c", "echo half; touch first"],
        cwd=ROOT,
        mounts=ctx.mounts(),
        timeout=60,
        network=False,
        sandboxed=False,
        emit=None,
        spool=output_file(ctx).with_suffix(".spool"),
    )
    output = await execute("bash", '{"command": "touch second"}', ctx)
    assert output.status == "cut_off"
    assert "was not started again" in output.text and output.text.endswith("Its output so far:\nhalf\n")
    assert (worktree / "first").exists() and not (worktree / "second").exists()


async def test_a_command_that_never_started_runs_in_a_later_attempt(unboxed, worktree: Path) -> None:
    output = await execute("bash", '{"command": "touch second"}', unboxed(attempt=2))
    assert output.text == "exit code 0"
    assert (worktree / "second").exists()
