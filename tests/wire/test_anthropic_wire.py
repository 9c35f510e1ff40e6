"""Calls over Anthropic's messages wire: signatures go back, results are joined, bad days have their kinds."""

import asyncio
import json
from typing import Any

import pytest

from app.llm import ModelError, answer, check, tool_result_message, user_message
from app.llm.providers.anthropic import _on_azure

TOOL = {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}


def start() -> dict[str, Any]:
    usage = {"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3}
    message = {"id": "m1", "type": "message", "role": "assistant", "content": [], "model": "claude-sonnet-4-5"}
    return {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}}


def block(index: int, kind: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    opened = {"type": "content_block_start", "index": index, "content_block": kind}
    pieces = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [opened, *pieces, {"type": "content_block_stop", "index": index}]


def end(reason: str) -> list[dict[str, Any]]:
    delta = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 20}}
    return [delta, {"type": "message_stop"}]


def use(index: int, name: str, *pieces: str) -> list[dict[str, Any]]:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, {"type": "tool_use", "id": name, "name": "read", "input": {}}, *deltas)


THOUGHT = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "hm"},
    {"type": "signature_delta", "signature": "SIGNED"},
)
SAID = block(
    1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Read"}, {"type": "text_delta", "text": "ing."}
)


@pytest.fixture
def claude(wire: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The server as Anthropic, and a Vault (the same server) that gave the key before."""
    monkeypatch.setenv("VAULT_ADDR", wire.url)
    monkeypatch.setenv("VAULT_TOKEN", "t")
    wire.fail(200, {"data": {"data": {"api_key": "sk-ant-very-secret"}, "metadata": {}}})
    return wire


async def test_the_whole_round_trip_with_signed_thinking(claude: Any) -> None:
    calls = [*use(2, "t1", '{"path":', '"a"}'), *use(3, "t2")]
    claude.claude(start(), *THOUGHT, *SAID, *calls, *end("tool_use"))
    heard: list[tuple[str, str]] = []
    first = await answer(
        claude.ask(provider="anthropic", tools=[TOOL]), on_delta=lambda kind, text: heard.append((kind, text))
    )
    assert heard == [("thinking", "hm"), ("text", "Read"), ("text", "ing.")]
    assert [(out.id, out.arguments) for out in first.calls] == [("t1", '{"path":"a"}'), ("t2", "{}")]
    assert first.usage.model_dump() == {"input": 18, "output": 20, "cache_read": 5, "cache_write": 3, "reasoning": 0}
    claude.claude(start(), *block(0, {"type": "text", "text": "Done."}), *end("end_turn"))
    recorded = json.loads(json.dumps(first.message))
    results = [tool_result_message("t1", "read", "A", True), tool_result_message("t2", "read", "no such file", False)]
    second = await answer(claude.ask(user_message("hi"), recorded, *results, provider="anthropic", tools=[TOOL]))
    assert (second.text, second.finish) == ("Done.", "stop")
    asked = claude.seen[2]
    assert (asked.path.split("?")[0], asked.headers["authorization"]) == ("/v1/messages", "Bearer sk-ant-very-secret")
    assert "be brief" in json.dumps(asked.body["system"])
    user, assistant, tools = (without_cache(message) for message in asked.body["messages"])
    assert user == {"role": "user", "content": [{"type": "text", "text": "hi"}]}
    assert assistant == {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "SIGNED"},
            {"type": "text", "text": "Reading."},
            {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "a"}},
            {"type": "tool_use", "id": "t2", "name": "read", "input": {}},
        ],
    }
    assert tools == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "A"}], "is_error": False},
            {
                "type": "tool_result",
                "tool_use_id": "t2",
                "content": [{"type": "text", "text": "no such file"}],
                "is_error": True,
            },
        ],
    }
    assert "cache_control" in json.dumps(asked.body)


def without_cache(message: dict[str, Any]) -> dict[str, Any]:
    return {
        **message,
        "content": [{k: v for k, v in part.items() if k != "cache_control"} for part in message["content"]],
    }


@pytest.mark.parametrize(
    ("status", "name", "message", "kind"),
    [
        (429, "rate_limit_error", "slow down", "rate_limit"),
        (400, "invalid_request_error", "Your credit balance is too low", "quota"),
        (400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum", "context"),
        (401, "authentication_error", "invalid x-api-key sk-ant-very-secret", "auth"),
        (404, "not_found_error", "model: x", "not_found"),
        (500, "api_error", "oh", "server"),
        (529, "overloaded_error", "Overloaded", "server"),
    ],
)
async def test_each_status_has_its_kind(claude: Any, status: int, name: str, message: str, kind: str) -> None:
    claude.fail(status, {"type": "error", "error": {"type": name, "message": message}}, retry_after="5")
    error = await failure(claude)
    assert (error.kind, error.retry_after) == (kind, 5.0)
    assert "very-secret" not in str(error)


async def failure(claude: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await answer(claude.ask(provider="anthropic"))
    assert len(claude.seen) == 2
    return caught.value


async def test_an_error_inside_the_stream_keeps_its_meaning(claude: Any) -> None:
    claude.claude(start(), {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    error = await failure(claude)
    assert (error.kind, error.retryable) == ("server", True), str(error)


async def test_a_stream_cut_in_the_middle_is_no_answer(claude: Any) -> None:
    claude.claude(start(), *SAID, cut=True)
    assert (await failure(claude)).kind == "connection"


async def test_a_stream_without_a_finish_is_no_answer(claude: Any) -> None:
    claude.claude(start(), *SAID)
    error = await failure(claude)
    assert (error.kind, error.retryable) == ("protocol", True)


@pytest.mark.parametrize(
    "body", [b"event: message_start\ndata: {oh\n\n", b"event: message_start\ndata: 7\n\n", b"<html>"]
)
async def test_garbage_is_not_readable(claude: Any, body: bytes) -> None:
    claude.raw(body)
    assert (await failure(claude)).kind == "protocol"


async def test_cancelling_closes_the_connection(claude: Any) -> None:
    claude.claude(start(), *SAID, hold=True)
    heard = asyncio.Event()
    task = asyncio.create_task(answer(claude.ask(provider="anthropic"), on_delta=lambda *_: heard.set()))
    await asyncio.wait_for(heard.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(claude.gone.wait(), 30)


@pytest.mark.parametrize(("path", "azure"), [("/anthropic", True), ("/api/anthropic", False)])
async def test_azure_is_given_its_key_as_it_takes_it(claude: Any, path: str, azure: bool) -> None:
    asked = claude.ask(provider="anthropic")
    asked = asked.model_copy(update={"model": asked.model.model_copy(update={"base_url": claude.url + path})})
    claude.claude(start(), *block(0, {"type": "text", "text": "Done."}), *end("end_turn"))
    assert (await answer(asked)).text == "Done."
    claude.fail(401, {"type": "error", "error": {"type": "authentication_error", "message": "no sk-ant-very-secret"}})
    with pytest.raises(ModelError) as caught:
        await answer(asked)
    assert caught.value.kind == "auth" and "very-secret" not in str(caught.value)
    for seen in claude.seen[1:]:
        key = seen.headers.get("x-api-key"), seen.headers.get("api-key"), seen.headers.get("authorization")
        assert seen.path.split("?")[0] == f"{path}/v1/messages"
        assert key == (("sk-ant-very-secret",) * 2 + (None,) if azure else (None, None, "Bearer sk-ant-very-secret"))


@pytest.mark.parametrize(
    ("url", "azure"),
    [
        ("https://acme.services.ai.azure.com/anthropic", True),
        ("https://acme.services.ai.azure.com/anthropic/v1", True),
        ("https://gateway.acme.example/anthropic", True),
        ("https://api.anthropic.com", False),
        ("https://azure.com.evil.example", False),
    ],
)
def test_which_addresses_are_azures(url: str, azure: bool) -> None:
    assert _on_azure(url) is azure


@pytest.mark.parametrize(("status", "kind"), [(404, ""), (401, "auth"), (503, "server")])
async def test_a_key_of_azures_is_tried_although_it_lists_no_models(claude: Any, status: int, kind: str) -> None:
    claude.fail(status, {"error": {"type": "some_error", "message": "The API deployment does not exist"}})
    model = claude.model("anthropic").model_copy(update={"base_url": f"{claude.url}/anthropic"})
    if kind:
        with pytest.raises(ModelError) as caught:
            await check(model)
        assert caught.value.kind == kind
    else:
        await check(model)
    assert claude.seen[1].path.startswith("/anthropic/v1/messages/count_tokens")
    assert claude.seen[1].headers["x-api-key"] == "sk-ant-very-secret"


async def test_check_lists_the_models(claude: Any) -> None:
    claude.fail(200, {"data": [], "has_more": False, "first_id": None, "last_id": None})
    await check(claude.model("anthropic"))
    assert claude.seen[1].path.startswith("/v1/models")
