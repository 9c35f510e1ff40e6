"""What a model thought travels back unchanged on the next request: answer, record on disk, messages, request."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dialects import aws_frame
from spoken import ANTHROPIC, BEDROCK, OPENAI, chunk, event, function, part

from activities.conversation import answer_record, messages_of
from app.domain.session import EventRange, Ids, NewRecord
from app.llm import answer
from app.llm.registry import PROVIDERS
from app.stream import Stream

IDS = Ids(session_id="s")
READ = {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}
OPAQUE = base64.b64encode(b"opaque-thoughts").decode()


@dataclass(frozen=True)
class Thought:
    """`frames`: an answer with thoughts and a call of `read`; `back`: what of it the next request must hold."""

    provider: str
    frames: bytes
    find: Callable[[dict[str, Any]], Any]
    back: Any
    content_type: str = "text/event-stream"
    name: str = ""


def block(index: int, kind: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    said = event("content_block_start", index=index, content_block=kind)
    said += b"".join(event("content_block_delta", index=index, delta=delta) for delta in deltas)
    return said + event("content_block_stop", index=index)


def reasoning(index: int, **delta: Any) -> bytes:
    return aws_frame("contentBlockDelta", {"contentBlockIndex": index, "delta": {"reasoningContent": delta}})


def called(index: int, spoken: Any) -> bytes:
    return spoken.open(index, "c1") + spoken.args(index, '{"path":"a"}') + spoken.close(index) + spoken.end(True)


def assistant(*fields: str) -> Callable[[dict[str, Any]], Any]:
    """Finds the assistant's message of an OpenAI request, or these fields of it."""

    def find(body: dict[str, Any]) -> Any:
        message = next(message for message in body["messages"] if message["role"] == "assistant")
        return {name: message.get(name) for name in fields} if fields else message

    return find


def without_calls(*names: str) -> Callable[[dict[str, Any]], Any]:
    """Finds the assistant's blocks of a request, but those of a call and of the cache."""
    return lambda body: [
        part for part in assistant()(body)["content"] if not set(part) & set(names) and part.get("type") not in names
    ]


DETAILS = [
    {"type": "reasoning.text", "id": "r1", "format": "anthropic-claude-v1", "index": 0, "text": "hm", "signature": "S"},
    {"type": "reasoning.encrypted", "id": "r2", "format": "google-gemini-v1", "index": 1, "data": OPAQUE},
    {"type": "reasoning.summary", "id": "r3", "format": "openai-responses-v1", "index": 2, "summary": "in short"},
]
THOUGHTS = {
    "anthropic": Thought(
        "anthropic",
        ANTHROPIC.begin
        + block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "h"},
            {"type": "thinking_delta", "thinking": "m"},
            {"type": "signature_delta", "signature": "SIGNED"},
        )
        + block(1, {"type": "redacted_thinking", "data": OPAQUE})
        + called(2, ANTHROPIC),
        without_calls("tool_use"),
        [
            {"type": "thinking", "thinking": "hm", "signature": "SIGNED"},
            {"type": "redacted_thinking", "data": OPAQUE},
        ],
    ),
    "bedrock": Thought(
        "bedrock",
        BEDROCK.begin
        + reasoning(0, text="h")
        + reasoning(0, text="m")
        + reasoning(0, signature="SIGNED")
        + BEDROCK.close(0)
        + reasoning(1, redactedContent=OPAQUE)
        + BEDROCK.close(1)
        + called(2, BEDROCK),
        without_calls("toolUse", "cachePoint"),
        [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "SIGNED"}}},
            {"reasoningContent": {"redactedContent": OPAQUE}},
        ],
        "application/vnd.amazon.eventstream",
    ),
    "google": Thought(
        "google",
        part({"text": "hm", "thought": True})
        + part({"text": "Reading.", "thoughtSignature": OPAQUE})
        + part({**function("a"), "thoughtSignature": "U0lHTkVE"}, "STOP"),
        lambda body: [
            {name: value for name, value in part.items() if name != "functionCall"}
            for content in body["contents"]
            if content["role"] == "model"
            for part in content["parts"]
        ],
        [
            {"text": "hm", "thought": True},
            {"text": "Reading.", "thoughtSignature": OPAQUE},
            {"thoughtSignature": "U0lHTkVE"},
        ],
    ),
    "openrouter": Thought(
        "openrouter",
        b"".join(
            chunk({"reasoning_details": [detail]})
            for detail in (
                {**DETAILS[0], "text": "h", "signature": None},
                {**DETAILS[0], "text": "m"},
                *DETAILS[1:],
            )
        )
        + called(0, OPENAI),
        assistant("reasoning_details"),
        {"reasoning_details": DETAILS},
        name="anthropic/claude-sonnet-4.5",
    ),
    **{
        provider: Thought(
            provider,
            chunk({"reasoning_content": "h"}) + chunk({"reasoning_content": "m"}) + called(0, OPENAI),
            assistant("reasoning_content"),
            {"reasoning_content": "hm"},
        )
        for provider in ("zai", "moonshotai", "stepfun", "vertex-glm")
    },
    "github-copilot": Thought(
        "github-copilot",
        chunk({"reasoning_text": "h"}) + chunk({"reasoning_text": "m"}) + called(0, OPENAI),
        assistant("reasoning_text"),
        {"reasoning_text": "hm"},
    ),
}


@pytest.mark.parametrize("name", THOUGHTS)
async def test_thoughts_travel_back_unchanged(vaulted: Any, tmp_path: Path, name: str) -> None:
    thought = THOUGHTS[name]
    row = PROVIDERS[thought.provider]
    vaulted.admit(thought.provider)
    model = vaulted.model(thought.provider, thought.name or row.default).model_copy(update={"base_url": vaulted.url})

    async def turn(messages: list[dict[str, Any]]) -> Any:
        asked = vaulted.ask(*messages, provider=thought.provider, tools=[READ])
        return await answer(asked.model_copy(update={"model": model}))

    stream = Stream(tmp_path, "s")
    asked = NewRecord(kind="user", body={"text": "hi", "origin": "task"})
    vaulted.raw(thought.frames, content_type=thought.content_type)
    first = await turn(messages_of([asked]))
    told = {"call_id": first.calls[0].id, "name": "read", "status": "ok", "text": "A", "step_id": ""}
    records = [asked, answer_record(first, model.id, 1.0), NewRecord(kind="tool_result", body=told)]
    batch = stream.append(expected=0, step_id="w:r:t0", digest="", records=records, ids=IDS)
    read = Stream(tmp_path, "s").read(EventRange(session_id="s", start=0, end=batch.end))
    vaulted.raw(b"".join(finished(thought)), content_type=thought.content_type)
    await turn(messages_of(read))
    assert thought.find(vaulted.seen[-1].body) == thought.back


def finished(thought: Thought) -> list[bytes]:
    """Closing words in the thought's dialect."""
    match PROVIDERS[thought.provider].kind:
        case "anthropic":
            return [ANTHROPIC.begin, ANTHROPIC.say("Done."), ANTHROPIC.end(False)]
        case "bedrock":
            return [BEDROCK.begin, BEDROCK.say("Done."), BEDROCK.end(False)]
        case "google":
            return [part({"text": "Done."}, "STOP")]
        case "openai":
            return [OPENAI.say("Done."), OPENAI.end(False)]
