"""What contracts are at their end: from a cent in the money on shares change hands, as far as somebody can carry them."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quantmatrix.common.names import ContractEnding, Side
from quantmatrix.common.option_ends import ends_of
from quantmatrix.common.options import CONTRACT_SIZE, adjusted, calls_covered, shares_bound, terms_of
from quantmatrix.common.values import Money, Price, Quantity

PUT, CALL = terms_of("ABC   240308P00020000"), terms_of("ABC   240308C00020000")
RICH, POOR, NOTHING = Money(100_000, "USD"), Money.parse("1999.99", "USD"), Quantity(0)
A, X, E, S = ContractEnding.ASSIGNMENT, ContractEnding.EXERCISE, ContractEnding.EXPIRY, ContractEnding.SETTLEMENT


@pytest.mark.parametrize(("inside", "how"), [("0", E), ("0.009999", E), ("0.01", A), ("7", A)])
def test_a_cent_in_the_money_is_exercised_without_anybody_asking(inside: str, how: ContractEnding) -> None:
    """OCC rule 805."""
    (end,) = ends_of(PUT, Quantity(-3), Price.parse(inside), CONTRACT_SIZE, RICH, NOTHING)

    assert (end.how, end.contracts, end.side, end.delivers) == (how, Quantity(3), Side.BUY, how is A)
    assert end.cash == (Money(-6_000, "USD") if how is A else Money(0, "USD"))


@pytest.mark.parametrize(
    ("terms", "held", "cash", "shares", "expected"),
    [
        (PUT, -2, POOR, 0, [(A, 2, Side.BUY, -4_000)]),
        (CALL, -2, POOR, 200, [(A, 2, Side.SELL, 4_000)]),
        (CALL, -2, POOR, 199, [(A, 1, Side.SELL, 2_000), (S, 1, Side.BUY, -500)]),
        (CALL, 2, RICH, 0, [(X, 2, Side.BUY, -4_000)]),
        (CALL, 2, Money(3_999, "USD"), 0, [(X, 1, Side.BUY, -2_000), (S, 1, Side.SELL, 500)]),
        (CALL, 2, POOR, 900, [(S, 2, Side.SELL, 1_000)]),
        (PUT, 2, POOR, 150, [(X, 1, Side.SELL, 2_000), (S, 1, Side.SELL, 500)]),
        (PUT, 2, Money(-5, "USD"), 0, [(S, 2, Side.SELL, 1_000)]),
        (PUT, 0, RICH, 900, []),
    ],
)
def test_what_is_not_carried_is_settled_at_what_it_is_in_the_money_by(
    terms: object, held: int, cash: Money, shares: int, expected: list[tuple[object, ...]]
) -> None:
    ends = ends_of(terms, Quantity(held), Price(5), CONTRACT_SIZE, cash, Quantity(shares))  # type: ignore[arg-type]  # terms of the table

    assert [(one.how, int(one.contracts.value), one.share_side, int(one.cash.amount)) for one in ends] == expected


@given(
    st.sampled_from([PUT, CALL]),
    st.integers(-9, 9),
    st.integers(0, 900),
    st.integers(-9_999, 99_999),
    st.integers(-50, 990),
    st.integers(1, 300),
)
def test_no_end_sells_shares_short_or_takes_a_loan(terms: object, held: int, inside: int, cash: int, shares: int, each: int) -> None:
    there, free = Quantity(shares), Money(cash, "USD")
    ends = ends_of(terms, Quantity(held), Price(Decimal(inside) / 100), Quantity(each), free, there)  # type: ignore[arg-type]

    assert sum(one.contracts.value for one in ends) == abs(held)
    for one in ends:
        given_up = one.shares if one.delivers and one.share_side is Side.SELL else NOTHING
        assert given_up <= max(there, NOTHING)
        assert held < 0 or one.cash.amount >= min(-free.amount, Decimal(0))


def test_sold_calls_bind_shares_and_shares_cover_whole_calls() -> None:
    assert shares_bound(CALL.symbol, Quantity(-2), Quantity(150)) == Quantity(300)
    assert [shares_bound(*one) for one in ((CALL.symbol, Quantity(2)), (PUT.symbol, Quantity(-2)), ("ABC", Quantity(-2)))] == [NOTHING] * 3
    assert [calls_covered(Quantity(one)) for one in (-100, 99, 100, 299)] == [NOTHING, NOTHING, Quantity(1), Quantity(2)]


@given(st.integers(1, 60), st.lists(st.tuples(st.integers(1, 60), st.integers(2, 60)).filter(lambda one: one[0] % one[1]), max_size=3))
@example(3, [(1, 6)])
@example(3, [(5, 3)])
def test_shares_that_covered_calls_deliver_them_all_whatever_splits_came_between(contracts: int, splits: list[tuple[int, int]]) -> None:
    """1 for 6: 300 shares become 50, of which each of three calls takes 16.666666666666, and none is settled for the last digit."""
    terms, deliverable, shares = CALL, CONTRACT_SIZE, Quantity(contracts * 100)
    for new, old in splits:
        after = adjusted(terms, deliverable, new, old)
        terms, deliverable, shares = after.terms, after.deliverable, shares.scaled(new, old)
    ends = ends_of(terms, Quantity(-contracts), Price(1), deliverable, POOR, shares)

    assert [(one.how, one.contracts) for one in ends] == [(A, Quantity(contracts))]
    assert ends[0].shares <= shares and (shares - ends[0].shares).value <= Decimal("1e-6")
