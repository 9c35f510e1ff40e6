"""One server that is every provider, their token endpoints, Vault, and the metadata servers of Amazon and Google.

What is asked of a provider lies below `/NAME`. Each has a key of its own; a call without exactly it is refused.
Each answers as an agent's model does: first a call of `write`, then, once the result came back, closing words.
"""

import json
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dialects import DIALECTS, Dialect
from serving import serving

from app.llm.registry import PROVIDERS

AMBIENT = ("bedrock", "vertex-glm")
"""Those without a key in Vault: they use the identity of the machine."""
MADE = "made.txt"
_DIALECTS = {dialect.name.replace("gemini", "google"): dialect for dialect in DIALECTS}
_SHORT = {"github-copilot": "short-lived-of-github", "vertex-glm": "ya29.of-the-machine"}


_SEGMENTS = {"claude": "anthropic", "anthropic": "azure"}
"""Where the path is not the name: `/anthropic` is the end of Azure's addresses."""


def key_of(provider: str) -> str:
    """What Vault holds for it."""
    return f"key-of-{provider}-0123456789"


class EveryProvider(ThreadingHTTPServer):
    """`asked`: answers by provider; `refused`: what came with a wrong key or to a wrong place."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.place = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self.place}"
        self.asked: Counter[str] = Counter()
        self.refused: list[str] = []

    def environment(self) -> dict[str, str]:
        """What a worker is started with: whom it asks for keys, and which machine it is on."""
        return {
            "VAULT_ADDR": self.url,
            "VAULT_TOKEN": "hvs.scripted",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/aws-role",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "of-the-container",
            "AWS_EC2_METADATA_DISABLED": "true",
            "GCE_METADATA_HOST": self.place,
            "GCE_METADATA_IP": self.place,
        }


class _Handler(BaseHTTPRequestHandler):
    server: EveryProvider  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/v1/secret/data/codetether/providers/"):
            self._vault(path.rpartition("/")[2])
        elif path == "/v1/auth/token/lookup-self":
            self._json(200, {"data": {"ttl": 0, "renewable": False}})
        elif path == "/aws-role" and self.headers["Authorization"] == "of-the-container":
            ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
            keys = {"AccessKeyId": "AKIAOFTHEMACHINE", "SecretAccessKey": "s" * 40, "Token": "role-session"}
            self._json(200, {**keys, "Expiration": ends})
        elif self.headers["Metadata-Flavor"] == "Google":
            self._google(path)
        elif path == "/github-copilot/copilot_internal/v2/token":
            known = self.headers["Authorization"] == f"token {key_of('github-copilot')}"
            token = {"token": _SHORT["github-copilot"], "expires_at": time.time() + 1500}
            self._json(200 if known else 401, {**token, "endpoints": {"api": f"{self.server.url}/github-copilot"}})
        else:
            self._refuse()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        segment = self.path.split("/")[1]
        provider = _SEGMENTS.get(segment, segment)
        if provider not in PROVIDERS and provider != "azure":
            self._refuse()
            return
        dialect = _DIALECTS[PROVIDERS["anthropic" if provider == "azure" else provider].kind]
        if dialect.path.removeprefix("/v1") not in self.path or not self._knows(provider, dialect):
            self._refuse()
            return
        self.server.asked[provider] += 1
        call = False if _has_result(body) else ("write", {"path": MADE, "content": f"by {provider}\n"})
        content = b"".join(dialect.frames("Done.", call, True))
        self._send(200, dialect.content_type, content)

    def _knows(self, provider: str, dialect: Dialect) -> bool:
        if provider == "bedrock":
            signed = "AWS4-HMAC-SHA256 Credential=AKIAOFTHEMACHINE/" in self.headers["Authorization"]
            return signed and self.headers["X-Amz-Security-Token"] == "role-session"
        if provider == "azure":
            return self.headers["x-api-key"] == key_of("anthropic") and not self.headers["Authorization"]
        expected = _SHORT.get(provider) or (key_of(provider) if PROVIDERS[provider].needs_key else "none")
        given = self.headers[dialect.secret_header] or ""
        return given.removeprefix("Bearer ") == expected

    def _vault(self, provider: str) -> None:
        if provider in AMBIENT:
            self._json(404, {"errors": []})
            return
        place = next((segment for segment, name in _SEGMENTS.items() if name == provider), provider)
        secret = {"api_key": key_of(provider), "base_url": f"{self.server.url}/{place}"}
        self._json(200, {"data": {"data": secret, "metadata": {"version": 1}}})

    def _google(self, path: str) -> None:
        account = "/computeMetadata/v1/instance/service-accounts/default/"
        texts = {"/": "computeMetadata/", "/computeMetadata/v1/project/project-id": "acme"}
        if path in texts:
            self._send(200, "application/text", texts[path].encode())
        elif path == f"{account}token":
            self._json(200, {"access_token": _SHORT["vertex-glm"], "expires_in": 3600, "token_type": "Bearer"})
        elif path == account:
            self._json(200, {"email": "gke@acme.iam.gserviceaccount.com", "scopes": [], "aliases": ["default"]})
        else:
            self._json(404, {})

    def _refuse(self) -> None:
        self.server.refused.append(f"{self.command} {self.path}")
        self._json(401, {"error": {"message": "no such key", "type": "authentication_error"}})

    def _json(self, status: int, body: Any) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Metadata-Flavor", "Google")
        self.end_headers()
        self.wfile.write(content)


def _has_result(body: dict[str, Any]) -> bool:
    """Whether the conversation holds a tool's result, in any dialect."""
    messages = body.get("messages") or body.get("contents") or []
    parts = [part for message in messages for part in message.get("content") or message.get("parts") or []]
    blocks = [part for part in parts if isinstance(part, dict)]
    named = any(
        "functionResponse" in block or "toolResult" in block or block.get("type") == "tool_result" for block in blocks
    )
    return named or any(message["role"] == "tool" for message in messages)


@contextmanager
def every_provider() -> Generator[EveryProvider]:
    """Serves until the block ends."""
    with serving(EveryProvider()) as server:
        yield server
