"""A node of the budget tree: what may be spent here, and what children reserved of it."""

from collections.abc import Iterable

from app.domain.budget import Budget, Spent

SHARE = 4
"""A child first gets a quarter of what is left, and asks for more when that is used."""

NOTHING = Spent()
NONE = Budget(usd=0, tokens=0, seconds=0, steps=0)


class Purse:
    """Counts what ended children used and what living ones hold."""

    def __init__(self, budget: Budget, spent: Spent) -> None:
        self.budget = budget
        self.spent = spent
        self.lent: dict[str, Budget] = {}
        self.waiting: set[str] = set()

    def lend(self, child: str) -> Budget:
        """Reserves a share for a child that is about to start."""
        self.lent[child] = _part(self._free(), self._parts())
        return self.lent[child]

    def more(self, child: str, spent: Spent) -> Budget:
        """A child that used `spent` asks for more: its new limits, the old ones when nothing is left."""
        held = self.lent.pop(child, NONE)
        free = self._free(spent)
        if _empty(free):
            self.lent[child] = _most(held, _plus(spent, NONE))
            return held
        self.waiting.discard(child)
        self.lent[child] = _plus(spent, _part(free, self._parts()))
        return self.lent[child]

    def must_wait(self, child: str, spent: Spent) -> bool:
        """Whether `more` has nothing now, but a living child that does not wait may give back what it holds.

        Call `asks` before, and `more` once this is False: a child that waits holds nothing that could come back.
        """
        others = [name for name in self.lent if name != child]
        return _empty(_less(self._left(spent), (self.lent[name] for name in others))) and any(
            name not in self.waiting for name in others
        )

    def asks(self, child: str, spent: Spent) -> None:
        """A child waits for more: what it held is used up, and its last call may have used more than that."""
        self.waiting.add(child)
        self.lent[child] = _most(self.lent.get(child, NONE), _plus(spent, NONE))

    def _left(self, more: Spent) -> Budget:
        return (self.spent + more).left(self.budget)

    def _free(self, more: Spent = NOTHING) -> Budget:
        """What nobody used and nobody holds."""
        return _less(self._left(more), self.lent.values())

    def _parts(self) -> int:
        """Into how many shares what is free is divided: many children get small shares, not the first ones all."""
        return max(SHARE, len(self.lent) + 1)

    def settle(self, child: str, spent: Spent) -> None:
        """A child ended, however it ended, and used `spent`."""
        self.lent.pop(child, None)
        self.waiting.discard(child)
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


def _part(left: Budget, parts: int) -> Budget:
    # The last crumbs are lent whole, so that dividing ends.
    return Budget(
        usd=None if left.usd is None else (left.usd / parts if left.usd > 0.05 else left.usd),
        tokens=None if left.tokens is None else (left.tokens // parts if left.tokens > 20_000 else left.tokens),
        seconds=None if left.seconds is None else (left.seconds / parts if left.seconds > 60 else left.seconds),
        steps=None if left.steps is None else (left.steps // parts if left.steps > 20 else left.steps),
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


def _most(one: Budget, other: Budget) -> Budget:
    """Limit by limit the larger one; no limit where the first has none."""
    return Budget(
        usd=None if one.usd is None else max(one.usd, other.usd or 0),
        tokens=None if one.tokens is None else max(one.tokens, other.tokens or 0),
        seconds=None if one.seconds is None else max(one.seconds, other.seconds or 0),
        steps=None if one.steps is None else max(one.steps, other.steps or 0),
    )
