"""Ways out of the sandbox, each really tried against each back end.

The table says what holds. What a back end does not hold the permission gate must ask a person for.
"""

import asyncio
import os
import pty
import socket
import subprocess
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from app.cli.output import plain
from app.domain.tool import Workspace
from app.secrets.private import key_file
from app.tools.gate.permission import judge
from app.tools.gate.sandbox import Sandbox
from app.tools.gate.sandbox.cgroups import folders
from app.tools.gate.sandbox.kinds import interpreter
from tests.tools.gate.conftest import BACKENDS, Attack, Place

ROOT = os.geteuid() == 0
PYTHON = str(interpreter())


async def writes_outside(place: Place) -> bool:
    await place.run(f"echo x > {place.outside}/new")
    return (place.outside / "new").exists()


async def reads_a_key(place: Place) -> bool:
    return "TOP-SECRET" in (await place.run("cat ~/.ssh/id")).output


async def reads_the_vault_token(place: Place) -> bool:
    return "TOP-SECRET" in (await place.run("cat ~/.vault-token")).output


async def reads_what_opens_the_private_vault(place: Place) -> bool:
    file = key_file(place.data)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("TOP-SECRET")
    return (
        "TOP-SECRET" in (await place.run(f"cat {file}; cat {file.parent}/*; tail -n +1 /proc/self/root{file}")).output
    )


async def reads_its_environment(place: Place) -> bool:
    os.environ["VAULT_TOKEN"] = "TOP-SECRET"
    try:
        return "TOP-SECRET" in (await place.run("env")).output
    finally:
        del os.environ["VAULT_TOKEN"]


async def reads_the_environment_of_another(place: Place) -> bool:
    other = subprocess.Popen(["sleep", "600"], env={"VAULT_TOKEN": "TOP-SECRET", "PATH": os.defpath})
    try:
        return "TOP-SECRET" in (await place.run(f"cat /proc/{other.pid}/environ /proc/*/environ")).output
    finally:
        other.kill()
        other.wait()


async def kills_another(place: Place) -> bool:
    other = subprocess.Popen(["sleep", "600"])
    try:
        await place.run(f"kill -9 {other.pid}")
        return other.poll() is not None
    finally:
        other.kill()
        other.wait()


async def follows_a_link_out(place: Place) -> bool:
    await place.run(f"ln -s {place.outside} link; echo x > link/new")
    return (place.outside / "new").exists()


async def changes_a_mode_outside(place: Place) -> bool:
    (place.outside / "mine").touch(0o600)
    await place.run(f"chmod 666 {place.outside}/mine")
    return (place.outside / "mine").stat().st_mode & 0o777 == 0o666


async def writes_a_hook(place: Place) -> bool:
    await place.run('echo evil > "$(git rev-parse --git-common-dir)/hooks/pre-commit"')
    return (place.mounts.common_dir / "hooks" / "pre-commit").exists()


async def writes_git_config(place: Place) -> bool:
    await place.run("git config core.fsmonitor evil")
    return "evil" in (place.mounts.common_dir / "config").read_text()


async def plants_configuration(place: Place) -> bool:
    (place.mounts.worktree / ".mcp.json").write_text("{}")
    before = (place.mounts.worktree / ".git").read_text()
    await place.run("mkdir .vscode; echo evil > .vscode/tasks.json; echo evil > .mcp.json; echo evil > .git")
    after = [(place.mounts.worktree / name).read_text() for name in (".mcp.json", ".git")]
    return (place.mounts.worktree / ".vscode").exists() or after != ["{}", before]


async def asks_a_name_server(place: Place) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        await place.run(f"echo query > /dev/udp/127.0.0.1/{server.getsockname()[1]}")
        with suppress(BlockingIOError):
            return bool(server.recv(100))
    return False


