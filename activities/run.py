"""The journal of a run, and the projections made from it.

| activity     | retry       | timeout | heartbeat |
|--------------|-------------|---------|-----------|
| `run.record` | without end | 5 min   | 5 s       |
"""

import asyncio

from temporalio import activity

from activities.host import Host, guarded, reached
from app.domain.activities import RECORD, RecordInput
from app.domain.session import EventRange, NewRecord
from app.stream import Stream, digest
from app.stream.journal import project


class RunActivities:
    """Writes what a top workflow decided; nothing else writes a run's journal."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @activity.defn(name=RECORD)
    async def record(self, order: RecordInput) -> EventRange:
        """Appends the events at the journal's end, once, and brings the projections up to date."""
        return await guarded(asyncio.to_thread(self._record, order))

    def _record(self, order: RecordInput) -> EventRange:
        stream = Stream(self.host.data, order.journal.session_id)
        records = [NewRecord(kind="event", body=event.model_dump(mode="json")) for event in order.events]
        reached("done")
        batch = stream.append(
            expected=order.journal.end,
            step_id=order.step_id,
            digest=digest(order.events),
            records=records,
            ids=order.ids,
        )
        project(self.host.data, order.run)
        return order.journal.model_copy(update={"end": batch.end})
