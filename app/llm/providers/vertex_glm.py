"""GLM on Google's Vertex AI: OpenAI's chat completions behind Google's short-lived tokens.

The stored key is the JSON of a service account, as Google hands it out; without one, the identity of the
machine (GKE, `gcloud auth application-default`) is asked for.
"""

import calendar
import json
from typing import Any

import google.auth
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from pydantic import SecretStr

from app.domain.run import ModelRef
from app.llm.port import NO_KEY, Access, ModelError
from app.llm.providers.openai import build as build
from app.llm.providers.tokens import Token, token_for

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
LOCATION = "global"


def enter(model: ModelRef, access: Access) -> Access:
    """What one call is made with. Blocks on the network. Raises `ModelError`."""
    key = access.api_key.get_secret_value()
    token = token_for(model.provider, access.base_url, key, lambda: _bought(model, access.base_url, key))
    return Access(token.url, SecretStr(token.text), access.headers)


def _bought(model: ModelRef, base_url: str, key: str) -> Token:
    credentials, project = _credentials(key)
    try:
        credentials.refresh(Request())
    except TransportError as error:
        kind = "connection"
        raise ModelError(kind, f"Google's token endpoint for model `{model.id}` failed: {_first(error)}") from None
    except GoogleAuthError as error:
        kind = "server" if getattr(error, "retryable", False) else "auth"
        raise ModelError(kind, f"Google gives no token for model `{model.id}`: {_first(error)}") from None
    ends = calendar.timegm(credentials.expiry.utctimetuple())
    url = f"{base_url}/v1/projects/{project}/locations/{LOCATION}/endpoints/openapi"
    return Token(credentials.token, float(ends), url)


def _credentials(key: str) -> tuple[Any, str]:
    found = project = None
    try:
        if key != NO_KEY:
            values = json.loads(key)
            return service_account.Credentials.from_service_account_info(values, scopes=SCOPES), values["project_id"]
        found, project = google.auth.default(scopes=SCOPES)
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            "auth", "the stored key is not the JSON of a service account; run `ctl login vertex-glm --stdin < FILE`"
        ) from None
    except GoogleAuthError:
        pass  # no identity on this machine
    if not project:
        raise ModelError("auth", "no Google identity is to be had: run `ctl login vertex-glm --stdin < FILE`")
    return found, project


def _first(error: Exception) -> str:
    return str(error.args[0] if error.args else type(error).__name__)[:200]
