"""Where a model is reached and with which key, for one call."""

from urllib.parse import urlsplit

from pydantic import SecretStr

from app.domain.run import ModelRef
from app.errors import UserError
from app.llm.errors import classify
from app.llm.port import NO_KEY, Access, ModelError
from app.llm.providers import provider_module
from app.llm.registry import OPENAI_URL, base_url_of, provider_of
from app.secrets import NoSecret, Refused, Unreachable, provider_key


def access_of(model: ModelRef) -> Access:
    """Looks the key up; blocks on the network, so call it in a thread.

    Raises `ModelError`: `auth` when there is no key, `vault` when Vault cannot be asked now or refuses us.
    """
    try:
        return entered(model, _looked_up(model))
    except (Unreachable, Refused) as error:
        raise ModelError("vault", str(error)) from None
    except UserError as error:
        raise ModelError("auth" if error.code == 4 else "bad_request", str(error)) from None


def entered(model: ModelRef, access: Access) -> Access:
    """What a call is made with, where that is not what is stored: a short-lived token, a server that was started."""
    enter = getattr(provider_module(model), "enter", None)
    if enter is None:
        return access
    try:
        found: Access = enter(model, access)
    except (ModelError, UserError):
        raise
    except Exception as error:
        raise classify(error, model, access.secrets()) from None  # here, because what was stored may be echoed
    return found._replace(hidden=access.secrets())


def _looked_up(model: ModelRef) -> Access:
    row = provider_of(model)
    if not row.needs_key:
        url = model.base_url if row.module == "local" else base_url_of(model)
        return Access(url, SecretStr(NO_KEY), {})
    own_server = model.provider == "openai" and bool(model.base_url)
    try:
        secret = provider_key(model.provider)
    except NoSecret:
        if own_server or row.ambient:
            return Access(base_url_of(model), SecretStr(NO_KEY), {})
        raise
    if own_server and _origin(secret.base_url or OPENAI_URL) != _origin(model.base_url):
        # The stored key belongs to another server (OpenAI's own, unless it says otherwise): never show it to this one.
        return Access(model.base_url, SecretStr(NO_KEY), {})
    url = model.base_url or secret.base_url or base_url_of(model)
    return Access(url.rstrip("/"), secret.api_key, secret.plain_headers())


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port
