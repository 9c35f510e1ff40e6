"""GLM on Google's Vertex AI: OpenAI's chat completions behind Google's short-lived tokens.

The stored key is the JSON of a service account, as Google hands it out; without one, the identity of the
machine (GKE, `gcloud auth application-default`) is asked for.
"""

import calendar
import json
from typing import Any

import google.auth
import httpx2
from google.auth.exceptions import GoogleAuthError, TransportError
from google.oauth2 import service_account
from openai import APIStatusError, AsyncOpenAI
from pydantic import SecretStr

from app.domain.run import ModelRef
from app.llm.errors import classify
from app.llm.port import NO_KEY, Access, ModelError
from app.llm.providers.openai import build as build
from app.llm.providers.tokens import Fetched, Token, fetched, token_for

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
LOCATION = "global"


def enter(model: ModelRef, access: Access) -> Access:
    """What one call is made with. Blocks on the network. Raises `ModelError`."""
    key = access.api_key.get_secret_value()
    token = token_for(model.provider, access.base_url, key, lambda: _bought(model, access.base_url, key))
    return Access(token.url, SecretStr(token.text), access.headers)


async def check(client: AsyncOpenAI) -> None:
    """Asks a model that is none: this interface lists no models, and looks at who asks first."""
    try:
        await client.chat.completions.create(model="none", messages=[{"role": "user", "content": "hi"}], max_tokens=1)
    except APIStatusError as error:
        if error.status_code not in (400, 404):
            raise


def _bought(model: ModelRef, base_url: str, key: str) -> Token:
    credentials, project = _credentials(key)
    try:
        credentials.refresh(_ask)
    except GoogleAuthError as error:
        behind = _transport(error)
        kind = classify(behind, model).kind if behind else "auth"
        raise ModelError(kind, f"Google gives no token for model `{model.id}`: {_first(error)}") from None
    if not credentials.token or credentials.expiry is None:
        raise ModelError("protocol", f"Google's token for model `{model.id}` was not readable")
    ends = calendar.timegm(credentials.expiry.utctimetuple())
    url = f"{base_url}/v1/projects/{project}/locations/{LOCATION}/endpoints/openapi"
    return Token(credentials.token, float(ends), url)


def _credentials(key: str) -> tuple[Any, str]:
    found = project = None
    try:
        if key != NO_KEY:
            values = json.loads(key)
            return service_account.Credentials.from_service_account_info(values, scopes=SCOPES), values["project_id"]
        found, project = google.auth.default(scopes=SCOPES, request=_ask)
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            "auth", "the stored key is not the JSON of a service account; run `ctl login vertex-glm --stdin < FILE`"
        ) from None
    except GoogleAuthError:
        pass  # no identity on this machine
    if not project:
        raise ModelError("auth", "no Google identity is to be had: run `ctl login vertex-glm --stdin < FILE`")
    return found, project


def _ask(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout: float | None = None,
    **_more: Any,
) -> Fetched:
    """What google-auth sends its requests by: one attempt, no redirect, bounded; it would try three times itself.

    Raises httpx2's error for an overload, so that the delay that was asked for is kept.
    """
    try:
        answer = fetched(method, url, headers or {}, body, timeout)
    except httpx2.TransportError as error:
        raise TransportError(str(error) or type(error).__name__) from error
    if answer.status == 429 or answer.status >= 500:
        raise httpx2.HTTPStatusError("Google's token server", request=answer.response.request, response=answer.response)
    if method == "POST" and answer.status == 200:
        _readable(answer.data)
    return answer


def _readable(data: bytes) -> None:
    try:
        known = isinstance(json.loads(data)["access_token"], str)
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise ModelError("protocol", "the answer of Google's token server holds no token")


def _transport(error: BaseException) -> httpx2.TransportError | None:
    """What google-auth's error came from, where that was the connection."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, httpx2.TransportError):
        behind = behind.__cause__
    return behind


def _first(error: Exception) -> str:
    return str(error.args[0] if error.args else type(error).__name__)[:200]
