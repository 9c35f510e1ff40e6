"""Whom a person trusts: `plugins/trust.json` in the data folder. Revoked things stay there for ever."""

import re
from collections.abc import Callable
from pathlib import Path

from pydantic import Field, ValidationError

from app.domain.base import Model
from app.errors import UserError
from app.security.keys import fingerprint
from app.stream.files import locked, make_folder, replace_file


class Trust(Model):
    """`keys`: fingerprint → public key (base64). `revoked`: fingerprints of keys and digests of manifests."""

    keys: dict[str, str] = Field(default_factory=dict)
    revoked: tuple[str, ...] = ()


def folder(data: Path) -> Path:
    """Where all of plugins lies, made if need be."""
    place = data / "plugins"
    make_folder(place, below=data)
    return place


def trust_of(data: Path) -> Trust:
    """What is trusted now. Raises `UserError` when the file cannot be read: nothing is trusted then."""
    file = data / "plugins" / "trust.json"
    try:
        return Trust.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return Trust()
    except (OSError, ValidationError):
        raise UserError(f"cannot read `{file}`; correct it, or move it away and trust your keys again", 1) from None


def add(data: Path, public: str) -> str:
    """Trusts a public key; returns its fingerprint. Raises `UserError` for a revoked one."""
    name, key = fingerprint(public), public.strip()

    def change(trust: Trust) -> Trust:
        if name in trust.revoked:
            raise UserError(f"key `{name}` was revoked; have its owner make another: `ctl plugin keygen`", 3)
        return trust.model_copy(update={"keys": trust.keys | {name: key}})

    _changed(data, change)
    return name


def remove(data: Path, name: str) -> None:
    """Trusts a key no longer; what it signed is refused from now on."""
    _changed(data, lambda trust: trust.model_copy(update={"keys": {k: v for k, v in trust.keys.items() if k != name}}))


def revoke(data: Path, name: str) -> None:
    """Refuses a key (by fingerprint) or a plugin (by digest) from now on, whatever else says."""
    if not re.fullmatch(r"[0-9a-f]{64}", name):
        raise UserError(f"`{name}` is neither a fingerprint nor a digest; `ctl plugin list` shows both in full")

    def change(trust: Trust) -> Trust:
        keys = {key: public for key, public in trust.keys.items() if key != name}
        return Trust(keys=keys, revoked=tuple(sorted({*trust.revoked, name})))

    _changed(data, change)


def _changed(data: Path, change: Callable[[Trust], Trust]) -> None:
    place = folder(data)
    with locked(place):
        replace_file(place / "trust.json", change(trust_of(data)).model_dump_json(indent=2).encode())
