"""Budgets are a tree: a child spends from what its parent reserved for it."""

from app.domain.base import Model
from app.domain.session import Cost, Usage


class Budget(Model):
    """Limits of a run. None: not limited. `seconds` counts activity time, not waiting."""

    usd: float | None = 5.0
    tokens: int | None = 2_000_000
    seconds: float | None = 7200.0
    steps: int | None = 400


class Spent(Model):
    """What was used so far. `calls`: model calls; `unpriced`: calls whose price is unknown."""

    usage: Usage = Usage()
    usd: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0
    calls: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            usage=self.usage + other.usage,
            usd=self.usd + other.usd,
            unpriced=self.unpriced + other.unpriced,
            seconds=self.seconds + other.seconds,
            calls=self.calls + other.calls,
        )

    @property
    def cost(self) -> Cost:
        """The whole price, or unknown as soon as one call had no price."""
        return Cost(usd=None if self.unpriced else self.usd)

    def share(self, budget: Budget) -> float:
        """The largest used share of any limit: 1.0 means that no further call may start."""
        pairs = (
            (self.usd, budget.usd),
            (self.usage.tokens, budget.tokens),
            (self.seconds, budget.seconds),
            (self.calls, budget.steps),
        )
        largest = max((used / limit if limit else 1.0 for used, limit in pairs if limit is not None), default=0.0)
        return round(largest, 12)  # thirty times $0.03 are $0.90, whatever a sum of floats says

    def left(self, budget: Budget) -> Budget:
        """What `budget` still allows after this, limit by limit, never negative."""
        return Budget(
            usd=None if budget.usd is None else max(0.0, round(budget.usd - self.usd, 12)),
            tokens=None if budget.tokens is None else max(0, budget.tokens - self.usage.tokens),
            seconds=None if budget.seconds is None else max(0.0, budget.seconds - self.seconds),
            steps=None if budget.steps is None else max(0, budget.steps - self.calls),
        )
