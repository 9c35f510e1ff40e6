"""Every dialect: two turns, each status its kind, no half answer, keys stay where they belong."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from dialects import DIALECTS, Dialect, aws_frame, sse

from app.llm import Answer, ModelError, answer, tool_result_message, user_message
from app.llm.registry import PROVIDERS

KEY = "sk-live-0123456789"
READ = {
    "type": "function",
    "function": {
        "name": "read",
        "description": "Reads.",
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
    },
}


@pytest.fixture(params=DIALECTS, ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return request.param


named = {dialect.name: dialect for dialect in DIALECTS}


class Server:
    """A dialect over the wire; the same server is the Vault, which gives the key first."""

    def __init__(self, wire: Any, dialect: Dialect) -> None:
        self.wire, self.dialect = wire, dialect
        wire.fail(200, {"data": {"data": {"api_key": KEY}, "metadata": {}}})

    def says(self, *frames: bytes, **more: Any) -> None:
        self.wire.raw(b"".join(frames), content_type=self.dialect.content_type, **more)

    def fails(self, status: int, text: str = "said so", **headers: str) -> None:
        self.wire.fail(status, self.dialect.error(status, text), **headers)

    async def ask(self, *messages: dict[str, Any], heard: Callable[[], None] = lambda: None, **more: Any) -> Answer:
        bare = ("anthropic", "google", "bedrock")
        model = self.wire.model(self.dialect.provider, PROVIDERS[self.dialect.provider].default)
        if self.dialect.provider in bare:
            model = model.model_copy(update={"base_url": self.wire.url})
        asked = self.wire.ask(*messages, provider=self.dialect.provider, tools=[READ], **more)
        return await answer(asked.model_copy(update={"model": model}), on_delta=lambda *_: heard())

    async def failure(self, **more: Any) -> ModelError:
        with pytest.raises(ModelError) as caught:
            await self.ask(**more)
        asked = [seen for seen in self.wire.seen if "/v1/secret/" not in seen.path]
        assert len(asked) == 1, "a failed call must not be repeated in here"
        assert KEY not in str(caught.value) and caught.value.__cause__ is None
        return caught.value


@pytest.fixture
def server(vaulted: Any, dialect: Dialect) -> Server:
    return Server(vaulted, dialect)


async def test_two_turns_with_a_call_and_its_result(server: Server) -> None:
    server.says(*server.dialect.frames("", True, True))
    first = await server.ask()
    (call,) = first.calls
    assert (call.name, json.loads(call.arguments)) == ("read", {"path": "a"})
    assert (first.usage.input, first.usage.output) == (10, 5)
    server.says(*server.dialect.frames("Done.", False, True))
    recorded = json.loads(json.dumps(first.message))
    second = await server.ask(user_message("hi"), recorded, tool_result_message(call.id, "read", "A-RESULT", True))
    assert (second.text, second.finish) == ("Done.", "stop")
    sent = server.wire.seen[-1]
    assert server.dialect.path in sent.path and KEY in sent.headers[server.dialect.secret_header]
    assert "A-RESULT" in json.dumps(sent.body) and '"read"' in json.dumps(sent.body)
    if server.dialect.name == "gemini":
        assert "U0lHTkVE" in json.dumps(sent.body), "a thought signature goes back unchanged"
    if server.dialect.name == "bedrock":
        assert "cachePoint" in json.dumps(sent.body)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (429, "slow down", "rate_limit"),
        (400, "you exceeded your current quota: insufficient_quota", "quota"),
        (400, "prompt is too long: 9 tokens > 8 maximum", "context"),
        (401, f"no such key {KEY}", "auth"),
        (403, "no", "auth"),
        (400, "odd field", "bad_request"),
        (500, "oh", "server"),
        (503, "later", "server"),
        (302, "moved", "bad_request"),
    ],
)
async def test_each_status_has_its_kind(server: Server, status: int, text: str, kind: str) -> None:
    # A redirect leads to this very server: a key that followed would be seen a second time.
    server.fails(status, text, **({"location": f"{server.wire.url}/elsewhere"} if status == 302 else {}))
    assert (await server.failure()).kind == kind


@pytest.mark.parametrize(("headers", "wait"), [({"retry_after_ms": "1500"}, 1.5), ({"retry_after": "soon"}, None)])
async def test_each_form_of_retry_after(server: Server, headers: dict[str, str], wait: float | None) -> None:
    server.fails(429, "slow down", **headers)
    assert (await server.failure()).retry_after == wait


Says = Callable[[Server], None]
STREAMS: dict[str, tuple[Says, set[str]]] = {
    "cut": (lambda s: s.says(*s.dialect.frames("half", False, False), cut=True), {"connection", "protocol"}),
    "no finish": (lambda s: s.says(*s.dialect.frames("whole?", False, False)), {"protocol", "connection"}),
    "an error at once": (lambda s: s.says(s.dialect.in_stream()), {"server"}),
    "garbage": (lambda s: s.says(b"<html>hello</html>"), {"protocol", "connection"}),
    "nothing": (lambda s: s.says(b""), {"protocol", "connection"}),
}


@pytest.mark.parametrize("name", STREAMS)
async def test_no_half_answer_passes(server: Server, name: str) -> None:
    says, kinds = STREAMS[name]
    says(server)
    error = await server.failure()
    assert error.kind in kinds and error.retryable, f"{error.kind}: {error}"


async def test_a_cancel_in_mid_stream_closes_the_connection(server: Server) -> None:
    server.says(*server.dialect.frames("half", False, False), hold=True)
    heard = asyncio.Event()
    task = asyncio.create_task(server.ask(heard=heard.set))
    await asyncio.wait_for(heard.wait(), 30)
    server.wire.gone.clear()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.wire.gone.wait(), 30)


async def test_a_cancel_between_two_pieces_closes_the_connection(server: Server) -> None:
    """Where the task does not wait for bytes, nothing inside the SDK hears of the cancel."""
    server.says(*server.dialect.frames("half", False, False), hold=True)

    def cancel() -> None:
        server.wire.gone.clear()
        task.cancel()

    task = asyncio.create_task(server.ask(heard=cancel))
    with pytest.raises(asyncio.CancelledError) as kept:
        await asyncio.wait_for(task, 30)
    await asyncio.wait_for(server.wire.gone.wait(), 30)
    assert kept.tb, "its frames held everything: no garbage collector closed it"


def google_says(quota: str, delay: str) -> dict[str, Any]:
    words = "You exceeded your current quota, please check your plan and billing details."
    failure = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]}
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return {"error": {"code": 429, "message": words, "status": "RESOURCE_EXHAUSTED", "details": [failure, retry]}}


@pytest.mark.parametrize(
    ("quota", "kind"),
    [("GenerateRequestsPerMinutePerProject", "rate_limit"), ("GenerateRequestsPerDayPerProjectPerModel", "quota")],
)
@pytest.mark.parametrize("dialect", [named["gemini"]], ids=["gemini"])
@pytest.mark.parametrize("inside", [False, True], ids=["status", "in the stream"])
async def test_google_says_when_to_come_back(server: Server, quota: str, kind: str, inside: bool) -> None:
    body = google_says(quota, "34.5s")
    if inside:
        server.says(sse(body))
    else:
        server.wire.fail(429, body)
    error = await server.failure()
    assert (error.kind, error.retry_after) == (kind, 34.5)


IN_STREAM = {
    "bedrock": [
        ({"throttlingException": "slow down"}, "rate_limit"),
        ({"validationException": "Input is too long for requested model."}, "context"),
        ({"modelStreamErrorException": "retry your request"}, "server"),
    ],
    "anthropic": [
        ({"type": "rate_limit_error", "message": "slow down"}, "rate_limit"),
        ({"type": "invalid_request_error", "message": "Your credit balance is too low"}, "quota"),
        ({"type": "invalid_request_error", "message": "prompt is too long: 9 tokens > 8 maximum"}, "context"),
    ],
    "openai": [
        ({"code": "1302", "message": "Rate limit reached for requests"}, "rate_limit"),
        ({"code": "1113", "message": "Insufficient balance"}, "quota"),
        ({"code": None, "message": "This model's maximum context length is 8 tokens"}, "context"),
    ],
}


@pytest.mark.parametrize(
    ("dialect", "said", "kind"),
    [(named[name], said, kind) for name, rows in IN_STREAM.items() for said, kind in rows],
    ids=lambda value: value.name if isinstance(value, Dialect) else None,
)
async def test_an_error_inside_a_stream_keeps_its_meaning(server: Server, said: dict[str, Any], kind: str) -> None:
    if server.dialect.name == "bedrock":
        ((name, words),) = said.items()
        server.says(aws_frame(name, {"message": words}, "exception"))
    elif server.dialect.name == "anthropic":
        server.says(*server.dialect.frames("half", False, False), sse({"type": "error", "error": said}, "error"))
    else:
        server.says(*server.dialect.frames("half", False, False), sse({"error": said}))
    assert (await server.failure()).kind == kind
