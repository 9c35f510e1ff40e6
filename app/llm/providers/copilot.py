"""GitHub Copilot: the stored GitHub token is exchanged for one of about 25 minutes.

The exchange (`GET /copilot_internal/v2/token`) is private to GitHub's own editors: `registry.COPILOT_RISK`.
`base_url` is GitHub's own interface; the exchange says where chat completions are.
"""

from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from app.domain.run import ModelRef
from app.llm.port import Access, ModelError
from app.llm.providers.openai import build as build
from app.llm.providers.tokens import Token, token_for

CHAT_URL = "https://api.githubcopilot.com"
EDITOR = {"Editor-Version": "codetether/0.1", "Copilot-Integration-Id": "vscode-chat"}
"""The chat interface refuses a request without them."""


def enter(model: ModelRef, access: Access) -> Access:
    """What one call is made with. Blocks on the network. Raises `ModelError` or httpx2's errors."""
    key = access.api_key.get_secret_value()
    token = token_for(model.provider, access.base_url, key, lambda: _exchanged(model, access))
    return Access(token.url, SecretStr(token.text), access.headers | EDITOR)


def _exchanged(model: ModelRef, access: Access) -> Token:
    headers = {"Authorization": f"token {access.api_key.get_secret_value()}", "Accept": "application/json", **EDITOR}
    url = f"{access.base_url}/copilot_internal/v2/token"
    answer = httpx2.get(url, headers=headers, timeout=10.0)
    if answer.status_code != 200:
        answer.read()
        raise httpx2.HTTPStatusError(_said(answer), request=answer.request, response=answer)
    try:
        values: dict[str, Any] = answer.json()
        url = str(values.get("endpoints", {}).get("api") or CHAT_URL).rstrip("/")
        token = Token(str(values["token"]), float(values["expires_at"]), url)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError("protocol", f"the token exchange for model `{model.id}` was not readable") from None
    if urlsplit(url).scheme != "https" and urlsplit(url).hostname != "127.0.0.1":
        raise ModelError("protocol", f"the token exchange for model `{model.id}` names an address without TLS")
    return token


def _said(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
