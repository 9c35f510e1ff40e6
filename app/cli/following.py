"""Following a run from a terminal: show it, ask where it waits, leave with its exit code.

The command is only a watcher. Ctrl-C detaches; with `CI` set, SIGINT and SIGTERM cancel the run.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from app.cli.keeping import keep_stack
from app.cli.output import note
from app.domain.run import EXIT_CODES, Decision, Request, RunView
from app.errors import UserError
from app.runs import door
from app.runs.watch import Update, watch
from app.settings import Settings
from app.stream.journal import load_view, project

if TYPE_CHECKING:
    from temporalio.client import Client

WAITING, DETACHED = 6, 130
"""Exit codes: the run waits for a decision; this command left a run that goes on."""


class Show(Protocol):
    """Whatever shows a run: a screen, lines, JSON."""

    def on(self, update: Update) -> None:
        """One thing that happened."""
        ...

    def pause(self) -> None:
        """Before a question."""
        ...

    def go_on(self) -> None:
        """After it."""
        ...


@dataclass(frozen=True)
class Ended:
    """Where following stopped: the last view and the exit code."""

    view: RunView | None
    code: int


async def follow(
    settings: Settings,
    client: "Client",
    run: str,
    show: Show,
    *,
    ask: Callable[[RunView, Request], Decision | None],
    early: Sequence[int] = (),
) -> Ended:
    """Follows `run` to its outcome, a question nobody can answer here, or Ctrl-C.

    `ask` puts a request to the person; None: nobody is there. `early`: signals that came before (`held`).
    """
    stop = _Signals(client, run, early)
    keeping = asyncio.create_task(keep_stack(settings))
    following = asyncio.create_task(_follow(settings, client, run, show, ask=ask))
    stop.on_detach = following.cancel
    with stop:
        try:
            return await following
        except asyncio.CancelledError:
            if not stop.detached:
                raise
            return Ended(load_view(settings.data_dir, run), DETACHED)
        finally:
            keeping.cancel()


async def _follow(
    settings: Settings,
    client: "Client",
    run: str,
    show: Show,
    *,
    ask: Callable[[RunView, Request], Decision | None],
) -> Ended:
    view: RunView | None = None
    async with aclosing(watch(settings, client, run)) as updates:
        async for update in updates:
            view = update.view or view
            show.on(update)
            if update.event is None or update.event.kind != "asked" or view is None:
                continue
            request = Request.model_validate(update.event.body)
            if not _open(settings, run, request):
                continue
            if not await _settled(client, run, view, request, show, ask):
                return Ended(view, WAITING)
    assert view is not None and view.result is not None
    project(settings.data_dir, run)  # whatever the person types next finds the run ended
    return Ended(view, EXIT_CODES[view.result.outcome])


async def _settled(
    client: "Client",
    run: str,
    view: RunView,
    request: Request,
    show: Show,
    ask: Callable[[RunView, Request], Decision | None],
) -> bool:
    """Whether the request was answered, by whoever was first; a refused answer is said and asked for again."""
    last: Decision | None = None
    while (decision := await _asked(show, ask, view, request)) is not None and decision != last:
        try:
            await door.decide(client, run, decision)
            return True
        except door.Stale:
            return True  # somebody else was faster: what they said is shown
        except UserError as error:
            note(f"error: {error}")
            last = decision
    return False


async def _asked(
    show: Show, ask: Callable[[RunView, Request], Decision | None], view: RunView, request: Request
) -> Decision | None:
    show.pause()
    decision = await _answer(lambda: ask(view, request))
    show.go_on()
    return decision


async def _answer(question: Callable[[], Decision | None]) -> Decision | None:
    """Asks in a thread that nobody waits for: who leaves by Ctrl-C gives no answer. Ctrl-D is none, too."""
    loop = asyncio.get_running_loop()
    given: asyncio.Future[Decision | None] = loop.create_future()

    def settle(decision: Decision | None, error: Exception | None) -> None:
        if given.done():
            return
        if error is None or isinstance(error, EOFError):
            given.set_result(decision)
        else:
            given.set_exception(error)

    def asking() -> None:
        decision, failure = None, None
        try:
            decision = question()
        except Exception as error:
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody is there any more
            loop.call_soon_threadsafe(settle, decision, failure)

    threading.Thread(target=asking, daemon=True).start()
    return await given


def _open(settings: Settings, run: str, request: Request) -> bool:
    """Whether the request is still open: what is shown may be long ago."""
    view = project(settings.data_dir, run)  # the journal is ahead of its projection for a moment
    return any(open_.id == request.id for open_ in view.requests)


class _Signals:
    """SIGINT detaches; with `CI` set, SIGINT and SIGTERM cancel the run and following goes on."""

    def __init__(self, client: "Client", run: str, early: Sequence[int]) -> None:
        self.client = client
        self.early = early
        self.run = run
        self.detached = False
        self.on_detach: Callable[[], object] = lambda: None
        self.tasks: list[asyncio.Task[None]] = []
        self.numbers = (signal.SIGINT, signal.SIGTERM) if in_ci() else (signal.SIGINT,)

    def __enter__(self) -> None:
        for number in self.numbers:
            asyncio.get_running_loop().add_signal_handler(number, self._received)
        if self.early:
            self._received()

    def __exit__(self, *_: object) -> None:
        for number in self.numbers:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _received(self) -> None:
        if in_ci():
            note(f"cancelling {self.run}: its work so far is being saved")
            self.tasks.append(asyncio.create_task(door.cancel(self.client, self.run)))
        else:
            self.detached = True
            self.on_detach()


@contextmanager
def held(received: list[int]) -> Generator[None]:
    """While it lasts, SIGINT and SIGTERM end nothing half done: they are noted in `received`."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda which, _frame: received.append(which)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def in_ci() -> bool:
    """Whether a build server runs us."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")
