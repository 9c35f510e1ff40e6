"""`job` and what `bash` notes for it: read by offset, waited for, never mixed up."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.stream import Diverged, StoredResult, write_result
from app.tools import jobs
from app.tools.base import ToolContext, session_folder
from app.tools.execute import execute
from app.tools.job import PIECE
from app.tools.process import SPOOL_LIMIT

Make = Callable[..., ToolContext]
STEP = "w:r:t3-s2-bash"


@pytest.fixture
def begun(context: Make) -> Callable[..., ToolContext]:
    """Notes job 1 with this output, and gives the context of a later call."""

    def make(output: bytes = b"", **more: Any) -> ToolContext:
        ctx = context(step_id="w:r:t4-s0-job", **{"jobs": (1,), **more})
        jobs.note(ctx, 1, jobs.Noted(step_id=STEP, command="make serve", cwd="/x", timeout=9))
        file = jobs.spool(session_folder(ctx), 1)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(output)
        return ctx

    return make


def ended(ctx: ToolContext, text: str) -> None:
    write_result(ctx.data, ctx.session_id, "w:r:t3-s2-bash-job", StoredResult(status="ok", text=text))


async def told(ctx: ToolContext, **arguments: Any) -> str:
    return (await execute("job", json.dumps({"id": "job-1", **arguments}), ctx)).text


async def test_bash_notes_a_job_once_and_the_next_call_has_another_number(context: Make, worktree: Path) -> None:
    (worktree / "sub").mkdir()
    ctx = context(step_id=STEP, job=2)
    call = {"command": "make serve", "cwd": "sub", "background": True}
    for _ in range(2):  # a call that is made again notes the same
        assert (await execute("bash", json.dumps(call), ctx)).text.startswith("job-2 is started. ")
    noted = jobs.noted(session_folder(ctx), 2)
    assert noted is not None and (noted.timeout, noted.job_step) == (3600, "w:r:t3-s2-bash-job")
    assert noted.cwd == "/home/somebody/project/sub"
    with pytest.raises(Diverged, match="job-2"):
        await execute("bash", json.dumps(call), context(step_id="w:r:t9-s0-bash", job=2))


@pytest.mark.parametrize(
    ("call", "number", "sentence"),
    [
        ({"background": True}, 0, "without `background`"),
        ({"background": True, "cwd": "missing"}, 1, "`missing` is not a folder"),
        ({"timeout": 601}, 0, "needs `background`"),
        ({"background": True, "timeout": 14_401}, 1, "less than or equal to 14400"),
    ],
)
async def test_what_cannot_begin_is_refused(context: Make, call: dict[str, Any], number: int, sentence: str) -> None:
    ctx = context(step_id=STEP, job=number)
    refused = await execute("bash", json.dumps({"command": "true", **call}), ctx)
    assert refused.status == "error" and sentence in refused.text
    assert not jobs.numbers(session_folder(ctx))


async def test_pieces_follow_each_other_and_no_character_is_cut(begun: Callable[..., ToolContext]) -> None:
    whole = "".join(f"{number} äöü€😀\n" for number in range(2000)).encode()
    ctx, found, offset = begun(whole), "", 0
    while offset < len(whole):
        text = await told(ctx, action="read", offset=offset)
        piece, _, said = text.rpartition("[job-1: running for ")
        at = int(re.findall(r"offset=(\d+)", said)[0])
        found += piece if whole[at - 1 : at] == b"\n" else piece.removesuffix("\n")
        assert offset < at and "�" not in piece
        offset = at
    assert found.encode() == whole
    assert "bytes follow" not in said
    last = await told(ctx, action="read")
    assert re.match(r"\d+ äöü€😀\n", last) and len(last.encode()) <= PIECE + 200 and f"offset={len(whole)};" in last


async def test_what_is_not_kept_is_said(begun: Callable[..., ToolContext]) -> None:
    assert "is not kept]" in await told(begun(b"x\n" * (SPOOL_LIMIT // 2)), action="read")


async def test_the_end_is_told_by_each_action(begun: Callable[..., ToolContext]) -> None:
    ctx = begun(b"half")
    ended(ctx, "exit code 3 after 1.0 s")
    for action in ("read", "wait", "stop"):
        assert (await told(ctx, action=action)).startswith("half\n[job-1: exit code 3 after 1.0 s (read on with off")
    assert await told(ctx, action="list", id="") == "job-1: exit code 3 after 1.0 s; 4 bytes of output; make serve"


async def test_waiting_ends_with_the_text_behind_the_offset_or_the_time(begun: Callable[..., ToolContext]) -> None:
    ctx = begun(b"ready\nbusy\n")
    assert "running" in await told(ctx, action="wait", until="ready", timeout=600)
    assert "running" in await told(ctx, action="wait", until="ready", offset=6, timeout=0.1)


async def test_a_job_without_an_end_that_is_not_open_was_cut_off(begun: Callable[..., ToolContext]) -> None:
    assert "job-1: cut off" in await told(begun(jobs=()), action="wait", timeout=600)


async def test_what_is_no_job_is_refused_with_the_next_step(begun: Callable[..., ToolContext], context: Make) -> None:
    assert await told(context(), action="list", id="") == "no job was started"
    assert "none was started" in await told(context(), action="read")
    assert "`job-2` is no job of this conversation (job-1)" in await told(begun(), action="stop", id="job-2")
    assert "needs the `id`" in await told(begun(), action="read", id="")
    stop = {"calls": [{"tool": "job", "arguments": {"action": "stop", "id": "job-1"}}]}
    assert "a call of its own" in (await execute("batch", json.dumps(stop), begun())).text


async def test_the_output_can_be_searched_as_a_file(begun: Callable[..., ToolContext]) -> None:
    found = await execute("read", json.dumps({"path": "@output/job-1"}), begun(b"one\ntwo\n"))
    assert found.text == "1\tone\n2\ttwo"


async def test_protected_files_wait_for_the_end_of_jobs(begun: Callable[..., ToolContext], worktree: Path) -> None:
    call = json.dumps({"path": ".envrc", "content": "x"})
    refused = await execute("write", call, begun(allowed=True))
    assert "`.envrc` is protected while `job-1` runs" in refused.text and not (worktree / ".envrc").exists()
    assert (await execute("write", call, begun(allowed=True, jobs=()))).status == "ok"
