"""A Temporal that says nothing for a while ends no watching; one that says nothing for long does, with a sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from app.domain.event import RunEvent
from app.domain.run import ModelRef, RunInput, RunResult
from app.domain.session import Ids, NewRecord
from app.errors import UserError
from app.runs import watch as watching
from app.settings import Settings
from app.stream import Stream, digest
from app.stream.journal import journal_id

RUN = "run-x-0001"


class Dumb:
    """A client whose server does not answer; `then` is called at each question."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.then, self.asked = then, 0

    def get_workflow_handle(self, _name: str) -> "Dumb":
        return self

    async def describe(self, **_: Any) -> None:
        self.asked += 1
        self.then()
        raise RPCError("tcp connect error", RPCStatusCode.UNAVAILABLE, b"")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(watching, "_POLL", 0.0)
    return Settings(data_dir=tmp_path / "data", config_dir=tmp_path)


def tell(settings: Settings, event: RunEvent) -> None:
    stream = Stream(settings.data_dir, journal_id(RUN))
    record = NewRecord(kind="event", body=event.model_dump(mode="json"))
    stream.append(expected=stream.end(), step_id=event.kind, digest=digest(event), records=[record], ids=Ids())


async def seen(settings: Settings, client: Dumb) -> list[watching.Update]:
    return [update async for update in watching.watch(settings, client, RUN)]  # pyright: ignore[reportArgumentType]


async def test_the_outcome_is_seen_however_long_temporal_says_nothing(settings: Settings) -> None:
    order = RunInput(
        run=RUN,
        kind="run",
        intent="x",
        repo="/nowhere",
        data_id="d",
        model=ModelRef(provider="openai", name="odd"),
        ids=Ids(),
    )
    tell(settings, RunEvent(kind="started", body={"input": order.model_dump(mode="json")}))

    def ends() -> None:
        if client.asked == 3:
            result = RunResult(outcome="failed", reason="for the test")
            tell(settings, RunEvent(kind="outcome", body=result.model_dump(mode="json")))

    client = Dumb(ends)
    told = await seen(settings, client)
    assert [update.trouble.step for update in told if update.trouble] == ["to reach Temporal"]
    assert told[-1].event is not None and told[-1].event.kind == "outcome"


async def test_a_long_silence_ends_the_watching(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_SILENCE", 0.05)
    with pytest.raises(UserError, match="Temporal does not answer: tcp connect error; `ctl status`") as caught:
        await seen(settings, Dumb(lambda: None))
    assert caught.value.code == 4