async def reaches_loopback(place: Place) -> bool:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return "reached" in (await place.run(f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached")).output


async def forks_without_end(place: Place) -> bool:
    code = "import os, time\nfor _ in range(300):\n if os.fork() == 0:\n  time.sleep(600)"
    done = await place.run(f'{PYTHON} -c "{code}"', processes=100)
    return not any("`[sandbox] processes`" in note for note in done.notes)


async def fills_the_disk(place: Place) -> bool:
    done = await place.run("head -c 9000000 /dev/zero > big; exit $?", file_size=1 << 20)
    told = any("`[sandbox] file_size`" in note for note in done.notes)
    return not told or (place.mounts.worktree / "big").stat().st_size > 1 << 20


async def takes_all_memory(place: Place) -> bool:
    done = await place.run(f"{PYTHON} -c 'print(len(bytearray(400 << 20)))'", memory=100 << 20)
    return not any("`[sandbox] memory`" in note for note in done.notes)


async def computes_for_ever(place: Place) -> bool:
    done = await place.run("while :; do :; done", cpu_seconds=1)
    return done.timed_out or not any("`[sandbox] cpu_seconds`" in note for note in done.notes)


_DAEMON = """import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp('sleep', ['sleep', '{mark}'])"""


async def leaves_a_daemon(place: Place) -> bool:
    mark = f"100010.{os.getpid()}"
    await place.run(f'{PYTHON} -c "{_DAEMON.format(mark=mark)}"')
    return living(mark)


async def types_into_a_terminal(place: Place) -> bool:
    master, slave = pty.openpty()
    try:
        tty.setraw(slave)
        name = os.ttyname(slave)
        code = f"import fcntl, os; fcntl.ioctl(os.open('{name}', os.O_RDWR | os.O_NOCTTY), 0x5412, b'x')"
        await place.run(f'{PYTHON} -c "{code}"')
        os.set_blocking(slave, False)
        with suppress(BlockingIOError):
            return bool(os.read(slave, 1))
        return False
    finally:
        os.close(master)
        os.close(slave)


async def nests_a_namespace(place: Place) -> bool:
    return (await place.run("unshare --user true")).exit == 0


async def leaves_a_socket(place: Place) -> bool:
    await place.run(f"mkfifo pipe; {PYTHON} -c \"import socket; socket.socket(socket.AF_UNIX).bind('sock')\"")
    return any((place.mounts.worktree / name).exists() for name in ("pipe", "sock"))


def living(mark: str) -> bool:
    """Whether a process has `mark` as a word of its command."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                return True
    return False


COUNTED = not ROOT or "pids" in folders()
"""Root's processes are counted only by a cgroup."""
NESTS = Path("/proc/sys/user/max_user_namespaces").read_text().strip() != "0"

MATRIX: dict[Attack, tuple[bool, bool, bool]] = {
    # whether it is held by:    bubblewrap, Landlock alone, none
    writes_outside: (True, True, False),
    reads_a_key: (True, True, False),
    reads_the_vault_token: (True, True, False),
    reads_what_opens_the_private_vault: (True, True, False),
    reads_its_environment: (True, True, True),
    reads_the_environment_of_another: (True, True, False),
    kills_another: (True, True, False),
    follows_a_link_out: (True, True, False),
    changes_a_mode_outside: (True, False, False),
    writes_a_hook: (True, True, False),
    writes_git_config: (True, True, False),
    plants_configuration: (True, True, True),
    asks_a_name_server: (True, True, False),
    reaches_loopback: (True, True, False),
    forks_without_end: (COUNTED, COUNTED, COUNTED),
    fills_the_disk: (True, True, True),
    takes_all_memory: (True, True, True),
    computes_for_ever: (True, True, True),
    leaves_a_daemon: (True, True, True),
    types_into_a_terminal: (True, True, not ROOT),
    nests_a_namespace: (True, True, not NESTS),
    leaves_a_socket: (True, True, True),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("attack", MATRIX, ids=lambda attack: attack.__name__)
async def test_an_escape(attack: Attack, backend: str, place_of: Callable[[str], Place]) -> None:
    place = place_of(backend)
    held = MATRIX[attack][BACKENDS.index(backend)]
    assert await attack(place) is not held
    if not held and attack is not forks_without_end:
        assert verdict(place.sandbox) == "ask"


def verdict(sandbox: Sandbox) -> str:
    """What the gate says to a plain command."""
    return judge(
        "bash",
        '{"command": "true"}',
        index=0,
        offered=["bash"],
        workspace=Workspace(data_id="d", run="r", name="solo", root="/r"),
        worktree=Path("/r"),
        mode="ask",
        rules=(),
        sandbox=sandbox,
    ).verdict


@pytest.mark.parametrize("backend", BACKENDS)
async def test_control_sequences_stay_in_the_result_and_never_reach_a_terminal(
    backend: str, place_of: Callable[[str], Place]
) -> None:
    done = await place_of(backend).run(r"printf '\033]0;owned\007\033[2J\x9b31mtext'")
    assert done.output.startswith("\x1b]0;owned\x07\x1b[2J")
    shown = plain(done.output)
    assert "text" in shown and all(sign.isprintable() for sign in shown)


@pytest.mark.parametrize("backend", BACKENDS)
async def test_git_works_and_the_exit_comes_through(backend: str, place_of: Callable[[str], Place]) -> None:
    place = place_of(backend)
    done = await place.run("echo text > file && git add file && git commit -q -m made && git log --format=%s; exit 7")
    assert (done.exit, done.output, done.notes) == (7, "made\nstart\n", ())
    (place.mounts.worktree / "file").unlink()
    assert (await place.run("no-such-program")).exit == 127
