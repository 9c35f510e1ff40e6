"""A node of the budget tree: what may be spent here, and what children reserved of it."""

from collections.abc import Iterable

from app.domain.budget import Budget, Spent

SHARE = 4
"""A child first gets a quarter of what is left, and asks for more when its next call may cost more than it has."""
CRUMB = Budget(usd=0.05, tokens=20_000, seconds=60, steps=20)
"""A share is never less: dividing must end, and a first call, whose price nobody knows, should fit into it."""

NOTHING = Spent()
NONE = Budget(usd=0, tokens=0, seconds=0, steps=0)


class Purse:
    """Counts what ended children used and what living ones hold."""

    def __init__(self, budget: Budget, spent: Spent) -> None:
        self.budget = budget
        self.spent = spent
        self.lent: dict[str, Budget] = {}
        self.waiting: set[str] = set()
        self.call = Spent()
        """What the dearest call so far used, as far as it was told."""

    def lend(self, child: str) -> Budget:
        """Reserves a share for a child that is about to start."""
        self.lent[child] = _part(self._free(), self._parts(), self.call)
        return self.lent[child]

    def more(self, child: str, spent: Spent) -> Budget:
        """A child that used `spent` asks for more: its new limits, the old ones when nothing is left."""
        held = self.lent.pop(child, NONE)
        free = self._free(spent)
        if _empty(free):
            self.lent[child] = held
            return held
        self.waiting.discard(child)
        self.lent[child] = _plus(spent, _part(free, self._parts(), self.call))
        return self.lent[child]

    def must_wait(self, child: str, spent: Spent) -> bool:
        """Whether `more` has too little for a call now, but a living child that does not wait may give some back.

        Call `asks` before, and `more` once this is False: a child that waits holds nothing that could come back.
        """
        others = [name for name in self.lent if name != child]
        free = _less(self._left(spent), (self.lent[name] for name in others))
        return _empty(free, self.call) and any(name not in self.waiting for name in others)

    def asks(self, child: str, spent: Spent, call: Spent = NOTHING) -> None:
        """A child waits for more. What it used may be more than what it held; what is left of that comes back.

        `call`: what its last call used; the next one may use as much.
        """
        self.waiting.add(child)
        self.lent[child] = _plus(spent, self.budget.model_copy(update=_nothing(self.budget)))
        self.call = max(self.call, call, key=lambda one: (one.usd, one.usage.tokens))

    def overdrawn(self) -> dict[str, Budget]:
        """New limits of children that hold what others, whose last calls cost more than they held, used up.

        Taken from the largest share first: few need to be told. One that used it already stops and asks.
        """
        cut: dict[str, Budget] = {}
        for name, limit in self.budget:
            if limit is None:
                continue
            held = {child: getattr(cut.get(child, lent), name) or 0 for child, lent in self.lent.items()}
            over = _used(self.spent)[name] + sum(held.values()) - limit
            for child in sorted(held.keys() - self.waiting, key=lambda child: (-held[child], child)):
                taken = min(over, held[child])
                if taken <= 1e-9:
                    break
                cut[child] = cut.get(child, self.lent[child]).model_copy(update={name: held[child] - taken})
                over -= taken
        return cut

    def recall(self, cut: dict[str, Budget]) -> None:
        """Takes back what `overdrawn` told."""
        self.lent |= cut

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
    """What is left beside what living children hold. Rounded: what sums of floats leave over buys no call."""
    held = list(lent)
    return Budget(
        usd=None if left.usd is None else max(0.0, round(left.usd - sum(b.usd or 0 for b in held), 12)),
        tokens=None if left.tokens is None else max(0, left.tokens - sum(b.tokens or 0 for b in held)),
        seconds=None if left.seconds is None else max(0.0, round(left.seconds - sum(b.seconds or 0 for b in held), 9)),
        steps=None if left.steps is None else max(0, left.steps - sum(b.steps or 0 for b in held)),
    )


def _part(left: Budget, parts: int, call: Spent) -> Budget:
    least = _used(call)
    shares: dict[str, float | None] = {}
    for name, limit in left:
        crumb = max(getattr(CRUMB, name), least[name])
        whole = name in ("tokens", "steps")
        shares[name] = None if limit is None else min(limit, max(limit // parts if whole else limit / parts, crumb))
    return Budget.model_validate(shares)


def _plus(spent: Spent, share: Budget) -> Budget:
    return Budget(
        usd=None if share.usd is None else spent.usd + share.usd,
        tokens=None if share.tokens is None else spent.usage.tokens + share.tokens,
        seconds=None if share.seconds is None else spent.seconds + share.seconds,
        steps=None if share.steps is None else spent.calls + share.steps,
    )


def _used(spent: Spent) -> dict[str, float]:
    """What counts against each limit, by its name."""
    return {"usd": spent.usd, "tokens": spent.usage.tokens, "seconds": spent.seconds, "steps": spent.calls}


def _nothing(budget: Budget) -> dict[str, int]:
    return {name: 0 for name, limit in budget if limit is not None}


def _empty(left: Budget, call: Spent = NOTHING) -> bool:
    """Whether nothing is left, or less than a call may use."""
    least = _used(call)
    return any(limit is not None and (limit <= 0 or limit < least[name] - 1e-9) for name, limit in left)
