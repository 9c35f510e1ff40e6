"""HashiCorp Vault, KV version 2: mount `secret`, path `codetether/providers/<name>`.

`VAULT_ADDR` says where it is; the token comes from `VAULT_TOKEN` or `~/.vault-token`.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from pydantic import SecretStr

from app.errors import UserError
from app.secrets.secret import NoSecret, Secret, Unreachable

MOUNT = "secret"
FOLDER = "codetether/providers"
CACHED = 60.0
"""Seconds that a key is remembered in this process."""
TIMEOUT = 10
"""Seconds for one request."""

Result = TypeVar("Result")
_cache: dict[tuple[str, str], tuple[float, Secret]] = {}
_lock = Lock()


def provider_key(name: str) -> Secret:
    """The provider's key, at most a minute old. Blocks on the network.

    Raises `NoSecret` or `Unreachable`, both `UserError` with exit code 4, or `UserError` for a refused token.
    """
    place = (os.environ.get("VAULT_ADDR", ""), name)
    with _lock:
        found = _cache.get(place)
    if found is not None and time.monotonic() - found[0] < CACHED:
        return found[1]
    secret = _secret_of(name, _asked(name, lambda client: _read(client, name)))
    with _lock:
        _cache[place] = (time.monotonic(), secret)
    return secret


def store(name: str, api_key: str, base_url: str = "") -> None:
    """Writes the provider's key; what else stands there (headers) stays. Raises as `provider_key` does."""
    values = {"api_key": api_key, "base_url": base_url}
    _asked(name, lambda client: _write(client, name, values))
    forget(name)


def forget(name: str = "") -> None:
    """Drops what is remembered of the provider, or of all."""
    with _lock:
        for place in [place for place in _cache if name in ("", place[1])]:
            del _cache[place]


def _read(client: Any, name: str) -> dict[str, Any]:
    answer = client.secrets.kv.v2.read_secret_version(
        path=f"{FOLDER}/{name}", mount_point=MOUNT, raise_on_deleted_version=True
    )
    return answer["data"]["data"]


def _write(client: Any, name: str, values: dict[str, str]) -> None:
    from hvac.exceptions import InvalidPath

    try:
        kept = _read(client, name)
    except InvalidPath:
        kept = {}
    client.secrets.kv.v2.create_or_update_secret(path=f"{FOLDER}/{name}", secret=kept | values, mount_point=MOUNT)


def _asked(name: str, question: Callable[[Any], Result]) -> Result:
    """Asks the vault; every way it can fail becomes one sentence, without the cause that may hold the secret."""
    address, token = os.environ.get("VAULT_ADDR", ""), _token()
    if not address:
        raise NoSecret(f"no key for provider `{name}`: set `VAULT_ADDR` and `VAULT_TOKEN`, then `ctl login {name}`")
    if not token:
        raise NoSecret(f"no token for Vault at `{address}`: set `VAULT_TOKEN` or run `vault login`")
    import hvac
    import requests
    from hvac.exceptions import VaultError

    client = hvac.Client(url=address, token=token, timeout=TIMEOUT)
    try:
        return question(client)
    except (VaultError, requests.RequestException, KeyError, TypeError, ValueError) as error:
        problem = _problem(error, name, address)
    finally:
        client.adapter.close()
    raise problem


def _problem(error: Exception, name: str, address: str) -> UserError:
    from hvac import exceptions as vault

    match error:
        case vault.InvalidPath():
            return NoSecret(f"no key for provider `{name}` in Vault at `{address}`: run `ctl login {name}`")
        case vault.Forbidden() | vault.Unauthorized():
            return UserError(
                f"Vault at `{address}` refuses the token for `{MOUNT}/{FOLDER}/{name}`: "
                "renew `VAULT_TOKEN` or ask for access to that path",
                code=4,
            )
        case vault.VaultDown():
            return Unreachable(f"Vault at `{address}` is sealed: unseal it by `vault operator unseal`")
        case vault.VaultError():
            return Unreachable(f"Vault at `{address}` answered with an error ({type(error).__name__}): see its log")
        case KeyError() | TypeError() | ValueError() if not isinstance(error, OSError):
            return Unreachable(f"what answers at `{address}` is not Vault with KV version 2: check `VAULT_ADDR`")
        case _:
            return Unreachable(f"Vault at `{address}` cannot be reached: start it or correct `VAULT_ADDR`")


def _secret_of(name: str, values: dict[str, Any]) -> Secret:
    key = values.get("api_key")
    if not isinstance(key, str) or not key:
        raise NoSecret(f"the entry of provider `{name}` in Vault has no `api_key`: run `ctl login {name}`")
    return Secret(
        api_key=SecretStr(key), base_url=str(values.get("base_url") or ""), headers=_headers(values.get("headers"))
    )


def _headers(value: Any) -> dict[str, SecretStr]:
    """Extra headers: a JSON object, or the text of one; anything else counts as none."""
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}")
        except json.JSONDecodeError:
            return {}
    if not isinstance(value, dict):
        return {}
    return {str(header): SecretStr(str(text)) for header, text in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _token() -> str:
    if token := os.environ.get("VAULT_TOKEN", ""):
        return token.strip()
    try:
        return (Path.home() / ".vault-token").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
