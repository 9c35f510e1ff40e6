"""HashiCorp Vault, KV version 2: one entry for each provider, with `api_key`, `base_url` and `headers`.

Where it is and how we log in: `app.secrets.place`.
"""

import json
import time
from threading import Lock
from typing import Any

from pydantic import SecretStr

from app.domain.base import Model
from app.secrets.place import Place, cached_seconds
from app.secrets.secret import NoSecret, Secret
from app.secrets.session import asked, forget_logins, place_of

_cache: dict[tuple[Place, str], tuple[float, Secret]] = {}
_lock = Lock()


class Entry(Model):
    """What stands in Vault for a provider: names of fields, never a value."""

    provider: str
    fields: tuple[str, ...]
    version: int
    updated_at: str


def provider_key(name: str) -> Secret:
    """The provider's key, at most a minute old. Blocks on the network.

    Raises `NoSecret`, `Unreachable` or `Refused`, all `UserError` with exit code 4.
    """
    place = (place_of(name), name)
    with _lock:
        found = _cache.get(place)
    if found is not None and time.monotonic() - found[0] < cached_seconds():
        return found[1]
    secret = _secret_of(name, asked(name, lambda client, place: _read(client, place, name)["data"]))
    with _lock:
        _cache[place] = (time.monotonic(), secret)
    return secret


def store(name: str, api_key: str, base_url: str = "") -> None:
    """Writes the provider's key; what else stands there (headers) stays. Raises as `provider_key` does."""
    values = {"api_key": api_key, "base_url": base_url}
    asked(name, lambda client, place: _write(client, place, name, values))
    forget(name)


def remove(name: str) -> None:
    """Removes the provider's entry with all its versions. Raises `NoSecret` where there is none."""
    asked(name, lambda client, place: _remove(client, place, name))
    forget(name)


def entries() -> list[Entry]:
    """Every provider that has an entry, by name. Raises as `provider_key` does."""
    from hvac.exceptions import InvalidPath

    def listed(client: Any, place: Place) -> list[Entry]:
        try:
            told = client.secrets.kv.v2.list_secrets(path=place.path, mount_point=place.mount)
        except InvalidPath:
            return []
        names = [name for name in told["data"]["keys"] if not name.endswith("/")]
        return [found for name in sorted(names) if (found := _entry(client, place, name)) is not None]

    return asked("", listed)


def forget(name: str = "") -> None:
    """Drops what is remembered of the provider, or of all and of our logins."""
    with _lock:
        for place in [place for place in _cache if name in ("", place[1])]:
            del _cache[place]
    if not name:
        forget_logins()


def _read(client: Any, place: Place, name: str) -> dict[str, Any]:
    return client.secrets.kv.v2.read_secret_version(
        path=f"{place.path}/{name}", mount_point=place.mount, raise_on_deleted_version=True
    )["data"]


def _entry(client: Any, place: Place, name: str) -> Entry | None:
    from hvac.exceptions import InvalidPath

    try:
        found = _read(client, place, name)
    except InvalidPath:
        return None  # deleted; its metadata is still listed
    about = found["metadata"]
    return Entry(
        provider=name,
        fields=tuple(sorted(field for field, value in found["data"].items() if value)),
        version=int(about.get("version", 0)),
        updated_at=str(about.get("created_time", "")),
    )


def _write(client: Any, place: Place, name: str, values: dict[str, str]) -> None:
    from hvac.exceptions import InvalidPath

    try:
        kept = _read(client, place, name)["data"]
    except InvalidPath:
        kept = {}
    client.secrets.kv.v2.create_or_update_secret(
        path=f"{place.path}/{name}", secret=kept | values, mount_point=place.mount
    )


def _remove(client: Any, place: Place, name: str) -> None:
    _read(client, place, name)
    client.secrets.kv.v2.delete_metadata_and_all_versions(path=f"{place.path}/{name}", mount_point=place.mount)


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
