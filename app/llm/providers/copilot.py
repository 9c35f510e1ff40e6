"""GitHub Copilot: the stored GitHub token is exchanged for one of about 25 minutes.

The exchange (`GET /copilot_internal/v2/token`) is private to GitHub's own editors: `registry.COPILOT_RISK`.
`base_url` is GitHub's own interface; the exchange says where chat completions are.

Nothing of it is documented. What open clients send was read in November 2026: RooVetGit/Roo-Code
(`packages/types/src/providers/copilot.ts`: the address, `Editor-Version`), BerriAI/litellm issue 13256 and
alvinunreal/tmuxai pull request 144 (`bad request: missing Editor-Version header for IDE auth`; both headers below
make it work), zweily/copilot-api (`src/lib/constants.ts`: `copilot-integration-id: vscode-chat`), and pydantic-ai's
`providers/github_copilot.py` (the quirks of chat completions there).
"""

import json
from typing import Any
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from app.domain.run import ModelRef
from app.llm.port import Access, ModelError
from app.llm.providers.openai import build as build
from app.llm.providers.tokens import Fetched, Token, fetched, token_for

CHAT_URL = "https://api.githubcopilot.com"
EDITOR = {"Editor-Version": "codetether/0.1", "Copilot-Integration-Id": "vscode-chat"}
"""The chat interface refuses a request without a version of an editor. Quotas and the models on offer hang on the
id, for which every open client names VS Code's; the editor is named truly."""

_NEXT = "store one of an account with Copilot by `ctl login github-copilot`"


def enter(model: ModelRef, access: Access) -> Access:
    """What one call is made with. Blocks on the network. Raises `ModelError` or httpx2's errors."""
    key = access.api_key.get_secret_value()
    token = token_for(model.provider, access.base_url, key, lambda: _exchanged(model, access))
    return Access(token.url, SecretStr(token.text), access.headers | EDITOR)


def _exchanged(model: ModelRef, access: Access) -> Token:
    headers = {"Authorization": f"token {access.api_key.get_secret_value()}", "Accept": "application/json", **EDITOR}
    url = f"{access.base_url}/copilot_internal/v2/token"
    answer = fetched("GET", url, headers)
    if answer.status == 404:  # what GitHub says to a token of another program's
        raise ModelError("auth", f"GitHub has no Copilot for the token of model `{model.id}`; {_NEXT}")
    if answer.status != 200:
        raise httpx2.HTTPStatusError(_said(answer), request=answer.response.request, response=answer.response)
    try:
        values: dict[str, Any] = json.loads(answer.data)
        url = str(values.get("endpoints", {}).get("api") or CHAT_URL).rstrip("/")
        token = Token(_text(values["token"]), float(values["expires_at"]), url)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError("protocol", f"the token exchange for model `{model.id}` was not readable") from None
    if urlsplit(url).scheme != "https" and urlsplit(url).hostname != "127.0.0.1":
        raise ModelError("protocol", f"the token exchange for model `{model.id}` names an address without TLS")
    return token


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _said(answer: Fetched) -> str:
    try:
        return str(json.loads(answer.data)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status}"
