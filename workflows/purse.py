"""A node of the budget tree: what may be spent here, and what children reserved of it."""

from collections.abc import Iterable

from app.domain.budget import Budget, Spent

SHARE = 4
"""A child first gets a quarter of what is left, and asks for more when that is used."""


class Purse:
    """Counts what ended children used and what living ones hold."""

    def __init__(self, budget: Budget, spent: Spent) -> None:
        self.budget = budget
        self.spent = spent
        self.lent: dict[str, Budget] = {}

    def lend(self, child: str) -> Budget:
        """Reserves a share for a child that is about to start."""
        self.lent[child] = _quarter(_less(self.spent.left(self.budget), self.lent.values()))
        return self.lent[child]

    def more(self, child: str, spent: Spent) -> Budget:
        """A child that used `spent` asks for more: its new limits, the old ones when nothing is left."""
        held = self.lent.get(child, Budget(usd=0, tokens=0, seconds=0, steps=0))
        free = (self.spent + spent).left(self.budget)
        self.lent[child] = _plus(spent, _quarter(free)) if not _empty(free) else held
        return self.lent[child]

    def settle(self, child: str, spent: Spent) -> None:
        """A child ended, however it ended, and used `spent`."""
        self.lent.pop(child, None)
        self.spent += spent

    @property
    def empty(self) -> bool:
        """Whether no further call may start."""
        return self.spent.share(self.budget) >= 1.0


def _less(left: Budget, lent: Iterable[Budget]) -> Budget:
    """What is left beside what living children hold."""
    held = list(lent)
    return Budget(
        usd=None if left.usd is None else max(0.0, left.usd - sum(b.usd or 0 for b in held)),
        tokens=None if left.tokens is None else max(0, left.tokens - sum(b.tokens or 0 for b in held)),
        seconds=None if left.seconds is None else max(0.0, left.seconds - sum(b.seconds or 0 for b in held)),
        steps=None if left.steps is None else max(0, left.steps - sum(b.steps or 0 for b in held)),
    )


def _quarter(left: Budget) -> Budget:
    # The last crumbs are lent whole, so that dividing ends.
    return Budget(
        usd=None if left.usd is None else (left.usd / SHARE if left.usd > 0.05 else left.usd),
        tokens=None if left.tokens is None else (left.tokens // SHARE if left.tokens > 20_000 else left.tokens),
        seconds=None if left.seconds is None else (left.seconds / SHARE if left.seconds > 60 else left.seconds),
        steps=None if left.steps is None else (left.steps // SHARE if left.steps > 20 else left.steps),
    )


def _plus(spent: Spent, share: Budget) -> Budget:
    return Budget(
        usd=None if share.usd is None else spent.usd + share.usd,
        tokens=None if share.tokens is None else spent.usage.tokens + share.tokens,
        seconds=None if share.seconds is None else spent.seconds + share.seconds,
        steps=None if share.steps is None else spent.calls + share.steps,
    )


def _empty(left: Budget) -> bool:
    return any(limit is not None and limit <= 0 for limit in (left.usd, left.tokens, left.seconds, left.steps))
