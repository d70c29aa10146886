"""Risk, drawdowns, months and the comparison with a benchmark, against figures worked out by hand."""

import math
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.portfolio.tests.performance.walking import FIRST, daily, on

from quantmatrix.portfolio.performance.benchmark import compared
from quantmatrix.portfolio.performance.figures import deepest, drawdown_curve, drawdowns, longest, monthly, risk_of
from quantmatrix.portfolio.performance.returns import Link, linked, links_of

factors = st.lists(st.floats(0.5, 2.0), min_size=1, max_size=60)


def links(*given_factors: float, start: date = FIRST) -> list[Link]:
    return [Link(start + timedelta(days=number), factor) for number, factor in enumerate(given_factors, start=1)]


def test_risk_of_four_days_by_hand() -> None:
    # Returns 1, -2, 3, 0 %: mean 0.5 %, deviation √(13/3) %, downside √(4/4) %.
    risk = risk_of(links(1.01, 0.98, 1.03, 1.0))

    assert risk.volatility == pytest.approx(math.sqrt(13 / 3) / 100 * math.sqrt(252))
    assert risk.sharpe == pytest.approx(0.5 / math.sqrt(13 / 3) * math.sqrt(252))
    assert risk.sortino == pytest.approx(0.5 * math.sqrt(252))
    assert (risk.best, risk.worst, risk.up_share) == (pytest.approx(0.03), pytest.approx(-0.02), 0.5)


def test_one_day_has_no_volatility_and_no_day_has_nothing() -> None:
    assert risk_of(links(1.01)).sharpe is None
    assert risk_of([]).best is None
    assert risk_of([Link(FIRST, 1.0, counted=False)]).best is None


def test_drawdowns_have_depth_length_and_recovery() -> None:
    falls = drawdowns(FIRST, links_of(daily(100, [110, 99, 88, 105, 110, 120, 114, 118])))

    first, second = falls
    assert first.depth == pytest.approx(-0.2)
    assert (first.peak_on, first.trough_on, first.recovered_on) == (on("2025-01-02"), on("2025-01-04"), on("2025-01-06"))
    assert (first.days, first.sessions) == (4, 3)
    assert second.depth == pytest.approx(-0.05) and second.recovered_on is None
    assert (second.peak_on, second.days, second.sessions) == (on("2025-01-07"), 2, 2)
    assert deepest(falls) == first and longest(falls) == first


def test_a_fall_from_the_very_start_counts_and_a_withdrawal_is_none() -> None:
    assert drawdowns(FIRST, links(0.9, 0.9))[0].peak_on == FIRST
    assert drawdowns(FIRST, links_of(daily(100, [50, 55], {1: -50}))) == []
    assert deepest([]) is None and longest([]) is None


def test_months_and_years_link_to_the_whole() -> None:
    days = [("2024-11-29", 1.10), ("2024-12-02", 0.90), ("2024-12-31", 1.20), ("2025-02-03", 1.05)]
    found = [Link(on(day), factor) for day, factor in days]

    table = monthly(found)

    assert [year.year for year in table] == [2024, 2025]
    assert table[0].months[10] == pytest.approx(0.10) and table[0].months[11] == pytest.approx(0.08)
    assert table[0].months[:10] == (None,) * 10 and table[1].months[0] is None
    assert table[0].total == pytest.approx(1.10 * 0.90 * 1.20 - 1)
    assert (1 + table[0].total) * (1 + table[1].total) - 1 == pytest.approx(linked(found))


@given(factors, st.integers(0, 400))
def test_all_months_together_are_the_whole_return(row: list[float], offset: int) -> None:
    found = [Link(FIRST + timedelta(days=offset + 17 * number), factor) for number, factor in enumerate(row)]

    assert math.prod(1 + year.total for year in monthly(found)) - 1 == pytest.approx(linked(found), rel=1e-9)
    months = [month for year in monthly(found) for month in year.months if month is not None]
    assert math.prod(1 + month for month in months) - 1 == pytest.approx(linked(found), rel=1e-9)


@given(factors)
def test_the_deepest_fall_is_the_lowest_point_of_the_curve(row: list[float]) -> None:
    found = links(*row)
    fall = deepest(drawdowns(FIRST, found))
    curve = drawdown_curve(found)

    assert (fall.depth if fall else 0.0) == min(0.0, *curve)
    assert all(-1 < below <= 0 for below in curve)
    assert sum(one.sessions for one in drawdowns(FIRST, found)) == sum(1 for below in curve if below < 0)


def test_a_benchmark_is_compared_on_common_days_only() -> None:
    closes = {FIRST: 50.0, FIRST + timedelta(days=1): 51.0, FIRST + timedelta(days=3): 49.98}

    found = compared(FIRST, links(1.04, 1.01, 0.95), closes)

    assert found is not None
    assert (found.first, found.last, found.sessions) == (FIRST, FIRST + timedelta(days=3), 2)
    assert found.own == pytest.approx(1.04 * 1.01 * 0.95 - 1)
    assert found.benchmark == pytest.approx(49.98 / 50 - 1)
    assert found.excess == pytest.approx(found.own - found.benchmark)


def test_twice_the_benchmark_every_day_has_beta_two_and_full_correlation() -> None:
    theirs = [0.01, -0.02, 0.015, 0.0]
    closes, level = {FIRST: 100.0}, 100.0
    for number, one in enumerate(theirs, start=1):
        level *= 1 + one
        closes[FIRST + timedelta(days=number)] = level

    found = compared(FIRST, links(*(1 + 2 * one for one in theirs)), closes)

    assert found is not None
    assert found.beta == pytest.approx(2.0) and found.correlation == pytest.approx(1.0)
    assert found.alpha == pytest.approx(0.0, abs=1e-9)


def test_a_benchmark_that_is_the_account_differs_in_nothing() -> None:
    closes = {FIRST: 1.0, FIRST + timedelta(days=1): 1.1, FIRST + timedelta(days=2): 0.99}

    found = compared(FIRST, links(1.1, 0.9), closes)

    assert found is not None and found.excess == pytest.approx(0.0)
    assert found.tracking_error == pytest.approx(0.0, abs=1e-9)


def test_the_day_an_account_was_opened_on_has_no_close_before_it_to_compare_with() -> None:
    closes = {FIRST: 50.0, FIRST + timedelta(days=1): 55.0}

    found = compared(FIRST, [Link(FIRST, 1.01), Link(FIRST + timedelta(days=1), 1.02)], closes)

    assert found is not None and found.sessions == 1
    assert (found.own, found.benchmark) == (pytest.approx(0.02), pytest.approx(0.10))


def test_without_two_common_days_there_is_no_comparison() -> None:
    assert compared(FIRST, links(1.1), {FIRST: 1.0}) is None
    assert compared(FIRST, [], {FIRST: 1.0}) is None
    assert compared(FIRST, links(1.1), {}) is None
