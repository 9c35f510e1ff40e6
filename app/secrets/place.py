"""Which Vault is asked, and as whom: what the environment says.

| variable               | default                                         | what it says                            |
|------------------------|-------------------------------------------------|-----------------------------------------|
| `VAULT_ADDR`           | none                                            | where it is                             |
| `VAULT_NAMESPACE`      |                                                 | of Vault Enterprise and HCP             |
| `VAULT_MOUNT`          | `secret`                                        | a KV version 2 mount                    |
| `VAULT_SECRETS_PATH`   | `codetether/providers`                          | the folder of the keys in it            |
| `VAULT_AUTH`           | `token`                                         | `token`, `approle`, `jwt`, `kubernetes` |
| `VAULT_AUTH_MOUNT`     | the method's name                               | where the method is mounted             |
| `VAULT_TOKEN`          | the file `~/.vault-token`                       | for `token`                             |
| `VAULT_ROLE`           |                                                 | for `jwt` and `kubernetes`              |
| `VAULT_ROLE_ID`        |                                                 | for `approle`; no secret                |
| `VAULT_SECRET_ID_FILE` |                                                 | for `approle`: a file with the secret   |
| `VAULT_JWT_FILE`       | kubernetes: the pod's own service account token | for `jwt` and `kubernetes`: a file      |
| `VAULT_CACHE_SECONDS`  | 60                                              | how long a worker remembers a key       |
"""

import os
from hashlib import sha256
from pathlib import Path
from typing import Literal, cast

from app.domain.base import Model
from app.errors import UserError

METHODS = ("token", "approle", "jwt", "kubernetes")
POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
"""Where Kubernetes puts a pod's own token."""
CACHED = 60.0


class Place(Model):
    """A Vault, a folder of keys in it, and how to log in. Holds no secret."""

    address: str
    namespace: str = ""
    mount: str = "secret"
    path: str = "codetether/providers"
    auth: Literal["token", "approle", "jwt", "kubernetes"] = "token"
    auth_mount: str = ""
    role: str = ""
    role_id: str = ""
    secret_file: str = ""
    """Of `approle` the secret id, of `jwt` and `kubernetes` the token."""
    private: str = ""
    """Of the private Vault the data folder it belongs to: `app.secrets.private`."""

    def shown(self, name: str = "") -> str:
        """The path of a provider's entry, or of their folder, for a person."""
        return f"{self.mount}/{self.path}/{name}".rstrip("/")


def named() -> Place | None:
    """The Vault that the environment names; None where it names none. Raises `UserError` for an unusable one."""
    env = os.environ
    if not (address := env.get("VAULT_ADDR", "").strip()):
        return None
    method = env.get("VAULT_AUTH", "").strip().lower() or "token"
    if method not in METHODS:
        raise UserError(f"`VAULT_AUTH={method}` is not known; use one of {', '.join(f'`{name}`' for name in METHODS)}")
    file = env.get("VAULT_SECRET_ID_FILE" if method == "approle" else "VAULT_JWT_FILE", "")
    place = Place(
        address=address,
        namespace=env.get("VAULT_NAMESPACE", ""),
        mount=env.get("VAULT_MOUNT", "").strip("/") or "secret",
        path=env.get("VAULT_SECRETS_PATH", "").strip("/") or "codetether/providers",
        auth=cast('Literal["token", "approle", "jwt", "kubernetes"]', method),
        auth_mount=env.get("VAULT_AUTH_MOUNT", "").strip("/") or method,
        role=env.get("VAULT_ROLE", ""),
        role_id=env.get("VAULT_ROLE_ID", ""),
        secret_file=file or (POD_TOKEN if method == "kubernetes" else ""),
    )
    needs = {
        "approle": ("role_id", "VAULT_ROLE_ID"),
        "jwt": ("role", "VAULT_ROLE"),
        "kubernetes": ("role", "VAULT_ROLE"),
    }
    field, variable = needs.get(method, ("address", "VAULT_ADDR"))
    if not getattr(place, field):
        raise UserError(f"`VAULT_AUTH={method}` needs `{variable}`; set it")
    if method in ("approle", "jwt") and not place.secret_file:
        variable = "VAULT_SECRET_ID_FILE" if method == "approle" else "VAULT_JWT_FILE"
        raise UserError(f"`VAULT_AUTH={method}` needs `{variable}`, a file that you alone can read; set it")
    return place


def env_token() -> str:
    """`VAULT_TOKEN`, else what `vault login` left in the home folder; empty for none."""
    if token := os.environ.get("VAULT_TOKEN", ""):
        return token.strip()
    try:
        return (Path.home() / ".vault-token").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def cached_seconds() -> float:
    """How long a key is remembered in this process."""
    try:
        return max(0.0, float(os.environ.get("VAULT_CACHE_SECONDS", "") or CACHED))
    except ValueError:
        return CACHED


def vault_id() -> str:
    """A digest (12 hex digits) of the Vault that the environment names and of who asks; empty for no Vault."""
    if not os.environ.get("VAULT_ADDR", "").strip():
        return ""
    names = ("VAULT_ADDR", "VAULT_TOKEN")
    more = sorted(name for name in os.environ if name.startswith("VAULT_") and name not in names)
    told = [os.environ.get(name, "") for name in names] + [f"{name}={os.environ[name]}" for name in more]
    return sha256("\0".join(told).encode()).hexdigest()[:12]
