"""How many tokens a model's context holds: a person's word, what we read, genai-prices' table, what its server said."""

import re
from functools import lru_cache

from app.domain.run import ModelRef
from app.llm.registry import OPENAI_URL, THEIRS

UNKNOWN = 128_000
"""Tokens, where nobody says: the first refusal of a smaller server tells its own number."""
ANSWER = 8192
OWN: dict[str, int] = {
    # Asked for by the people this was made for; Anthropic's own page says a million by now, Amazon's was not checked.
    "bedrock/global.anthropic.claude-opus-4-6-v1": 200_000,
    # https://ai.google.dev/gemini-api/docs/models: "Input token limit 1,048,576".
    "google/gemini-2.5-pro": 1_048_576,
    # What our own server of it is started with (`providers/llama_server.py`).
    "local/smollm2": 8192,
    # https://vercel.com/ai-gateway/models/step-3.5-flash/about: 262.1K tokens; OpenRouter's own page: 256,000.
    "openrouter/stepfun/step-3.5-flash:free": 256_000,
    "stepfun/step-3.5-flash": 262_144,
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/maas/zaiorg names 200,000 for GLM 4.7; for GLM 5:
    # https://www.getmaxim.ai/bifrost/model-library/compare/vertex_ai/glm-5-maas and .../zai/glm-5.
    "vertex-glm/zai-org/glm-5-maas": 200_000,
    "zai/glm-5": 200_000,
}
"""By the model's id, where genai-prices 0.2.3 has nothing or something else."""
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
    return known_window(model) or UNKNOWN


def known_window(model: ModelRef) -> int | None:
    """Tokens, by the tables alone; None where nobody says."""
    if model.provider == "openai" and model.base_url not in ("", OPENAI_URL):
        return None
    return OWN.get(model.id) or _listed(model.provider, model.name)


@lru_cache(maxsize=256)
def _listed(provider: str, name: str) -> int | None:
    from genai_prices import Usage, calc_price

    try:
        found = calc_price(Usage(input_tokens=0, output_tokens=0), name, provider_id=THEIRS.get(provider, provider))
    except (LookupError, ValueError):
        return None
    return found.model.context_window or None


def room_for_answer(window: int) -> int:
    """Tokens of an answer at most: a fifth of a small context, for many servers count them with the question."""
    return max(256, min(ANSWER, window // 5))


def told_window(words: str) -> int:
    """The context that a server names in its refusal (lower case); 0 where it names none."""
    for pattern in _TOLD:
        if found := re.search(pattern, words.replace(",", "")):
            return int(found[1])
    return 0
