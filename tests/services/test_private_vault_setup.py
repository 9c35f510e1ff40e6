"""Setting up the private Vault: killed after each step, by two at once, on a full disk."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from private_vault import KEY, Owner, key_of, quiet

from app.errors import UserError
from app.secrets import Unreachable, entries, private, store
from app.stack import vault_setup
from app.stack.vault import ensure_private, keep_up

pytestmark = [pytest.mark.services, pytest.mark.timeout(180, func_only=True)]

POINTS = {
    "its process is known and waits for a word": ("app.stack.vault:save", 1),
    "started": ("app.stack.vault_setup:running", 1),
    "initialised, nothing written": ("hvac.api.system_backend.init:Init.initialize", 1),
    "its key is written": ("app.secrets.private:write_keys", 1),
    "open": ("app.stack.vault_setup:opened", 1),
    "it has an engine": ("app.stack.vault_setup:_engine", 1),
    "a token is made": ("app.stack.vault_setup:_token", 1),
    "the token is written": ("app.secrets.private:write_keys", 2),
    "the root token is revoked": ("hvac.api.auth_methods.token:Token.revoke_self", 1),
    "the root token is dropped": ("app.secrets.private:write_keys", 3),
    "the keyring was asked": ("app.secrets.ring:hold", 1),
    "complete": ("app.secrets.private:tidy", 1),
}


def die_after(place: str, count: int) -> None:
    """This process dies by SIGKILL after the `count`-th call of `MODULE:NAME` or `MODULE:CLASS.NAME`."""
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *folders, name = path.split(".")
    for folder in folders:
        owner = getattr(owner, folder)
    whole: Callable[..., Any] = getattr(owner, name)
    left = [count]

    def mortal(*args: Any, **more: Any) -> Any:
        result = whole(*args, **more)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, mortal)


def _dies(owner: Owner, place: str, count: int) -> None:
    die_after(place, count)
    ensure_private(owner.settings, quiet, create=True)


@pytest.mark.parametrize("point", POINTS)
def test_a_set_up_that_dies_leaves_a_vault_that_opens(owner: Owner, point: str) -> None:
    child = multiprocessing.get_context("fork").Process(target=_dies, args=(owner, *POINTS[point]))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    said: list[str] = []
    ensure_private(owner.settings, said.append, create=True)
    assert any("is set aside as" in line for line in said) is (point == "initialised, nothing written")
    assert owner.keys().root_token == "" and private.ready(owner.data) is not None
    assert owner.processes() == [owner.server.pid]
    store("zai", KEY)
    owner.kill()
    with pytest.raises(Unreachable, match="is not running: `ctl up` starts it"):
        key_of()
    keep_up(owner.settings, quiet)  # the key that is kept is the one that opens it
    assert key_of() == KEY


def test_two_logins_at_once_share_one_vault(owner: Owner) -> None:
    both = [owner.logging_in(name, f"{KEY}-{name}") for name in ("zai", "stepfun")]
    for process in both:
        said = process.communicate(timeout=60)[0]
        assert process.returncode == 0, said
    assert owner.processes() == [owner.server.pid]
    assert [entry.provider for entry in entries()] == ["stepfun", "zai"]
    assert key_of("stepfun") == f"{KEY}-stepfun"
    assert "removed the key of zai from the private Vault" in owner.ctl("logout", "zai", cwd=owner.data)
    assert [entry.provider for entry in entries()] == ["stepfun"]


def test_a_vault_that_dies_in_its_set_up_is_said_and_the_next_login_goes_on(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(vault_setup, "_token", lambda root: (owner.kill(), root.sys.list_policies()))
        with pytest.raises(UserError, match=r"did not do what it was asked .*`.*vault.log`, then try again") as caught:
            ensure_private(owner.settings, quiet, create=True)
    assert caught.value.code == 4 and private.ready(owner.data) is None
    said: list[str] = []
    ensure_private(owner.settings, said.append, create=True)
    assert not any("set aside" in line for line in said) and owner.keys().root_token == ""


def test_a_key_whose_store_a_power_cut_took_is_given_up(owner: Owner) -> None:
    child = multiprocessing.get_context("fork").Process(target=_dies, args=(owner, *POINTS["its key is written"]))
    child.start()
    child.join()
    before = owner.keys()
    owner.kill()
    shutil.rmtree(owner.data / "vault" / "store")
    ensure_private(owner.settings, quiet, create=True)
    assert owner.keys().unseal_key != before.unseal_key
    store("zai", KEY)
    assert key_of() == KEY


def test_a_full_disk_is_said_and_the_next_login_goes_on(owner: Owner, tmp_path: Path) -> None:
    """The data folder is a small file system of its own, in a mount namespace."""
    full = tmp_path / "full"
    full.mkdir()
    script = f"""
        mount -t tmpfs -o size=60k tmpfs {full}
        login() {{ echo {KEY} | {shutil.which("env")} "$@" login zai --stdin --no-check; echo "exit $?"; }}
        login "$@"
        mount -o remount,size=10m {full}
        login "$@"
        "$@" vault list; "$@" down
    """
    ctl = [sys.executable, "-I", "-m", "app.cli"]
    done = subprocess.run(
        ["unshare", "-rm", "--propagation", "private", "sh", "-c", script, "sh", *ctl],
        env={**owner.environment(), "CODETETHER_DATA_DIR": str(full)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no file system of its own: {done.stderr[-200:]}")
    assert "the disk is full; free some space" in done.stderr and KEY not in done.stderr + done.stdout
    assert done.stdout.split("PROVIDER")[0].split("\n") == ["exit 4", "exit 0", ""]
    assert "zai" in done.stdout and "stopped: vault" in done.stdout
