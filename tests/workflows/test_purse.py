"""The budget tree: what children hold never adds up to more than the parent has."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.budget import Budget, Spent
from app.domain.session import Usage
from workflows.parts.purse import Purse

WHOLE = Budget(usd=5.0, tokens=100_000, seconds=None, steps=100)


def used(tokens: int, calls: int = 1) -> Spent:
    return Spent(usage=Usage(input=tokens), calls=calls)


def test_a_child_first_gets_a_share_and_more_when_it_asks() -> None:
    purse = Purse(WHOLE, Spent())
    first = purse.lend("a")
    assert first.tokens == 25_000
    more = purse.more("a", used(25_000, 5))
    assert more.tokens is not None and 25_000 < more.tokens <= 100_000


def test_nothing_is_granted_when_nothing_is_left() -> None:
    purse = Purse(WHOLE, used(90_000))
    held = purse.lend("a")
    assert purse.more("a", used(10_000)) == held


def test_a_settled_child_counts() -> None:
    purse = Purse(WHOLE, Spent())
    purse.lend("a")
    purse.settle("a", used(100_000))
    assert purse.empty


def test_what_a_large_call_overdrew_is_taken_back_from_who_holds_most() -> None:
    purse = Purse(WHOLE, Spent())
    held = {name: purse.lend(name).tokens or 0 for name in ("a", "b", "c")}
    rest = 100_000 - sum(held.values())
    purse.asks("c", used(held["c"] + rest + 5_000))
    assert {name: cut.tokens for name, cut in purse.overdrawn().items()} == {"a": held["a"] - 5_000}
    purse.recall(purse.overdrawn())
    assert purse.overdrawn() == {}
    purse.asks("a", used(held["a"] - 1_000))  # it used more before it was told
    assert {name: cut.tokens for name, cut in purse.overdrawn().items()} == {"b": held["b"] - 4_000}


def test_what_sums_of_floats_leave_over_buys_no_call() -> None:
    random, call = Random(1), Spent(usd=0.03, calls=1)
    for _ in range(100):
        calls = [random.randint(1, 6) for _ in range(random.randint(2, 20))]
        purse = Purse(Budget(usd=sum(calls) * 3 / 100, tokens=None, seconds=None, steps=None), Spent())
        for number, count in enumerate(calls):
            purse.lend(f"c{number}")
            purse.asks(f"c{number}", sum([call] * count, Spent()), call)
        purse.asks("late", Spent())
        assert purse.more("late", Spent()).usd == 0.0


@given(st.lists(st.integers(min_value=1, max_value=30_000), min_size=1, max_size=60))
def test_one_child_overspends_by_at_most_its_last_call(calls: list[int]) -> None:
    purse = Purse(WHOLE, Spent())
    limit, total = purse.lend("a"), Spent()
    for tokens in calls:
        if total.share(limit) >= 1.0:
            limit = purse.more("a", total)
            if total.share(limit) >= 1.0:
                break
        total += used(tokens, 0)
    assert WHOLE.tokens is not None
    assert total.usage.tokens < WHOLE.tokens + max(calls)


class _Child:
    """What an agent does with its limits: a check before each call, and a question when they are used up."""

    def __init__(self, name: str, calls: list[int]) -> None:
        self.name, self.calls, self.total = name, list(calls), Spent()


@pytest.mark.parametrize("alike", [True, False], ids=["equal calls", "any calls"])
@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_children_overspend_by_at_most_their_calls_in_flight(seed: int, alike: bool) -> None:
    random = Random(seed)
    least = 700 if alike else 200
    plans = [[random.randint(least, 700 if alike else 1_000) for _ in range(random.randint(0, 10))] for _ in range(100)]
    purse = Purse(WHOLE.model_copy(update={"steps": None, "usd": None}), Spent())
    children = [_Child(f"c{number}", calls) for number, calls in enumerate(plans)]
    limits = {child.name: purse.lend(child.name) for child in children}
    living, asking = {child.name: child for child in children}, set[str]()
    last: dict[str, int] = {}
    while living:
        order = random.sample(sorted(living), len(living))
        ready = (name for name in order if name not in asking or not purse.must_wait(name, living[name].total))
        name = next(ready, "")
        assert name, "children wait for each other"
        child = living[name]
        if child.name in asking:
            asking.discard(child.name)
            limits[child.name] = purse.more(child.name, child.total)
            ended = child.total.share(limits[child.name]) >= 1.0
        elif child.calls and _lacks(child, limits[child.name], last.get(child.name, 0)):
            asking.add(child.name)
            purse.asks(child.name, child.total, used(last.get(child.name, 0), 0))
            cut = purse.overdrawn()
            purse.recall(cut)
            limits |= cut
            continue
        else:
            ended = not child.calls
        if ended:
            purse.settle(living.pop(child.name).name, child.total)
        else:
            last[child.name] = child.calls.pop(0)
            child.total += used(last[child.name], 0)
    # Of equal calls only the very last one may be too much; of others one in each share of 20,000.
    assert purse.spent.usage.tokens < 100_000 + max(last.values()) * (1 if alike else 5)
    wanted = sum(sum(calls) for calls in plans)
    assert purse.spent.usage.tokens >= min(wanted, 100_000), "what was left could have been used"


def _lacks(child: _Child, limit: Budget, last: int) -> bool:
    return child.total.share(limit) >= 1.0 or (child.total + used(last, 0)).share(limit) > 1.0
