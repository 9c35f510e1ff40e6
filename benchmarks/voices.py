"""The model layer: tokens per second through our streaming path, what each provider costs to load, an error's class."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.model import chunk, event, server_process
from benchmarks.rows import Row

if TYPE_CHECKING:
    import httpx2

STREAMS, PACE, TOKENS, ROUNDS = 8, 300, 600, 5
LEAST = 0.95
"""Share of a bare client's tokens per second."""
LOADS = 5
ERRORS = 2000
CLASS_LIMIT = 200.0
PROVIDERS = ("openai", "anthropic", "google", "bedrock", "vertex_glm", "local", "copilot")


async def measure() -> list[Row]:
    """All rows of the model layer."""
    streaming = await streams(TOKENS, ROUNDS)
    return [*streaming, *await asyncio.to_thread(loads, PROVIDERS, LOADS), await asyncio.to_thread(classification)]


# Streaming --------------------------------------------------------------------------------------


async def streams(tokens: int, rounds: int) -> list[Row]:
    """Eight paced streams at once: ours with a watcher at the bus, then a bare client; in turn, from one server."""
    import httpx2

    from app import bus

    ours: list[Heard] = []
    bare: list[Heard] = []
    with (
        tempfile.TemporaryDirectory(prefix="codetether-bench-") as folder,
        server_process("benchmarks.voices", "serve", str(tokens)) as url,
    ):
        async with bus.serve(Path(folder)), _watcher(Path(folder)), httpx2.AsyncClient(trust_env=False) as client:

            async def plainly() -> int:
                return await _bare(client, url)

            async def as_we_do() -> int:
                return await _ours(url)

            await as_we_do()  # loads the SDK
            for _ in range(rounds):
                ours.append(await _heard(as_we_do, tokens))
                bare.append(await _heard(plainly, tokens))
    pace, mine = median(one.rate for one in bare), median(one.rate for one in ours)
    note = f"{mine / pace:.3f} of the bare client's tokens/s; kept: ≥ {LEAST}"
    return [
        Row(f"{STREAMS} streams, bare client", pace, "tok/s", note=f"paced at {STREAMS * PACE:,}"),
        Row(f"{STREAMS} streams, ours", mine, "tok/s", ratio=pace / mine, limit=1 / LEAST, note=note),
        Row("CPU of a token, bare client", 1e6 * median(one.cpu for one in bare), "µs"),
        Row("CPU of a token, ours", 1e6 * median(one.cpu for one in ours), "µs", note="SDK, delta, bus"),
    ]


class Heard(NamedTuple):
    """Tokens per second of all streams together, and this process's CPU seconds for each."""

    rate: float
    cpu: float


async def _heard(read: Callable[[], Awaitable[int]], tokens: int) -> Heard:
    started, cpu = time.perf_counter(), time.process_time()
    heard = await asyncio.gather(*(read() for _ in range(STREAMS)))
    if set(heard) != {tokens}:
        raise RuntimeError(f"{heard} tokens were heard, {tokens} were said")
    whole = STREAMS * tokens
    return Heard(whole / (time.perf_counter() - started), (time.process_time() - cpu) / whole)


async def _ours(url: str) -> int:
    """One answer as `agent.turn` asks for it, each delta told to the bus; how many were told."""
    from activities.deltas import Voice
    from app.domain.run import ModelRef
    from app.llm import ChatRequest, answer, user_message

    voice = Voice({"run": "bench", "agent": "bench", "session_id": "bench", "turn": 1, "attempt": 1, "tool": ""})
    model = ModelRef(provider="demo", name="bench", base_url=url)
    request = ChatRequest(model=model, system="", messages=[user_message("speak")], tools=[])
    given = await answer(request, on_delta=voice.say)
    if len(given.text) != voice.seq * len(WORD):
        raise RuntimeError("a delta is missing")
    return voice.seq


async def _bare(client: "httpx2.AsyncClient", url: str) -> int:
    """The same answer, read by nothing but an HTTP client and a JSON parser; how many pieces it had."""
    count = 0
    body = {"model": "bench", "stream": True, "messages": [{"role": "user", "content": "speak"}]}
    async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                choices = json.loads(line[6:])["choices"]
                count += bool(choices and choices[0]["delta"].get("content"))
    return count


WORD = "token "


