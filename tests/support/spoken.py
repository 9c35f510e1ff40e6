"""The pieces of each dialect's stream, so that a test can say them in any order, twice, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dialects import aws_frame, sse


@dataclass(frozen=True)
class Spoken:
    """`say`: a text in deltas; `open`, `args`, `close`: a call of `read` at an index; `usage`: a report of it.

    `end(called)` is what stands behind the last block: the finish reason and the last report of usage.
    """

    begin: bytes
    say: Callable[..., bytes]
    open: Callable[[int, str | None], bytes]
    args: Callable[[int, str], bytes]
    close: Callable[[int], bytes]
    end: Callable[[bool], bytes]
    usage: bytes


TOLD = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    """OpenAI's; without a delta its choices are empty."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return sse({**head, "choices": choices, **more})


def _call(index: int, name: str | None) -> bytes:
    function = {"name": "read", "arguments": ""}
    return chunk({"tool_calls": [{"index": index, "id": name, "type": "function", "function": function}]})


OPENAI = Spoken(
    begin=b"",
    say=lambda *texts: b"".join(chunk({"content": text}) for text in texts),
    open=_call,
    args=lambda index, text: chunk({"tool_calls": [{"index": index, "function": {"arguments": text}}]}),
    close=lambda _index: b"",
    end=lambda called: chunk({}, "tool_calls" if called else "stop") + chunk(None, usage=TOLD) + b"data: [DONE]\n\n",
    usage=chunk(None, usage=TOLD),
)


def event(kind: str, **more: Any) -> bytes:
    """Anthropic's."""
    return sse({"type": kind, **more}, kind)


def message_start(used: int = 10) -> bytes:
    """`used`: tokens of the question, which some gateways tell only at the end."""
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None}
    return event("message_start", message={**message, "usage": {"input_tokens": used, "output_tokens": 0}})


def message_end(reason: str, **used: int) -> bytes:
    """Why it stopped, what it used, and the end."""
    delta = {"stop_reason": reason}
    return event("message_delta", delta=delta, usage={"output_tokens": 5, **used}) + event("message_stop")


def _block(index: int, block: dict[str, Any], *deltas: dict[str, Any], stops: bool = False) -> bytes:
    said = event("content_block_start", index=index, content_block=block)
    said += b"".join(event("content_block_delta", index=index, delta=delta) for delta in deltas)
    return said + (event("content_block_stop", index=index) if stops else b"")


ANTHROPIC = Spoken(
    begin=message_start(),
    say=lambda *texts: _block(
        0, {"type": "text", "text": ""}, *({"type": "text_delta", "text": text} for text in texts), stops=True
    ),
    open=lambda index, name: _block(index, {"type": "tool_use", "id": name, "name": "read", "input": {}}),
    args=lambda index, text: event(
        "content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": text}
    ),
    close=lambda index: event("content_block_stop", index=index),
    end=lambda called: message_end("tool_use" if called else "end_turn"),
    usage=event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5}),
)


def _delta(index: int, **delta: Any) -> bytes:
    return aws_frame("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


METERED = aws_frame(
    "metadata", {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, "metrics": {"latencyMs": 1}}
)
BEDROCK = Spoken(
    begin=aws_frame("messageStart", {"role": "assistant"}),
    say=lambda *texts: (
        b"".join(_delta(0, text=text) for text in texts) + aws_frame("contentBlockStop", {"contentBlockIndex": 0})
    ),
    open=lambda index, name: aws_frame(
        "contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": name, "name": "read"}}}
    ),
    args=lambda index, text: _delta(index, toolUse={"input": text}),
    close=lambda index: aws_frame("contentBlockStop", {"contentBlockIndex": index}),
    end=lambda called: aws_frame("messageStop", {"stopReason": "tool_use" if called else "end_turn"}) + METERED,
    usage=METERED,
)


def part(kind: dict[str, Any], finish: str = "", *, used: bool = True) -> bytes:
    """Gemini's: a candidate of one part."""
    candidate: dict[str, Any] = {"content": {"parts": [kind], "role": "model"}, "index": 0}
    candidate |= {"finishReason": finish} if finish else {}
    told = {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}}
    return sse({"candidates": [candidate], **(told if used else {}), "responseId": "r"})


def function(path: str, **more: Any) -> dict[str, Any]:
    """Gemini's part that calls `read`."""
    return {"functionCall": {"name": "read", "args": {"path": path}, **more}}
