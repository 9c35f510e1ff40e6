"""The models that are offered first, and what each can do, for `ctl models`."""

from app.domain.base import Model
from app.domain.run import ModelRef
from app.errors import UserError
from app.llm.prices import price_of
from app.llm.registry import PROVIDERS


class Offer(Model):
    """One model. Prices in US dollars per million tokens and the context in tokens; None: unknown."""

    provider: str
    model: str
    context: int | None
    input_usd: float | None
    output_usd: float | None
    tools: bool
    vision: bool
    thinking: bool
    caching: bool
    extra: str


_CAN: dict[str, tuple[int | None, str]] = {
    # Contexts from genai-prices 0.2.3 where it has them; the rest by hand, not checked with the vendors.
    "anthropic": (200_000, "tools vision thinking caching"),
    "bedrock": (200_000, "tools vision thinking caching"),
    "github-copilot": (None, "tools vision"),
    "google": (1_048_576, "tools vision thinking caching"),
    "local": (8192, "tools"),
    "moonshotai": (262_144, "tools vision thinking caching"),
    "openrouter": (262_144, "tools thinking"),
    "stepfun": (262_144, "tools thinking caching"),
    "vertex-glm": (200_000, "tools thinking"),
    "zai": (200_000, "tools thinking caching"),
}


def models(provider: str = "") -> list[Offer]:
    """What is offered, of one provider or of all. Raises `UserError` (exit 2) for an unknown provider."""
    if provider and provider not in PROVIDERS:
        known = ", ".join(f"`{name}`" for name in PROVIDERS)
        raise UserError(f"provider `{provider}` is unknown; the providers are {known}")
    return [_offer(name) for name, row in PROVIDERS.items() if row.default and provider in ("", name)]


def _offer(name: str) -> Offer:
    row = PROVIDERS[name]
    context, can = _CAN[name]
    price = price_of(ModelRef(provider=name, name=row.default))
    words = can.split()
    return Offer(
        provider=name,
        model=f"{name}/{row.default}",
        context=context,
        input_usd=price.input if price else None,
        output_usd=price.output if price else None,
        tools="tools" in words,
        vision="vision" in words,
        thinking="thinking" in words,
        caching="caching" in words,
        extra=row.extra,
    )
