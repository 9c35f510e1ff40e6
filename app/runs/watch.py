"""Watching a run: its journal as it grows, and the deltas between. Attaching again loses nothing."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from temporalio.client import Client

from app import bus
from app.domain.event import Delta, RunEvent
from app.domain.fold import apply
from app.domain.run import RunView
from app.errors import UserError
from app.runs.door import Silent, Trouble, look
from app.settings import Settings
from app.stream.journal import events

_POLL = 0.1
"""Seconds between two looks at the journal, a `stat` each: nothing tells when a file grows."""
_ASK = 20
"""Looks between two questions whether Temporal still runs the workflow."""
_SILENCE = 120.0
"""Seconds for which Temporal may say nothing: a server that is started again, or moved, is back by then."""


@dataclass(frozen=True)
class Update:
    """One thing that happened: an event with the view after it, a delta, or a step that is tried again."""

    view: RunView | None
    event: RunEvent | None = None
    delta: Delta | None = None
    trouble: Trouble | None = None


async def watch(settings: Settings, client: Client | None, run: str) -> AsyncGenerator[Update]:
    """What happens to `run` from its beginning until its outcome; without `client` it never asks Temporal.

    Raises `UserError` when the workflow ended without an outcome, or Temporal is silent for two minutes.
    """
    queue: asyncio.Queue[Update | BaseException | None] = asyncio.Queue(10_000)
    tasks = [
        asyncio.create_task(_into(queue, _journal(settings, client, run), last=True)),
        asyncio.create_task(_into(queue, _deltas(settings, run), last=False)),
    ]
    order = _Order(run)
    try:
        while (update := await queue.get()) is not None:
            if isinstance(update, BaseException):
                raise update
            for ready in order.take(update):
                yield ready
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Order:
    """Holds what an agent of a relay says until the journal tells that its turn began: deltas are faster."""

    def __init__(self, run: str) -> None:
        self.turns = f"{run}-t"
        self.begun: set[str] = set()
        self.early: list[Update] = []

    def take(self, update: Update) -> list[Update]:
        """What can be shown now, in order."""
        if update.delta is not None:
            session = update.delta.session_id
            if session.startswith(self.turns) and session not in self.begun:
                self.early.append(update)
                return []
        if update.event is not None and update.event.kind == "turn_started":
            self.begun.add(str(update.event.body.get("session_id")))
            early, self.early = self.early, []
            return [update, *(ready for held in early for ready in self.take(held))]
        return [update]


async def _into(
    queue: "asyncio.Queue[Update | BaseException | None]", source: AsyncGenerator[Update], *, last: bool
) -> None:
    try:
        async with aclosing(source):
            async for update in source:
                await queue.put(update)
    except Exception as error:
        await queue.put(error)
    if last:
        await queue.put(None)


async def _journal(settings: Settings, client: Client | None, run: str) -> AsyncGenerator[Update]:
    view: RunView | None = None
    position, looks = 0, 0
    told: set[Trouble] = set()
    heard = time.monotonic()
    while True:
        records, position = await asyncio.to_thread(events, settings.data_dir, run, position)
        for record in records:
            event = RunEvent.model_validate(record.body)
            view = apply(view, event, record.at)
            yield Update(view, event=event)
            if event.kind == "outcome":
                return
        looks += 1
        if client is not None and looks % _ASK == 0 and not records:
            try:
                troubles = await _asked(settings, client, run, position)
                heard = time.monotonic()
            except Silent as error:
                if time.monotonic() - heard > _SILENCE:
                    raise
                troubles = [Trouble("to reach Temporal", 2, str(error))]
            for trouble in troubles:
                if trouble not in told:
                    told.add(trouble)
                    yield Update(None, trouble=trouble)
        await asyncio.sleep(_POLL)


async def _asked(settings: Settings, client: Client, run: str, position: int) -> list[Trouble]:
    """What Temporal says the run struggles with. Raises `UserError` when it ended without an outcome."""
    how, troubles = await look(client, run)
    if how and not (await asyncio.to_thread(events, settings.data_dir, run, position))[0]:
        raise UserError(f"run `{run}` ended as `{how}` in Temporal, without an outcome; `ctl doctor` tells more", 1)
    return troubles


async def _deltas(settings: Settings, run: str) -> AsyncGenerator[Update]:
    attempts: dict[tuple[str, int, str], int] = {}
    while True:
        async for delta in _subscribed(settings, run):
            key = (delta.session_id, delta.turn, delta.tool)
            if delta.attempt >= attempts.get(key, 0):  # an older attempt's words are stale
                attempts[key] = delta.attempt
                yield Update(None, delta=delta)
        await asyncio.sleep(0.3)  # the worker is away; it comes back


def _subscribed(settings: Settings, run: str) -> AsyncIterator[Delta]:
    return bus.subscribe(settings.data_dir, run)
