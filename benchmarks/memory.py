"""What a worker process holds in memory while its agents wait on a model."""

import asyncio
from pathlib import Path

from app.domain.contracts import AGENT, QUEUE
from benchmarks.model import Model, model
from benchmarks.place import Place, agent, place, worker_process
from benchmarks.rows import Row

FEW, MANY = 20, 100
WHOLE_LIMIT, EACH_LIMIT = 300, 0.5
SETTLE = 2.0
"""Seconds for what is in flight after the last request arrived."""


async def measure() -> list[Row]:
    """The rows of memory, in megabytes (10^6 bytes)."""
    async with place() as at, model(0, hold=True) as server:
        with worker_process(at) as pid:
            idle = resident(pid)
            await _wait_for(at, server, FEW)
            few = resident(pid)
            await _wait_for(at, server, MANY)
            many = resident(pid)
    each = (many - few) / (MANY - FEW)
    return [
        Row("worker without agents", idle, "MB"),
        Row(f"worker with {MANY} waiting agents", many, "MB", limit=WHOLE_LIMIT, note=f"with {FEW}: {few:.0f} MB"),
        Row("each agent more", each, "MB", limit=EACH_LIMIT),
    ]


def resident(pid: int) -> float:
    """The process's resident memory in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024 / 1e6


async def _wait_for(at: Place, server: Model, count: int) -> None:
    """Starts agents until `count` of them wait on the model."""
    for _ in range(count - server.waiting):
        order = agent(at, server.base_url, steps=1)
        await at.client.start_workflow(AGENT, order, id=order.session.session_id, task_queue=QUEUE)
    async with asyncio.timeout(120):
        while server.waiting < count:
            await asyncio.sleep(0.05)
    await asyncio.sleep(SETTLE)
