"""The private Vault that `ctl login` starts where `VAULT_ADDR` names none: real, killed, interrupted, robbed."""

import os
import shutil
import socket
from collections.abc import Generator
from pathlib import Path

import keyring
import pytest
from background import comes_true, going, until
from harness import playing
from hvac.exceptions import Forbidden
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from playbook import Held, chores
from private_vault import KEY, Owner, key_of, quiet

from app.cli.lazy import run as run_ctl
from app.secrets import NoSecret, Refused, Unreachable, private, store
from app.stack import ports, vault
from app.stack.local import down, ensure
from app.stack.state import living, load
from app.stack.vault import ensure_private, health, keep_up
from app.stack.vault_setup import _root

pytestmark = [pytest.mark.services, pytest.mark.timeout(180, func_only=True)]


def test_from_the_first_login_to_runs_through_a_kill_and_after_a_stop(
    owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_CACHE_SECONDS", "0")
    ensure(owner.settings, quiet)
    worker = living(owner.data, "worker")
    said = owner.login("zai", KEY)
    assert f"its unseal key and token are in `{owner.data}/vault/unseal.key`" in said and KEY not in said
    repo, model = chores(tmp_path / "chores"), Held()
    with playing(model) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        run = ("run", "be done", "--model", "zai/glm-5", "--base-url", url)
        with going(owner, *run, cwd=repo) as ctl:
            assert model.asked.wait(60)
            killed = owner.kill()  # in the middle of the run
            model.go_on.set()
            until(ctl, "the private Vault is gone")
            until(ctl, "completed")
        assert owner.server.address == killed.address and owner.server.pid != killed.pid
        assert living(owner.data, "worker") == worker  # which was there before the Vault
        before = owner.server
        left = _places_of(owner, [KEY, owner.keys().token, owner.keys().unseal_key])
        assert left == {str(private.key_file(owner.data))}
        assert "vault" in owner.ctl("down", cwd=repo)
        assert not before.alive and owner.processes() == []
        told = owner.json("status", cwd=repo, code=1)
        assert [row["state"] for row in told["services"] if row["name"] == "vault"] == ["down"]
        assert owner.json("up", cwd=repo)["up"] is True
        assert owner.server.address == before.address and health(owner.data) == "open"
        assert "completed" in owner.ctl(*run, cwd=repo)
    assert sum(server.asked.values()) == 4
    assert "the private Vault; its unseal key" in owner.ctl("doctor", cwd=repo, code=None)


def _places_of(owner: Owner, canaries: list[str]) -> set[str]:
    """Files below the data folder, and processes of the stack by their environment and words, that hold a secret."""
    found = [file for file in owner.data.rglob("*") if file.is_file() and not file.is_symlink()]
    pids = [service.pid for service in (load(owner.data).worker, load(owner.data).temporal, owner.server) if service]
    found += [Path(f"/proc/{pid}/{name}") for pid in pids for name in ("environ", "cmdline")]
    return {str(file) for file in found for canary in canaries if canary.encode() in file.read_bytes()}


def test_what_is_kept_opens_our_path_only_and_no_root_token_is(owner: Owner) -> None:
    ensure_private(owner.settings, quiet, create=True)
    keys, file = owner.keys(), private.key_file(owner.data)
    assert keys.root_token == "" and "root" not in file.read_text() and file.stat().st_mode & 0o777 == 0o600
    own = owner.client(keys.token)
    assert own.auth.token.lookup_self()["data"]["policies"] == ["codetether"]
    for forbidden in ("secret/data/other", "sys/mounts", "sys/policies/acl/codetether"):
        with pytest.raises(Forbidden):
            own.read(forbidden)
    with pytest.raises(Forbidden):
        own.auth.token.create(policies=["root"])
    root = owner.client(_root(owner.client(), keys.unseal_key))
    accessors = root.auth.token.list_accessors()["data"]["keys"]
    names = [root.auth.token.lookup_accessor(accessor)["data"]["display_name"] for accessor in accessors]
    assert sorted(names) == ["root", "token-codetether"]  # the one root is this test's
    assert _listening(owner.server.pid) == {owner.server.address.removeprefix("https://")}


def _listening(pid: int) -> set[str]:
    """Where a process listens (Linux: `/proc/net/tcp`, `tcp6`)."""
    inodes = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address, port = fields[1].split(":")
                shown = socket.inet_ntoa(bytes.fromhex(address)[::-1]) if table == "tcp" else address
                found.add(f"{shown}:{int(port, 16)}")
    return found


def test_who_took_its_port_is_told_nothing(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_FREED", 0.5)
    ensure_private(owner.settings, quiet, create=True)
    store("zai", KEY)
    port = ports.port_of(owner.kill().address)
    assert comes_true(lambda: ports.is_free(port))
    with socket.create_server(("127.0.0.1", port)) as stranger:
        stranger.setblocking(False)
        with pytest.raises(Unreachable, match="is not running"):
            key_of()
        keep_up(owner.settings, quiet)
        assert key_of() == KEY and ports.port_of(owner.server.address) != port
        with pytest.raises(BlockingIOError):
            stranger.accept()


def test_a_token_that_ended_is_replaced(owner: Owner) -> None:
    ensure_private(owner.settings, quiet, create=True)
    store("zai", KEY)
    keys = owner.keys()
    owner.client(_root(owner.client(), keys.unseal_key)).auth.token.revoke(keys.token)
    with pytest.raises(Refused, match="refuses its token: `ctl up` makes a new one"):
        key_of()
    assert "the token of the private Vault ended" in owner.login("stepfun", KEY)
    assert key_of() == KEY and owner.keys().token != keys.token and owner.keys().root_token == ""


def test_keys_that_are_gone_are_one_sentence_that_works(owner: Owner) -> None:
    owner.login("zai", KEY)
    private.key_file(owner.data).unlink()
    for words in (("vault", "list"), ("vault", "status"), ("logout", "zai")):
        told = owner.ctl(*words, cwd=owner.data, code=4)
        assert f"gone from `{owner.data}/vault/unseal.key`: put them back, or begin anew: `ctl down`, `mv " in told
    owner.kill()
    said: list[str] = []
    keep_up(owner.settings, said.append)
    assert len(said) == 1 and "are gone from" in said[0]
    move = said[0].split("`ctl down`, `mv ")[1].split("`")[0].split()
    owner.ctl("down", cwd=owner.data)
    shutil.move(*move)
    owner.login("zai", f"{KEY}-2")
    assert key_of() == f"{KEY}-2"


def test_keys_of_another_vault_and_an_emptied_store_are_said(owner: Owner) -> None:
    ensure_private(owner.settings, quiet, create=True)
    right = owner.keys()
    private.write_keys(owner.data, private.Keys(unseal_key="AAAA" * 11, token=right.token))
    owner.kill()
    with pytest.raises(Refused, match="does not open the private Vault: put the right one back"):
        ensure_private(owner.settings, quiet)
    private.write_keys(owner.data, right)
    ensure_private(owner.settings, quiet)
    owner.kill()
    (owner.data / "vault" / "store").rename(owner.data / "vault" / "elsewhere")
    with pytest.raises(Refused, match="is empty: put back what it held"):
        ensure_private(owner.settings, quiet)


class Ring(KeyringBackend):
    """A keyring that keeps what it is given, as long as it is not locked."""

    priority = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def set_password(self, service: str, username: str, password: str) -> None:
        self._open()
        self.kept[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        self._open()
        return self.kept.get((service, username))

    def _open(self) -> None:
        if self.locked:
            raise KeyringLocked


@pytest.fixture
def ring() -> Generator[Ring]:
    before, own = keyring.get_keyring(), Ring()
    keyring.set_keyring(own)
    yield own
    keyring.set_keyring(before)


def test_the_keys_lie_in_the_keyring_where_there_is_one(owner: Owner, ring: Ring) -> None:
    said: list[str] = []
    ensure_private(owner.settings, said.append, create=True)
    assert said[-1] == "its unseal key and token are in the OS keyring, as `codetether-agent`"
    assert not private.key_file(owner.data).exists() and "root" not in str(ring.kept)
    store("zai", KEY)
    owner.kill()
    keep_up(owner.settings, quiet)
    assert key_of() == KEY
    ring.locked = True
    with pytest.raises(Unreachable, match="does not open: unlock it, then `ctl up`"):
        key_of()
    ring.locked = False
    ring.kept.clear()
    with pytest.raises(Refused, match="are gone from the OS keyring: put them back"):
        key_of()


def test_a_keyring_that_does_not_open_leaves_the_file(owner: Owner, ring: Ring) -> None:
    ring.locked = True
    ensure_private(owner.settings, quiet, create=True)
    store("zai", KEY)
    assert key_of() == KEY and owner.keys().token


def test_a_vault_that_is_named_wins(owner: Owner, tmp_path: Path) -> None:
    owner.login("zai", KEY)
    named = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "t"}
    assert "`http://127.0.0.1:1` cannot be reached" in owner.ctl("vault", "list", cwd=tmp_path, code=4, **named)
    assert "zai" in owner.ctl("vault", "list", cwd=tmp_path)


def test_without_the_program_it_says_how_to_get_it(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure_private(owner.settings, quiet, create=True)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", "")
    assert run_ctl(["vault", "list"]) == 0  # as long as it runs nothing is missing
    down(owner.settings, quiet)
    assert run_ctl(["vault", "list"]) == 4
    assert "the private Vault needs `vault`, which is not on PATH: " in capsys.readouterr().err
    assert run_ctl(["doctor"]) == 1
    assert "FAIL  vault            the private Vault needs `vault` on PATH" in capsys.readouterr().out
    monkeypatch.setenv("PATH", path)
    assert run_ctl(["vault", "list"]) == 0


def test_there_is_none_before_the_first_login(owner: Owner) -> None:
    with pytest.raises(NoSecret, match="`ctl login zai` starts a private Vault"):
        key_of()
    assert vault.is_right(owner.data) and living(owner.data, "vault") is None
