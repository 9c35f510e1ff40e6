"""A crash before, between and after: a compaction and a fallback model's answer are paid once, found afterwards."""

from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment
from window import NOTES, SmallServer, small

from activities.agent import AgentActivities
from activities.compact import CompactActivities
from activities.host import Host, fault_point
from app.domain.activities import Brief, CompactInput, TurnInput
from app.domain.run import ModelRef
from app.domain.session import EventRange, Ids, NewRecord
from app.domain.tool import Workspace
from app.settings import Settings
from app.stream import Stream
from app.stream.view import seen

IDS = Ids(session_id="s")


class Killed(BaseException):
    """What stands for SIGKILL: nothing catches it."""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(settings=Settings(data_dir=tmp_path, config_dir=tmp_path), data_id="d")


def talked(data: Path, model: ModelRef, steps: int) -> EventRange:
    """A session of `steps` steps with long results and a list of steps."""
    space = Workspace(data_id="d", run="r", name="main", root=str(data))
    brief = Brief(
        run="r", agent="a", persona="solo", tools=("read",), model=model, workspace=space, mode="ask", ids=IDS
    )
    records = [
        NewRecord(kind="system", body=brief.model_dump(mode="json")),
        NewRecord(kind="user", body={"text": "find the heliotrope", "origin": "task"}),
        NewRecord(kind="user", body={"text": "hurry", "origin": "person"}),
    ]
    for n in range(steps):
        name = "todo_write" if n == 0 else "read"
        call = {"id": f"c{n}", "name": name, "arguments": f'{{"path": "file{n}.py"}}'}
        part = {"part_kind": "tool-call", "tool_name": name, "args": "{}", "tool_call_id": f"c{n}"}
        message = {"kind": "response", "parts": [part]}
        used = {"input": 10, "output": 5}
        body = {"message": message, "text": "", "calls": [call], "model": "m", "usage": used, "usd": None}
        records.append(NewRecord(kind="assistant", body=body))
        text = "[~] look everywhere" if n == 0 else "x" * 4000
        told = {"call_id": f"c{n}", "name": name, "status": "ok", "text": text, "step_id": ""}
        records.append(NewRecord(kind="tool_result", body=told))
    return Stream(data, "s").append(expected=0, step_id="w:r:t0", digest="", records=records, ids=IDS)


def order(model: ModelRef, session: EventRange, **more: object) -> CompactInput:
    fixed = {"step_id": "w:r:t3-compact", "data_id": "d", "run": "r", "agent": "a", "ids": IDS, "turn": 3}
    return CompactInput.model_validate({**fixed, "session": session, "model": model, "window": 4000, **more})


def model_of(server: SmallServer, name: str = "m") -> ModelRef:
    return ModelRef(provider="openai", name=name, base_url=server.url)


def die(point: str) -> None:
    raise Killed(point)


async def test_a_compaction_is_paid_once_and_keeps_what_matters(host: Host) -> None:
    with small(lambda _: {"content": "no"}, {"m": 100_000}) as server:
        session = talked(host.data, model_of(server), 60)
        asked = order(model_of(server), session)
        token = fault_point.set(die)
        with pytest.raises(Killed):  # the call was made, its answer not recorded: it is made again
            await ActivityEnvironment().run(CompactActivities(host).compact, asked)
        fault_point.reset(token)
        assert Stream(host.data, "s").end() == session.end
        first = await ActivityEnvironment().run(CompactActivities(host).compact, asked)
        again = await ActivityEnvironment().run(CompactActivities(host).compact, asked)
        assert first == again and server.summed_up == 2 and first.spent.calls == 1
    records = Stream(host.data, "s").history(first.batch.end)
    view = seen(records)
    said = view[0].body["text"]
    wanted = ("find the heliotrope", "hurry", "look everywhere", "file59.py", NOTES.splitlines()[0])
    assert all(words in said for words in wanted)
    assert first.context < 2500 and len(records) == 3 + 120 + 1
    assert view[1].kind == "assistant" and view[-1].kind == "tool_result"


async def test_old_results_are_cut_without_a_call_where_that_is_enough(host: Host) -> None:
    with small(lambda _: {"content": "no"}, {}) as server:
        asked = order(model_of(server), talked(host.data, model_of(server), 12), window=16_000)
        done = await ActivityEnvironment().run(CompactActivities(host).compact, asked)
        assert not server.asked and done.spent.calls == 0 and done.context <= 8000
    view = seen(Stream(host.data, "s").history(done.batch.end))
    assert len(view) == 26 and len(view[-1].body["text"]) == 4000 > len(view[5].body["text"])


async def test_without_a_summary_the_conversation_is_cut(host: Host) -> None:
    with small(lambda _: {"content": "no"}, {}, frozenset({"m"})) as server:
        asked = order(model_of(server), talked(host.data, model_of(server), 60))
        done = await ActivityEnvironment().run(CompactActivities(host).compact, asked)
        assert done.spent.calls == 0 and done.context < 2500
    assert Stream(host.data, "s").history(done.batch.end)[-1].body["how"] == "cut"


async def test_a_fallback_models_answer_is_paid_once(host: Host) -> None:
    with small(lambda _: {"content": "done"}, {"m": 9000, "other": 99_000}) as server:
        session = talked(host.data, model_of(server), 3)
        asked = TurnInput(
            step_id="w:r:t3-model-f1", data_id="d", session=session, turn=3, model=model_of(server, "other")
        )
        token = fault_point.set(die)
        with pytest.raises(Killed):
            await ActivityEnvironment().run(AgentActivities(host).turn, asked)
        fault_point.reset(token)
        first = await ActivityEnvironment().run(AgentActivities(host).turn, asked)
        again = await ActivityEnvironment().run(AgentActivities(host).turn, asked)
        assert server.asked == {"other": 2}
        assert (first.batch, first.text) == (again.batch, "done") and again.replayed and not first.replayed
    assert Stream(host.data, "s").history(first.batch.end)[-1].body["model"] == "openai/other"
