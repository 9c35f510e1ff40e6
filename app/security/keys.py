"""Ed25519 keys of publishers (RFC 8032, by `cryptography`). A fingerprint is the SHA-256 of the 32 public bytes."""

import base64
import binascii
import os
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from app.errors import UserError

DOMAIN = b"codetether plugin manifest v1\0"
"""Stands before the signed bytes, so that a signature made for anything else is none of a manifest."""


def generate(file: Path) -> str:
    """Writes a new private key (PEM, 0600) to `file`, which must not exist; returns its public key.

    Raises `UserError` when there is a file already, or none can be written.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise UserError(f"`{file}` exists already; name another file with `--out`") from None
    except OSError as error:
        raise UserError(f"cannot write `{file}`: {error.strerror}; name another file with `--out`") from None
    with os.fdopen(fd, "wb") as out:
        out.write(pem)
        out.flush()
        os.fsync(out.fileno())
    return _text(key.public_key())


def load(file: Path) -> Ed25519PrivateKey:
    """The private key in `file`. Raises `UserError`, never with anything of its content."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read `{file}`: {error.strerror}; `ctl plugin keygen` makes a key") from None
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(f"`{file}` holds no Ed25519 private key without a passphrase; `ctl plugin keygen` makes one")
    return key


def public_of(key: Ed25519PrivateKey) -> str:
    """The public key that belongs to `key`, as text."""
    return _text(key.public_key())


def fingerprint(public: str) -> str:
    """64 hex digits that name the public key. Raises `UserError` for a text that is none."""
    return sha256(_bytes(public)).hexdigest()


def sign(key: Ed25519PrivateKey, manifest: bytes) -> str:
    """The detached signature (base64) over exactly these bytes."""
    return base64.b64encode(key.sign(DOMAIN + manifest)).decode()


def signed_by(public: str, signature: str, manifest: bytes) -> bool:
    """Whether `signature` is this key's over exactly these bytes."""
    try:
        raw = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(_bytes(public)).verify(raw, DOMAIN + manifest)
    except (InvalidSignature, ValueError):
        return False
    return True


def _text(key: Ed25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def _bytes(public: str) -> bytes:
    try:
        raw = base64.b64decode(public.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise UserError("that is no public key; give the text that `ctl plugin keygen` printed")
    return raw
