"""The models that are offered first, and what each can do, for `ctl models`."""

from app.domain.base import Model
from app.domain.run import ModelRef
from app.errors import UserError
from app.llm.prices import price_of
from app.llm.registry import PROVIDERS
from app.llm.windows import known_window


class Offer(Model):
    """One model. Prices in US dollars per million tokens, the context in tokens; None: unknown."""

    provider: str
    model: str
    context: int | None
    input_usd: float | None
    output_usd: float | None
    tools: bool | None
    vision: bool | None
    thinking: bool | None
    caching: bool | None
    extra: str
    note: str
    """What a person should know before choosing it; empty for most."""


ABILITIES = ("tools", "vision", "thinking", "caching")
_CAN = {
    # https://platform.claude.com/docs/en/models/opus-4-6/overview; the same holds for Sonnet 4.
    "anthropic": "tools vision thinking caching",
    "bedrock": "tools vision thinking caching",
    # pydantic-ai's `providers/github_copilot.py`, from its authors' probes of September 2026
    "github-copilot": "tools vision thinking",
    # https://ai.google.dev/gemini-api/docs/models
    "google": "tools vision thinking caching",
    "local": "tools",
    # https://www.chatbase.co/blog/kimi-k2-api and genai-prices (a price for cache reads).
    "moonshotai": "tools vision thinking caching",
    # https://openrouter.ai/stepfun/step-3.5-flash/api
    "openrouter": "tools thinking",
    # https://vercel.com/ai-gateway/models/step-3.5-flash/about: reasoning, tool use, implicit caching
    "stepfun": "tools thinking caching",
    # https://www.getmaxim.ai/bifrost/model-library/compare/vertex_ai/glm-5-maas and .../zai/glm-5
    "vertex-glm": "tools thinking caching",
    "zai": "tools thinking caching",
}
"""What each one's first model can do, as read in November 2026."""
_NOTES = {
    # `DEPRECATED_MODELS` in the SDK's `anthropic/resources/messages/messages.py`.
    "anthropic": "Anthropic announced its end for 15 June 2026; `anthropic/claude-opus-4-6` is newer",
    # https://docs.github.com/en/copilot/reference/ai-models/supported-models
    "github-copilot": "GitHub's list of May 2026 names `claude-opus-4.5` and newer ones, not this; billed by request",
}


def models(provider: str = "") -> list[Offer]:
    """What is offered, of one provider or of all. Raises `UserError` (exit 2) for an unknown provider."""
    if provider and provider not in PROVIDERS:
        known = ", ".join(f"`{name}`" for name in PROVIDERS)
        raise UserError(f"provider `{provider}` is unknown; the providers are {known}")
    return [_offer(name) for name, row in PROVIDERS.items() if row.default and provider in ("", name)]


def _offer(name: str) -> Offer:
    row = PROVIDERS[name]
    model = ModelRef(provider=name, name=row.default)
    price = price_of(model)
    can = _CAN.get(name)
    abilities = {word: None if can is None else word in can.split() for word in ABILITIES}
    return Offer(
        provider=name,
        model=model.id,
        context=known_window(model),
        input_usd=price.input if price else None,
        output_usd=price.output if price else None,
        **abilities,
        extra=row.extra,
        note=_NOTES.get(name, ""),
    )
