"""The write journal, killed for real at every point where it touches the disk."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.tools.base import ToolContext, ToolError
from app.tools.execute import execute
from app.tools.writes import Plan, written

_CHILD = """
import os, signal, sys
from pathlib import Path
from app.domain.session import Ids
from app.domain.tool import Workspace
from app.tools.base import ToolContext
from app.tools.writes import Plan, written

data, worktree, die_at = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
calls = 0

def mortal(event, arguments):
    global calls
    if event not in ("os.rename", "os.remove", "os.link", "os.mkdir", "os.chmod"):
        return
    if calls == die_at:
        os.kill(os.getpid(), signal.SIGKILL)
    calls += 1

sys.addaudithook(mortal)
workspace = Workspace(data_id="d", run="r", name="solo", root="/home/somebody/project")
ctx = ToolContext(data, workspace, worktree, None, Ids(), "turn/1:call-0", "s/1", 1, True, False, lambda _: None)
top = Path(os.path.realpath(worktree))
files = {top / "a": b"new a", top / "b": None, top / "deep" / "down" / "c": b"new c"}
print(written(ctx, lambda: Plan(files, "done it")))
"""


def _seed(worktree: Path) -> None:
    (worktree / "a").write_bytes(b"old a")
    (worktree / "a").chmod(0o755)
    (worktree / "b").write_bytes(b"old b")


def _die(ctx: ToolContext, at: int) -> int:
    arguments = [sys.executable, "-c", _CHILD, str(ctx.data), str(ctx.worktree), str(at)]
    return subprocess.run(arguments, check=False, env={**os.environ, "PYTHONPATH": os.getcwd()}).returncode  # noqa: PTH109


def _journal(ctx: ToolContext) -> Path:
    return next((ctx.data / "streams").rglob("*.json"))


def _replan(worktree: Path) -> Plan:
    """What a retry computes: an edit that only applies to the old content."""
    assert (worktree / "a").read_bytes() == b"old a"
    assert (worktree / "b").read_bytes() == b"old b"
    top = worktree.resolve()
    return Plan({top / "a": b"new a", top / "b": None, top / "deep/down/c": b"new c"}, "done it")


def test_killed_anywhere_a_retry_finishes_it(context, worktree: Path) -> None:
    deaths = 0
    while True:
        _seed(worktree)
        ctx = context(attempt=2)
        code = _die(ctx, deaths)
        assert written(ctx, lambda: _replan(worktree)) == "done it"
        assert (worktree / "a").read_bytes() == b"new a"
        assert (worktree / "a").stat().st_mode & 0o777 == 0o755
        assert not (worktree / "b").exists()
        assert (worktree / "deep" / "down" / "c").read_bytes() == b"new c"
        assert [path.name for path in worktree.rglob(".codetether-*")] == []
        if code == 0:
            break
        assert code == -signal.SIGKILL
        deaths += 1
        subprocess.run(["rm", "-r", str(worktree / "deep"), str(ctx.data / "streams")], check=True)
    assert deaths > 10


def _die_between_journal_and_writes(ctx: ToolContext) -> None:
    for at in range(100):
        assert _die(ctx, at) == -signal.SIGKILL
        if list((ctx.data / "streams").rglob("turn*.json")):
            return
        subprocess.run(["rm", "-rf", str(ctx.data / "streams")], check=True)


def test_a_file_changed_meanwhile_stops_the_retry(context, worktree: Path) -> None:
    _seed(worktree)
    ctx = context(attempt=2)
    _die_between_journal_and_writes(ctx)
    assert (worktree / "a").read_bytes() == b"old a"
    (worktree / "b").write_bytes(b"somebody else's")
    with pytest.raises(ToolError, match="`b` was changed meanwhile by something else; read it again"):
        written(ctx, lambda: _replan(worktree))
    assert (worktree / "a").read_bytes() == b"old a"
    assert (worktree / "b").read_bytes() == b"somebody else's"


def test_what_was_put_back_before_a_retry_is_not_overwritten(context, worktree: Path) -> None:
    _seed(worktree)
    for at in range(100):
        assert _die(context(), at) == -signal.SIGKILL
        if (worktree / "a").read_bytes() == b"new a":
            break
        subprocess.run(["rm", "-rf", str(context().data / "streams")], check=True)
        _seed(worktree)
    (worktree / "a").write_bytes(b"old a")
    with pytest.raises(ToolError, match="`a` was changed meanwhile"):
        written(context(attempt=2), lambda: _replan(worktree))
    assert (worktree / "a").read_bytes() == b"old a"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system here")
def test_a_worktree_on_another_disk(context) -> None:
    with TemporaryDirectory(dir="/dev/shm") as folder:
        other = Path(folder)
        _seed(other)
        ctx = replace(context(), worktree=other)
        files = {other / "a": b"new a", other / "b": None, other / "deep" / "c": b"new c"}
        assert other.stat().st_dev != ctx.data.stat().st_dev and written(ctx, lambda: Plan(files, "done")) == "done"
        assert sorted(path.name for path in other.rglob("*")) == ["a", "c", "deep"]
        assert (other / "a").read_bytes() == b"new a" and (other / "a").stat().st_mode & 0o777 == 0o755
        assert not list((ctx.data / "streams").rglob("*.0"))


def test_a_finished_step_is_not_done_again(ctx: ToolContext, worktree: Path) -> None:
    file = worktree.resolve() / "a"
    assert written(ctx, lambda: Plan({file: b"1"}, "first")) == "first"
    file.write_bytes(b"later work")
    assert written(ctx, lambda: Plan({file: b"2"}, "second")) == "first"
    assert file.read_bytes() == b"later work"


def test_a_folder_that_became_a_link_is_refused(ctx: ToolContext, worktree: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (worktree / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ToolError, match="symbolic link"):
        written(ctx, lambda: Plan({worktree.resolve() / "sub" / "x": b"1"}, "never"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_folders_and_files_in_the_way(ctx: ToolContext, worktree: Path) -> None:
    (worktree / "folder").mkdir()
    (worktree / "file").write_text("x")
    for path in ("folder", "file/below"):
        with pytest.raises(ToolError):
            written(ctx, lambda path=path: Plan({worktree.resolve() / path: b"1"}, "never"))


async def test_an_edit_is_not_computed_again_on_its_own_result(context, worktree: Path) -> None:
    (worktree / "a").write_text("one\n")
    arguments = '{"path": "a", "old": "one", "new": "one and two"}'
    assert (await execute("edit", arguments, context())).status == "ok"
    again = await execute("edit", arguments, context(attempt=2))
    assert again.status == "ok"
    assert (worktree / "a").read_text() == "one and two\n"
    other = await execute("edit", arguments.replace("one and two", "three"), context(step_id="next"))
    assert (other.status, (worktree / "a").read_text()) == ("ok", "three and two\n")
