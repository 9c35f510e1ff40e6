"""What model calls used, in whole numbers, so that parts always add up to their total."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any

DOLLAR = 10**12
"""Money is counted in millionths of a millionth of a dollar: the price of any call is whole in it."""


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens, money and time of some calls. `input` includes the cache; `usd` is the known part, in 1/`DOLLAR`.

    `unknown`: calls of which the price, or a part of it, is not known. `ms`: milliseconds of waiting for the model.
    """

    calls: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    usd: int = 0
    unknown: int = 0
    ms: int = 0

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Used":
        """What the record with this body used; `usd` None is an unknown price, `whole` False a part of one."""
        usd = body.get("usd")
        unknown = usd is None or not body.get("whole", True)
        return cls(
            calls=1,
            usd=round((usd or 0) * DOLLAR),
            unknown=int(unknown),
            ms=round(body.get("seconds", 0.0) * 1000),
            **tokens_of(body["usage"]),
        )

    def __add__(self, other: "Used") -> "Used":
        return Used(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def beyond(self, other: "Used") -> "Used":
        """What this counts more than `other`, figure by figure; never negative."""
        return Used(*(max(0, a - b) for a, b in zip(astuple(self), astuple(other), strict=True)))

    def parts(self, count: int) -> "list[Used]":
        """`count` equal shares in whole numbers; the first ones have what is left over."""
        figures = [[value // count + (at < value % count) for at in range(count)] for value in astuple(self)]
        return [Used(*share) for share in zip(*figures, strict=True)]

    @property
    def dollars(self) -> float | None:
        """The whole price; None as soon as a part of it is unknown."""
        return None if self.unknown else self.usd / DOLLAR


def tokens_of(usage: dict[str, Any]) -> dict[str, int]:
    """The tokens of a record's `usage`, by the names of `Used`."""
    return {name: int(usage.get(name, 0)) for name in ("input", "output", "cache_read", "cache_write", "reasoning")}


def total(parts: Iterable[Used]) -> Used:
    """The sum."""
    return sum(parts, Used())
