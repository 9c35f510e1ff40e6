"""Many agents at once, on a real server, share one purse: what is paid stays below it and the calls in flight."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from crowd import Crowd, CrowdInput, CrowdResult
from harness import System
from playbook import chores, commit_all
from temporalio.client import Client
from temporalio.worker import Worker

from app import workspace
from app.domain.activities import TURN, PrepareInput
from app.domain.budget import Budget
from app.domain.contracts import AgentInput
from app.domain.run import ModelRef
from app.domain.session import EventRange, Ids
from app.runs.plugin import PLUGIN
from app.stack.connect import connect
from app.stack.identity import data_id
from workflows.agent import AgentWorkflow

QUEUE = "crowd"
AGENTS, STEPS = 100, 4
BUDGET = 2.1
PRICE = 0.03
"""Dollars of every call: 30,000 tokens at a dollar a million."""
PRICES = '[prices]\n"openai/penny" = { input = 1.0, output = 0.0 }\n'


@dataclass
class Till:
    """A model server with one price, which knows how often it was paid."""

    paid: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).lower():
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                messages = json.loads(await reader.readexactly(length))["messages"]
                writer.write(_answer(sum(message["role"] == "assistant" for message in messages)))
                await writer.drain()
                self.paid += 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def _answer(number: int) -> bytes:
    """Reads one file after the other; then it is done."""
    call = {"name": "read", "arguments": json.dumps({"path": f"pieces/{number}.txt"})}
    delta: dict[str, Any] = {"role": "assistant", "content": "done"}
    if number < STEPS:
        tool = {"index": 0, "id": f"c{number}", "type": "function", "function": call}
        delta = {"role": "assistant", "content": None, "tool_calls": [tool]}
    head = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "penny"}
    used = {"prompt_tokens": 30_000, "completion_tokens": 0, "total_tokens": 30_000}
    finish = "tool_calls" if number < STEPS else "stop"
    events = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}], "usage": used},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@asynccontextmanager
async def till() -> AsyncIterator[Till]:
    own = Till()
    server = await asyncio.start_server(own.serve, "127.0.0.1", 0, limit=1 << 24)
    own.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield own
    finally:
        server.close()


def walker(system: System, repo: Path, url: str) -> AgentInput:
    own = data_id(system.data)
    order = PrepareInput(run="crowd", data_id=own, name="main", repo=str(repo))
    return AgentInput(
        run="crowd",
        top="",
        name="walker",
        ids=Ids(okr_run_id="crowd"),
        persona="solo",
        task="Look at every piece.",
        session=EventRange(session_id="-"),
        tools=("read",),
        model=ModelRef(provider="openai", name="penny", base_url=url),
        workspace=workspace.prepare(system.data, order, system.settings),
        mode="full",
        budget=Budget(),
        max_steps=STEPS + 5,
    )


async def crowded(client: Client, name: str, order: CrowdInput) -> CrowdResult:
    return await client.execute_workflow(Crowd.run, order, id=name, task_queue=QUEUE)


def test_parallel_children_never_spend_more_than_the_purse_and_their_calls_in_flight(
    system: System, tmp_path: Path
) -> None:
    repo = chores(tmp_path / "chores")
    (repo / "pieces").mkdir()
    for piece in range(STEPS):
        (repo / "pieces" / f"{piece}.txt").write_text(f"piece {piece}\n")
    commit_all(repo)
    prices = system.settings.config_dir / "config.toml"
    prices.parent.mkdir(parents=True, exist_ok=True)
    prices.write_text(PRICES)
    try:
        asyncio.run(_spend(system, repo))
    finally:
        prices.unlink()


async def _spend(system: System, repo: Path) -> None:
    budget = Budget(usd=BUDGET, tokens=None, seconds=None, steps=None)
    async with till() as own:
        agent = await asyncio.to_thread(walker, system, repo, own.url)
        client = await connect(system.settings, plugins=[PLUGIN])
        async with Worker(client, task_queue=QUEUE, workflows=[Crowd, AgentWorkflow]):
            first = await crowded(client, "crowd-1", CrowdInput(agent=agent, count=AGENTS, budget=budget))
            assert first.outcome == "budget" and set(first.ended) <= {"done", "budget"}
            paid = own.paid
            calls = [call for number in range(AGENTS) for call in await _calls(client, f"crowd-1-t{number}-walker")]
            assert first.spent.calls == len(calls) and first.spent.usd == pytest.approx(len(calls) * PRICE)
            # A machine that is too busy to send a heartbeat in time makes a call again; it is paid again.
            assert len(calls) <= paid <= sum(attempts for _, _, attempts in calls)
            # When the budget was used up, as the server of Temporal saw it, and what was in flight just then.
            over = sorted(ended for _, ended, _ in calls)[math.ceil(BUDGET / PRICE - 1e-9) - 1]
            flying = sum(began <= over < ended for began, ended, _ in calls)
            assert BUDGET <= first.spent.usd + 1e-9 <= BUDGET + PRICE * flying + 2e-9
            more = budget.model_copy(update={"usd": BUDGET + PRICE * (STEPS + 1) * 4})
            order = CrowdInput(agent=agent, count=2, budget=more, spent=first.spent, began=AGENTS)
            second = await crowded(client, "crowd-2", order)
            assert second.outcome == "completed" and second.ended == ("done",) * 2, "new limits, and it goes on"


async def _calls(client: Client, name: str) -> list[tuple[float, float, int]]:
    """When each model call of an agent was scheduled, when it was done, and in how many attempts."""
    scheduled: dict[int, float] = {}
    attempts: dict[int, int] = {}
    found: list[tuple[float, float, int]] = []
    async for event in client.get_workflow_handle(name).fetch_history_events():
        told, started = event.activity_task_scheduled_event_attributes, event.activity_task_started_event_attributes
        at = event.event_time.ToNanoseconds() / 1e9
        if told.activity_type.name == TURN:
            scheduled[event.event_id] = at
        elif started.attempt:
            attempts[started.scheduled_event_id] = started.attempt
        elif (began := event.activity_task_completed_event_attributes.scheduled_event_id) in scheduled:
            found.append((scheduled[began], at, attempts[began]))
    return found
