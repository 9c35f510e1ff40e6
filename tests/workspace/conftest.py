"""The person at the desk: a home of their own and a repository."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode does not; for `workspace_desk`

from workspace_desk import Desk, new_repository

from app.settings import Settings


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of their own with their identity; nothing of the machine's configuration."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        '[user]\nname = Ada\nemail = ada@example.com\n[init]\ndefaultBranch = main\n[protocol "file"]\nallow = always\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    settings = Settings(data_dir=tmp_path / "data", config_dir=tmp_path / "config")
    return Desk(new_repository(tmp_path / "user" / "project"), settings)
