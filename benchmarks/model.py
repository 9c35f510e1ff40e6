"""A model server that answers at once and knows how long it held each request.

OpenAI's streaming chat completions on loopback. Each answer calls `read` on a 1 kB file until the
conversation holds `steps` answers after the last user message; then it says `done`. With `hold` it
never answers, so that agents wait.
"""

import asyncio
import json
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any


class Model(socketserver.ThreadingTCPServer):
    """One server: its address, how many it lets wait, and the seconds it spent on each request.

    It blocks in a thread for each connection: from the last byte of a request to this clock it takes next to nothing,
    and what it took itself would count as ours.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, steps: int, *, hold: bool = False, bash: str = "") -> None:
        """`bash`: the command that it runs by `bash`, instead of reading."""
        super().__init__(("127.0.0.1", 0), _Connection)
        self.steps, self.hold, self.bash = steps, hold, bash
        self.held: list[None] = []
        self.busy: list[float] = []
        self.ended = threading.Event()

    @property
    def base_url(self) -> str:
        """For `ModelRef.base_url`."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def waiting(self) -> int:
        """Requests that are held."""
        return len(self.held)

    def told(self) -> bytes:
        """`GET`: what each request took since the last time it was asked."""
        said = json.dumps(self.busy).encode()
        self.busy.clear()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said)

    def answer(self, question: bytes) -> bytes:
        """The whole answer. The question is not parsed: what that leaves in the caches would slow down our steps,
        and a real server has caches of its own.
        """
        given = question.count(b'{"role":"assistant"', question.rfind(b'{"role":"user"'))
        delta: dict[str, Any] = {"role": "assistant", "content": "done"}
        if given < self.steps:
            values = {"command": self.bash} if self.bash else {"path": f"file-{given % 50}.txt"}
            call = {"name": "bash" if self.bash else "read", "arguments": json.dumps(values)}
            tool = {"index": 0, "id": f"call-{given}", "type": "function", "function": call}
            delta = {"role": "assistant", "content": None, "tool_calls": [tool]}
        finish = "tool_calls" if given < self.steps else "stop"
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        said = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        for choice, used in (({"delta": delta}, None), ({"delta": {}, "finish_reason": finish}, usage)):
            document = {
                "id": "x",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "bench",
                "choices": [{"index": 0, "finish_reason": None, **choice}],
                "usage": used,
            }
            said += event(document)
        return said + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def event(document: dict[str, Any]) -> bytes:
    """A server-sent event, as a chunk."""
    return chunk(f"data: {json.dumps(document)}\n\n".encode())


def chunk(data: bytes) -> bytes:
    """A chunk of HTTP/1.1."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class _Connection(socketserver.StreamRequestHandler):
    """One connection, kept alive."""

    server: Model  # pyright: ignore[reportIncompatibleVariableOverride]
    disable_nagle_algorithm = True
    rbufsize = 4096
    """Less than a question has: its content is then read to where it stays, not copied, which would count as ours."""

    def handle(self) -> None:
        own = self.server
        while first := self.rfile.readline():
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if first.startswith(b"GET"):
                self.wfile.write(own.told())
                continue
            content = self.rfile.read(length)
            received = time.perf_counter()
            if own.hold:
                own.held.append(None)
                own.ended.wait()
                return
            said = own.answer(content)
            own.busy.append(time.perf_counter() - received)
            self.wfile.write(said)


@asynccontextmanager
async def model(steps: int, *, hold: bool = False, bash: str = "") -> AsyncIterator[Model]:
    """A server for the length of the block."""
    with Model(steps, hold=hold, bash=bash) as own:
        thread = threading.Thread(target=own.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield own
        finally:
            own.ended.set()
            own.shutdown()
            await asyncio.to_thread(thread.join)


@contextmanager
def server_process(module: str, *words: str) -> Iterator[str]:
    """The base URL of a server in a process of its own, so that nothing of it runs in ours; it prints it first."""
    argv = [sys.executable, "-m", module, *words]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def busy(base_url: str) -> list[float]:
    """Seconds from the last byte of each request to its answer, since the last time they were asked for."""
    with urllib.request.urlopen(base_url) as answer:  # loopback only
        return json.loads(answer.read())


if __name__ == "__main__":
    with Model(int(sys.argv[1])) as server:
        print(server.base_url, flush=True)
        server.serve_forever()
