"""How long a run stands still when its worker is killed and started again at once."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from statistics import median

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from app.domain.contracts import AGENT, HOLD, QUEUE, AgentInput
from app.stream import Stream
from app.workspace import worktree_path
from benchmarks.model import model
from benchmarks.place import Place, agent, place, worker_process
from benchmarks.rows import Row

RUNS = 5
MARK = "tool-runs"
NOTE = "includes the start of the next worker"


async def measure() -> list[Row]:
    """The rows of recovery: from SIGKILL to the next record of the session."""
    async with place() as at:
        tool = [await _during_a_tool(at) for _ in range(RUNS)]
        idle = [await _between_steps(at) for _ in range(RUNS)]
    return [
        Row("SIGKILL during a tool to the next recorded step", median(tool), "s", note=NOTE),
        Row("SIGKILL between steps to the next recorded step", median(idle), "s", note=NOTE),
    ]


async def _during_a_tool(at: Place) -> float:
    mark = worktree_path(at.data, at.workspace) / MARK
    mark.unlink(missing_ok=True)
    async with model(1, bash=f"touch {MARK}; sleep 60") as server:
        order = agent(at, server.base_url, steps=1)
        with worker_process(at) as pid:
            handle = await at.client.start_workflow(AGENT, order, id=order.session.session_id, task_queue=QUEUE)
            await _until(mark.exists)
            killed, before = _kill(pid), _end(at, order)
        with worker_process(at):
            await _until(lambda: _end(at, order) > before)
            seconds = time.perf_counter() - killed
            await handle.result()
    return seconds


async def _between_steps(at: Place) -> float:
    async with model(1) as server:
        order = agent(at, server.base_url, steps=1, transcript=10_000)
        with worker_process(at) as pid:
            handle = await at.client.start_workflow(
                AGENT, order, id=order.session.session_id, task_queue=QUEUE, start_signal=HOLD, start_signal_args=[True]
            )
            while not await _has_waited(handle):
                await asyncio.sleep(0.02)
            killed, before = _kill(pid), _end(at, order)
        await handle.signal(HOLD, False)
        with worker_process(at):
            await _until(lambda: _end(at, order) > before)
            seconds = time.perf_counter() - killed
            await handle.result()
    return seconds


def _kill(pid: int) -> float:
    os.kill(pid, signal.SIGKILL)
    return time.perf_counter()


def _end(at: Place, order: AgentInput) -> int:
    return Stream(at.data, order.session.session_id).end()


async def _has_waited(handle: WorkflowHandle[object, object]) -> bool:
    history = await handle.fetch_history()
    return any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in history.events)


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not reached():
            await asyncio.sleep(0.005)
