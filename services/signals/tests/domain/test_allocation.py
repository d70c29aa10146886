"""Allocation by contribution: the worked examples, whole lots, due days."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.allocation import Frequency, broken, contribution_of, due, plan, whole_lots

CONSERVATIVE = {"VTI": Decimal("0.60"), "VXUS": Decimal("0.30"), "BND": Decimal("0.10")}
AGGRESSIVE = {"QQQ": Decimal("0.50"), "VTI": Decimal("0.30"), "VXUS": Decimal("0.20")}


def usd(**amounts: str) -> dict[str, Money]:
    return {symbol: Money.parse(amount, "USD") for symbol, amount in amounts.items()}


def test_a_first_contribution_is_spread_by_weight() -> None:
    """25,000 and empty: 1,500 / 750 / 250."""
    found = plan(CONSERVATIVE, {}, contribution_of(Money(25_000, "USD")))

    assert found.amounts == usd(VTI="1500", VXUS="750", BND="250") and not found.rebalanced


def test_the_aggressive_weights_spread_five_thousand() -> None:
    assert plan(AGGRESSIVE, {}, contribution_of(Money(50_000, "USD"))).amounts == usd(QQQ="2500", VTI="1500", VXUS="1000")


def test_a_contribution_goes_where_most_is_missing_and_cures_the_bands() -> None:
    held = usd(VTI="9000", VXUS="2000", BND="800")
    found = plan(CONSERVATIVE, held, Money(2_500, "USD"))

    assert found.amounts == usd(VTI="0", VXUS="1960.62", BND="539.38")
    assert not found.rebalanced
    after = {symbol: held[symbol] + found.amounts[symbol] for symbol in held}
    shares = [round(100 * value.amount / Decimal(14_300), 2) for value in after.values()]
    assert shares == [Decimal("62.94"), Decimal("27.70"), Decimal("9.37")]


def test_what_contributions_cannot_cure_is_brought_to_its_targets() -> None:
    held = usd(VTI="14000", VXUS="3000", BND="1000")

    found = plan(CONSERVATIVE, held, Money(0, "USD"))

    assert found.amounts == usd(VTI="-3200", VXUS="2400", BND="800") and found.rebalanced
    assert set(plan(CONSERVATIVE, held, Money(0, "USD"), no_sell=True).amounts.values()) == {Money(0, "USD")}


@pytest.mark.parametrize(("bond", "out"), [("1249", ()), ("1250", ("BND",)), ("751", ()), ("750", ("BND",))])
def test_a_small_target_has_a_band_of_a_quarter_of_itself(bond: str, out: tuple[str, ...]) -> None:
    rest = Decimal(10_000) - Decimal(bond)
    values = {"VTI": Money((rest * 2 / 3).quantize(Decimal("0.01")), "USD")}
    values["VXUS"] = Money(rest - values["VTI"].amount, "USD")
    values["BND"] = Money.parse(bond, "USD")

    assert broken(CONSERVATIVE, values) == out


def test_weights_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to one"):
        plan({"VTI": Decimal("0.5"), "BND": Decimal("0.4")}, {}, Money(1, "USD"))


@given(
    st.dictionaries(st.sampled_from(list(CONSERVATIVE)), st.integers(0, 10_000_000), max_size=3),
    st.integers(0, 10_000_000),
    st.booleans(),
)
def test_contributions_are_spent_whole_and_sales_pay_for_purchases(cents: Mapping[str, int], contribution: int, no_sell: bool) -> None:
    values = {symbol: Money(Decimal(amount) / 100, "USD") for symbol, amount in cents.items()}
    given_money = Money(Decimal(contribution) / 100, "USD")

    found = plan(CONSERVATIVE, values, given_money, no_sell=no_sell)

    moved = sum(amount.amount for amount in found.amounts.values())
    assert abs(moved - given_money.amount) <= Decimal("0.02") if found.rebalanced else moved == given_money.amount
    assert found.rebalanced or all(amount.amount >= 0 for amount in found.amounts.values())
    assert not (no_sell and found.rebalanced)


def test_whole_lots_hand_the_rest_to_the_largest_remainder() -> None:
    """1,500 / 750 / 250 at 210, 55 and 73: 7.14, 13.64 and 3.42 shares; the 96 left over buy one VXUS and no more than that."""
    prices = {"VTI": Price(210), "VXUS": Price(55), "BND": Price(73)}

    found = whole_lots(usd(VTI="1500", VXUS="750", BND="250"), prices, Quantity(1))

    assert found == {"VTI": Quantity(7), "VXUS": Quantity(14), "BND": Quantity(3)}


def test_small_orders_are_skipped_and_sales_are_rounded_down() -> None:
    prices = {"VTI": Price(3), "BND": Price(7)}

    assert whole_lots(usd(VTI="9.99", BND="-20"), prices, Quantity(1)) == {"BND": Quantity(-2)}


@given(st.dictionaries(st.sampled_from(["A", "B", "C"]), st.integers(1_000, 1_000_000), min_size=1), st.integers(100, 50_000))
def test_whole_lots_never_cost_more_than_was_given(cents: Mapping[str, int], price: int) -> None:
    amounts = {symbol: Money(Decimal(amount) / 100, "USD") for symbol, amount in cents.items()}
    prices = {symbol: Price(Decimal(price + 731 * number) / 100) for number, symbol in enumerate(sorted(cents))}

    bought = whole_lots(amounts, prices, Quantity(1))

    assert sum(bought[one].value * prices[one].value for one in bought) <= sum(amount.amount for amount in amounts.values())


def due_on(*sessions: date, day: int = 1, frequency: Frequency = "monthly") -> list[bool]:
    return pl.DataFrame({"session": sessions}, schema={"session": pl.Date}).select(x=due(day, frequency))["x"].to_list()


@pytest.mark.parametrize(
    ("session", "before", "day", "expected"),
    [
        (date(2010, 3, 15), date(2010, 3, 12), 15, True),
        (date(2010, 3, 16), date(2010, 3, 15), 15, False),
        (date(2010, 5, 17), date(2010, 5, 14), 15, True),
        (date(2010, 3, 1), date(2010, 2, 26), 31, True),
        (date(2010, 2, 26), date(2010, 2, 25), 31, False),
        (date(2010, 6, 1), date(2010, 3, 30), 15, True),
        (date(2010, 4, 14), date(2010, 2, 16), 15, True),
    ],
    ids=["on it", "the day after", "it is a Saturday", "February ends on a Sunday", "before it", "after a gap", "a month skipped"],
)
def test_a_month_is_due_on_the_first_session_on_or_after_its_day(session: date, before: date, day: int, expected: bool) -> None:
    assert due_on(before, session, day=day) == [True, expected]


def test_a_week_is_due_on_its_first_session() -> None:
    sessions = (date(2010, 3, 12), date(2010, 3, 15), date(2010, 3, 16), date(2010, 6, 1))

    assert due_on(*sessions, frequency="weekly") == [True, True, False, True]