async def _speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tokens: int) -> None:
    """Each connection: answers at the pace, by the clock, so that being late once is made up for."""
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "bench"}
    piece = event({**head, "choices": [{"index": 0, "delta": {"content": WORD}, "finish_reason": None}]})
    used = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": tokens + 10}
    last = event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": used})
    try:
        while request := await reader.readuntil(b"\r\n\r\n"):
            lines = request.lower().split(b"\r\n")
            await reader.readexactly(next(int(x.split(b":")[1]) for x in lines if x.startswith(b"content-length")))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            started = time.perf_counter()
            for number in range(tokens):
                await asyncio.sleep(max(0.0, started + number / PACE - time.perf_counter()))
                writer.write(piece)
            writer.write(last + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@asynccontextmanager
async def _watcher(data: Path) -> AsyncIterator[None]:
    """Somebody who watches, in a process of their own: without one no delta is made."""
    from app.bus import listened

    argv = [sys.executable, "-m", "benchmarks.voices", "watch", str(data)]
    process = await asyncio.create_subprocess_exec(*argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(30):
            while not listened():
                await asyncio.sleep(0.02)
        yield
    finally:
        process.kill()
        await process.wait()


async def _serve(tokens: int) -> None:
    server = await asyncio.start_server(lambda r, w: _speak(r, w, tokens), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.Event().wait()


async def _watch(data: Path) -> None:
    """Takes all deltas and does nothing with them: what a screen costs is not measured here."""
    from app.bus import socket_path

    reader, writer = await asyncio.open_unix_connection(socket_path(data))
    writer.write(b"\n")
    while await reader.read(1 << 16):
        pass


# Loading ----------------------------------------------------------------------------------------

_COMMON = "app.llm.access, app.llm.client, app.llm.errors, app.llm.messages, pydantic_ai.direct"
_MEMORY = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS:')))"


def loads(providers: tuple[str, ...], rounds: int) -> list[Row]:
    """Time and resident memory of what a first call imports, each in fresh processes, against `python -c pass`."""
    names = {"python -c pass": "pass", "load what every call needs": f"import {_COMMON}"}
    names |= {f"load provider {name}": f"import {_COMMON}, app.llm.providers.{name}" for name in providers}
    times: dict[str, list[float]] = {name: [] for name in names}
    sizes: dict[str, float] = {}
    for _ in range(rounds):
        for name, code in names.items():
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", f"{code}\n{_MEMORY}"], env={**os.environ}, check=True, capture_output=True
            )
            times[name].append(time.perf_counter() - started)
            sizes[name] = int(done.stdout) * 1024 / 1e6
    bare = "python -c pass"
    base, size = median(times[bare]), sizes[bare]
    return [
        row
        for name in names
        for row in (
            Row(name, median(times[name]) * 1000, "ms", ratio=median(times[name]) / base),
            Row(f"{name}, memory", sizes[name], "MB", ratio=sizes[name] / size),
        )
    ]


# Errors -----------------------------------------------------------------------------------------


def classification(count: int = ERRORS) -> Row:
    """What it costs to say what a failed call means, of six kinds of failures."""
    import httpx2
    import openai

    from app.domain.run import ModelRef
    from app.llm.errors import classify

    model = ModelRef(provider="openai", name="bench", base_url="http://127.0.0.1:1/v1")
    asked = httpx2.Request("POST", "http://127.0.0.1:1/v1/chat/completions")
    said = [
        (429, "slow down", {"retry-after": "17"}),
        (400, "maximum context length is 8192 tokens", {}),
        (402, "insufficient_quota", {}),
        (503, "later", {}),
    ]
    answers = [(httpx2.Response(code, request=asked, headers=headers), text) for code, text, headers in said]
    errors: list[Exception] = [
        openai.APIStatusError(text, response=response, body={"message": text}) for response, text in answers
    ]
    errors += [openai.APITimeoutError(request=asked), httpx2.ReadError("cut")]
    secrets = ("sk-live-0123456789",)
    classify(errors[0], model, secrets)
    started = time.perf_counter()
    for number in range(count):
        classify(errors[number % len(errors)], model, secrets)
    taken = (time.perf_counter() - started) / count * 1e6
    return Row("classification of a failed call", taken, "µs", limit=CLASS_LIMIT)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[2])) if sys.argv[1] == "serve" else _watch(Path(sys.argv[2])))
