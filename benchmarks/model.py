"""A model server that answers at once and knows how long it held each request.

OpenAI's streaming chat completions on loopback. Each answer calls `read` on a 1 kB file until the
conversation holds `steps` answers after the last user message; then it says `done`. With `hold` it
never answers, so that agents wait.
"""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Model:
    """One server: its address, and the seconds it spent on each request."""

    steps: int
    hold: bool = False
    bash: str = ""
    """The command that it runs by `bash`, instead of reading."""
    port: int = 0
    waiting: int = 0
    busy: list[float] = field(default_factory=list[float])

    @property
    def base_url(self) -> str:
        """For `ModelRef.base_url`."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if head.startswith(b"GET"):
                    self._tell(writer)
                    continue
                lines = head.lower().split(b"\r\n")
                length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
                content = await reader.readexactly(length)
                received = time.perf_counter()
                body = json.loads(content)
                if self.hold:
                    self.waiting += 1
                    await asyncio.sleep(3600)
                self._answer(writer, body)
                self.busy.append(time.perf_counter() - received)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client went away, or the block ended
        finally:
            writer.close()

    def _tell(self, writer: asyncio.StreamWriter) -> None:
        """`GET`: what each request took since the last time it was asked."""
        said = json.dumps(self.busy).encode()
        self.busy.clear()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
        writer.write(head.encode() + said)

    def _answer(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        messages = body["messages"]
        last_user = max(index for index, message in enumerate(messages) if message["role"] == "user")
        given = sum(1 for message in messages[last_user:] if message["role"] == "assistant")
        delta: dict[str, Any] = {"role": "assistant", "content": "done"}
        if given < self.steps:
            values = {"command": self.bash} if self.bash else {"path": f"file-{given % 50}.txt"}
            call = {"name": "bash" if self.bash else "read", "arguments": json.dumps(values)}
            tool = {"index": 0, "id": f"call-{given}", "type": "function", "function": call}
            delta = {"role": "assistant", "content": None, "tool_calls": [tool]}
        finish = "tool_calls" if given < self.steps else "stop"
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for choice, used in (({"delta": delta}, None), ({"delta": {}, "finish_reason": finish}, usage)):
            event = {
                "id": "x",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": body["model"],
                "choices": [{"index": 0, "finish_reason": None, **choice}],
                "usage": used,
            }
            writer.write(_chunk(f"data: {json.dumps(event)}\n\n".encode()))
        writer.write(_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@asynccontextmanager
async def model(steps: int, *, hold: bool = False, bash: str = "") -> AsyncIterator[Model]:
    """A server for the length of the block."""
    own = Model(steps=steps, hold=hold, bash=bash)
    server = await asyncio.start_server(own.serve, "127.0.0.1", 0, limit=64 * 1024 * 1024)
    own.port = server.sockets[0].getsockname()[1]
    try:
        yield own
    finally:
        server.close()


@contextmanager
def model_process(steps: int) -> Iterator[str]:
    """The base URL of a server in a process of its own, so that nothing of it runs in ours."""
    argv = [sys.executable, "-m", "benchmarks.model", str(steps)]
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


async def _main(steps: int) -> None:
    async with model(steps) as own:
        print(own.base_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
