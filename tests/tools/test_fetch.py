"""Fetching: over TLS that is checked, to the address that was checked, never inside, within limits."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.tools import fetch
from app.tools.base import ToolError
from app.tools.fetch import fetched
from app.tools.gate.sandbox.proxy import is_public


class Site:
    """An https server on loopback, known as `localhost`; answers by path."""

    def __init__(self, trusting: ssl.SSLContext) -> None:
        self.tls, self.pages, self.asked, self.port = trusting, {}, list[str](), 0
        self.pages: dict[str, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        answer = self.pages.get(head.split(" ")[1])
        if answer is None:
            await reader.read()  # says nothing until the caller goes away
        else:
            writer.write(answer)
        writer.close()

    def url(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}"


def _certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for `localhost`, and one that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "site.pem"
    file.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(file)
    return serving, ssl.create_default_context(cafile=str(file))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    serving, trusting = _certified(tmp_path)
    site = Site(trusting)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=serving)
    site.port = server.sockets[0].getsockname()[1]
    yield site
    server.close()


def page(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def here(address: str) -> bool:
    """Stands for the public network: the address of the test's own server alone."""
    return address == "127.0.0.1"


async def get(site: Site, path: str, most: int = 1000) -> bytes:
    return await fetched(site.url(path), most, public=here, tls=site.tls)


async def test_a_body_comes_without_cookies_or_keys(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    site.pages = {
        "/a": page(b"", "302 Found", Location="/b?c=1", **{"Set-Cookie": "token=secret; Path=/"}),
        "/b?c=1": page(b"the body"),
    }
    assert await get(site, "/a") == b"the body"
    first, second = site.asked
    assert f"Host: localhost:{site.port}" in first and "ookie" not in second and "uthorization" not in first + second


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (page(b"x" * 1001), "larger than"),
        (page(b"no", "404 Not Found"), "answers 404"),
        (page(b"", "302 Found", Location="/odd"), "redirects more than 5"),
        (page(b"", "302 Found", Location="http://localhost/"), "no https address"),
        (page(b"", "302 Found", Location="https://169.254.169.254/latest/meta-data"), "no public address"),
        (page(b"", "302 Found", Location="https://127.0.0.2/"), "no public address"),
        (page(b"", "302 Found", Location="https://[::1]/"), "no public address"),
        (b"nonsense\r\n\r\n", "cannot be fetched"),
        (page(b"short")[:-2], "cannot be fetched"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_too_much_wrong_or_leads_inside_is_a_sentence(site: Site, answer: bytes, words: str) -> None:
    site.pages = {"/odd": answer}
    with pytest.raises(ToolError, match=words):
        await get(site, "/odd")


async def test_silence_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SECONDS", 0.2)
    with pytest.raises(ToolError, match="no whole answer"):
        await get(site, "/silent")


async def test_a_certificate_that_is_not_trusted_is_refused(site: Site) -> None:
    with pytest.raises(ToolError, match="cannot be fetched"):
        await fetched(site.url("/a"), 10, public=here)
    assert not site.asked


async def test_loopback_is_refused_before_a_byte_is_sent(site: Site) -> None:
    with pytest.raises(ToolError, match="no public address"):
        await fetched(site.url("/a"), 10, tls=site.tls)
    assert not site.asked


@pytest.mark.parametrize("url", ["http://example.org/", "https://", "ftp://x/", "https://user:word@example.org/a"])
async def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ToolError):
        await fetched(url, 10)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((each, True) for each in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8")),
        *((each, False) for each in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1")),
        *((each, False) for each in ("::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1")),
        ("2002:7f00:1::", False),
    ],
)
def test_what_is_public(address: str, public: Any) -> None:
    assert is_public(address) is public
