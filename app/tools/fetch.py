"""Bytes of an https address, fetched without cookies, keys or proxies, and never from inside a network.

A name is resolved here and the connection goes to the very address that was checked, so that no second answer of a
name server leads inside; each redirect is checked in the same way.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from app.tools.base import ToolError, clip
from app.tools.gate.sandbox.proxy import is_public

if TYPE_CHECKING:
    import ssl

SECONDS = 30.0
REDIRECTS = 5


async def fetched(
    url: str, most: int, *, public: Callable[[str], bool] = is_public, tls: "ssl.SSLContext | None" = None
) -> bytes:
    """The body of `url`, of at most `most` bytes; `public` says which addresses may be connected to.

    Raises `ToolError` with one sentence for whatever goes wrong. Blocks for `SECONDS` at most.
    """
    import httpx2

    try:
        async with asyncio.timeout(SECONDS), httpx2.AsyncClient(trust_env=False, verify=tls or True) as client:
            for _ in range(REDIRECTS + 1):
                found = await _once(client, url, most, public)
                if isinstance(found, bytes):
                    return found
                url = urljoin(url, found)
    except TimeoutError:
        raise ToolError(f"`{clip(url, 200)}` gave no whole answer in {SECONDS:.0f} s; go on without it") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        said = clip(str(error), 200) or type(error).__name__
        raise ToolError(f"`{clip(url, 200)}` cannot be fetched: {said}; check the address") from None
    raise ToolError(f"`{clip(url, 200)}` redirects more than {REDIRECTS} times; name the address it leads to")


async def _once(client: Any, url: str, most: int, public: Callable[[str], bool]) -> bytes | str:
    """The body, or where a redirect leads."""
    parts = urlsplit(url)
    if parts.scheme.lower() != "https" or not parts.hostname:
        raise ToolError(f"`{clip(url, 200)}` is no https address; name one")
    if parts.username or parts.password:
        raise ToolError("the address holds a name or a password, which would be recorded; name one without")
    host, port = parts.hostname, parts.port or 443
    address = await _address(host, port, public)
    place = f"[{address}]" if ":" in address else address
    asked = parts._replace(netloc=f"{place}:{port}", fragment="").geturl()
    named = f"[{host}]" if ":" in host else host
    headers = {"Host": named if port == 443 else f"{named}:{port}", "Accept": "image/*", "User-Agent": "codetether"}
    extensions = {"sni_hostname": host}
    client.cookies.clear()
    async with client.stream("GET", asked, headers=headers, extensions=extensions, follow_redirects=False) as answer:
        if answer.is_redirect and "location" in answer.headers:
            return str(answer.headers["location"])
        if answer.status_code != 200:
            raise ToolError(f"`{clip(url, 200)}` answers {answer.status_code}; check the address")
        body = bytearray()
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > most:
                raise ToolError(f"`{clip(url, 200)}` is larger than {most / 1e6:.2f} MB; name a smaller one")
        return bytes(body)


async def _address(host: str, port: int, public: Callable[[str], bool]) -> str:
    """The address to connect to: a name with one that is not public is refused altogether."""
    loop = asyncio.get_running_loop()
    try:
        entries = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ToolError(f"`{clip(host, 200)}` cannot be resolved; check the address") from None
    found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    inside = [text for text in found if not public(text)]
    if inside or not found:
        raise ToolError(f"`{clip(host, 200)}` leads to `{', '.join(inside)}`, which is no public address")
    return found[0]
