"""Fills made all at once: at odd prices, sizes and costs they are those of the general engine, or they are left to it."""

from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.signals.tests.backtest.making import FREE, day
from services.signals.tests.backtest.test_columns import TENTH, cross

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Money, NotExactError, Price, Quantity
from quantmatrix.signals.backtest.at_once import fees_at_once, filled_at_once, path_of
from quantmatrix.signals.backtest.column_run import NotInColumnsError
from quantmatrix.signals.backtest.columns import run_in_columns
from quantmatrix.signals.backtest.engine import Engine
from quantmatrix.signals.backtest.packed import PackedBars, PackedHistory
from quantmatrix.signals.backtest.rules import Commission, FillRules

rates = st.decimals(0, 10, places=6)


def past_of(closes: list[int], opens: list[int], digits: int, multiplier: int = 1) -> PackedHistory:
    highs, lows = [max(pair) for pair in zip(opens, closes, strict=True)], [min(pair) for pair in zip(opens, closes, strict=True)]
    prices = {"open": opens, "high": highs, "low": lows, "close": closes, "volume": [1] * len(closes)}
    sessions = pl.Series("session", [day(number) for number in range(1, len(closes) + 1)], dtype=pl.Date)
    bars = PackedBars(pl.DataFrame([sessions, *(pl.Series(name, values, dtype=pl.Int64) for name, values in prices.items())]), digits)
    return PackedHistory(InstrumentId("ID-AAA"), "AAA", "USD", Price.parse("0.01"), Quantity(1), Quantity(multiplier), bars, ())


@st.composite
def odd_pasts(draw: st.DrawFn) -> PackedHistory:
    """Few different prices, so that averages are often equal and prices often stand still; small ones, and ones near the edge of a double."""
    base = draw(st.sampled_from([1, 2, 99, 10**6, 10**11, 2**52]))
    levels = st.sampled_from([base, base + 1, base + 2, 2 * base] if base < 2**52 else [base, base + 1, base - 1])
    count = draw(st.integers(51, 90))
    closes, opens = (draw(st.lists(levels, min_size=count, max_size=count)) for _ in range(2))
    return past_of(closes, opens, draw(st.integers(0, 12)), draw(st.sampled_from([1, 100])))


@settings(max_examples=150, deadline=None)
@given(
    past=odd_pasts(),
    units=st.sampled_from([1, 3, 1_000, 10**9]),
    cash=st.sampled_from([Decimal(1), Decimal("12345.678901234567"), Decimal(10**12), Decimal(10**17)]),
    rules=st.sampled_from(
        [FREE, TENTH, FillRules(), FillRules(Commission(Decimal("0.000001"), Decimal(0), Decimal("0.3"), Decimal("0.00007")))]
    ),
    lengths=st.sampled_from([(1, 2), (2, 3), (3, 8)]),
)
def test_odd_inputs_give_the_engine_s_outcome_or_are_left_to_it(
    past: PackedHistory, units: int, cash: Decimal, rules: FillRules, lengths: tuple[int, int]
) -> None:
    strategy, envelope = cross(fast=lengths[0], slow=lengths[1], units=units), Money(cash, "USD")
    try:
        outcome = run_in_columns(strategy, past, envelope, rules).outcome()
    except NotInColumnsError:
        return
    except NotExactError:
        with pytest.raises(NotExactError):
            Engine(strategy, [past], envelope, rules).run()
        return

    assert outcome == Engine(strategy, [past], envelope, rules).run()


@given(
    commission=st.builds(Commission, rates, rates, rates, rates),
    quantity=st.integers(1, 10**6),
    prices=st.lists(st.integers(1, 10**9), min_size=1, max_size=5),
    digits=st.integers(0, 8),
)
def test_fees_at_once_are_those_of_single_orders(commission: Commission, quantity: int, prices: list[int], digits: int) -> None:
    values = [price * quantity for price in prices]

    found = fees_at_once(commission, quantity, np.array(values), digits)

    if found is not None:
        exact = [commission.of(Quantity(quantity), Money(Decimal(value).scaleb(-digits), "USD")).amount for value in values]
        assert [Decimal(int(fee)).scaleb(-12) for fee in found] == exact


def test_fees_that_may_not_fit_are_left_to_the_book() -> None:
    assert fees_at_once(Commission(Decimal("1.0000000000000000001"), Decimal(0)), 1, np.array([100]), 2) is None
    assert fees_at_once(Commission(value_pct=Decimal(1)), 1, np.array([2**61]), 0) is None


@pytest.mark.parametrize(
    ("entries", "leaves", "buys", "sales", "waiting"),
    [
        ([], [3, 4], [], [], None),
        ([2, 3, 8], [5, 6, 9], [2, 8], [5, 9], None),
        ([2, 5, 6], [5, 7], [2, 6], [5, 7], None),
        ([2, 5, 9], [5], [2, 9], [5], None),
        ([2, 19], [5], [2], [5], 19),
        ([2, 19], [], [2], [], None),
        ([19], [4], [], [], 19),
    ],
)
def test_a_path_goes_from_each_purchase_to_the_next_sale(
    entries: list[int], leaves: list[int], buys: list[int], sales: list[int], waiting: int | None
) -> None:
    """Twenty bars; bar 5 both sells what bar 2 bought and cannot buy on the same close."""
    found = path_of(np.array(entries, np.int64), np.array(leaves, np.int64), 20)

    assert (found.buys.tolist(), found.sales.tolist(), found.waiting) == (buys, sales, waiting)


def test_the_usual_run_is_filled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is walked through where purchases have one size and the cash covers them."""
    seen: list[Any] = []

    def watched(*given: Any) -> Any:
        seen.append(filled_at_once(*given))
        return seen[-1]

    monkeypatch.setattr("quantmatrix.signals.backtest.columns.filled_at_once", watched)
    past = past_of([100 + 7 * (number % 11) for number in range(80)], [100] * 80, 2)

    run_in_columns(cross(units=5), past, Money(10_000, "USD"), TENTH)
    run_in_columns(cross(units=5), past, Money(1, "USD"), TENTH)

    assert [one is None for one in seen] == [False, True] and len(seen[0].decided) > 10
