"""How many tokens a model's context holds: a person's word, genai-prices' table, or what its server said."""

import re
from functools import lru_cache

from app.domain.run import ModelRef
from app.llm.registry import OPENAI_URL

UNKNOWN = 128_000
"""Tokens, where nobody says: the first refusal of a smaller server tells its own number."""
ANSWER = 8192
_TOLD = (
    r"maximum context length (?:is|of) (\d+)",  # OpenAI, vLLM, OpenRouter
    r"tokens? > (\d+)",  # Anthropic
    r"available context size \((\d+)",  # llama.cpp
    r"\"n_ctx\": (\d+)",
    r"model token limit: ?(\d+)",  # Moonshot
    r"maximum number of tokens allowed \(?(\d+)",  # Google
    r"context (?:window|length)[^0-9]{0,40}?(\d{4,})",
)


def window_of(model: ModelRef) -> int:
    """Tokens of the model's context, question and answer together."""
    if model.window:
        return model.window
    if model.provider == "openai" and model.base_url not in ("", OPENAI_URL):
        return UNKNOWN
    return _listed(model.provider, model.name)


@lru_cache(maxsize=256)
def _listed(provider: str, name: str) -> int:
    from genai_prices import Usage, calc_price

    try:
        found = calc_price(Usage(input_tokens=0, output_tokens=0), name, provider_id=provider)
    except (LookupError, ValueError):
        return UNKNOWN
    return found.model.context_window or UNKNOWN


def room_for_answer(window: int) -> int:
    """Tokens of an answer at most: a fifth of a small context, for many servers count them with the question."""
    return max(256, min(ANSWER, window // 5))


def told_window(words: str) -> int:
    """The context that a server names in its refusal (lower case); 0 where it names none."""
    for pattern in _TOLD:
        if found := re.search(pattern, words.replace(",", "")):
            return int(found[1])
    return 0
