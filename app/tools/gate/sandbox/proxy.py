"""The only way out for a command with `[sandbox] network`: a proxy that lets listed hosts through.

It speaks HTTP's CONNECT and absolute-form requests (RFC 9110 §9.3.6, RFC 9112 §3.2.2) on a unix socket, in the
worker. A name is resolved here, and the connection goes to the very address that was checked, so that no second
answer of a name server leads inside. What TLS carries to a listed host is not looked at.
"""

import asyncio
import ipaddress
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

_HEAD = 64 * 1024
_PORTS = (80, 443)
_WAIT = 30.0
"""Seconds for a request's head, and for a connection."""


class Refused(Exception):
    """Why the proxy does not connect: one sentence."""


@asynccontextmanager
async def serving(hosts: Sequence[str]) -> AsyncGenerator[Path]:
    """Serves while the context lasts, and yields the path of the socket; only this user can reach it."""
    with tempfile.TemporaryDirectory(prefix="ct-") as folder:
        path = Path(folder) / "s"
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await _serve(reader, writer, hosts)
            finally:
                tasks.discard(task)
                writer.close()

        server = await asyncio.start_unix_server(serve, path, limit=_HEAD)
        try:
            yield path
        finally:
            server.close()
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def listed(host: str, port: int, hosts: Sequence[str]) -> bool:
    """Whether an entry names the host and port; without a port it means 80 and 443, `*.` any name below."""
    host = host.lower().rstrip(".")
    for entry in hosts:
        name, ports = _entry(entry)
        if port in ports and (host == name or (name.startswith("*.") and host.endswith(name[1:]))):
            return True
    return False


async def addresses(host: str, port: int, hosts: Sequence[str]) -> list[str]:
    """The addresses to connect to. Raises `Refused` for what is not listed or leads inside."""
    if not listed(host, port, hosts):
        raise Refused(f"`{host}:{port}` is not listed in `[sandbox] network`; a person can add it")
    if _address(host) is not None:
        return [host.strip("[]")]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    except OSError as error:
        raise Refused(f"`{host}` cannot be resolved: {error.strerror}") from None
    resolved = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    inside = [text for text in resolved if not is_public(text)]
    if inside or not resolved:
        raise Refused(f"`{host}` leads to `{', '.join(inside)}`, which is no public address; list the address itself")
    return resolved


def _entry(entry: str) -> tuple[str, tuple[int, ...]]:
    entry = entry.strip().lower()
    if entry.startswith("["):  # an IPv6 address
        name, _, port = entry[1:].partition("]")
        port = port.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, port = entry.partition(":")
    else:
        name, port = entry, ""
    return name.rstrip("."), (int(port),) if port.isdigit() else _PORTS


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Whether an address (of version 4 or 6) leads outside; one that holds another is as that one is."""
    address = ipaddress.ip_address(text.partition("%")[0])
    held = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if held is None and address in _NAT64:
        held = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    real = held or address
    return real.is_global and not real.is_multicast


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hosts: Sequence[str]) -> None:
    try:
        async with asyncio.timeout(_WAIT):
            head = await reader.readuntil(b"\r\n\r\n")
            host, port, first = _target(head)
            far = await _connect(await addresses(host, port, hosts), port)
    except Refused as error:
        await _answer(writer, "403 Forbidden", str(error))
    except (OSError, TimeoutError):
        await _answer(writer, "502 Bad Gateway", "the host does not answer")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        await _answer(writer, "400 Bad Request", "this is no request to a proxy")
    else:
        far_reader, far_writer = far
        try:
            if first:
                far_writer.write(first)
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.close()


def _target(head: bytes) -> tuple[str, int, bytes]:
    """Host, port, and the request as its server reads it (empty: a tunnel). Raises `ValueError`."""
    line, _, rest = head.decode("latin-1").partition("\r\n")
    method, target, version = line.split(" ")
    if method == "CONNECT":
        host, _, port = target.rpartition(":")
        return host.strip("[]"), int(port), b""
    parts = urlsplit(target)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(target)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    own = ("host:", "connection:", "proxy-connection:", "proxy-authorization:", "keep-alive:")
    kept = [text for text in rest.split("\r\n") if text and not text.lower().startswith(own)]
    host = parts.netloc.rpartition("@")[2]
    lines = [f"{method} {path} {version}", f"Host: {host}", *kept, "Connection: close", "", ""]
    return parts.hostname, parts.port or 80, "\r\n".join(lines).encode("latin-1")


async def _connect(found: Sequence[str], port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    problem: OSError = OSError("no address")
    for address in found:
        try:
            return await asyncio.open_connection(address, port)
        except OSError as error:
            problem = error
    raise problem


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(64 * 1024):
            target.write(data)
            await target.drain()
    with suppress(OSError, RuntimeError):
        target.write_eof()


async def _answer(writer: asyncio.StreamWriter, status: str, sentence: str) -> None:
    body = f"{sentence}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    with suppress(OSError):
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
