"""What a call costs: genai-prices' table, a few rows of ours. An unknown price stays unknown, never free."""

from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.domain.run import ModelRef
from app.domain.session import Cost
from app.errors import UserError
from app.llm.registry import OPENAI_URL, THEIRS, is_local
from app.settings import Price, config_file, load

if TYPE_CHECKING:
    from pydantic_ai.usage import RequestUsage


FREE = Price(input=0, output=0)
OWN: dict[str, Price] = {
    # What OpenRouter's row in genai-prices 0.2.3 says of it; StepFun's own list was not checked.
    "stepfun/step-3.5-flash": Price(input=0.10, output=0.30, cache_read=0.02),
    # The price of the global inference profile; a regional one costs a tenth more, which genai-prices knows.
    "bedrock/global.anthropic.claude-opus-4-6-v1": Price(input=5, output=25, cache_read=0.5, cache_write=6.25),
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
    price = _own(model)
    if price is FREE:
        return Cost(usd=0.0)
    if (_unlisted(model) and price is None) or not (usage.input_tokens or usage.output_tokens):
        return Cost(usd=None)
    if price is not None:
        return Cost(usd=_sum(price, usage))
    found = _calculated(model, usage)
    return Cost(usd=None if found is None or None in _bases(found) else float(found.total_price))


def _sum(price: Price, usage: "RequestUsage") -> float:
    read, write = usage.cache_read_tokens, usage.cache_write_tokens
    fresh = max(usage.input_tokens - read - write, 0)
    total = fresh * price.input + usage.output_tokens * price.output
    total += read * (price.input if price.cache_read is None else price.cache_read)
    total += write * (price.input if price.cache_write is None else price.cache_write)
    return total / 1_000_000


def _users() -> dict[str, Price]:
    """`[prices]` of the settings, read again when their file changes.

    Unreadable ones count as none: a paid answer must not be lost for them, and every command of `ctl` names them.
    """
    file = config_file()
    try:
        return _read(file, file.stat().st_mtime_ns)
    except (OSError, UserError):
        return {}


@lru_cache(maxsize=4)
def _read(_file: Path, _changed: int) -> dict[str, Price]:
    return load().prices


def _own(model: ModelRef) -> Price | None:
    """The price that stands in no list but ours: the person's own row, nothing, a row of this file."""
    if own := _users().get(model.id):
        return own
    if model.provider == "demo" or (model.provider == "openrouter" and model.name.endswith(":free")):
        return FREE
    return None if _unlisted(model) else OWN.get(model.id)


def _unlisted(model: ModelRef) -> bool:
    """Whether it is served by nobody whose prices are listed."""
    return model.provider == "openai" and model.base_url not in ("", OPENAI_URL)


def _price(model: ModelRef) -> Price | None:
    if (own := _own(model)) is not None or _unlisted(model):
        return own
    from genai_prices import Usage

    found = _calculated(model, Usage(input_tokens=0, output_tokens=0))
    values = (None, None) if found is None else _bases(found)
    return None if values[0] is None or values[1] is None else Price(input=values[0], output=values[1])


def _bases(found: Any) -> tuple[float | None, float | None]:
    """The prices of input and output in a row of genai-prices."""
    return _base(getattr(found.model_price, "input_mtok", None)), _base(getattr(found.model_price, "output_mtok", None))


def _base(price: Any) -> float | None:
    """A price in dollars; of tiers, that of the first."""
    value = getattr(price, "base", price)
    return float(value) if isinstance(value, Decimal | int | float) else None


def _calculated(model: ModelRef, usage: Any) -> Any:
    from genai_prices import calc_price

    try:
        return calc_price(usage, model.name, provider_id=THEIRS.get(model.provider, model.provider))
    except (LookupError, ValueError):
        return None


def _dollars(value: float) -> str:
    return f"${value:.2f}" if value == 0 or value >= 0.01 else f"${value:.4f}"
