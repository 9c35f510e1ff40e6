"""A model server with a context of its own size, which it truly enforces: tokens are characters / 4."""

import json
import re
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from serving import serving

NOTES = "Done: looked at many files.\nNext: look at the rest."
Answer = Callable[[list[dict[str, Any]]], dict[str, Any]]
"""The assistant's message (`content`, `calls`: [(name, arguments)]) for a conversation."""


class SmallServer(ThreadingHTTPServer):
    """`asked` and `refused` count by model; `limits` are their contexts; `dead` models answer 402."""

    daemon_threads = True

    def __init__(self, answer: Answer, limits: dict[str, int], dead: frozenset[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.limits, self.dead = answer, limits, dead
        self.asked: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.summed_up = 0
        self.most = 0
        self.last: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SmallServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model, messages = body["model"], body["messages"]
        self.server.asked[model] += 1
        if model in self.server.dead:
            self._send(402, {"error": {"message": "insufficient balance", "code": "insufficient_quota"}})
            return
        prompt = len(json.dumps(messages) + json.dumps(body.get("tools") or [])) // 4
        wanted = prompt + (body.get("max_tokens") or body.get("max_completion_tokens") or 0)
        limit = self.server.limits[model]
        if wanted > limit:
            self.server.refused[model] += 1
            words = f"This model's maximum context length is {limit} tokens. However, you requested {wanted} tokens."
            self._send(400, {"error": {"message": words, "code": "context_length_exceeded"}})
            return
        self.server.most = max(self.server.most, wanted)
        if body.get("tools"):
            self.server.last = messages
            made = self.server.answer(messages)
        else:
            self.server.summed_up += 1
            made = {"content": NOTES}
        self._stream(made, prompt)

    def _stream(self, made: dict[str, Any], prompt: int) -> None:
        calls = [
            {"index": n, "id": f"c{prompt}_{n}", "type": "function", "function": {"name": name, "arguments": text}}
            for n, (name, text) in enumerate(made.get("calls", ()))
        ]
        delta = {"role": "assistant", "content": made.get("content"), **({"tool_calls": calls} if calls else {})}
        head = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "small"}
        used = {"prompt_tokens": prompt, "completion_tokens": 20, "total_tokens": prompt + 20}
        events = [
            {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}]},
            {**head, "choices": [], "usage": used},
        ]
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        self._raw(200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode())

    def _send(self, status: int, document: dict[str, Any]) -> None:
        self._raw(status, "application/json", json.dumps(document).encode())

    def _raw(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def walking(steps: int) -> Answer:
    """Reads one piece after the other; how far it is, it knows from the last result alone."""

    def answer(messages: list[dict[str, Any]]) -> dict[str, Any]:
        results = [str(m["content"]) for m in messages if m["role"] == "tool"]
        seen = re.findall(r"piece (\d+):", results[-1]) if results else []
        done = int(seen[0]) + 1 if seen else 0
        if done >= steps:
            return {"content": f"I looked at {done} pieces."}
        return {"content": None, "calls": [("read", json.dumps({"path": f"pieces/{done}.txt"}))]}

    return answer


@contextmanager
def small(answer: Answer, limits: dict[str, int], dead: frozenset[str] = frozenset()) -> Generator[SmallServer]:
    """Serves until the block ends."""
    with serving(SmallServer(answer, limits, dead)) as server:
        yield server
