"""Setting up the private Vault: once, and so that a crash at any moment leaves one that opens, or none.

| step                                       | what a crash after it leaves                                          |
|--------------------------------------------|-----------------------------------------------------------------------|
| start                                      | an empty Vault: the next set-up goes on with it                       |
| initialise                                 | one nobody can open, which never held a key: it is set aside          |
| write unseal key and root token to a file  | from here on, the next set-up goes on                                 |
| unseal, KV version 2, policy               | the same again changes nothing                                        |
| make a token, write it to the file         | at worst a token more, which nobody knows                             |
| revoke the root token, drop it             | a root token that is refused counts as revoked                        |
| move the keys into the OS keyring          | they are in both; the file counts                                     |
| write `ready.json`                         | complete; a file that is left beside the keyring is removed next time |

No provider's key is stored before `ready.json` is there.
"""

import base64
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.secrets import private
from app.secrets.private import Keys
from app.secrets.secret import Refused
from app.stack.state import living, stop
from app.stack.vault import DOWN, Say, health, running
from app.stream.files import make_folder, sync_file, sync_folder

MOUNT, NAME = "secret", "codetether"
POLICY = """
path "secret/data/codetether/providers/*"     { capabilities = ["create", "read", "update"] }
path "secret/metadata/codetether/providers"   { capabilities = ["list"] }
path "secret/metadata/codetether/providers/*" { capabilities = ["list", "delete"] }
path "auth/token/lookup-self"                 { capabilities = ["read"] }
path "auth/token/renew-self"                  { capabilities = ["update"] }
"""
PERIOD = "8760h"
"""How long the token lives without being used; a worker renews it."""
_PATIENCE = 20.0


def set_up(data: Path, say: Say) -> None:
    """Makes the private Vault, or goes on where making it was interrupted. Under the stack's lock.

    Raises `VaultError`, `requests.RequestException` and `UserError`.
    """
    from hvac.exceptions import VaultError

    keys = private.begun(data)
    if keys is not None:
        try:
            _carried_out(data, keys, say)
            return
        except (VaultError, Refused):
            pass  # after a power cut the store may be older than the key
    _set_aside(data, say)
    _carried_out(data, None, say)


def opened(data: Path, address: str, keys: Keys) -> None:
    """Unseals it where it is sealed. Raises `Refused` where the key does not fit, or there is nothing to open."""
    from hvac.exceptions import VaultError

    found = health(data)
    if found == "empty":
        raise private.is_empty(data)
    if found == "sealed":
        try:
            private.client(address, data).sys.submit_unseal_key(keys.unseal_key)
        except VaultError:
            raise private.does_not_fit(data) from None
    deadline = time.monotonic() + _PATIENCE
    while health(data) != "open":
        if time.monotonic() > deadline:
            raise private.does_not_fit(data)
        time.sleep(0.02)  # it tells nobody when it is active


def with_a_token(data: Path, address: str, keys: Keys, say: Say) -> None:
    """Makes a new token where the one we have ended, with the unseal key. Raises as `set_up` does."""
    from hvac.exceptions import Forbidden, VaultError

    try:
        private.client(address, data, keys.token).auth.token.lookup_self()
        return
    except Forbidden:
        say("the token of the private Vault ended; making a new one")
    try:
        root = private.client(address, data, _root(private.client(address, data), keys.unseal_key))
        private.write_keys(data, Keys(unseal_key=keys.unseal_key, token=_token(root)))
        root.auth.token.revoke_self()
    except VaultError:
        raise private.makes_no_token(data) from None


def _carried_out(data: Path, keys: Keys | None, say: Say) -> None:
    service = running(data, say)
    if keys is None:
        say("setting it up")
        keys = _initialised(data, service.address)
    opened(data, service.address, keys)
    keys = _furnished(data, service.address, keys)
    synced(data)
    private.settle(data, keys)
    say(f"its unseal key and token are in {private.where(data)}")


def _initialised(data: Path, address: str) -> Keys:
    made = private.client(address, data).sys.initialize(secret_shares=1, secret_threshold=1)
    keys = Keys(unseal_key=made["keys_base64"][0], root_token=made["root_token"])
    private.write_keys(data, keys)
    return keys


def _furnished(data: Path, address: str, keys: Keys) -> Keys:
    """Engine, policy, token; afterwards there is no root token. Each step may have been done before."""
    from hvac.exceptions import Forbidden

    if not keys.root_token:
        return keys
    root = private.client(address, data, keys.root_token)
    try:
        if not keys.token:
            _engine(root)
            keys = Keys(unseal_key=keys.unseal_key, root_token=keys.root_token, token=_token(root))
            private.write_keys(data, keys)
        root.auth.token.revoke_self()
    except Forbidden:
        if not keys.token:
            raise
    keys = Keys(unseal_key=keys.unseal_key, token=keys.token)
    private.write_keys(data, keys)
    return keys


def _engine(root: Any) -> None:
    from hvac.exceptions import InvalidRequest

    if f"{MOUNT}/" not in root.sys.list_mounted_secrets_engines()["data"]:
        root.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            root.secrets.kv.v2.read_configuration(mount_point=MOUNT)
            return
        except InvalidRequest:  # a new engine says for a moment that it is being upgraded
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _token(root: Any) -> str:
    """A token for our path only, which outlives the root token that made it."""
    root.sys.create_or_update_policy(NAME, POLICY)
    made = root.auth.token.create(
        policies=[NAME], period=PERIOD, no_parent=True, no_default_policy=True, renewable=True, display_name=NAME
    )
    return str(made["auth"]["client_token"])


def _root(client: Any, unseal_key: str) -> str:
    """A new root token (`sys/generate-root`): what comes is its exclusive or with a word that we are told."""
    client.sys.cancel_root_generation()
    begun = client.sys.start_root_token_generation()
    done = client.sys.generate_root(key=unseal_key, nonce=begun["nonce"])
    coded = done["encoded_token"]
    mixed = base64.b64decode(coded + "=" * (-len(coded) % 4))
    return bytes(a ^ b for a, b in zip(mixed, begun["otp"].encode(), strict=True)).decode()


def _set_aside(data: Path, say: Say) -> None:
    """What nobody can open is moved out of the way; it never held a key, and still nothing is deleted."""
    service = living(data, "vault")
    if service is not None:
        stop(service, DOWN)
    own = private.folder(data)
    make_folder(own, below=data)
    if (own / "store").exists():
        number = next(number for number in range(1, 10_000) if not (own / f"store.{number}").exists())
        (own / "store").rename(own / f"store.{number}")
        sync_folder(own)
        say(f"an interrupted set-up is set aside as `{own / f'store.{number}'}`: it holds no key of a provider")


def synced(data: Path) -> None:
    """Returns once its store is on the disk: Vault does not sync what it writes, and a power cut must not take it."""
    store = private.folder(data) / "store"
    for file in store.rglob("*"):
        with suppress(FileNotFoundError):  # Vault writes beside a file and renames
            if file.is_dir():
                sync_folder(file)
            else:
                with file.open("rb") as opened_file:
                    sync_file(opened_file.fileno())
    sync_folder(store)
