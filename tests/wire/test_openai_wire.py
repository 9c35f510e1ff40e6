"""Calls over OpenAI's chat wire when all goes well: text, thinking, calls, usage, and what is sent back."""

import asyncio
import json
from typing import Any

import pytest

from app.llm import answer, check, tool_result_message, user_message

READ = {
    "type": "function",
    "function": {
        "name": "read",
        "description": "Reads a file.",
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}


def call(index: int, **more: Any) -> dict[str, Any]:
    function = {name: more[name] for name in ("name", "arguments") if name in more}
    entry = {"index": index, "function": function} | ({"id": more["id"], "type": "function"} if "id" in more else {})
    return {"tool_calls": [entry]}


async def test_text_streams_and_adds_up(wire: Any) -> None:
    wire.chat({"role": "assistant", "content": ""}, {"reasoning_content": "hm"}, {"content": "Hel"}, {"content": "lo"})
    heard: list[tuple[str, str]] = []
    given = await answer(wire.ask(), on_delta=lambda kind, text: heard.append((kind, text)))
    assert heard == [("thinking", "hm"), ("text", "Hel"), ("text", "lo")]
    assert (given.text, given.finish, given.calls) == ("Hello", "stop", ())
    assert given.usage.model_dump() == {"input": 11, "output": 7, "cache_read": 4, "cache_write": 0, "reasoning": 0}
    assert given.cost.usd == 0.0
    sent = wire.seen[0].body
    assert sent["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    assert (sent["model"], sent["stream"], sent["max_tokens"]) == ("scripted", True, 8192)
    assert sent["stream_options"] == {"include_usage": True}


async def test_deltas_come_while_the_server_still_speaks(wire: Any) -> None:
    wire.chat({"content": "now"}, finish=None, usage=None, hold=True)
    heard = asyncio.Event()
    task = asyncio.create_task(answer(wire.ask(), on_delta=lambda *_: heard.set()))
    await asyncio.wait_for(heard.wait(), 30)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(wire.gone.wait(), 30)


async def test_cancelling_before_the_first_byte_closes_the_connection(wire: Any) -> None:
    wire.raw(b"", silent=True)
    task = asyncio.create_task(answer(wire.ask()))
    await asyncio.wait_for(wire.arrived.wait(), 30)
    assert not wire.gone.is_set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(wire.gone.wait(), 30)


async def test_the_whole_round_trip_of_two_parallel_calls(wire: Any) -> None:
    wire.chat(
        {"role": "assistant", "content": "Reading."},
        call(0, id="c1", name="read", arguments=""),
        call(1, id="c2", name="read", arguments='{"pa'),
        call(0, arguments='{"path":'),
        call(1, arguments='th":"b"}'),
        call(0, arguments='"a"}'),
        finish="tool_calls",
    )
    first = await answer(wire.ask(tools=[READ]))
    assert [(out.id, out.name, json.loads(out.arguments)) for out in first.calls] == [
        ("c1", "read", {"path": "a"}),
        ("c2", "read", {"path": "b"}),
    ]
    wire.chat({"content": "Done."})
    recorded = json.loads(json.dumps(first.message))
    second = await answer(
        wire.ask(
            user_message("hi"),
            recorded,
            tool_result_message("c1", "read", "A", True),
            tool_result_message("c2", "read", "error: no such file", False),
            user_message("go on"),
            tools=[READ],
        )
    )
    assert second.text == "Done."
    assert wire.seen[1].body["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": "Reading.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path":"a"}'}},
                {"id": "c2", "type": "function", "function": {"name": "read", "arguments": '{"path":"b"}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "A"},
        {"role": "tool", "tool_call_id": "c2", "content": "error: no such file"},
        {"role": "user", "content": "go on"},
    ]
    function = wire.seen[1].body["tools"][0]["function"]
    assert (function["name"], function["description"]) == ("read", "Reads a file.")
    assert function["parameters"]["required"] == ["path"] and "strict" not in function


async def test_the_same_answer_is_recorded_the_same_way_twice(wire: Any) -> None:
    for _ in range(2):
        wire.chat({"reasoning_content": "hm"}, {"content": "same"})
    first, second = await answer(wire.ask()), await answer(wire.ask())
    assert first == second and "timestamp" not in json.dumps(first.message)


async def test_thinking_goes_back_in_the_field_it_came_in(wire: Any) -> None:
    wire.chat(
        {"reasoning_content": "I should read"}, call(0, id="c1", name="read", arguments="{}"), finish="tool_calls"
    )
    first = await answer(wire.ask(tools=[READ]))
    wire.chat({"content": "ok"})
    await answer(wire.ask(user_message("hi"), first.message, tool_result_message("c1", "read", "A", True)))
    assert wire.seen[1].body["messages"][2]["reasoning_content"] == "I should read"


async def test_empty_arguments_are_an_empty_object(wire: Any) -> None:
    wire.chat(call(0, id="c1", name="read", arguments=""), finish="tool_calls")
    given = await answer(wire.ask(tools=[READ]))
    assert given.calls[0].arguments == "{}" and given.message["parts"][0]["args"] == "{}"


async def test_malformed_arguments_are_handed_on_and_can_be_sent_back(wire: Any) -> None:
    wire.chat(call(0, id="c1", name="read", arguments='{"path": '), finish="length")
    given = await answer(wire.ask(tools=[READ]))
    assert (given.calls[0].arguments, given.finish) == ('{"path": ', "length")
    wire.chat({"content": "sorry"})
    result = tool_result_message("c1", "read", "error: not JSON", False)
    assert (await answer(wire.ask(user_message("hi"), given.message, result))).text == "sorry"


async def test_duplicate_call_ids_become_distinct_in_calls_and_message(wire: Any) -> None:
    wire.chat(
        call(0, id="same", name="read", arguments='{"path":"a"}'),
        call(1, id="same", name="read", arguments='{"path":"b"}'),
        finish="tool_calls",
    )
    given = await answer(wire.ask(tools=[READ]))
    assert [out.id for out in given.calls] == ["same", "same-2"]
    assert [part["tool_call_id"] for part in given.message["parts"]] == ["same", "same-2"]


async def test_no_usage_counts_nothing_and_costs_something_unknown(wire: Any) -> None:
    wire.chat({"content": "hi"}, usage=None)
    given = await answer(wire.ask(provider="openai"))
    assert given.usage.tokens == 0 and given.cost.usd is None
    assert wire.seen[0].headers["authorization"] == "Bearer none"


async def test_a_forced_call_is_asked_for(wire: Any) -> None:
    wire.chat(call(0, id="c1", name="read", arguments="{}"), finish="tool_calls")
    await answer(wire.ask(tools=[READ], must_call=True))
    assert wire.seen[0].body["tool_choice"] == "required"


async def test_a_failing_listener_is_not_the_models_fault(wire: Any) -> None:
    wire.chat({"content": "hi"})

    def broken(_kind: str, _text: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await answer(wire.ask(), on_delta=broken)


async def test_check_lists_the_models(wire: Any) -> None:
    wire.fail(200, {"object": "list", "data": []})
    await check(wire.model())
    assert (wire.seen[0].method, wire.seen[0].path) == ("GET", "/v1/models")


@pytest.mark.parametrize(("provider", "connections"), [("local-cuda", 1), ("local", 2)])
async def test_a_connection_is_used_again_but_not_llama_cpps(wire: Any, provider: str, connections: int) -> None:
    # It closes them after an answer, sometimes only once the next call is on its way.
    for text in ("one", "two"):
        wire.chat({"content": text})
    asked = wire.ask(provider=provider)
    assert [(await answer(asked)).text for _ in range(2)] == ["one", "two"]
    assert wire.connections == connections
