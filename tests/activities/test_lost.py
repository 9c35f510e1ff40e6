"""A call that was paid and gave no answer counts: once for each attempt, in its step, its session and `ctl cost`."""

import asyncio
import json
from pathlib import Path

import pytest
from odd_server import HELD, Raw, answering, speaking
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.agent import AgentActivities
from activities.deltas import Voice
from activities.host import Host
from app.domain.activities import Brief, Turn, TurnInput
from app.domain.budget import Spent
from app.domain.run import ModelRef
from app.domain.session import EventRange, Ids, NewRecord
from app.domain.tool import Workspace
from app.settings import Settings
from app.stream import Stream
from app.stream.paid import bodies
from app.stream.used import Used, total

USED = {"prompt_tokens": 100_000, "completion_tokens": 10_000, "total_tokens": 110_000}
PRICES = '[prices]\n"local-cuda/odd" = { input = 1.0, output = 10.0 }\n'


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setenv("CODETETHER_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(PRICES)
    return Host(settings=Settings(data_dir=tmp_path, config_dir=tmp_path / "config"), data_id="d")


def order(data: Path, url: str) -> TurnInput:
    """The second turn of a session that was begun."""
    model = ModelRef(provider="local-cuda", name="odd", base_url=url)
    space = Workspace(data_id="d", run="r", name="main", root=str(data))
    brief = Brief(
        run="r", agent="a", persona="solo", tools=("read",), model=model, workspace=space, mode="ask", ids=Ids()
    )
    records = [NewRecord(kind="system", body=brief.model_dump(mode="json"))]
    stream = Stream(data, "r-t1-a")
    session = stream.append(expected=0, step_id="w:r:t0", digest="", records=records, ids=Ids())
    return TurnInput(step_id="w:r:t1-model", data_id="d", session=session, turn=1, told=("go",), relieved=True)


def told(finish: str) -> Raw:
    """An answer with its usage; without `finish` it breaks off after the usage was told."""
    status, kind, content = speaking("I do", finish=finish or "stop")
    lines = content.decode().split("\n\n")
    event = json.loads(lines[-3][6:])
    lines[-3] = "data: " + json.dumps({**event, "usage": USED})
    if not finish:
        event["choices"][0]["finish_reason"] = None
        lines[-3:] = ["data: " + json.dumps({**event, "usage": USED}), ""]
    return status, kind, "\n\n".join(lines).encode()


async def attempt(host: Host, asked: TurnInput, number: int) -> Turn:
    environment = ActivityEnvironment()
    environment.info = environment.info.__class__(**{**vars(environment.info), "attempt": number})
    return await environment.run(AgentActivities(host).turn, asked)


async def test_broken_off_and_refused_answers_are_counted_with_the_step(host: Host) -> None:
    replies = iter([told(""), told("content_filter"), told("stop")])
    with answering(lambda _: next(replies)) as server:
        asked = order(host.data, f"http://127.0.0.1:{server.server_address[1]}/v1")
        failures: list[ApplicationError] = []
        for number in (1, 2):
            with pytest.raises(ApplicationError) as caught:
                await attempt(host, asked, number)
            failures.append(caught.value)
        turn = await attempt(host, asked, 3)
        again = await attempt(host, asked, 4)
    assert [failure.type for failure in failures] == ["Model.protocol", "Model.refused"]
    used = [next(part for part in failure.details if isinstance(part, Spent)) for failure in failures]
    # What broke off may cost more than was told; a refusal is told whole.
    assert [(part.calls, part.unpriced, part.usd) for part in used] == [(1, 1, 0.2), (2, 1, 0.4)]
    assert (turn.spent.calls, turn.spent.unpriced, turn.spent.usd) == (3, 1, pytest.approx(0.6))
    assert turn.context == 110_000, "what failed is no part of the conversation"
    assert again.replayed and again.spent == turn.spent
    use = await ActivityEnvironment().run(AgentActivities(host).usage, EventRange(session_id="r-t1-a"))
    assert use.spent == turn.spent
    counted = total(Used.of(body) for _, body in bodies(host.data, "r-t1-a"))
    assert (counted.calls, counted.dollars, counted.usd, counted.input) == (3, None, 600_000_000_000, 300_000)


async def test_an_answer_that_a_cancel_broke_off_is_counted(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    status, kind, content = told("")
    heard, environment = asyncio.Event(), ActivityEnvironment()
    monkeypatch.setattr(Voice, "say", lambda _self, kind, _text: heard.set() if kind == "text" else None)  # pyright: ignore
    with answering(lambda _: (status, kind, content + HELD)) as server:
        asked = order(host.data, f"http://127.0.0.1:{server.server_address[1]}/v1")
        running = asyncio.create_task(environment.run(AgentActivities(host).turn, asked))
        async with asyncio.timeout(20):
            await heard.wait()
            environment.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        assert await asyncio.to_thread(server.left.wait, 20)
    use = await ActivityEnvironment().run(AgentActivities(host).usage, EventRange(session_id="r-t1-a"))
    assert (use.spent.calls, use.spent.unpriced) == (1, 1)


async def test_a_server_that_never_began_to_answer_is_not_paid(host: Host) -> None:
    with answering(lambda _: (500, "application/json", b"{}")) as server:
        asked = order(host.data, f"http://127.0.0.1:{server.server_address[1]}/v1")
        with pytest.raises(ApplicationError) as caught:
            await attempt(host, asked, 1)
    assert not caught.value.details and not list(bodies(host.data, "r-t1-a"))
