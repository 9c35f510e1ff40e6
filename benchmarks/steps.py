"""The time of one step that is ours, against the same workflow with two empty activities in the same run.

Times come from the server's own event history: from the scheduling of one model turn to that of the next.
What the model server held a request for, from its last byte to the answer, is subtracted.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import pairwise
from statistics import mean, median
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Worker

from activities.host import Host
from app import bus
from app.domain.contracts import AGENT, QUEUE, AgentResult, host_queue, llm_queue
from app.runs.plugin import PLUGIN
from app.stack.connect import connect
from benchmarks.empty import EMPTY, EmptyAgent, EmptyInput, nothing
from benchmarks.model import busy, server_process
from benchmarks.place import Place, agent, place
from benchmarks.rows import Row
from worker import workers

RUNS = 5
STEPS = 16
LIMIT = 1.6
SIZES = (10_000, 250_000)


async def measure() -> list[Row]:
    """The rows of a step, at each transcript size."""
    async with place() as at, working(at):
        with server_process("benchmarks.model", str(STEPS)) as server:
            return await _measured(at, server)


async def _measured(at: Place, server: str) -> list[Row]:
    kinds = [partial(_empty, at), *(partial(_ours, at, server, size) for size in SIZES)]
    for kind in kinds:
        await kind()  # warm
    bare, *ours = zip(*[await _there_and_back(kinds) for _ in range(RUNS)], strict=True)
    rows = [Row("step of two empty activities", median(bare) * 1000, "ms", note=_spread(bare))]
    for size, own in zip(SIZES, ours, strict=True):
        ratio = median(value / base for value, base in zip(own, bare, strict=True))
        label = f"step, transcript of {size // 1000} kB"
        rows.append(Row(label, median(own) * 1000, "ms", ratio=ratio, limit=LIMIT, note=_spread(own)))
    return rows


async def _there_and_back(kinds: Sequence[Callable[[], Awaitable[float]]]) -> list[float]:
    """One run: each kind twice, in mirrored order, so that a machine which slows down meanwhile slows all alike."""
    there = [await kind() for kind in kinds]
    back = [await kind() for kind in reversed(kinds)]
    return [mean(pair) for pair in zip(there, reversed(back), strict=True)]


@asynccontextmanager
async def working(at: Place) -> AsyncIterator[None]:
    """The three workers of `worker.py` in this process, with the empty workflow and activity added."""
    host = Host(settings=at.settings, data_id=at.workspace.data_id)
    more: dict[str, dict[str, list[Any]]] = {
        QUEUE: {"workflows": [EmptyAgent]},
        llm_queue(host.data_id): {"activities": [nothing]},
        host_queue(host.data_id): {"activities": [nothing]},
    }
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bus.serve(at.data))
        # Two workers of one queue cannot share a client: these only lend their options.
        for own in workers(await connect(at.settings, plugins=[PLUGIN]), host):
            await stack.enter_async_context(_with(at.client, own, more[own.task_queue]))
        yield


def _with(client: Client, own: Worker, more: dict[str, list[Any]]) -> Worker:
    config: dict[str, Any] = {**own.config(), "client": client}
    for name, values in more.items():
        config[name] = [*config[name], *values]
    return Worker(**config)


async def _ours(at: Place, server: str, size: int) -> float:
    """Seconds per step, the model server's own time subtracted."""
    # The agent adds about 15 kB while it works: half of it lies in the middle of the run.
    order = agent(at, server, steps=STEPS, transcript=max(2000, size - STEPS * 1300 // 2))
    name = order.session.session_id
    handle = await at.client.start_workflow(AGENT, order, id=name, task_queue=QUEUE, result_type=AgentResult)
    result = await handle.result()
    if (result.status, result.steps) != ("done", STEPS + 1):
        raise RuntimeError(f"the agent ended `{result.status}` after {result.steps} turns: {result.reason}")
    return per_step(await handle.fetch_history()) - median((await asyncio.to_thread(busy, server))[1:STEPS])


async def _empty(at: Place) -> float:
    order = EmptyInput(steps=STEPS + 1, data_id=at.workspace.data_id)
    handle = await at.client.start_workflow(EMPTY, order, id=f"empty-{uuid.uuid4().hex[:12]}", task_queue=QUEUE)
    await handle.result()
    return per_step(await handle.fetch_history())


def per_step(history: WorkflowHistory) -> float:
    """Seconds from one model turn's scheduling to the next one's, from the second step on: the median of them."""
    times = [
        event.event_time.ToNanoseconds() / 1e9
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        and event.activity_task_scheduled_event_attributes.task_queue.name.startswith("codetether-llm-")
    ]
    return median(after - before for before, after in pairwise(times[1 : STEPS + 1]))


def _spread(values: Sequence[float]) -> str:
    return f"{min(values) * 1000:.1f} to {max(values) * 1000:.1f} ms in {len(values)} runs"


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(row, row.met)
