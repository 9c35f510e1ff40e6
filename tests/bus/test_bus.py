"""Deltas reach whoever reads, from the loop and from a tool's thread, each run's its own."""

import asyncio
from pathlib import Path

from app import bus
from app.domain.event import Delta


def delta(run: str, text: str) -> Delta:
    return Delta(run=run, agent="a", session_id="s", turn=1, attempt=1, seq=1, kind="text", text=text)


def test_deltas_come_from_any_thread_in_order(tmp_path: Path) -> None:
    async def heard() -> list[str]:
        async with bus.serve(tmp_path):
            reading = bus.subscribe(tmp_path, "mine")
            first = asyncio.ensure_future(anext(reading))
            while not bus.listened():
                await asyncio.sleep(0)
            bus.publish(delta("mine", "from the loop"))
            await asyncio.to_thread(bus.publish, delta("another", "not for us"))
            await asyncio.to_thread(bus.publish, delta("mine", "from a thread"))
            told = [(await first).text, (await anext(reading)).text]
            await reading.aclose()
            return told

    assert asyncio.run(asyncio.wait_for(heard(), 20)) == ["from the loop", "from a thread"]


def test_nobody_hears_what_nobody_serves(tmp_path: Path) -> None:
    async def heard() -> list[str]:
        return [each.text async for each in bus.subscribe(tmp_path)]

    assert asyncio.run(heard()) == []
    bus.publish(delta("mine", "to nobody"))
