"""What pydantic-ai would work out again in every turn, remembered: 1.3 ms a turn at 250 kB of conversation.

It looks through every text of the conversation for chat-template tokens, and breaks them. The same text
always comes out the same, and a conversation only grows.
"""

from functools import cache, lru_cache
from importlib import import_module
from typing import Any

_TEXTS = 1024
"""Texts that are remembered; a result has 16,000 characters at most."""


@cache
def remember_broken_tokens() -> None:
    """From now on a text is looked through once. A version without that function is left as it is."""
    module: Any = import_module("pydantic_ai._special_tokens")
    if (work := getattr(module, "break_special_tokens", None)) is not None:
        module.break_special_tokens = lru_cache(_TEXTS)(work)
