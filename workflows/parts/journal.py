"""The journal of a run, written by its top workflow alone, and the view that it folds into."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from app.domain.activities import RECORD, RecordInput
from app.domain.base import Model
from app.domain.event import EventKind, RunEvent
from app.domain.fold import apply
from app.domain.run import RunInput, RunView
from app.domain.session import EventRange
from workflows.parts.details import markdown
from workflows.parts.steps import step, step_id

OUTCOME = SearchAttributeKey.for_keyword("Outcome")
PROGRESS = SearchAttributeKey.for_float("Progress")
BATCH_BYTES = 40_000


class Journalled:
    """A workflow with a journal: what happens is noted in the view at once, and written in order."""

    def __init__(self, order: RunInput) -> None:
        self.order = order
        self.journal = EventRange(session_id=f"run-{order.run}")
        started = RunEvent(kind="started", body={"input": order.model_dump(mode="json")})
        self.view = self._fold(None, started)
        self.unwritten = [started]
        self.writing = asyncio.Lock()
        self.writes = 0

    def note(self, kind: EventKind, body: Model | dict[str, Any] | None = None) -> None:
        """Applies an event to the view at once; `flush` writes it."""
        data = body.model_dump(mode="json") if isinstance(body, Model) else body or {}
        event = RunEvent(kind=kind, body=data)
        self.view = self._fold(self.view, event)
        self.unwritten.append(event)
        workflow.set_current_details(markdown(self.view))

    async def record(self, kind: EventKind, body: Model | dict[str, Any] | None = None) -> None:
        """Notes one event and returns when it is on disk."""
        self.note(kind, body)
        await self.flush()

    async def flush(self) -> None:
        """Writes what was noted, in order, one batch at a time.

        A cancel never interrupts a write: its batch may stand already, and would be written again as another.
        """
        await asyncio.shield(asyncio.create_task(self._write()))

    async def _write(self) -> None:
        async with self.writing:
            while self.unwritten:
                events = _batch(self.unwritten)
                name = f"record-{self.writes}"
                order = RecordInput(
                    step_id=step_id(name), ids=self.order.ids, run=self.order.run, journal=self.journal, events=events
                )
                self.journal = await step(
                    RECORD, order, EventRange, id=name, data_id=self.order.data_id, summary=events[-1].kind, ending=True
                )
                self.writes += 1
                del self.unwritten[: len(events)]

    def _fold(self, view: RunView | None, event: RunEvent) -> RunView:
        return apply(view, event, _rfc3339(workflow.now()))

    def show_progress(self) -> None:
        """Updates the search attribute that lists and the Temporal UI show."""
        if self.view.okr is not None:
            self._upsert(PROGRESS.value_set(round(self.view.okr.progress, 4)))

    def show_outcome(self, outcome: str) -> None:
        """Updates the search attribute that says how the run ended."""
        self._upsert(OUTCOME.value_set(outcome))

    def _upsert(self, update: SearchAttributeUpdate[Any]) -> None:
        workflow.upsert_search_attributes([update])  # pyright: ignore[reportUnknownMemberType]


def _batch(events: list[RunEvent]) -> tuple[RunEvent, ...]:
    """The first events that fit into one payload, at least one."""
    count, size = 0, 0
    for event in events[:20]:
        size += len(event.model_dump_json().encode())
        if count and size > BATCH_BYTES:
            break
        count += 1
    return tuple(events[:count])


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
