"""The forward-adjusted series: splits scale what comes after them, and nothing that was ever changes."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.common.names import ActionId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.series import RawBar, Series, Split, series_from
from quantmatrix.signals.strategies._atr_matrix_parameters import AtrMatrixParameters
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix

START = date(2010, 1, 4)


def bar(day: int, price: float) -> RawBar:
    return RawBar(START + timedelta(days=day), price, price * 1.01, price * 0.99, price, 1_000.0)


def split(day: int, numerator: int, denominator: int = 1) -> Split:
    return Split(ActionId(UUID(int=day)), START + timedelta(days=day), numerator, denominator)


steps = st.floats(min_value=0.8, max_value=1.25)
ratios = st.sampled_from([(2, 1), (3, 1), (7, 1), (3, 2), (1, 10)])


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[RawBar], list[Split]]:
    """Raw bars as the market prints them: at a split the price is divided, whatever else it does that day."""
    length = draw(st.integers(min_value=2, max_value=60))
    days = draw(st.sets(st.integers(min_value=1, max_value=length - 1), max_size=3))
    splits = [split(day, *draw(ratios)) for day in sorted(days)]
    price, bars, waiting = 100.0, [], list(splits)
    for day in range(length):
        price *= draw(steps)
        while waiting and waiting[0].effective <= START + timedelta(days=day):
            price *= waiting[0].denominator / waiting[0].numerator
            waiting.pop(0)
        bars.append(bar(day, price))
    return bars, splits


@settings(max_examples=80, deadline=None)
@given(stories(), st.data())
def test_the_past_never_changes_when_a_split_happens(story: tuple[list[RawBar], list[Split]], data: st.DataObject) -> None:
    bars, splits = story
    cut = data.draw(st.integers(min_value=1, max_value=len(bars)))
    known = series_from(bars[:cut], [one for one in splits if one.effective <= bars[cut - 1].session])

    whole = series_from(bars, splits)

    assert whole.frame.head(cut).equals(known.frame)


@settings(max_examples=60, deadline=None)
@given(stories())
def test_one_bar_at_a_time_makes_the_same_series_as_all_at_once(story: tuple[list[RawBar], list[Split]]) -> None:
    bars, splits = story
    grown, waiting = Series(), list(splits)
    for one in bars:
        while waiting and waiting[0].effective <= one.session:
            grown.apply(waiting.pop(0))
        grown.append(one)

    at_once = series_from(bars, splits)

    assert grown.frame.equals(at_once.frame)
    assert grown.factor == at_once.factor


@settings(max_examples=60, deadline=None)
@given(stories())
def test_a_level_turned_back_is_todays_price(story: tuple[list[RawBar], list[Split]]) -> None:
    """The close on the series, through the door, is the raw close that the market printed."""
    bars, splits = story
    series = series_from(bars, splits)
    door = Door(Price.parse("0.000001"), Quantity(1), Quantity(1), series.factor)

    assert float(door.price(series.frame.item(-1, "close")).value) == pytest.approx(bars[-1].close, abs=1e-6)


def test_a_split_heard_twice_scales_once() -> None:
    series = series_from([bar(0, 100.0)], [])

    series.apply(split(1, 2))
    series.apply(split(1, 2))
    series.append(bar(1, 50.0))

    assert series.factor == 2.0
    assert series.frame["close"].to_list() == [100.0, 100.0]


def test_a_split_divides_the_volume_it_multiplied() -> None:
    series = series_from([bar(0, 100.0), bar(1, 50.0)], [split(1, 2)])

    assert series.frame["volume"].to_list() == [1_000.0, 500.0]


def test_a_bar_heard_again_is_ignored() -> None:
    series = series_from([bar(0, 100.0), bar(1, 101.0)], [])

    series.append(bar(1, 999.0))
    series.append(bar(0, 999.0))

    assert series.frame["close"].to_list() == [100.0, 101.0]


def test_a_split_on_a_day_without_a_bar_scales_the_next_one() -> None:
    series = series_from([bar(0, 100.0), bar(3, 50.0)], [split(2, 2)])

    assert series.frame["close"].to_list() == [100.0, 100.0]


def test_the_split_of_apple_in_june_2000_is_no_crash(reference: Any) -> None:
    series = series_from(reference.bars, reference.splits)
    closes = dict(zip(series.frame["session"], series.frame["close"], strict=True))

    assert closes[date(2000, 6, 20)] == 101.25
    assert closes[date(2000, 6, 21)] == 2 * 55.63


def test_the_fall_of_apple_on_29_september_2000_stays_a_fall(reference: Any) -> None:
    """The real one-day loss of 52 percent; no file says that it was a split, so it is none."""
    series = series_from(reference.bars, reference.splits)
    closes = dict(zip(series.frame["session"], series.frame["close"], strict=True))

    fall = closes[date(2000, 9, 29)] / closes[date(2000, 9, 28)] - 1

    assert fall == pytest.approx(25.75 / 53.50 - 1, rel=1e-12)
    assert fall == pytest.approx(-0.5187, abs=5e-5)


def test_without_the_fact_every_strategy_would_see_a_crash_that_never_was(reference: Any) -> None:
    """The counter-check: leave the split out, and the distance from the base falls far below it."""
    strategy = AtrMatrix(AtrMatrixParameters())
    until = [one for one in reference.bars if one.session <= date(2000, 6, 21)]

    with_fact = series_from(until, reference.splits).latest(strategy.columns())
    without = series_from(until, ()).latest(strategy.columns())

    assert with_fact["close"] > with_fact["sma50"]
    assert without["close"] < without["sma50"]
    assert without["atr"] > 1.3 * with_fact["atr"]


@pytest.mark.parametrize(
    ("level", "factor", "expected"),
    [(212.34, 2.0, "106.17"), (106.004, 1.0, "106"), (106.005, 1.0, "106"), (106.015, 1.0, "106.02"), (7.0, 28.0, "0.25")],
)
def test_a_level_becomes_the_nearest_tick_of_today(level: float, factor: float, expected: str) -> None:
    assert Door(Price.parse("0.01"), Quantity(1), Quantity(1), factor).price(level) == Price.parse(expected)


@pytest.mark.parametrize(
    ("capital", "cost", "lot", "multiplier", "expected"),
    [
        ("5000", "112", 1, 1, 44),
        ("1000", "6", 1, 1, 166),
        ("1000", "6", 100, 1, 100),
        ("1000", "2", 1, 100, 5),
        ("5", "6", 1, 1, 0),
        ("-5", "6", 1, 1, 0),
    ],
)
def test_capital_buys_whole_lots_and_never_too_many(capital: str, cost: str, lot: int, multiplier: int, expected: int) -> None:
    door = Door(Price.parse("0.01"), Quantity(lot), Quantity(multiplier), 1.0)

    assert door.lots(Money.parse(capital, "USD"), Price.parse(cost)) == Quantity(expected)


@settings(max_examples=150, deadline=None)
@given(
    st.decimals(min_value="0.01", max_value="1000000", places=2),
    st.decimals(min_value="0.01", max_value="5000", places=2),
    st.sampled_from([1, 10, 100]),
)
def test_lots_are_the_most_that_fits(capital: Decimal, cost: Decimal, lot: int) -> None:
    door = Door(Price.parse("0.01"), Quantity(lot), Quantity(1), 1.0)

    bought = door.lots(Money(capital, "USD"), Price(cost)).value

    assert bought % lot == 0
    assert bought * cost <= capital < (bought + lot) * cost
