"""One real Vault for the tests of this folder, and whatever `app.secrets` remembers forgotten between them."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from harness import settings_apart
from private_vault import Owner, quiet
from real_vault import RealVault, program, real_vault

from app.secrets import forget
from app.stack.local import down


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[RealVault]:
    """The server, for all tests of this process."""
    with real_vault(tmp_path_factory.mktemp("vault")) as own:
        yield own


@pytest.fixture
def vault(
    server: RealVault, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Generator[RealVault]:
    """The server, named by the environment, with a token that may read the keys."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("VAULT_ADDR", server.address)
    monkeypatch.setenv("VAULT_TOKEN", server.token())
    forget()
    yield server
    forget()


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Owner]:
    """Nothing is set up yet; `vault` is on PATH, and no keyring is here."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vault").symlink_to(program())
    (tmp_path / "home").mkdir()
    own = Owner(settings_apart(tmp_path / "system"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    for name in ("DATA_DIR", "CONFIG_DIR"):
        monkeypatch.setenv(f"CODETETHER_{name}", own.environment()[f"CODETETHER_{name}"])
    forget()
    yield own
    forget()
    down(own.settings, quiet)
    assert own.processes() == []
