"""The private Vault of the local stack, asked where `VAULT_ADDR` names none: where it is, and what opens it.

Below `vault/` in the data folder, which no tool reads and no sandboxed command sees:

| file           | what it holds                                                                             |
|----------------|-------------------------------------------------------------------------------------------|
| `store/`       | what Vault keeps, encrypted                                                               |
| `server.json`  | its configuration                                                                         |
| `tls.pem`      | its certificate and private key, new at each start: who takes its port learns no token    |
| `unseal.key`   | unseal key and token (0600), during the set-up, and after it where there is no OS keyring |
| `ready.json`   | written last: the set-up is complete, and where the keys lie                              |

Its process and address stand in `stack.json`. Only `app.stack.vault` starts it, sets it up and unseals it.
"""

import os
import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from app.domain.base import Model
from app.errors import UserError
from app.secrets import ring
from app.secrets.place import Place
from app.secrets.secret import NoSecret, Refused, Unreachable
from app.stack.state import living, load
from app.stream.files import replace_file

FOLDER = "vault"
TIMEOUT = 10
"""Seconds for one request."""
_LITTLE = 64 * 1024
"""Bytes of free space that are as good as none."""


class Keys(Model):
    """What opens the Vault and what may use it. `root_token` is there during the set-up only."""

    unseal_key: str = Field(repr=False)
    token: str = Field(default="", repr=False)
    root_token: str = Field(default="", repr=False)


class Ready(Model):
    """The set-up is complete; `keys`: where they lie."""

    keys: Literal["keyring", "file"]


def folder(data: Path) -> Path:
    """Everything of the private Vault."""
    return data / FOLDER


def certificate(data: Path) -> Path:
    """What its server is known by."""
    return folder(data) / "tls.pem"


def key_file(data: Path) -> Path:
    """Where the keys lie without a keyring."""
    return folder(data) / "unseal.key"


