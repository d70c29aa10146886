"""What a split makes of listed options, by worked examples of the exchanges and of the Options Clearing Corporation."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.names import Side
from quantmatrix.common.options import CONTRACT_SIZE, Adjusted, OptionTerms, adjusted, price_met, terms_of, worth_at_the_end
from quantmatrix.common.values import Price, Quantity

EXPIRES = date(2024, 4, 19)


def call(strike: str, root: str = "XYZ") -> OptionTerms:
    return OptionTerms(root, EXPIRES, "call", Price.parse(strike))


@pytest.mark.parametrize(
    ("strike", "ratio", "after", "times"),
    [
        pytest.param("60", (3, 1), "20", 3, id="one 60 becomes three 20 (OCC, notice of 9 January 2006)"),
        pytest.param("60", (2, 1), "30", 2, id="one 60 becomes two 30"),
        pytest.param("645", (7, 1), "92.14", 7, id="645 / 7 = 92.142857, to the cent"),
        pytest.param("40", (3, 1), "13.33", 3, id="40 / 3 = 13.333, to the cent"),
        pytest.param("62.5", (20, 1), "3.13", 20, id="62.50 / 20 = 3.125, half a cent goes up"),
    ],
)
def test_whole_shares_for_each_multiply_contracts_and_divide_the_strike(
    strike: str, ratio: tuple[int, int], after: str, times: int
) -> None:
    assert adjusted(call(strike), CONTRACT_SIZE, *ratio) == Adjusted(call(after), times, 1, CONTRACT_SIZE)


@pytest.mark.parametrize(
    ("ratio", "shares"),
    [
        pytest.param((3, 2), "150", id="3 for 2: 150 shares for 50 x 100 (disclosure document)"),
        pytest.param((5, 4), "125", id="5 for 4"),
        pytest.param((1, 20), "5", id="1 for 20: 5 shares"),
        pytest.param((1, 5), "20", id="1 for 5: 20 shares"),
    ],
)
def test_other_splits_leave_contracts_strike_and_multiplier_and_change_what_is_delivered(ratio: tuple[int, int], shares: str) -> None:
    found = adjusted(call("50"), CONTRACT_SIZE, *ratio)

    assert found == Adjusted(call("50", "XYZ1"), 1, 1, Quantity.parse(shares))
    assert found.terms.underlying == "XYZ" and terms_of(found.terms.symbol) == found.terms


def test_a_contract_that_was_adjusted_before_gets_the_next_digit_and_keeps_its_shares_through_whole_splits() -> None:
    once = adjusted(call("50"), CONTRACT_SIZE, 3, 2)
    twice = adjusted(once.terms, once.deliverable, 3, 2)
    whole = adjusted(twice.terms, twice.deliverable, 2, 1)

    assert (twice.terms.root, twice.deliverable) == ("XYZ2", Quantity(225))
    assert (whole.terms, whole.numerator, whole.deliverable) == (call("25", "XYZ2"), 2, Quantity(225))


def test_a_root_without_room_for_a_digit_and_a_strike_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="one to six characters"):
        adjusted(call("50", "ABCDEF"), CONTRACT_SIZE, 3, 2)
    with pytest.raises(ValueError, match="a strike lies between"):
        adjusted(call("0.01"), CONTRACT_SIZE, 10, 1)
    with pytest.raises(ValueError, match="adjusted 9 times"):
        adjusted(call("50", "XYZ9"), CONTRACT_SIZE, 3, 2)


def test_an_adjusted_contract_is_settled_at_what_its_shares_are_worth_beyond_the_old_aggregate_strike() -> None:
    """150 shares at 36 are worth 5,400, for 5,000: 400 a contract, 4.00 a share of a hundred."""
    terms = call("50", "XYZ1")

    assert worth_at_the_end(terms, EXPIRES, Price(36), Quantity(150)) == Price(4)
    assert price_met(Side.SELL, None, terms, EXPIRES, Price(36), Quantity(150), closing=True) == Price(4)
    assert worth_at_the_end(terms, EXPIRES, Price(33), Quantity(150)) == Price(0)
    assert worth_at_the_end(OptionTerms("XYZ1", EXPIRES, "put", Price(50)), EXPIRES, Price(30), Quantity(150)) == Price(5)


@given(
    strike=st.integers(1, 4_000),
    close=st.decimals("1", "9000", places=2),
    ratio=st.sampled_from([(2, 1), (4, 1), (5, 1), (10, 1), (3, 2), (5, 4), (1, 2), (1, 8), (1, 10), (1, 20)]),
)
def test_a_split_changes_nothing_in_what_a_position_is_worth_at_its_end(strike: int, close: Decimal, ratio: tuple[int, int]) -> None:
    """Strikes of whole dollars and these ratios need no rounding: value before is value after, to the last digit."""
    new, old = ratio
    before = worth_at_the_end(call(str(strike)), EXPIRES, Price(close))
    found = adjusted(call(str(strike)), CONTRACT_SIZE, new, old)
    after = worth_at_the_end(found.terms, EXPIRES, Price(close).scaled(old, new), found.deliverable)

    assert before is not None and after is not None
    assert abs(before.value - after.value * found.numerator) <= Decimal("1e-9")
