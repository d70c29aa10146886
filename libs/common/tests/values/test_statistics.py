"""Ratios, falls and months: by hand, at the edges, and what must hold for every curve. A second library is in the backtest's tests."""

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.statistics import falls_of, levels_of, longest_below, monthly, ratios_of, returns_of

factors = st.lists(st.floats(0.5, 2.0), min_size=1, max_size=60)


def test_four_days_by_hand() -> None:
    # Returns 1, -2, 3, 0 %: mean 0.5 %, deviation √(13/3) %, downside √(4/4) %.
    found = ratios_of([0.01, -0.02, 0.03, 0.0])

    assert found.volatility == pytest.approx(math.sqrt(13 / 3) / 100 * math.sqrt(252))
    assert found.sharpe == pytest.approx(0.5 / math.sqrt(13 / 3) * math.sqrt(252))
    assert found.sortino == pytest.approx(0.5 * math.sqrt(252))


def test_one_return_has_no_deviation_and_none_has_nothing() -> None:
    assert (ratios_of([0.01]).volatility, ratios_of([0.01]).sharpe, ratios_of([0.01]).sortino) == (None, None, None)
    assert ratios_of([-0.01]).sortino == pytest.approx(-math.sqrt(252))
    assert ratios_of([]).volatility is None


def test_the_first_return_is_from_the_opening_level() -> None:
    assert returns_of(100.0, [110.0, 99.0]) == pytest.approx([0.1, -0.1])


def test_a_fall_lasts_until_the_peak_is_reached_again() -> None:
    falls = falls_of(100.0, [110.0, 99.0, 105.0, 110.0, 108.0])

    assert falls == pytest.approx([0.0, -0.1, -0.0454545, 0.0, -0.0181818], abs=1e-6)
    assert longest_below(falls) == 2


def test_without_anything_above_zero_there_is_no_fall() -> None:
    assert falls_of(0.0, [0.0, -5.0]) == [0.0, 0.0]


def test_months_are_counted_from_the_last_session_of_the_month_before() -> None:
    days = [date(2010, 1, 28), date(2010, 1, 29), date(2010, 2, 1), date(2010, 2, 2), date(2011, 1, 3)]

    first, second = monthly(days, [1.1, 1.1, 1.0, 1.1, 0.5])

    assert (first.year, second.year) == (2010, 2011)
    assert first.months[:3] == (pytest.approx(0.21), pytest.approx(0.1), None)
    assert first.total == pytest.approx(1.21 * 1.1 - 1) and second.months[0] == second.total == pytest.approx(-0.5)


def test_as_many_days_as_factors() -> None:
    with pytest.raises(ValueError, match="longer"):
        monthly([date(2010, 1, 4)], [1.0, 1.1])


@given(factors, st.integers(0, 400))
def test_all_months_and_all_returns_link_to_the_last_level(row: list[float], offset: int) -> None:
    days = [date(2020, 1, 1) + timedelta(days=offset + 17 * number) for number in range(len(row))]
    whole = levels_of(row)[-1]

    assert math.prod(1 + year.total for year in monthly(days, row)) == pytest.approx(whole, rel=1e-9)
    months = [one for year in monthly(days, row) for one in year.months if one is not None]
    assert math.prod(1 + one for one in months) == pytest.approx(whole, rel=1e-9)
    assert math.prod(1 + one for one in returns_of(1.0, levels_of(row))) == pytest.approx(whole, rel=1e-9)


@given(factors)
def test_a_fall_is_never_above_zero_and_zero_at_every_new_peak(row: list[float]) -> None:
    levels = levels_of(row)

    for number, fall in enumerate(falls_of(1.0, levels)):
        peak = max([1.0, *levels[: number + 1]])
        assert -1 < fall <= 0 and (fall == 0) == (levels[number] == peak)
