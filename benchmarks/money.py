"""What watching money costs: the check before each call, a child that asks for more, the price of an answer."""

import asyncio
import time
from collections.abc import Callable

from benchmarks.rows import Row

CHECKS = 20_000
ASKS = 2_000
CHILDREN = 100
CHECK_LIMIT, ASK_LIMIT, PRICE_LIMIT = 50.0, 5_000.0, 500.0


async def measure() -> list[Row]:
    """The rows of money, in microseconds."""
    return await asyncio.to_thread(rows, CHECKS, ASKS)


def rows(checks: int, asks: int) -> list[Row]:
    """The rows, from so many checks and questions."""
    return [_check(checks), _asks(asks), *_prices(checks // 10)]


def _check(count: int) -> Row:
    from app.domain.budget import Budget, Spent
    from app.domain.session import Usage

    spent = Spent(usage=Usage(input=120_000, output=4_000), usd=0.42, seconds=33.0, calls=12)
    call = Spent(usage=Usage(input=20_000, output=400), usd=0.04, seconds=3.0, calls=1)
    budget = Budget()

    def check() -> None:
        if spent.share(budget) >= 1.0 or (spent + call).share(budget) > 1.0:
            raise RuntimeError("this budget is not used up")

    return Row("budget check before a call", _each(check, count), "µs", limit=CHECK_LIMIT)


def _asks(count: int) -> Row:
    from app.domain.budget import Budget, Spent
    from app.domain.session import Usage
    from workflows.parts.purse import Purse

    purse = Purse(Budget(usd=1e6, tokens=10**12, seconds=None, steps=None), Spent())
    names = [f"child-{number}" for number in range(CHILDREN)]
    call = Spent(usage=Usage(input=20_000), usd=0.04, calls=1)
    used = dict.fromkeys(names, Spent())
    for name in names:
        purse.lend(name)
    turn = iter(range(count))

    def ask() -> None:
        name = names[next(turn) % CHILDREN]
        used[name] += call
        purse.asks(name, used[name], call)
        purse.recall(purse.overdrawn())
        if purse.must_wait(name, used[name]):
            raise RuntimeError("there is more than enough")
        purse.more(name, used[name])

    return Row(f"one of {CHILDREN} children asks for more", _each(ask, count), "µs", limit=ASK_LIMIT)


def _prices(count: int) -> list[Row]:
    from pydantic_ai.usage import RequestUsage

    from app.domain.run import ModelRef
    from app.llm.prices import cost_of

    usage = RequestUsage(input_tokens=20_000, output_tokens=500, cache_read_tokens=15_000)
    found: list[Row] = []
    for name, label in (("anthropic/claude-sonnet-4-20250514", "listed"), ("stepfun/step-3.5-flash", "of our own row")):
        provider, _, model = name.partition("/")
        ref = ModelRef(provider=provider, name=model)
        if not cost_of(ref, usage).usd:
            raise RuntimeError(f"`{name}` has no price")
        taken = _each(lambda ref=ref: cost_of(ref, usage), count)
        found.append(Row(f"price of an answer, {label}", taken, "µs", limit=PRICE_LIMIT))
    return found


def _each(work: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - started) / count * 1e6
