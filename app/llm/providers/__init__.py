"""One file for each wire or odd provider: `build` makes the pydantic-ai model, `login` and `enter` where they differ.

`enter(model, access)` turns what is stored into what one call is made with (a short-lived token, an address).
"""

from importlib import import_module
from types import ModuleType

from app.domain.run import ModelRef
from app.errors import UserError
from app.llm.registry import provider_of


def provider_module(model: ModelRef) -> ModuleType:
    """The module of the model's provider. Raises `UserError` (exit 2) naming the extra that is missing."""
    row = provider_of(model)
    try:
        return import_module(row.home)
    except ImportError:
        if not row.extra:
            raise
        raise UserError(
            f"provider `{row.name}` needs the extra `{row.extra}`; install it: `pip install 'codetether[{row.extra}]'`"
        ) from None