def ready(data: Path) -> Ready | None:
    """None as long as the set-up is not complete: then no provider's key was ever stored."""
    try:
        return Ready.model_validate_json((folder(data) / "ready.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError:  # somebody edited it: what is there says the same
        return Ready(keys="file" if key_file(data).exists() else "keyring")


def wanted(data: Path) -> bool:
    """Whether keys of this environment are in the private Vault. A `VAULT_ADDR` that is set wins."""
    return not os.environ.get("VAULT_ADDR", "").strip() and ready(data) is not None


def place(data: Path) -> Place | None:
    """Where it is asked, once it runs; None where there is none."""
    if ready(data) is None:
        return None
    return Place(address=address(data), private=str(data))


def address(data: Path) -> str:
    """The address it has or had last; empty where it never ran."""
    service = load(data).vault
    return service.address if service is not None else ""


def asking(place: Place, data: Path) -> Any:
    """A client with its token. Raises as `read_keys` does, and `Unreachable` while it does not run.

    Only our own living process is asked: what else listens at its port is sent nothing.
    """
    if living(data, "vault") is None or not certificate(data).is_file():
        raise Unreachable("the private Vault is not running: `ctl up` starts it")
    return client(place.address, data, read_keys(data).token)


def client(address: str, data: Path, token: str = "") -> Any:
    """A client that knows the server by our certificate, and asks no proxy."""
    import hvac
    import requests

    session = requests.Session()
    session.trust_env = False
    session.verify = str(certificate(data))
    return hvac.Client(url=address, token=token, timeout=TIMEOUT, session=session, verify=str(certificate(data)))


def read_keys(data: Path) -> Keys:
    """The keys of a Vault whose set-up is complete.

    Raises `Refused` where they are gone, `Unreachable` where the keyring is locked.
    """
    state = ready(data)
    where = ring.NAME if state and state.keys == "keyring" else f"`{key_file(data)}`"
    try:
        text = ring.get(_entry(data)) if state and state.keys == "keyring" else _text(key_file(data))
    except OSError as error:
        raise Unreachable(f"cannot read the keys of the private Vault in {where}: {error.strerror or error}") from None
    keys = parsed(text)
    if keys is None or not keys.token:
        gone = f"the unseal key and token of the private Vault are gone from {where}"
        raise Refused(f"{gone}: put them back, or begin anew: {_anew(data)}")
    return keys


def parsed(text: str) -> Keys | None:
    """Keys as they are stored; None for anything else."""
    try:
        return Keys.model_validate_json(text)
    except ValidationError:
        return None


def write_keys(data: Path, keys: Keys) -> None:
    """Puts them where they lie: whole, or not at all. During the set-up that is the file."""
    text = keys.model_dump_json(exclude_defaults=True)
    state = ready(data)
    if state is not None and state.keys == "keyring":
        ring.put(_entry(data), text)
    else:
        replace_file(key_file(data), text.encode())


def begun(data: Path) -> Keys | None:
    """What an interrupted set-up left behind."""
    return parsed(_text(key_file(data)))


def settle(data: Path, keys: Keys) -> Ready:
    """Ends the set-up: the keys go into the OS keyring where there is one, and stay in the file where there is not."""
    held = ring.hold(_entry(data), keys.model_dump_json(exclude_defaults=True))
    state = Ready(keys="keyring" if held else "file")
    replace_file(folder(data) / "ready.json", state.model_dump_json().encode())
    tidy(data)
    return state


def tidy(data: Path) -> None:
    """Removes the file whose content the keyring has."""
    state = ready(data)
    if state is not None and state.keys == "keyring":
        key_file(data).unlink(missing_ok=True)


def where(data: Path) -> str:
    """Where its keys lie, for a person."""
    state = ready(data)
    if state is not None and state.keys == "keyring":
        return f"{ring.NAME}, as `{ring.SERVICE}`"
    return f"`{key_file(data)}`, which only you can read"


def does_not_fit(data: Path) -> Refused:
    """What is in the store is not what the keys open."""
    found = f"the unseal key in {where(data)} does not open the private Vault"
    return Refused(f"{found}: put the right one back, or begin anew: {_anew(data)}")


def is_empty(data: Path) -> Refused:
    """What was stored is not there any more."""
    found = f"`{folder(data) / 'store'}` of the private Vault is empty"
    return Refused(f"{found}: put back what it held, or begin anew: {_anew(data)}")


def makes_no_token(data: Path) -> Refused:
    """A Vault that does not do for the unseal key what others do."""
    return Refused(f"the token of the private Vault ended, and it makes no new one: begin anew: {_anew(data)}")


def problem(error: Exception, place: Place, what: str) -> UserError:
    """What a failed question means; it holds nothing of the error's own words."""
    import requests
    from hvac import exceptions as vault

    match error:
        case vault.InvalidPath():
            return NoSecret(f"no key for provider `{what}` in the private Vault: run `ctl login {what}`")
        case vault.Forbidden() | vault.Unauthorized():
            return Refused("the private Vault refuses its token: `ctl up` makes a new one")
        case vault.VaultDown():
            return Unreachable("the private Vault is sealed: `ctl up` unseals it")
        case requests.RequestException():
            return Unreachable("the private Vault does not answer: `ctl up` starts it again")
        case _:
            return Unreachable(trouble(error, Path(place.private)))


def trouble(error: Exception, data: Path) -> str:
    """One sentence for an error that only its log explains."""
    full = shutil.disk_usage(data).free < _LITTLE  # what Vault answers then is often about something else
    if full or "no space left" in str(error) or "disk quota" in str(error):
        return f"the private Vault cannot write to `{folder(data)}`: the disk is full; free some space (`ctl gc`)"
    log = data / "logs" / "vault.log"
    return f"the private Vault did not do what it was asked ({type(error).__name__}): see `{log}`, then try again"


def _entry(data: Path) -> str:
    return (data / "id").read_text(encoding="ascii").strip()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _anew(data: Path) -> str:
    own = folder(data)
    return f"`ctl down`, `mv {own} {own}.old`, then `ctl login PROVIDER` for each provider"
