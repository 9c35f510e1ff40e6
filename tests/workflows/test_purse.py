"""The budget tree: what children hold never adds up to more than the parent has."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.budget import Budget, Spent
from app.domain.session import Usage
from workflows.purse import Purse

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
