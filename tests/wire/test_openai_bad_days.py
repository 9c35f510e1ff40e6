"""Calls over OpenAI's chat wire when things go wrong: each failure has one kind, and no half answer passes."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from app.domain.run import ModelRef
from app.llm import ModelError, answer, check


async def failure(wire: Any, **more: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await answer(wire.ask(**more))
    assert len(wire.seen) == 1, "a failed call must not be repeated in here"
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "kind", "retryable"),
    [
        (429, "rate_limit_exceeded", "rate_limit", True),
        (429, "insufficient_quota", "quota", False),
        (402, "", "quota", False),
        (401, "invalid_api_key", "auth", False),
        (403, "", "auth", False),
        (404, "model_not_found", "not_found", False),
        (400, "invalid_request_error", "bad_request", False),
        (400, "context_length_exceeded", "context", False),
        (422, "", "bad_request", False),
        (408, "", "timeout", True),
        (500, "", "server", True),
        (503, "", "server", True),
        (529, "", "server", True),
    ],
)
async def test_each_status_has_its_kind(wire: Any, status: int, code: str, kind: str, retryable: bool) -> None:
    wire.fail(status, {"error": {"message": "said so", "type": code, "code": code}})
    error = await failure(wire)
    assert (error.kind, error.retryable) == (kind, retryable), str(error)
    assert "`demo/scripted`" in str(error) and "said so" in str(error)


async def test_retry_after_in_seconds(wire: Any) -> None:
    wire.fail(429, {"error": {"message": "slow down"}}, retry_after="17")
    assert (await failure(wire)).retry_after == 17.0


async def test_retry_after_as_a_date_in_the_future(wire: Any) -> None:
    moment = datetime.now(UTC) + timedelta(minutes=30)
    wire.fail(503, {"error": {"message": "later"}}, retry_after=format_datetime(moment, usegmt=True))
    wait = (await failure(wire)).retry_after
    assert wait is not None and 0 < wait <= 1800


@pytest.mark.parametrize(
    ("text", "wait"), [("Fri, 31 Dec 1999 23:59:59 GMT", 0.0), ("86400000", 3600.0), ("soon", None)]
)
async def test_retry_after_is_bounded(wire: Any, text: str, wait: float | None) -> None:
    wire.fail(429, {"error": {"message": "later"}}, retry_after=text)
    assert (await failure(wire)).retry_after == wait


async def test_the_refused_key_names_the_next_step(wire: Any) -> None:
    wire.fail(401, {"error": {"message": "Incorrect API key provided: sk-ab***yz."}})
    text = str(await failure(wire))
    assert "`ctl login demo`" in text and "sk-" not in text


async def test_an_error_that_is_not_json(wire: Any) -> None:
    wire.fail(502, b"<html>bad gateway</html>")
    assert (await failure(wire)).kind == "server"


async def test_a_stream_cut_in_the_middle_is_no_answer(wire: Any) -> None:
    wire.chat({"content": "half an ans"}, finish=None, usage=None, cut=True)
    error = await failure(wire)
    assert (error.kind, error.retryable) == ("connection", True), str(error)


async def test_a_stream_without_a_finish_is_no_answer(wire: Any) -> None:
    wire.chat({"content": "whole?"}, finish=None, usage=None)
    error = await failure(wire)
    assert (error.kind, error.retryable) == ("protocol", True), str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"data: {not json}\n\n",
        b"data: [1, 2]\n\n",
        b'data: {"choices": "none"}\n\ndata: [DONE]\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}\n\n',
        b"data: \xff\xfe\n\n",
        b"<html>hello</html>",
        b"",
        b"data: [DONE]\n\n",
    ],
)
async def test_garbage_is_not_readable(wire: Any, body: bytes) -> None:
    wire.raw(body)
    error = await failure(wire)
    assert (error.kind, error.retryable) == ("protocol", True), str(error)


async def test_garbage_after_a_good_start_is_not_readable(wire: Any) -> None:
    wire.raw(b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"ok"}}]}\n\ndata: {"id": oh\n\n')
    assert (await failure(wire)).kind == "protocol"


async def test_an_error_inside_the_stream_keeps_its_meaning(wire: Any) -> None:
    wire.raw(b'data: {"error": {"message": "too many", "code": "rate_limit_exceeded", "type": "rate_limit_error"}}\n\n')
    assert (await failure(wire)).kind == "rate_limit"


async def test_a_filtered_answer_is_refused(wire: Any) -> None:
    wire.chat(finish="content_filter")
    error = await failure(wire)
    assert (error.kind, error.retryable) == ("refused", False)


async def test_nobody_listens() -> None:
    with pytest.raises(ModelError) as caught:
        await check(ModelRef(provider="demo", name="scripted", base_url="http://127.0.0.1:1/v1"))
    assert (caught.value.kind, caught.value.retryable) == ("connection", True)


async def test_without_a_vault_there_is_no_key(wire: Any) -> None:
    with pytest.raises(ModelError) as caught:
        await answer(wire.ask(provider="zai"))
    assert caught.value.kind == "auth" and "`ctl login zai`" in str(caught.value) and not wire.seen


async def test_a_conversation_must_end_with_a_request(wire: Any) -> None:
    with pytest.raises(ModelError) as caught:
        await answer(wire.ask({"kind": "response", "parts": [{"part_kind": "text", "content": "x"}]}))
    assert caught.value.kind == "bad_request"
