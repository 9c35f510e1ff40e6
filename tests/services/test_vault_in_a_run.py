"""A run whose Vault goes away, is sealed, or refuses it: it waits, says why, and goes on. No key is left anywhere."""

import asyncio
import base64
import os
import re
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from background import comes_true, going, until
from harness import System, playing, settings_apart
from playbook import Held, chores
from real_vault import POLICY, RealVault

from app.runs.plugin import PLUGIN
from app.stack.connect import connect
from app.stack.local import down, ensure
from app.stack.state import living

pytestmark = [pytest.mark.services, pytest.mark.timeout(180, func_only=True)]
KEY = "sk-canary-0123456789abcdefghij"


@pytest.fixture
def system(tmp_path: Path, vault: RealVault, monkeypatch: pytest.MonkeyPatch) -> Generator[System]:
    """A stack of its own, whose worker remembers no key."""
    vault.put("zai", KEY)
    monkeypatch.setenv("VAULT_CACHE_SECONDS", "0")
    settings = settings_apart(tmp_path / "system")
    ensure(settings, lambda _text: None)
    yield System(settings)
    down(settings, lambda _text: None)


def seal(vault: RealVault, _token: str) -> Callable[[], None]:
    vault.root.sys.seal()
    return vault.unseal


def restart(vault: RealVault, _token: str) -> Callable[[], None]:
    vault.stop()

    def again() -> None:
        vault.start()
        vault.unseal()

    return again


def forbid(vault: RealVault, _token: str) -> Callable[[], None]:
    vault.root.sys.create_or_update_policy("reader", 'path "secret/data/other/*" { capabilities = ["read"] }')
    return lambda: vault.root.sys.create_or_update_policy("reader", POLICY)


@pytest.mark.parametrize(
    ("trouble", "words"), [(seal, "is sealed"), (restart, "cannot be reached"), (forbid, "refuses the token")]
)
def test_a_run_waits_for_vault_and_goes_on(
    system: System,
    vault: RealVault,
    tmp_path: Path,
    trouble: Callable[[RealVault, str], Callable[[], None]],
    words: str,
) -> None:
    repo, model = chores(tmp_path / "chores"), Held()
    with playing(model) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        with going(system, "run", "be done", "--model", "zai/glm-5", "--base-url", url, cwd=repo) as ctl:
            assert model.asked.wait(60)
            heal = trouble(vault, os.environ["VAULT_TOKEN"])
            model.go_on.set()
            try:
                assert "goes on by itself" in until(ctl, words)
            finally:
                heal()
            assert "completed" in until(ctl, "completed")
        assert sum(server.asked.values()) == 2


def test_a_run_whose_token_ended_goes_on_with_a_new_one(
    system: System, vault: RealVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, model = chores(tmp_path / "chores"), Held()
    with playing(model) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        with going(system, "run", "be done", "--model", "zai/glm-5", "--base-url", url, cwd=repo) as ctl:
            assert model.asked.wait(60)
            vault.root.auth.token.revoke(os.environ["VAULT_TOKEN"])
            model.go_on.set()
            until(ctl, "refuses the token")
            monkeypatch.setenv("VAULT_TOKEN", vault.token())
            assert "another Vault" in system.ctl("up", cwd=repo)
            until(ctl, "completed")


def test_no_key_is_left_anywhere(system: System, vault: RealVault, tmp_path: Path) -> None:  # noqa: ARG001
    """What the command sees, what every child of the stack was started with, and every byte in the data folder."""
    looking = "env; ps axww 2>/dev/null; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'; sleep 2"
    repo, model = chores(tmp_path / "chores"), Held(f"{looking}; cp /dev/null todo.txt")
    model.go_on.set()
    canaries = [KEY, os.environ["VAULT_TOKEN"]]
    seen: list[str] = []
    with playing(model) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        with going(system, "run", "be done", "--model", "zai/glm-5", "--base-url", url, cwd=repo) as ctl:

            def looked() -> bool:
                seen.extend(words for pid in Path("/proc").glob("[1-9]*") for words in _commands(pid))
                return any("CODETETHER=1" in words for words in seen)

            assert comes_true(looked, 60)
            until(ctl, "completed")
        assert sum(server.asked.values()) == 2
    service = living(system.data, "temporal")
    assert service is not None
    seen.append((Path("/proc") / str(service.pid) / "environ").read_text(errors="replace"))
    history = asyncio.run(_histories(system))
    assert len(history) > 1000
    for canary in canaries:
        for words in seen:
            assert canary not in words
        assert canary.encode() not in history
        left = [file for file in (system.data, repo) for file in _holding(file, canary.encode())]
        assert left == []


def _commands(pid: Path) -> list[str]:
    """The words of a process, and the environment of one that an agent's command belongs to."""
    try:
        words = (pid / "cmdline").read_text(errors="replace").replace("\0", " ")
        environment = (pid / "environ").read_text(errors="replace") if "sleep 2" in words else ""
        return [words, environment]
    except OSError:
        return []


def _holding(folder: Path, canary: bytes) -> list[Path]:
    files = [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
    assert files
    return [file for file in files if canary in file.read_bytes()]


async def _histories(system: System) -> bytes:
    """Every history of the namespace as JSON, with its payloads decoded."""
    client = await connect(system.settings, plugins=[PLUGIN])
    whole = b""
    async for execution in client.list_workflows():
        text = (await client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()).to_json()
        payloads = re.findall(r'"data": ?"([A-Za-z0-9+/=]+)"', text)
        whole += text.encode() + b"".join(base64.b64decode(data) for data in payloads)
    return whole
