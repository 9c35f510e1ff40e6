"""The step of `image`: a crash leaves it to be done again or found, and neither order nor result holds the bytes."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.testing import ActivityEnvironment

from activities.host import Host, fault_point
from activities.tool import ToolActivities
from app.domain.activities import Brief
from app.domain.run import ModelRef
from app.domain.session import EventRange, Ids, NewRecord
from app.domain.tool import ToolInput, ToolResult, Workspace
from app.settings import Settings
from app.stream import Stream, read_result
from app.workspace import worktree_path

SPACE = Workspace(data_id="d", run="r", name="main", root="/home/somebody/project")


class Killed(BaseException):
    """What stands for SIGKILL: nothing catches it."""


def die(point: str) -> None:
    raise Killed(point)


def called(data: Path, model: str) -> ToolInput:
    """A session in which `model` called `image`, and the order of that step."""
    ref = ModelRef(provider="openai", name="first")
    brief = Brief(
        run="r", agent="a", persona="solo", tools=("image",), model=ref, workspace=SPACE, mode="ask", ids=Ids()
    )
    calls = [{"id": "c", "name": "image", "arguments": '{"path": "shot.png"}'}]
    records = [
        NewRecord(kind="system", body=brief.model_dump(mode="json")),
        NewRecord(kind="assistant", body={"message": {}, "text": "", "calls": calls, "model": model}),
    ]
    turn = Stream(data, "s").append(expected=0, step_id="w:r:t0", digest="", records=records, ids=Ids())
    return ToolInput(step_id="w:r:t0-s0-image", turn=EventRange(session_id="s", end=turn.end), index=0)


async def step(host: Host, order: ToolInput) -> ToolResult:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, activity_type="image")
    environment.payload_converter = PydanticPayloadConverter()
    payload = environment.payload_converter.to_payload(order)
    return await environment.run(ToolActivities(host).tool, [RawValue(payload)])


@pytest.fixture
def host(tmp_path: Path) -> Host:
    held = io.BytesIO()
    Image.new("RGB", (640, 480), "teal").save(held, "PNG")
    shot = worktree_path(tmp_path, SPACE) / "shot.png"
    shot.parent.mkdir(parents=True)
    shot.write_bytes(held.getvalue())
    return Host(settings=Settings(data_dir=tmp_path, config_dir=tmp_path), data_id="d")


async def test_a_crash_before_the_record_is_done_again_and_after_it_found(host: Host) -> None:
    order = called(host.data, "openai/gpt-4o")
    token = fault_point.set(die)
    with pytest.raises(Killed):  # the image was kept, its result not recorded
        await step(host, order)
    fault_point.reset(token)
    assert read_result(host.data, "s", order.step_id) is None
    first = await step(host, order)
    (worktree_path(host.data, SPACE) / "shot.png").unlink()
    assert await step(host, order) == first and first.status == "ok", "what was shown stays what it was"
    stored = read_result(host.data, "s", order.step_id)
    assert stored is not None and [image.digest for image in stored.images] == [
        file.name for file in host.data.glob("streams/s/images/*")
    ]
    assert first.size > 400 and len(first.model_dump_json()) < 400, "it weighs as its tokens do, by reference"


async def test_the_model_that_made_the_call_must_see(host: Host) -> None:
    done = await step(host, called(host.data, "openai/words-only"))
    assert done.status == "error" and "`openai/words-only`" in done.preview
