"""Every ending leaves a conversation in which each call has a result, also when an answer came too late."""

from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.agent import AgentActivities
from activities.host import Host
from app.domain.activities import CloseInput
from app.domain.session import EventRange, Ids, NewRecord
from app.domain.tool import ToolResult
from app.settings import Settings
from app.stream import StoredResult, Stream, write_result

IDS = Ids(session_id="s")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(settings=Settings(data_dir=tmp_path, config_dir=tmp_path), data_id="d")


def answer(*calls: str) -> NewRecord:
    told = [{"id": call, "name": "read", "arguments": "{}"} for call in calls]
    return NewRecord(kind="assistant", body={"calls": told, "text": "", "message": {}, "usage": {}, "usd": 0.0})


def append(host: Host, start: int, step: str, *records: NewRecord) -> EventRange:
    return Stream(host.data, "s").append(expected=start, step_id=step, digest=step, records=records, ids=IDS)


async def close(host: Host, end: int, **more: object) -> list[tuple[str, str]]:
    session = EventRange(session_id="s", end=end)
    order = CloseInput(step_id="w:r:t1-close", ids=IDS, session=session, reason="cancelled", **more)  # pyright: ignore
    first = await ActivityEnvironment().run(AgentActivities(host).close, order)
    assert await ActivityEnvironment().run(AgentActivities(host).close, order) == first  # once, however often
    records = Stream(host.data, "s").history(first.end)
    assert records[-1].kind == "closed" and records[-1].body == {"reason": "cancelled"}
    return [(r.body["call_id"], r.body["status"]) for r in records if r.kind == "tool_result"]


async def test_pending_missing_and_late_results_all_stand_there(host: Host) -> None:
    end = append(host, 0, "w:r:t0-model", answer("a", "b", "c")).end
    write_result(host.data, "s", "w:r:t0-s1-read", StoredResult(status="ok", text="it was there after all"))
    pending = (ToolResult(id="t0-s0-read", status="error", preview="no such file"),)
    told = await close(host, end, results=pending, missing=("t0-s1-read", "t0-s2-read"))
    assert told == [("a", "error"), ("b", "ok"), ("c", "cut_off")]


async def test_an_answer_that_nobody_waited_for_is_closed_behind(host: Host) -> None:
    end = append(host, 0, "w:r:t0-model", NewRecord(kind="user", body={"text": "task"})).end
    append(host, end, "w:r:t1-model", answer("late"))  # recorded although its turn was cancelled
    assert await close(host, end) == [("late", "cut_off")]


async def test_an_empty_conversation_is_closed_too(host: Host) -> None:
    assert await close(host, 0) == []
