"""A real small model in llama.cpp: it streams, keeps to a schema, stops when cancelled, and dies in mid-answer."""

import asyncio
import json
from pathlib import Path

import pytest

from app.domain.run import ModelRef
from app.llm import ChatRequest, ModelError, answer, user_message
from app.llm.providers import local

MODEL = ModelRef(provider="local", name="smollm2")
SCHEMA = {
    "type": "object",
    "properties": {"tests": {"type": "integer"}, "slow": {"type": "boolean"}},
    "required": ["tests", "slow"],
    "additionalProperties": False,
}


def question(tokens: int, **more: object) -> ChatRequest:
    ask = [user_message("Write a long story about tests.")]
    return ChatRequest.model_validate(
        {"model": MODEL, "system": "be brief", "messages": ask, "tools": [], "max_tokens": tokens, **more}
    )


async def test_it_streams_keeps_to_a_schema_and_can_be_stopped_and_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CODETETHER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # none stands before our own server
    heard: list[str] = []
    given = await answer(question(16), on_delta=lambda _kind, text: heard.append(text))
    assert len(heard) > 3 and "".join(heard) == given.text and given.finish in ("length", "stop")
    assert 0 < given.usage.output <= 16
    shaped = json.loads((await answer(question(64, answer_schema=SCHEMA))).text)
    assert isinstance(shaped["tests"], int) and isinstance(shaped["slow"], bool)

    spoke = asyncio.Event()
    stopped = asyncio.create_task(answer(question(4000), on_delta=lambda *_: spoke.set()))
    await asyncio.wait_for(spoke.wait(), 30)
    stopped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopped
    assert (await answer(question(4))).text, "the one slot is free again"

    ((process, _),) = local._servers.values()
    spoke = asyncio.Event()
    dying = asyncio.create_task(answer(question(4000), on_delta=lambda *_: spoke.set()))
    await asyncio.wait_for(spoke.wait(), 30)
    process.kill()
    with pytest.raises(ModelError) as caught:
        await dying
    assert caught.value.kind == "connection" and caught.value.retryable
    assert (await answer(question(4))).text, "the next call starts another server"
    for left, _ in local._servers.values():
        left.kill()
        left.wait()
    local._servers.clear()
