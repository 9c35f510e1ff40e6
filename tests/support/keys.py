"""Keys as providers hand them out, made up for a test."""

import json
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def service_account(url: str) -> str:
    """The JSON of a Google service account of project `acme`, whose token endpoint is `URL/token`."""
    account = {"project_id": "acme", "private_key": _pem(), "client_email": "agent@acme.iam.gserviceaccount.com"}
    return json.dumps({"type": "service_account", "private_key_id": "1", **account, "token_uri": f"{url}/token"})


@cache
def _pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
