"""The real system for end-to-end tests, started once for each test process."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from harness import Script, System, flags, playing, settings_apart
from playbook import identify

from app.demo.example import create
from app.stack.local import down, ensure


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Generator[System]:
    """A running stack for the whole session of this test process."""
    folder = tmp_path_factory.mktemp("system")
    settings = settings_apart(folder)
    ensure(settings, lambda _text: None)
    yield System(settings)
    down(settings, lambda _text: None)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A fresh copy of the example repository, with an owner who can merge."""
    return identify(create(tmp_path / "ledger"))


@pytest.fixture
def model() -> Generator[Callable[[Script], list[str]]]:
    """`model(script)` starts a model server and gives the flags of `ctl` that name it."""
    with ExitStack() as stack:
        yield lambda script: flags(stack.enter_context(playing(script)))
