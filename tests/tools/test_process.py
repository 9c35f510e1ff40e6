"""Commands in the sandbox and out of it: what they see, how they end, what is left of them."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.tools.gate.sandbox import Mounts, probe
from app.tools.process import Finished, cut_off, kill_left, run_command, started

needs_sandbox = pytest.mark.skipif(not probe().works, reason=f"no sandbox: {probe().reason}")


@pytest.fixture
def mounts(tmp_path: Path) -> Mounts:
    """A repository with one commit, a private one that borrows from it, and a worktree."""
    root = tmp_path / "repository"
    private, worktree = tmp_path / "data" / "repos" / "r.git", tmp_path / "data" / "worktrees" / "r" / "main"
    for words in (
        ["init", "-q", str(root)],
        [
            "-C",
            str(root),
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b.c",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "start",
        ],
        ["clone", "-q", "--bare", "--shared", str(root), str(private)],
        [f"--git-dir={private}", "worktree", "add", "-q", "--detach", str(worktree)],
    ):
        subprocess.run(["git", *words], check=True, capture_output=True)
    return Mounts(
        root=str(root),
        worktree=worktree,
        git_dir=private / "worktrees" / "main",
        common_dir=private,
        objects=(root / ".git" / "objects",),
        hidden=(tmp_path / "data" / "worktrees",),
    )


async def run(mounts: Mounts, command: str, *, sandboxed: bool = True, timeout: float = 30, key: str = "k") -> Finished:
    data = mounts.common_dir.parent.parent
    return await run_command(
        data=data,
        key=key,
        argv=["bash", "-c", command],
        cwd=mounts.root,
        mounts=mounts,
        timeout=timeout,
        sandboxed=sandboxed,
        spool=data / "spool" / key,
    )


@pytest.mark.parametrize("sandboxed", [pytest.param(True, marks=needs_sandbox), False])
async def test_exit_and_output(mounts: Mounts, sandboxed: bool) -> None:
    done = await run(mounts, "echo out; echo err >&2; exit 3", sandboxed=sandboxed)
    assert (done.exit, done.output, done.timed_out) == (3, "out\nerr\n", False)


@needs_sandbox
async def test_the_worktree_lies_at_the_repositorys_own_path(mounts: Mounts) -> None:
    done = await run(mounts, f"pwd; echo made > {mounts.root}/new.txt; git status --porcelain; git log --format=%s")
    assert done.output == f"{mounts.root}\n?? new.txt\nstart\n"
    assert (mounts.worktree / "new.txt").read_text() == "made\n"
    assert not (Path(mounts.root) / "new.txt").exists()


@needs_sandbox
async def test_nothing_outside_can_be_written_and_no_config_or_hook(mounts: Mounts) -> None:
    commands = (
        f"touch {mounts.common_dir.parent}/x",
        "touch /etc/x",
        "git config core.hooksPath /tmp/h",
        'touch "$GIT_DIR/../../hooks/pre-commit"',
        "touch ~/x",
    )
    for command in commands:
        done = await run(mounts, command)
        assert done.exit not in (0, None), command


@needs_sandbox
async def test_secrets_of_home_and_the_environment_are_not_there(
    mounts: Mounts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_rsa").write_text("TOP-SECRET")
    (home / ".vault-token").write_text("TOP-SECRET")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("VAULT_TOKEN", "TOP-SECRET")
    done = await run(mounts, "cat ~/.ssh/* ~/.vault-token; env; cat /proc/*/environ | tr '\\0' '\\n'")
    assert "TOP-SECRET" not in done.output


@needs_sandbox
async def test_neither_the_network_nor_our_own_servers_can_be_reached(mounts: Mounts) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        done = await run(mounts, f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached")
        assert "reached" not in done.output and done.exit != 0
    finally:
        server.close()


@pytest.mark.parametrize("sandboxed", [pytest.param(True, marks=needs_sandbox), False])
async def test_a_timeout_ends_the_whole_group(mounts: Mounts, sandboxed: bool) -> None:
    mark = f"100000.{os.getpid()}"
    done = await run(mounts, f"sleep {mark} & sleep {mark}", sandboxed=sandboxed, timeout=0.5)
    assert done.timed_out and done.exit is None
    assert not living(mark)


async def test_a_background_process_does_not_outlive_its_command(mounts: Mounts) -> None:
    mark = f"100001.{os.getpid()}"
    done = await run(mounts, f"sleep {mark} & echo done", sandboxed=probe().works)
    assert done.output == "done\n"
    assert not living(mark)


async def test_a_cancel_ends_it_before_the_cancel_is_over(mounts: Mounts) -> None:
    mark = f"100002.{os.getpid()}"
    task = asyncio.create_task(run(mounts, f"echo up; sleep {mark}", sandboxed=probe().works))
    data = mounts.common_dir.parent.parent
    while not living(mark):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not living(mark)
    assert await cut_off(data=data, key="k", spool=data / "spool" / "k") == "up\n"


async def test_more_output_than_is_kept_is_counted(mounts: Mounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.tools.process.SPOOL_LIMIT", 1000)
    done = await run(mounts, "head -c 5000 /dev/zero | tr '\\0' x", sandboxed=probe().works)
    assert done.output == "x" * 1000 + "\n[4000 more bytes were printed and not kept]\n"


MORTAL = """
import asyncio, sys
from pathlib import Path
from app.tools.gate.sandbox import Mounts
from app.tools.process import run_command
root, worktree, git_dir, common, mark, sandboxed = sys.argv[1:]
data = Path(common).parent.parent
mounts = Mounts(root=root, worktree=Path(worktree), git_dir=Path(git_dir), common_dir=Path(common))
asyncio.run(run_command(data=data, key="k", argv=["bash", "-c", f"echo begun; sleep {mark}"], cwd=root, mounts=mounts,
                        timeout=600, sandboxed=sandboxed == "yes", spool=data / "spool" / "k",
                        emit=lambda text: print(text, flush=True)))
"""


@pytest.mark.parametrize("sandboxed", [pytest.param(True, marks=needs_sandbox), False])
async def test_what_a_killed_worker_left_is_ended_and_its_output_kept(mounts: Mounts, sandboxed: bool) -> None:
    mark = f"10000{3 + sandboxed}.{os.getpid()}"
    places = [mounts.root, mounts.worktree, mounts.git_dir, mounts.common_dir, mark, "yes" if sandboxed else "no"]
    process = subprocess.Popen([sys.executable, "-c", MORTAL, *map(str, places)], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "begun\n"
    data = mounts.common_dir.parent.parent
    assert started(data, "k") and not started(data, "another")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kill_left(data, "k")
    while sandboxed and living(mark):
        await asyncio.sleep(0.01)  # the kernel takes down the namespace after its first process
    assert not living(mark)
    assert await cut_off(data=data, key="k", spool=data / "spool" / "k") == "begun\n"
    kill_left(data, "k")  # again: the process is gone, its number may be another's


def living(mark: str) -> list[str]:
    """Processes (not zombies) whose command line holds `mark`."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words and b"sleep" in words[0]:
            found.append(folder.name)
    return found


@needs_sandbox
async def test_the_data_folder_is_empty_inside(mounts: Mounts) -> None:
    """Other runs' worktrees, conversations and the worker's socket are nobody's business."""
    (mounts.worktree.parent / "another-run").mkdir()
    done = await run(mounts, f"ls -A {mounts.hidden[0]} | wc -l")
    assert done.output.strip() == "0"
