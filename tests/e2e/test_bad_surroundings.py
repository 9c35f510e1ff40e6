"""What surrounds `ctl` may be wrong or hostile: the folder, a port, the Vault, the disk, the model's server."""

import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from background import going, until
from harness import Script, System, flags, playing, settings_apart
from playbook import chores, commit_all, git, kept, key_result, proposal, shell, working

from app.demo.scenario import Call, Reply
from app.stack.local import down
from app.stack.state import living

Model = Callable[[Script], list[str]]
COUNT = key_result(("sh", "count.sh"))
DONE = shell("cp /dev/null todo.txt")


@pytest.fixture
def own(tmp_path: Path) -> Generator[System]:
    """A data folder of this test alone, whose stack is started by what the test does."""
    settings = settings_apart(tmp_path)
    yield System(settings)
    down(settings, lambda _text: None)


def test_nothing_of_a_hostile_folder_is_imported(own: System, tmp_path: Path, model: Model) -> None:
    repo, marker = chores(tmp_path / "chores"), tmp_path / "marker"
    names = ("app", "app/cli", "workflows", "activities")
    files = [*(f"{name}/__init__.py" for name in names), "app/cli/__main__.py", "sitecustomize.py", "usercustomize.py"]
    for name in (*files, "worker.py", "typer.py", "pydantic.py", "json.py", "temporalio.py"):
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(f"open({str(marker)!r}, 'a').write(__file__)\n")
    (repo / "count.sh").write_text("wc -l < todo.txt\n")
    commit_all(repo)
    ctl = Path(sys.executable).parent / "ctl"

    def said(*words: str) -> str:
        hostile = {"PYTHONPATH": ".", "PYTHONSTARTUP": "typer.py", "PYTHONHOME": "", "PYTHONUSERBASE": str(repo)}
        done = subprocess.run(
            [ctl, *words],
            cwd=repo,
            env=own.environment(**hostile),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    with ExitStack() as stack:
        for port in (7233, 8233):  # somebody else's
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", port))
                taken.listen()
            except OSError:
                assert port  # taken already, by whoever
        assert said("--version").startswith("ctl ")
        said("okr", "list")
        gone = said("go", "nothing is left", "--yes", *model(working(DONE, draft=proposal(COUNT))))
        assert "completed" in gone
    server = living(own.data, "temporal")
    assert server is not None and not server.address.endswith(":7233") and not server.ui.endswith(":8233")
    assert "completed" in said("okr", "runs")
    assert not marker.exists(), marker.read_text()
    # A worker that was started without a Vault is no dead end for who sets one up.
    before = living(own.data, "worker")
    vault = {"VAULT_ADDR": "http://127.0.0.1:9", "VAULT_TOKEN": "t"}
    told = own.ctl("run", "work", "--model", "moonshotai/kimi-k2.5", cwd=repo, code=4, **vault)
    assert "`http://127.0.0.1:9` cannot be reached" in told
    assert "another Vault" in own.ctl("up", cwd=repo, **vault)
    assert living(own.data, "worker") != before
    assert "replacing" not in own.ctl("up", cwd=repo)


def test_a_model_server_that_is_down_is_said_and_waited_for(system: System, tmp_path: Path) -> None:
    repo = chores(tmp_path / "chores")
    with playing(working()) as gone:
        named = flags(gone)
    url = named[-1]
    with going(system, "run", "work", *named, cwd=repo) as process:
        assert f"`{url}`" in until(process, "trying")
        port = int(url.split(":")[2].removesuffix("/v1"))
        with playing(working(DONE), port=port):
            until(process, "completed")
            assert process.wait(30) == 0


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux can limit another process")
def test_a_full_disk_is_said_and_waited_for(system: System, tmp_path: Path, model: Model) -> None:
    repo = chores(tmp_path / "chores")
    large = Reply(calls=(Call("write", {"path": "large.txt", "content": "large\n" * 50_000}),))
    worker = living(system.data, "worker")
    assert worker is not None
    limit = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (64 * 1024, limit[1]))
    try:
        with going(system, "run", "work", *model(working(large, shell("wc -l < large.txt"))), cwd=repo) as process:
            assert "too large" in until(process, "trying").lower()
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, limit)
            until(process, "completed")
            assert process.wait(30) == 0
    finally:
        resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, limit)
    run = system.json("okr", "runs", cwd=repo)[0]["run"]
    assert kept(repo, run, "large.txt") == "large\n" * 50_000
    assert git(repo, "diff", "--name-only", f"main...codetether/{run}") == "large.txt\n"
