"""Being logged in to Vault: whose token is used, and that it is renewed before its time is over.

Logins of this process are kept in memory. Vault's API: `auth/METHOD/login`, `auth/token/lookup-self`,
`auth/token/renew-self` (https://developer.hashicorp.com/vault/api-docs/auth).
"""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from app.errors import UserError
from app.secrets import install, private
from app.secrets.place import Place, env_token, named
from app.secrets.secret import NoSecret, Refused, Unreachable
from app.settings import load

TIMEOUT = 10
"""Seconds for one request."""
LOOK, SOON = 300.0, 15.0
"""Seconds between two looks at our token: where all is well, and where Vault does not answer."""

Result = TypeVar("Result")


class _Login(NamedTuple):
    token: str
    until: float


_logins: dict[Place, _Login] = {}
_lock = Lock()


def place_of(what: str) -> Place:
    """The Vault to ask; `what` it is needed for. Raises `NoSecret` where none is named."""
    place, _ = _place(what)
    return place


def asked(what: str, question: Callable[[Any, Place], Result]) -> Result:
    """Asks Vault, logging in where needed; every failure is one sentence, without the cause that may hold a secret.

    `what` is missing when Vault has no such entry. Raises `NoSecret`, `Unreachable` or `Refused`, all with exit code 4.
    """
    place, token = _place(what)
    import requests
    from hvac.exceptions import Forbidden, VaultError

    client = _client(place, token)
    try:
        if place.auth == "token":
            return question(client, place)
        fresh = _log_in(client, place)
        try:
            return question(client, place)
        except Forbidden:
            if fresh:
                raise
            forget_logins()  # a token that ended early: a new one may do
            _log_in(client, place)
            return question(client, place)
    except (VaultError, requests.RequestException, KeyError, TypeError, ValueError) as error:
        problem = _problem(error, place, what)
    finally:
        client.adapter.close()
    raise problem


def renew() -> float:
    """Renews our token once a third of its time is over; seconds until the next look. Raises nothing."""
    with _lock:
        held = bool(_logins)
    try:
        place, _ = _place("")
        if place.auth != "token" and not held:
            return SOON  # nobody needed a key yet
        return asked("", _renewed)
    except Unreachable:
        return SOON
    except UserError:
        return LOOK


def about() -> dict[str, Any]:
    """Which Vault is asked and as whom; no secret. Raises as `asked` does."""

    def told(client: Any, place: Place) -> dict[str, Any]:
        token = client.auth.token.lookup_self()["data"]
        left = int(token["ttl"])
        return {
            "address": place.address,
            **({"private": str(private.folder(Path(place.private)))} if place.private else {}),
            **({"opened_by": private.where(Path(place.private))} if place.private else {}),
            "namespace": place.namespace,
            "keys": place.shown(),
            "login": place.auth,
            "policies": list(token["policies"]),
            "token": "does not end" if not left else f"ends in {left} s{', renewable' * bool(token['renewable'])}",
        }

    return asked("", told)


def forget_logins() -> None:
    """The next question logs in again."""
    with _lock:
        _logins.clear()


def _renewed(client: Any, place: Place) -> float:
    told = client.auth.token.lookup_self()["data"]
    left, whole = float(told["ttl"]), float(told.get("period") or told.get("creation_ttl") or 0)
    if not left or not told["renewable"]:
        return LOOK
    if left < whole * 2 / 3:
        auth = client.auth.token.renew_self()["auth"]
        left = float(auth["lease_duration"])
        if place.auth != "token":
            with _lock:
                _logins[place] = _Login(client.token, time.monotonic() + left)
    return min(LOOK, max(0.2, left / 4))


def _place(what: str) -> tuple[Place, str]:
    place = named() or private.place(load().data_dir)
    if place is None:
        missing = f"no key for provider `{what}`" if what else "no Vault is configured"
        raise NoSecret(f"{missing}: {install.next_step(what)}")
    if place.private or place.auth != "token":
        return place, ""
    if not (token := env_token()):
        raise NoSecret(f"no token for Vault at `{place.address}`: set `VAULT_TOKEN` or run `vault login`")
    return place, token


def _client(place: Place, token: str) -> Any:
    if place.private:
        return private.asking(place, Path(place.private))
    import hvac

    return hvac.Client(url=place.address, token=token, timeout=TIMEOUT, namespace=place.namespace or None)


def _log_in(client: Any, place: Place) -> bool:
    """Gives the client a token, the one we have or a new one; whether it is new."""
    from hvac.exceptions import InvalidRequest

    with _lock:
        held = _logins.get(place)
    if held is not None and time.monotonic() < held.until:
        client.token = held.token
        return False
    try:
        auth = _login(client, place)["auth"]
    except InvalidRequest:
        raise _login_refused(place) from None
    lease = float(auth["lease_duration"]) or LOOK
    client.token = auth["client_token"]
    with _lock:
        _logins[place] = _Login(client.token, time.monotonic() + lease * 0.9)
    return True


def _login(client: Any, place: Place) -> Any:
    secret = _secret_in(place)
    match place.auth:
        case "approle":
            words = {"role_id": place.role_id, "secret_id": secret}
            return client.auth.approle.login(**words, use_token=False, mount_point=place.auth_mount)
        case "kubernetes":
            return client.auth.kubernetes.login(place.role, secret, use_token=False, mount_point=place.auth_mount)
        case _:
            return client.auth.jwt.jwt_login(place.role, secret, use_token=False, path=place.auth_mount)


def _secret_in(place: Place) -> str:
    try:
        return Path(place.secret_file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        variable = "VAULT_SECRET_ID_FILE" if place.auth == "approle" else "VAULT_JWT_FILE"
        raise Refused(
            f"cannot read `{place.secret_file}`, which Vault's {place.auth} login needs; correct `{variable}`"
        ) from None


def _login_refused(place: Place) -> Refused:
    return Refused(
        f"Vault at `{place.address}` refuses the {place.auth} login at `auth/{place.auth_mount}`: "
        "check its role, and the file with the secret"
    )


def _problem(error: Exception, place: Place, what: str) -> UserError:
    from hvac import exceptions as vault

    if place.private:
        return private.problem(error, place, what)
    match error:
        case vault.InvalidPath():
            return NoSecret(f"no key for provider `{what}` in Vault at `{place.address}`: run `ctl login {what}`")
        case vault.Forbidden() | vault.Unauthorized():
            renewed = "renew `VAULT_TOKEN`" if place.auth == "token" else "check its policy"
            return Refused(
                f"Vault at `{place.address}` refuses the token for `{place.shown(what)}`: "
                f"{renewed} or ask for access to that path"
            )
        case vault.VaultDown():
            return Unreachable(f"Vault at `{place.address}` is sealed: unseal it by `vault operator unseal`")
        case vault.VaultError():
            return Unreachable(
                f"Vault at `{place.address}` answered with an error ({type(error).__name__}): see its log"
            )
        case KeyError() | TypeError() | ValueError() if not isinstance(error, OSError):
            return Unreachable(f"what answers at `{place.address}` is not Vault with KV version 2: check `VAULT_ADDR`")
        case _:
            return Unreachable(f"Vault at `{place.address}` cannot be reached: start it or correct `VAULT_ADDR`")
