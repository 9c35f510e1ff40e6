"""A loopback HTTP server in raw asyncio that speaks providers' and Vault's wire, on good days and bad ones."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from keys import service_account

from app.domain.run import ModelRef
from app.llm import ChatRequest, user_message
from app.llm.providers import tokens
from app.llm.registry import PROVIDERS
from app.secrets import forget

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "prompt_tokens_details": {"cached_tokens": 4}}


@dataclass
class Reply:
    """One scripted response. `cut`: the connection is closed mid-body; `hold`: kept open, silent, after the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hold: bool = False
    silent: bool = False


@dataclass
class Seen:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class Wire:
    """Answers each request with the next scripted reply and remembers what was asked."""

    def __init__(self) -> None:
        self.script: list[Reply] = []
        self.seen: list[Seen] = []
        self.arrived = asyncio.Event()
        self.gone = asyncio.Event()
        self.connections = 0
        self.url = ""

    def model(self, provider: str = "demo", name: str = "scripted") -> ModelRef:
        """A model served here."""
        return ModelRef(provider=provider, name=name, base_url=self.url + ("" if provider == "anthropic" else "/v1"))

    def ask(self, *messages: dict[str, Any], provider: str = "demo", **more: Any) -> ChatRequest:
        """A request to this server."""
        values = {"system": "be brief", "tools": [], "messages": list(messages) or [user_message("hi")]}
        return ChatRequest.model_validate({"model": self.model(provider), **values, **more})

    def admit(self, provider: str) -> None:
        """Scripts what comes before a provider's first call: Vault's key, and the token that is bought with it."""
        key = service_account(self.url) if provider == "vertex-glm" else "a-stored-key"
        if PROVIDERS[provider].needs_key:
            self.fail(200, {"data": {"data": {"api_key": key, "base_url": self.url}}})
        if provider == "github-copilot":
            self.fail(200, {"token": "t", "expires_at": time.time() + 1500, "endpoints": {"api": self.url}})
        if provider == "vertex-glm":
            self.fail(200, {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})

    def fail(self, status: int, error: Any, **headers: str) -> None:
        """Scripts an error response."""
        body = error if isinstance(error, bytes) else json.dumps(error).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.script.append(Reply(status=status, body=body, headers={"content-type": "application/json", **named}))

    def raw(self, body: bytes, content_type: str = "text/event-stream", **more: Any) -> None:
        """Scripts an event stream with these bytes."""
        self.script.append(Reply(body=body, headers={"content-type": content_type}, **more))

    def chat(self, *deltas: dict[str, Any], finish: str | None = "stop", usage: Any = USAGE, **more: Any) -> None:
        """Scripts an OpenAI chat stream."""
        events = [_chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
        if finish is not None:
            events.append(_chunk(choices=[{"index": 0, "delta": {}, "finish_reason": finish}]))
        if usage is not None:
            events.append(_chunk(choices=[], usage=usage))
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        done = [] if finish is None or more.get("cut") or more.get("hold") else ["data: [DONE]\n\n"]
        self.raw("".join([*lines, *done]).encode(), **more)

    def claude(self, *events: dict[str, Any], **more: Any) -> None:
        """Scripts an Anthropic message stream from its events."""
        text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        self.raw(text.encode(), **more)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while (seen := await _request(reader)) is not None:
                self.seen.append(seen)
                self.arrived.set()
                reply = self.script.pop(0) if self.script else Reply(status=599, body=b"nothing scripted")
                if not await self._send(reply, reader, writer):
                    break
        self.gone.set()
        writer.close()

    async def _send(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if not reply.silent:
            length = [] if reply.cut or reply.hold else [f"content-length: {len(reply.body)}"]
            chunked = ["transfer-encoding: chunked"] if reply.cut or reply.hold else []
            named = [f"{name}: {value}" for name, value in reply.headers.items()]
            head = "\r\n".join([f"HTTP/1.1 {reply.status} Scripted", *named, *length, *chunked, "", ""])
            body = b"%x\r\n%s\r\n" % (len(reply.body), reply.body) if chunked and reply.body else reply.body
            writer.write(head.encode() + body)
            await writer.drain()
        if reply.hold or reply.silent:
            await reader.read()
        return not (reply.cut or reply.hold or reply.silent)


def _chunk(**more: Any) -> dict[str, Any]:
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1700000000, "model": "scripted", **more}


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    known = "form" not in headers.get("content-type", "")
    return Seen(method, path, headers, (json.loads(body) if known else body.decode()) if body else None)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """The server, on a free port."""
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield wire
    server.close()


@pytest.fixture
def vaulted(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The server, named as the Vault to ask."""
    monkeypatch.setenv("VAULT_ADDR", wire.url)
    monkeypatch.setenv("VAULT_TOKEN", "hvs.scripted-token")
    return wire


@pytest.fixture(autouse=True)
def _no_vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[None]:
    for name in ("VAULT_ADDR", "VAULT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    forget()
    yield
    forget()
    for name in PROVIDERS:
        tokens.drop(name)
