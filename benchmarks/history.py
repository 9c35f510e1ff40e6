"""Bytes of workflow history that a step costs: the same at step 10 and at step 500."""

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from app.domain.contracts import AGENT, QUEUE, AgentResult
from benchmarks.model import model
from benchmarks.place import agent, place
from benchmarks.rows import Row
from benchmarks.steps import working

LIMIT = 2500
LAST = 500


async def measure() -> list[Row]:
    """The rows of history: one run of a little more than 500 steps."""
    async with place() as at, model(LAST + 2) as server, working(at):
        order = agent(at, server.base_url, steps=LAST + 2)
        name = order.session.session_id
        handle = await at.client.start_workflow(AGENT, order, id=name, task_queue=QUEUE, result_type=AgentResult)
        result = await handle.result()
        if result.status != "done":
            raise RuntimeError(f"the agent ended `{result.status}` after {result.steps} turns: {result.reason}")
        events = await _all_events(at.client, name)
    return [Row(f"history of step {number}", bytes_of(events, number), "B", limit=LIMIT) for number in (10, LAST)]


def bytes_of(events: list[HistoryEvent], number: int) -> int:
    """Serialized bytes from the scheduling of this turn up to that of the next one."""
    starts = {
        event.activity_task_scheduled_event_attributes.activity_id: index
        for index, event in enumerate(events)
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    }
    own = events[starts[f"t{number}-model"] : starts[f"t{number + 1}-model"]]
    return sum(event.ByteSize() for event in own)


async def _all_events(client: Client, name: str) -> list[HistoryEvent]:
    """The events of the whole chain of a workflow that continued as new, in order."""
    chain: list[HistoryEvent] = []
    run_id = ""
    while True:
        history = await client.get_workflow_handle(name, run_id=run_id or None).fetch_history()
        chain = [*history.events, *chain]
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run_id:
            return chain
