"""A digest of a question, stable across processes and versions of ours."""

import json
from functools import cache
from hashlib import sha256
from pathlib import PurePath
from typing import Any, cast

from pydantic import BaseModel


def digest(*parts: object) -> str:
    """SHA-256 (64 hex digits) of JSON-able parts and pydantic models, in their order.

    Fields of a model that hold their default are left out: an optional field that a later
    version adds leaves the digest of an older question as it was. Raises `TypeError` for
    anything that has no JSON form.
    """
    text = json.dumps(parts, default=_plain, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode("ascii")).hexdigest()


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {name: field.get_default(call_default_factory=True) for name, field in model.model_fields.items()}


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        defaults = _defaults(type(value))
        told = {name: part for name, part in value if part != defaults[name]}
        return [type(value).__name__, told]  # the name tells `Command` from `TestCount`
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(json.dumps(part, default=_plain, sort_keys=True) for part in cast("set[Any]", value))
    raise TypeError(f"`{type(value).__name__}` has no place in a digest")
