"""The local stack, for real: started once, replaced when its code is older, stopped by pid and start time."""

import asyncio
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from harness import settings_apart
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client

from app.errors import UserError
from app.settings import Settings
from app.stack.connect import check_search_attributes, connect
from app.stack.demo import ensure_demo
from app.stack.local import down, ensure, knows_vault
from app.stack.state import Service, State, living, load, save

DAY = Duration(seconds=24 * 3600)


def quiet(_text: str) -> None:
    """Hears what is being started."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Generator[Settings]:
    folder = tmp_path_factory.mktemp("stack")
    own = settings_apart(folder)
    yield own
    down(own, quiet)


def test_it_starts_once_and_a_second_start_finds_it(settings: Settings) -> None:
    down(settings, quiet)
    said: list[str] = []
    ensure(settings, said.append)
    assert said == ["starting the local Temporal server", "starting the worker"]
    first = load(settings.data_dir)
    ensure(settings, said.append)
    assert load(settings.data_dir) == first and len(said) == 2
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700


def test_it_keeps_runs_for_thirty_days_and_listens_on_loopback_only(settings: Settings) -> None:
    ensure(settings, quiet)
    service = living(settings.data_dir, "temporal")
    assert service is not None and service.address.startswith("127.0.0.1:")

    async def retention() -> int:
        client = await connect(settings)
        answer = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="codetether"))
        return answer.config.workflow_execution_retention_ttl.seconds

    assert asyncio.run(retention()) == 30 * 24 * 3600


def test_a_worker_of_older_code_is_replaced(settings: Settings) -> None:
    ensure(settings, quiet)
    old = living(settings.data_dir, "worker")
    assert old is not None
    save(settings.data_dir, "worker", old.model_copy(update={"build": "older"}))
    said: list[str] = []
    ensure(settings, said.append)
    new = living(settings.data_dir, "worker")
    assert said == ["replacing the worker: the installed code is newer"]
    assert new is not None and new.pid != old.pid and not old.alive


def test_who_only_watches_replaces_no_worker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that follows a run holds the environment it was opened with; another one changed the worker since."""
    ensure(settings, quiet)
    now = living(settings.data_dir, "worker")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    said: list[str] = []
    ensure(settings, said.append, replace=False)
    assert said == [] and living(settings.data_dir, "worker") == now


def test_down_stops_what_was_started_and_nothing_else(settings: Settings) -> None:
    ensure(settings, quiet)
    ensure_demo(settings, quiet)
    before = load(settings.data_dir)
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        # The same number with another start time is another process.
        assert before.worker is not None
        save(settings.data_dir, "demo", before.worker.model_copy(update={"pid": stranger.pid}))
        assert down(settings, quiet) == ["worker", "temporal"]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.communicate()
        if before.demo is not None:
            save(settings.data_dir, "demo", before.demo)
            down(settings, quiet)
    assert not any(service and service.alive for service in (before.worker, before.temporal, before.demo))


def test_it_comes_back_at_the_same_address(settings: Settings) -> None:
    ensure(settings, quiet)
    before = living(settings.data_dir, "temporal")
    down(settings, quiet)
    ensure(settings, quiet)
    after = living(settings.data_dir, "temporal")
    assert before is not None and after is not None and (before.address, before.ui) == (after.address, after.ui)


def test_a_namespace_without_our_search_attributes_is_refused_with_the_command(settings: Settings) -> None:
    ensure(settings, quiet)
    service = living(settings.data_dir, "temporal")
    assert service is not None

    async def check() -> None:
        client = await Client.connect(service.address, namespace="bare")
        new = RegisterNamespaceRequest(namespace="bare", workflow_execution_retention_period=DAY)
        await client.workflow_service.register_namespace(new)
        async with asyncio.timeout(30):
            while True:
                try:
                    await check_search_attributes(client)
                except UserError as error:
                    if "search-attribute create" in str(error):
                        raise
                await asyncio.sleep(0.2)  # a new namespace takes a moment to be known

    with pytest.raises(UserError, match=r"lacks the search attributes OkrId.*--name OkrId --type Keyword"):
        asyncio.run(check())


def test_an_unreachable_server_is_one_sentence(tmp_path: Path) -> None:
    own = Settings(data_dir=tmp_path, config_dir=tmp_path, address="127.0.0.1:1")
    with pytest.raises(UserError, match=r"cannot reach Temporal at `127.0.0.1:1`") as raised:
        asyncio.run(connect(own))
    assert raised.value.code == 4
    with pytest.raises(UserError, match="ctl up"):
        asyncio.run(connect(Settings(data_dir=tmp_path, config_dir=tmp_path)))


def test_a_torn_state_file_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{ torn")
    assert load(tmp_path) == State()


@pytest.mark.parametrize(
    ("named", "private", "worker", "right"),
    [
        (False, False, "abc", True),  # who means no Vault changes nothing
        (False, True, "", True),  # it looks for the private one at each question
        (False, True, "private", True),
        (False, True, "abc", False),
        (True, True, "private", False),  # a named one wins
    ],
)
def test_a_worker_asks_the_vault_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool, private: bool, worker: str, right: bool
) -> None:
    own = settings_apart(tmp_path)
    if named:
        monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    if private:
        (own.data_dir / "vault").mkdir()
        (own.data_dir / "vault" / "ready.json").write_text('{"keys": "file"}')
    assert knows_vault(own, Service(pid=1, started="", vault=worker)) is right
