"""A plugin's manifest: what it is, offers, may use, and the SHA-256 of each of its files.

The author writes `plugin.toml` (a `Source`). `ctl plugin sign` makes `manifest.json` from it (a `Manifest`),
whose exact bytes are signed; `manifest.sig` is a `Seal`. Nothing of a plugin is believed but `manifest.json`.
"""

import json
import re
import tomllib
from datetime import datetime
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Annotated, Any, cast

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, ValidationError, model_validator

from app.domain.base import Model
from app.errors import UserError

SOURCE, MANIFEST, SEAL = "plugin.toml", "manifest.json", "manifest.sig"
_SHA256 = r"^[0-9a-f]{64}$"
_HOST = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:\d{1,5})?$"


def clean_path(path: str) -> str:
    """The path of a plugin's file, when it stays below its folder. Raises `ValueError` otherwise."""
    parts = PurePosixPath(path).parts
    usual = path == "/".join(parts) and path.isprintable() and "\\" not in path and len(path) <= 200
    if not usual or not parts or path.startswith("/") or ".." in parts:
        raise ValueError(f"`{path[:200]}` is no path below the plugin's folder")
    if any(part.startswith(".") or part == "__pycache__" for part in parts):
        raise ValueError(f"`{path[:200]}` is hidden or a cache; take it out of the plugin's folder")
    return path


class _Strict(Model):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Strict):
    """What a plugin may use, each call anew. Nothing is granted that is not written here."""

    memory_mb: int = Field(default=512, ge=16, le=16_384)
    """MiB of address space of each of its processes."""
    cpu_seconds: int = Field(default=10, ge=1, le=600)
    wall_seconds: int = Field(default=30, ge=1, le=600)
    network: tuple[Annotated[str, Field(pattern=_HOST, max_length=120)], ...] = Field(default=(), max_length=16)
    """Hosts it talks to. Empty: the network is off. The sandbox's proxy lets these through, no other."""
    writes: bool = False
    """Whether it may change files of the worktree."""


class PluginTool(_Strict):
    """One tool. `parameters`: the JSON Schema (2020-12) of its arguments, an object."""

    name: str = Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=28)
    description: str = Field(min_length=1, max_length=1000)
    parameters: dict[str, Any]

    @model_validator(mode="after")
    def _usable(self) -> "PluginTool":
        from jsonschema import Draft202012Validator, SchemaError

        try:
            Draft202012Validator.check_schema(self.parameters)
        except SchemaError as error:
            raise ValueError(f"`parameters` is no JSON Schema: {error.message[:200]}") from None
        if self.parameters.get("type") != "object":
            raise ValueError('`parameters` needs `type = "object"`')
        if any(not ref.startswith("#") for ref in _refs(self.parameters)):
            raise ValueError("`$ref` may only lead to the same schema")
        if len(json.dumps(self.parameters)) > 20_000:
            raise ValueError("`parameters` is longer than 20,000 characters")
        return self


class Source(_Strict):
    """`plugin.toml`, as its author writes it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=24)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$", max_length=30)
    description: str = Field(min_length=1, max_length=400)
    entry: tuple[str, ...] = Field(min_length=1, max_length=8)
    """The words of its command. A word that names one of its files means that file."""
    expires: AwareDatetime
    limits: Limits = Limits()
    tools: tuple[PluginTool, ...] = Field(min_length=1, max_length=16)

    @model_validator(mode="after")
    def _names_differ(self) -> "Source":
        names = [tool.name for tool in self.tools]
        if len(set(names)) != len(names):
            raise ValueError("two of its tools have the same name")
        return self


class Manifest(Source):
    """`manifest.json`: the source, who published it, and every file. Its exact bytes are what is signed."""

    publisher: str = Field(pattern=_SHA256)
    """Fingerprint of the key that signs it."""
    files: dict[Annotated[str, AfterValidator(clean_path)], Annotated[str, Field(pattern=_SHA256)]] = Field(
        min_length=1, max_length=200
    )
    """Path below the plugin's folder → SHA-256 of its bytes."""

    @model_validator(mode="after")
    def _starts_itself(self) -> "Manifest":
        if not any(word in self.files for word in self.entry):
            raise ValueError("`entry` starts none of its files")
        first = self.entry[0]
        if first not in self.files and not re.fullmatch(r"[a-zA-Z0-9._+-]+", first):
            raise ValueError(f"`entry` begins with `{first[:60]}`, which is neither one of its files nor a program")
        return self

    def expired(self, now: datetime) -> bool:
        """Whether it may no longer run."""
        return now >= self.expires


class Seal(_Strict):
    """`manifest.sig`: the detached signature (base64) and the public key (base64) that made it."""

    key: str = Field(max_length=100)
    signature: str = Field(max_length=200)


def read_source(content: bytes) -> Source:
    """`plugin.toml`. Raises `UserError` naming the field that is wrong."""
    try:
        table = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"`{SOURCE}` cannot be read: {error}; correct it") from None
    try:
        return Source.model_validate(table)
    except ValidationError as error:
        raise UserError(f"`{SOURCE}`: {first_error(error)}") from None


def read_manifest(content: bytes) -> Manifest:
    """`manifest.json`. Raises `UserError` naming the field that is wrong."""
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise UserError(f"`{MANIFEST}`: {first_error(error)}; do not install it") from None


def written(source: Source, publisher: str, package: dict[str, bytes]) -> bytes:
    """The bytes of `manifest.json`. Raises `UserError` when the package does not fit its source."""
    files = {path: sha256(content).hexdigest() for path, content in sorted(package.items())}
    values = source.model_dump(mode="json") | {"publisher": publisher, "files": files}
    try:
        made = Manifest.model_validate(values)
    except ValidationError as error:
        raise UserError(f"`{SOURCE}`: {first_error(error)}") from None
    return (json.dumps(made.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n").encode()


def first_error(error: ValidationError) -> str:
    """The first thing that is wrong, with its field in backticks."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"] if part != "[key]")
    return f"`{field[:120]}`: {first['msg']}" if field else first["msg"]


def _refs(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [ref for each in cast("list[Any]", schema) for ref in _refs(each)]
    if not isinstance(schema, dict):
        return []
    fields = cast("dict[str, Any]", schema)
    own = [str(fields[key]) for key in ("$ref", "$dynamicRef") if isinstance(fields.get(key), str)]
    return own + [ref for each in fields.values() for ref in _refs(each)]
