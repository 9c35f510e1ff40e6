"""Provider keys. They live in HashiCorp Vault and nowhere else; importing this loads no client."""

from app.secrets.secret import NoSecret, Refused, Secret, Unreachable
from app.secrets.session import renew
from app.secrets.vault import entries, forget, provider_key, remove, store

__all__ = [
    "NoSecret", "Refused", "Secret", "Unreachable", "entries", "forget", "provider_key", "remove", "renew", "store",
]  # fmt: skip
