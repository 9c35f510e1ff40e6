"""The model layer: one streamed call to any provider, its cost, and its failures in one vocabulary.

Importing this loads neither a provider's SDK nor pydantic-ai; the first call does.
"""

from app.llm.call import answer, check, preload
from app.llm.port import (
    Answer,
    CallOut,
    ChatRequest,
    ErrorKind,
    ModelError,
    tool_result_message,
    user_message,
)
from app.llm.prices import price_line, priced
from app.llm.registry import resolve

__all__ = [
    "Answer",
    "CallOut",
    "ChatRequest",
    "ErrorKind",
    "ModelError",
    "answer",
    "check",
    "preload",
    "price_line",
    "priced",
    "resolve",
    "tool_result_message",
    "user_message",
]
