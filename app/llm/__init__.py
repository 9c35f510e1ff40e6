"""The model layer: one streamed call to any provider, its cost, and its failures in one vocabulary.

Importing this loads neither a provider's SDK nor pydantic-ai; the first call does.
"""

from app.llm.call import answer, check, preload
from app.llm.chain import chain
from app.llm.port import (
    Abandoned,
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
from app.llm.vision import blind
from app.llm.windows import room_for_answer, window_of

__all__ = [
    "Abandoned",
    "Answer",
    "CallOut",
    "ChatRequest",
    "ErrorKind",
    "ModelError",
    "answer",
    "blind",
    "chain",
    "check",
    "preload",
    "price_line",
    "priced",
    "resolve",
    "room_for_answer",
    "tool_result_message",
    "user_message",
    "window_of",
]
