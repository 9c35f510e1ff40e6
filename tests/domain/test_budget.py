"""Budgets: shares, what is left, and unknown prices that never become zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.budget import Budget, Spent
from app.domain.session import Cost, Usage


def spent(tokens: int = 0, usd: float = 0.0, seconds: float = 0.0, calls: int = 0, unpriced: int = 0) -> Spent:
    return Spent(usage=Usage(input=tokens), usd=usd, seconds=seconds, calls=calls, unpriced=unpriced)


def test_the_largest_share_decides() -> None:
    budget = Budget(usd=1.0, tokens=1000, seconds=100, steps=10)
    assert spent(tokens=500, usd=0.8).share(budget) == pytest.approx(0.8)
    assert spent(calls=10).share(budget) == 1.0


def test_a_limit_of_zero_is_used_up_and_none_is_no_limit() -> None:
    assert spent().share(Budget(usd=0, tokens=None, seconds=None, steps=None)) == 1.0
    assert spent(tokens=10**9).share(Budget(usd=None, tokens=None, seconds=None, steps=None)) == 0.0


def test_left_is_never_negative() -> None:
    left = spent(tokens=5000, usd=9).left(Budget(usd=1.0, tokens=1000, seconds=None, steps=10))
    assert (left.usd, left.tokens, left.seconds, left.steps) == (0.0, 0, None, 10)


def test_one_unpriced_call_makes_the_whole_cost_unknown() -> None:
    assert (spent(usd=1.0) + spent(unpriced=1)).cost == Cost(usd=None)
    assert Cost(usd=1.0) + Cost(usd=None) == Cost(usd=None)


def test_a_sum_of_floats_reaches_its_limit() -> None:
    whole = Spent()
    for _ in range(30):
        whole += spent(usd=0.03)
    assert whole.usd != 0.9 and whole.share(Budget(usd=0.9)) == 1.0 and whole.left(Budget(usd=0.9)).usd == 0.0


numbers = st.integers(min_value=0, max_value=10**6)


@given(numbers, numbers, numbers)
def test_adding_is_associative(a: int, b: int, c: int) -> None:
    x, y, z = spent(tokens=a, calls=1), spent(tokens=b), spent(tokens=c, calls=2)
    assert (x + y) + z == x + (y + z)
