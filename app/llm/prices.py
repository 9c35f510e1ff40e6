"""What a call costs: genai-prices' table, a few rows of ours. An unknown price stays unknown, never free."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from app.domain.run import ModelRef
from app.domain.session import Cost
from app.llm.registry import OPENAI_URL, is_local

if TYPE_CHECKING:
    from pydantic_ai.usage import RequestUsage


class Price(NamedTuple):
    """US dollars per million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write: float = 0.0
    """0: as input."""


_THEIRS = {"bedrock": "aws", "vertex-glm": "google"}
"""What genai-prices calls a provider of ours."""
FREE = Price(0.0, 0.0, 0.0)
OWN: dict[str, Price] = {
    # What OpenRouter's row in genai-prices 0.2.3 says of it; StepFun's own list was not checked.
    "stepfun/step-3.5-flash": Price(0.10, 0.30, 0.02),
    # The price of the global inference profile; a regional one costs a tenth more, which genai-prices knows.
    "bedrock/global.anthropic.claude-opus-4-6-v1": Price(5.0, 25.0, 0.5, 6.25),
}


def price_line(model: ModelRef) -> str:
    """The price as a person reads it: `$0.60 in / $2.50 out per 1 M tokens`, or that it is unknown."""
    price = _price(model)
    if price is not None:
        return f"{_dollars(price.input)} in / {_dollars(price.output)} out per 1 M tokens"
    return "price unknown (local server)" if is_local(model) else "price unknown"


def price_of(model: ModelRef) -> Price | None:
    """US dollars per million tokens; None where it is unknown."""
    return _price(model)


def priced(model: ModelRef) -> bool:
    """Whether the cost of its calls can be known."""
    return _price(model) is not None


def cost_of(model: ModelRef, usage: "RequestUsage") -> Cost:
    """What a call cost; unknown when the price is, or when the server did not say what was used."""
    price = _price(model)
    if price is FREE:
        return Cost(usd=0.0)
    if price is None or not (usage.input_tokens or usage.output_tokens):
        return Cost(usd=None)
    if model.id in OWN:
        fresh = max(usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens, 0)
        total = fresh * price.input + usage.cache_read_tokens * price.cache_read + usage.output_tokens * price.output
        total += usage.cache_write_tokens * (price.cache_write or price.input)
        return Cost(usd=total / 1_000_000)
    found = _calculated(model, usage)
    return Cost(usd=None if found is None else float(found.total_price))


def _price(model: ModelRef) -> Price | None:
    if model.provider == "demo" or (model.provider == "openrouter" and model.name.endswith(":free")):
        return FREE
    if model.provider == "openai" and model.base_url not in ("", OPENAI_URL):
        return None
    if model.id in OWN:
        return OWN[model.id]
    from genai_prices import Usage

    found = _calculated(model, Usage(input_tokens=0, output_tokens=0))
    if found is None:
        return None
    values = [_base(getattr(found.model_price, name, None)) for name in ("input_mtok", "output_mtok")]
    if values[0] is None or values[1] is None:
        return None
    return Price(values[0], values[1], _base(getattr(found.model_price, "cache_read_mtok", None)) or 0.0)


def _base(price: Any) -> float | None:
    """A price in dollars; of tiers, that of the first."""
    value = getattr(price, "base", price)
    return float(value) if isinstance(value, Decimal | int | float) else None


def _calculated(model: ModelRef, usage: Any) -> Any:
    from genai_prices import calc_price

    try:
        return calc_price(usage, model.name, provider_id=_THEIRS.get(model.provider, model.provider))
    except (LookupError, ValueError):
        return None


def _dollars(value: float) -> str:
    return f"${value:.2f}" if value == 0 or value >= 0.01 else f"${value:.4f}"
