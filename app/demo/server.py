"""The scripted model as a server: OpenAI's streaming chat completions, on loopback.

`python -I -m app.demo.server --port N [--pace SECONDS]`. What is asked below `/NAME/v1` is counted, and
`GET /NAME/asked` tells it, so that a test (and the demo) can compare the answers begun with those that
were recorded. Nothing it says depends on it.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.demo.scenario import Reply, as_message, reply

Script = Callable[[list[dict[str, Any]], set[str]], Reply]
MODEL = "scripted"


class Server(ThreadingHTTPServer):
    """One address; `pace`: seconds between two words; `asked`: answers begun, by the path before `/v1`.

    `script` maps a conversation and the names of the tools that are offered to the next answer.
    """

    daemon_threads = True

    def __init__(self, port: int, pace: float, script: Script = reply) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.pace = pace
        self.script = script
        self.asked: Counter[str] = Counter()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: what people type does not belong in a log."""

    def do_GET(self) -> None:
        if self.path.endswith("/asked"):
            self._json(200, {"asked": self.server.asked[self.path.removesuffix("/asked")]})
        elif self.path.rstrip("/").endswith("/models"):
            self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            self._json(404, {"error": {"message": f"there is no `{self.path}` here"}})

    def do_POST(self) -> None:
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
            offered = {tool["function"]["name"] for tool in body.get("tools") or []}
            answer = self.server.script(body["messages"], offered)
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            self._json(400, {"error": {"message": f"this is not a chat completion: {error!r}"}})
            return
        self.server.asked[self.path.partition("/v1")[0]] += 1
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        message = as_message(answer, f"{turn}")
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for event in _events(message, body):
                self._chunk(f"data: {json.dumps(event)}\n\n".encode())
                time.sleep(self.server.pace)
            self._chunk(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the one who asked went away

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        self.wfile.flush()

    def _json(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _events(message: dict[str, Any], body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    def event(delta: dict[str, Any], finish: str | None = None, usage: dict[str, int] | None = None) -> dict[str, Any]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        head = {"id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
        return {**head, "choices": choices, **({"usage": usage} if usage else {})}

    for number, word in enumerate((message["content"] or "").split(" ")):
        if word or number:
            yield event({"role": "assistant", "content": word if number == 0 else f" {word}"})
    for call in message.get("tool_calls", ()):
        yield event({"role": "assistant", "tool_calls": [call]})
    asked = sum(len(json.dumps(part)) for part in body["messages"]) // 4
    said = len(json.dumps(message)) // 4
    usage = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    yield event({}, "tool_calls" if message.get("tool_calls") else "stop", usage)


def main() -> None:
    """Serves until it is ended; prints its port when it listens."""
    parser = argparse.ArgumentParser(prog="app.demo.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--pace", type=float, default=0.01, help="seconds between two words")
    options = parser.parse_args()
    server = Server(options.port, options.pace)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
