"""A list of hosts: what is on it is reached, through the proxy alone, and nothing else is."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from app.tools.gate.sandbox.kinds import interpreter
from app.tools.gate.sandbox.proxy import Refused, addresses, listed
from tests.tools.gate.conftest import Place

PYTHON = str(interpreter())


@asynccontextmanager
async def web() -> AsyncGenerator[int]:
    """A server that answers every request with its first line; yields its port on loopback."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(line), line))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def fetch(url: str) -> str:
    """A command that prints the status and body of `url`."""
    code = (
        "import urllib.request as r, urllib.error as e, sys\n"
        "try: a = r.urlopen(sys.argv[1], timeout=20)\n"
        "except e.HTTPError as error: a = error\n"
        "print(a.status, a.read().decode())"
    )
    return f'{PYTHON} -c "{code}" {url}'


_TUNNEL = """import os, socket
host, port = os.environ['HTTPS_PROXY'].removeprefix('http://').split(':')
s = socket.create_connection((host, int(port)))
s.sendall(b'CONNECT {to} HTTP/1.1\\r\\n\\r\\n')
print(s.recv(1000).split(b'\\r\\n')[0].decode())
s.sendall(b'GET /tunnel HTTP/1.1\\r\\n\\r\\n')
print(s.makefile('rb').read().decode())"""


async def test_a_listed_host_is_reached_and_no_other(place_of: Callable[[str], Place]) -> None:
    place = place_of("bubblewrap")
    async with web() as port, web() as other:
        hosts = (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{other}")
        done = await place.run(fetch(f"http://127.0.0.1:{port}/page?x=1"), network=True, network_hosts=hosts)
        assert done.output == "200 GET /page?x=1 HTTP/1.1\n"
        done = await place.run(
            f'{PYTHON} -c "{_TUNNEL.format(to=f"127.0.0.1:{port}")}"', network=True, network_hosts=hosts
        )
        assert "200 Connection established" in done.output and "GET /tunnel" in done.output
        done = await place.run(fetch(f"http://127.0.0.1:{other}/"), network=True, network_hosts=hosts)
        assert done.output.startswith("403 ") and f"`127.0.0.1:{other}` is not listed" in done.output
        done = await place.run(fetch(f"http://localhost:{port}/"), network=True, network_hosts=hosts)
        assert done.output.startswith("403 ") and "no public address" in done.output


async def test_there_is_no_way_around_the_proxy(place_of: Callable[[str], Place]) -> None:
    place = place_of("bubblewrap")
    async with web() as port:
        around = f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached"
        done = await place.run(around, network=True, network_hosts=(f"127.0.0.1:{port}",))
        assert "reached" not in done.output
        done = await place.run(around, network=True)
        assert "reached" in done.output, "without a list, an allowed call has the whole network"


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("pypi.org", 443, True),
        ("PyPI.org.", 80, True),
        ("pypi.org", 22, False),
        ("evil-pypi.org", 443, False),
        ("files.pypi.org", 443, False),
        ("a.b.example.com", 8443, True),
        ("a.example.com", 443, False),
        ("example.com", 8443, False),
        ("notexample.com", 8443, False),
        ("::1", 8000, True),
        ("::1", 443, False),
    ],
)
def test_what_an_entry_means(host: str, port: int, expected: bool) -> None:
    assert listed(host, port, ("pypi.org", "*.example.com:8443", "[::1]:8000")) is expected


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433"])
async def test_a_name_that_leads_inside_is_refused(host: str) -> None:
    with pytest.raises(Refused, match=r"no public address|cannot be resolved"):
        await addresses(host, 80, (host,))
