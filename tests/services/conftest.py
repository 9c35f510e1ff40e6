"""One real Vault for the tests of this folder, and whatever `app.secrets` remembers forgotten between them."""

from collections.abc import Generator

import pytest
from real_vault import RealVault, real_vault

from app.secrets import forget


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
