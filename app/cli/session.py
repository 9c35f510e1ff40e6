"""What a command needs of the system: settings, the stack, a client, the repository it stands in."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.commands.common import here
from app.cli.output import note
from app.errors import UserError
from app.settings import Settings, load

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.runtime import Runtime

    from app.domain.run import RunView


@asynccontextmanager
async def connected(settings: Settings) -> AsyncGenerator["Client"]:
    """A client, with the stack started where it was not running."""
    from app.runs.plugin import PLUGIN
    from app.stack.connect import connect

    yield await connect(settings, plugins=[PLUGIN], runtime=_quiet())


@cache
def _quiet() -> "Runtime":
    """The SDK logs each try to reach a server on stderr; a person is told in words of ours."""
    from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

    errors = TelemetryFilter(core_level="ERROR", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=errors)))


def ready() -> Settings:
    """The settings, with the stack running; what had to be started is said."""
    settings = load()
    start(settings)
    return settings


def start(settings: Settings, *, replace: bool = True) -> None:
    """Starts what is not running; `replace`: also replaces a worker of older code or of another Vault."""
    from app.stack.local import ensure

    ensure(settings, note, replace=replace)


def meant(settings: Settings, run: str | None, *, changes: bool = False) -> "RunView":
    """The run that the person means. `changes`: outside of a repository it must be named, whatever is the latest."""
    from app.runs.find import find

    repo = here()
    if changes and not run and not repo:
        raise UserError(f"folder `{Path.cwd()}` lies in no checkout: name the run; `ctl okr runs` lists them")
    return find(settings.data_dir, run, repo)
