"""A model server that answers with any bytes, or never, and knows when the one who asked went away."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from serving import serving

Raw = tuple[int, str, bytes]
"""Status, content type and body of an answer."""
HELD = b": held\n\n"
"""Ends a body that goes no further until the caller hangs up; to a reader of events it is a comment."""


class OddServer(ThreadingHTTPServer):
    """`answer` maps a conversation to bytes; None: no answer at all, until the caller hangs up."""

    daemon_threads = True

    def __init__(self, answer: Callable[[list[dict[str, Any]]], Raw | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.hanging = threading.Event()
        self.left = threading.Event()

    @property
    def flags(self) -> list[str]:
        """The flags of `ctl` that name it."""
        return ["--model", "openai/odd", "--base-url", f"http://127.0.0.1:{self.server_address[1]}/v1"]


class _Handler(BaseHTTPRequestHandler):
    server: OddServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        given = self.server.answer(body["messages"])
        if given is not None:
            status, kind, content = given
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content) + content.endswith(HELD)))
            self.end_headers()
            self.wfile.write(content)
        if given is None or given[2].endswith(HELD):
            self.server.hanging.set()
            if self.connection.recv(1) == b"":
                self.server.left.set()


@contextmanager
def answering(answer: Callable[[list[dict[str, Any]]], Raw | None]) -> Generator[OddServer]:
    """Serves until the block ends."""
    with serving(OddServer(answer)) as server:
        yield server


def speaking(text: str, *calls: tuple[str, str], finish: str = "") -> Raw:
    """An answer in OpenAI's stream; calls are names and the raw text of their arguments."""
    made = [
        {"index": n, "id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(calls)
    ]
    delta = {"role": "assistant", "content": text or None, **({"tool_calls": made} if made else {})}
    head = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "odd"}
    end = finish or ("tool_calls" if made else "stop")
    events = [{"index": 0, "delta": delta, "finish_reason": None}, {"index": 0, "delta": {}, "finish_reason": end}]
    lines = [f"data: {json.dumps({**head, 'choices': [event]})}\n\n" for event in events]
    return 200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode()
