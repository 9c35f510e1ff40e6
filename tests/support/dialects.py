"""What each provider's server says on its wire: an answer, a call, and the ways it can fail."""

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Dialect:
    """`frames` makes a stream's events from (text, call, whether it finishes); `error` the body of a failure.

    A call is (tool, arguments), or True for one of `read`.
    """

    name: str
    provider: str
    path: str
    """What the path of a request to it holds."""
    secret_header: str
    content_type: str
    frames: Callable[[str, Call | bool, bool], list[bytes]]
    error: Callable[[int, str], Any]
    in_stream: Callable[[], bytes]


def _asked(call: Call | bool) -> tuple[str, dict[str, Any], str]:
    """The tool, its arguments, and those as text."""
    tool, arguments = call if isinstance(call, tuple) else ("read", {"path": "a"})
    return tool, arguments, json.dumps(arguments, separators=(",", ":"))


def sse(event: dict[str, Any], name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(event)}\n\n".encode()


def _openai(text: str, call: Call | bool, ends: bool) -> list[bytes]:
    def chunk(**more: Any) -> bytes:
        return sse({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **more})

    delta: dict[str, Any] = {"content": text}
    if call:
        tool, _, arguments = _asked(call)
        function = {"name": tool, "arguments": arguments}
        delta = {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]}
    frames = [chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}])]
    if ends:
        frames.append(chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "tool_calls" if call else "stop"}]))
        frames.append(chunk(choices=[], usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}))
        frames.append(b"data: [DONE]\n\n")
    return frames


def _anthropic(text: str, call: Call | bool, ends: bool) -> list[bytes]:
    usage = {"input_tokens": 10, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None}
    block: dict[str, Any] = {"type": "text", "text": ""}
    delta: dict[str, Any] = {"type": "text_delta", "text": text}
    if call:
        tool, _, arguments = _asked(call)
        block = {"type": "tool_use", "id": "c1", "name": tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": arguments}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
    ]
    if ends:
        reason = "tool_use" if call else "end_turn"
        events += [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}},
            {"type": "message_stop"},
        ]
    return [sse(event, event["type"]) for event in events]


def _gemini(text: str, call: Call | bool, ends: bool) -> list[bytes]:
    part: dict[str, Any] = {"text": text}
    if call:
        tool, values, _ = _asked(call)
        part = {"functionCall": {"name": tool, "args": values}, "thoughtSignature": "U0lHTkVE"}
    candidate: dict[str, Any] = {"content": {"parts": [part], "role": "model"}, "index": 0}
    frames = [sse({"candidates": [candidate], "modelVersion": "m", "responseId": "r"})]
    if ends:
        last = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 0}
        usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
        frames.append(sse({"candidates": [last], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"}))
    return frames


def aws_frame(kind: str, body: dict[str, Any], message: str = "event") -> bytes:
    """Amazon's event stream: lengths and CRC32 of the prelude, headers, payload, CRC32 of all before it."""
    values = {f":{'exception' if message == 'exception' else 'event'}-type": kind}
    values |= {":content-type": "application/json", ":message-type": message}
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(text)) + text.encode()
        for name, text in values.items()
    )
    payload = json.dumps(body).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    whole = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return whole + struct.pack("!I", zlib.crc32(whole))


def _bedrock(text: str, call: Call | bool, ends: bool) -> list[bytes]:
    tool, _, arguments = _asked(call)
    delta: dict[str, Any] = {"toolUse": {"input": arguments}} if call else {"text": text}
    frames = [aws_frame("messageStart", {"role": "assistant"})]
    if call:
        start = {"toolUse": {"toolUseId": "c1", "name": tool}}
        frames.append(aws_frame("contentBlockStart", {"contentBlockIndex": 0, "start": start}))
    frames.append(aws_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": delta}))
    if ends:
        usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
        frames.append(aws_frame("contentBlockStop", {"contentBlockIndex": 0}))
        frames.append(aws_frame("messageStop", {"stopReason": "tool_use" if call else "end_turn"}))
        frames.append(aws_frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}))
    return frames


def _plain_error(status: int, text: str) -> Any:
    return {"error": {"message": text, "type": "some_error", "code": status}}


DIALECTS = (
    Dialect(
        "openai",
        "zai",
        "/v1/chat/completions",
        "authorization",
        "text/event-stream",
        _openai,
        _plain_error,
        lambda: sse({"error": {"message": "Overloaded", "code": 529, "type": "overloaded_error"}}),
    ),
    Dialect(
        "anthropic",
        "anthropic",
        "/v1/messages",
        "authorization",
        "text/event-stream",
        _anthropic,
        lambda _status, text: {"type": "error", "error": {"type": "some_error", "message": text}},
        lambda: sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error"),
    ),
    Dialect(
        "gemini",
        "google",
        ":streamGenerateContent",
        "x-goog-api-key",
        "text/event-stream",
        _gemini,
        lambda status, text: {"error": {"code": status, "message": text, "status": "SOME"}},
        lambda: sse({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}),
    ),
    Dialect(
        "bedrock",
        "bedrock",
        "/converse-stream",
        "authorization",
        "application/vnd.amazon.eventstream",
        _bedrock,
        lambda _status, text: {"message": text},
        lambda: aws_frame("serviceUnavailableException", {"message": "Overloaded"}, "exception"),
    ),
)
