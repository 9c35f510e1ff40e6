"""Provider keys. They live in HashiCorp Vault and nowhere else; importing this loads no client."""

from app.secrets.secret import NoSecret, Secret, Unreachable
from app.secrets.vault import forget, provider_key, store

__all__ = ["NoSecret", "Secret", "Unreachable", "forget", "provider_key", "store"]
