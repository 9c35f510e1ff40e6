"""What every activity of a worker shares: the data folder, the settings, heartbeats, fault points."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from app.errors import UserError
from app.settings import Settings
from app.stream import Damaged, Diverged
from app.workspace.files import Held
from app.workspace.git import GitError

BEAT = 2.0
"""Seconds between heartbeats: a cancel reaches the activity with the next one."""

Result = TypeVar("Result")

fault_point: ContextVar[Callable[[str], None] | None] = ContextVar("fault_point", default=None)
"""Set by the chaos tests' interceptor, which only their worker installs; nothing sets it otherwise."""


def reached(point: str) -> None:
    """Marks a named point between doing and recording, where a crash is most interesting."""
    if (hook := fault_point.get()) is not None:
        hook(point)


@dataclass(frozen=True)
class Host:
    """One worker's data folder and who it is."""

    settings: Settings
    data_id: str

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.settings.data_dir

    def own(self, data_id: str) -> None:
        """Refuses, retryably, work that belongs to another machine's data folder."""
        if data_id != self.data_id:
            raise ApplicationError(
                f"this worker owns data folder `{self.data_id}`, the run lives in `{data_id}`", type="WrongHost"
            )


@contextmanager
def beating() -> Generator[None]:
    """Heartbeats while the body runs, so that a dead worker is noticed and a cancel arrives."""
    loop = asyncio.get_running_loop()

    def beat() -> None:
        nonlocal timer
        timer = loop.call_later(BEAT, beat)
        activity.heartbeat()

    timer = loop.call_later(BEAT, beat)  # the start itself counts as a beat
    try:
        yield
    finally:
        timer.cancel()


async def guarded(work: Awaitable[Result]) -> Result:
    """Awaits `work` with heartbeats; turns what no retry can cure into one clear failure."""
    with beating():
        try:
            return await work
        except (Diverged, Damaged) as error:
            raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
        except Held as error:
            raise ApplicationError(str(error), type="Held") from error
        except UserError as error:
            full = isinstance(error, GitError) and error.full  # space can be made, and the run then goes on
            raise ApplicationError(str(error), type="UserError", non_retryable=not full) from error


def cancelled_by_person() -> bool:
    """Whether this attempt ends because its cancellation was asked for, not because a worker stops."""
    details = activity.cancellation_details()
    return details is not None and details.cancel_requested
