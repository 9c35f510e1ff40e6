"""What pydantic-ai would work out again in every turn, remembered: 1.4 ms a turn at 250 kB of conversation.

It looks through every text of the conversation for chat-template tokens, and breaks them. The same message
always comes out the same, and a conversation only grows.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from app.remember import by_identity

_MESSAGES = 2048


@cache
def remember_broken_tokens() -> None:
    """From now on a message is looked through once for each model. A version without that function is left as it is."""
    module: Any = import_module("pydantic_ai._special_tokens")
    if (work := getattr(module, "_break_message", None)) is None:
        return
    broken = by_identity(_MESSAGES)(lambda message, model: work(message, model.accepts_stateless_artifacts))

    def remembered(message: Any, accepts: Callable[..., bool]) -> Any:
        return broken(message, getattr(accepts, "__self__"))  # noqa: B009 - a method of the model

    module._break_message = remembered
