"""Returns and lines of accounts whose value only statements tell."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.testing.examples import usd
from quantmatrix.common.values import Money
from quantmatrix.portfolio.performance.course import Course, Flow, Mark, together
from quantmatrix.portfolio.performance.periods import Period, chain_of, course_of
from quantmatrix.portfolio.performance.returns import money_weighted, over_period, time_weighted

YEAR = date(2024, 1, 1)


def period(first: str, last: str, start: str, end: str, *printed: tuple[str, str]) -> Period:
    lines = tuple((name, usd(amount)) for name, amount in printed)
    return Period(date.fromisoformat(first), date.fromisoformat(last), usd(start), usd(end), lines)


def test_the_scaled_real_account_has_the_return_of_its_paper() -> None:
    """R6: Modified Dietz 0.761963402539, XIRR 0.768144169894 for the 113 days; the broker, day by day, prints 0.77105884951."""
    told = period("2025-04-01", "2025-07-22", "100000", "197708.49", ("Mark-to-Market", "81645.74"), ("Deposits & Withdrawals", "16062.75"))
    paid = [Flow(date(2025, 5, 6), usd("8600.62")), Flow(date(2025, 6, 4), usd("-2646.35")), Flow(date(2025, 6, 25), usd("10108.48"))]

    course = course_of([told], paid, [])

    assert course is not None and course.gain == usd("81645.74")
    assert time_weighted(course) == pytest.approx(0.761963402539, abs=1e-10)
    assert over_period(money_weighted(course), course.start.on, course.end.on) == pytest.approx(0.768144169894, abs=1e-9)


def test_printed_lines_get_our_names_and_flows_are_none_of_them() -> None:
    one = period(
        "2024-01-01", "2024-12-31", "0", "115",
        ("Mark-to-Market", "20"), ("Deposits & Withdrawals", "100"), ("Position Transfers", "3"), ("Dividends", "4"),
        ("Withholding Tax", "-1"), ("Commissions", "-2"), ("Change in Dividend Accruals", "1"), ("Something New", "-10"), ("Other Fees", "0"),
    )  # fmt: skip

    assert one.flows == usd(103)
    assert one.lines == [
        ("mark to market", usd(20)),
        ("dividends", usd(4)),
        ("withholding tax", usd(-1)),
        ("commissions", usd(-2)),
        ("change in dividend accruals", usd(1)),
        ("Something New", usd(-10)),
    ]


def test_flex_names_are_the_same_lines() -> None:
    one = period("2024-01-01", "2024-01-31", "0", "9", ("mtm", "2"), ("depositswithdrawals", "5"), ("changeininterestaccruals", "2"))

    assert (one.flows, one.lines) == (usd(5), [("mark to market", usd(2)), ("change in interest accruals", usd(2))])


def test_months_are_taken_instead_of_the_year_that_they_make_and_the_year_instead_of_one_month() -> None:
    year = period("2024-01-01", "2024-12-31", "0", "12")
    ends = [date(2024 + month // 12, month % 12 + 1, 1) - timedelta(days=1) for month in range(1, 13)]
    months = [Period(end.replace(day=1), end, usd(place), usd(place + 1), ()) for place, end in enumerate(ends)]

    assert chain_of([year, *months]) == months
    assert chain_of([year, months[0]]) == [year]
    course = course_of([year, months[0]], [], [])
    assert course is not None and [mark.on for mark in course.marks] == [date(2024, 1, 31), date(2024, 12, 31)]


def test_units_that_came_count_from_the_day_they_came() -> None:
    told = period("2024-01-01", "2024-12-31", "1000", "2100", ("Mark-to-Market", "100"), ("Position Transfers", "1000"))

    course = course_of([told], [], [date(2024, 7, 1)])

    assert course is not None and course.flows == (Flow(date(2024, 7, 1), usd(1000)),)


def test_of_a_time_that_no_file_covers_no_return_is_made_up() -> None:
    """10 % before and 20 % after a gap in which the value went from 1,100 to 5,000: 1.1 × 1.2 - 1."""
    before = period("2024-01-01", "2024-01-31", "1000", "1100", ("Mark-to-Market", "100"))
    after = period("2024-03-01", "2024-03-31", "5000", "6000", ("Mark-to-Market", "1000"))

    course = course_of([after, before], [], [])

    assert course is not None and course.gain == usd(1100)
    assert time_weighted(course) == pytest.approx(0.32)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(-900, 900), st.integers(0, 500)), min_size=1, max_size=8))
def test_the_gain_of_whole_files_is_the_sum_of_their_lines(steps: list[tuple[int, int, int]]) -> None:
    periods, value, day = [], Money(1_000_000, "USD"), YEAR
    for days, gain, paid in steps:
        end = value + usd(gain) + usd(paid)
        last = day + timedelta(days=days - 1)
        periods.append(Period(day, last, value, end, (("Mark-to-Market", usd(gain)), ("Deposits & Withdrawals", usd(paid)))))
        value, day = end, last + timedelta(days=1)

    course = course_of(periods, [], [])

    assert course is not None
    assert course.gain == sum((amount for one in periods for _, amount in one.lines), usd(0))


def test_one_long_period_with_a_flow_on_its_last_day_gives_it_no_weight() -> None:
    course = Course(
        Mark(YEAR, usd(100)), (Mark(YEAR + timedelta(days=100), usd(160)),), (Flow(YEAR + timedelta(days=100), usd(50)),), weighted=True
    )

    assert time_weighted(course) == pytest.approx(0.1)


def test_accounts_with_files_of_other_periods_are_valued_on_the_days_they_share() -> None:
    """A month by month, the other one once a year: together there is one mark, and every flow keeps its day."""
    monthly = Course(
        Mark(YEAR, usd(0)), (Mark(date(2024, 6, 30), usd(100)), Mark(date(2024, 12, 31), usd(110))), (Flow(date(2024, 1, 2), usd(100)),), weighted=True
    )  # fmt: skip
    yearly = Course(Mark(YEAR, usd(200)), (Mark(date(2024, 12, 31), usd(320)),), (Flow(date(2024, 7, 1), usd(100)),), weighted=True)

    both = together([monthly, yearly])

    assert both.marks == (Mark(date(2024, 12, 31), usd(430)),) and both.weighted
    assert [flow.on for flow in both.flows] == [date(2024, 1, 2), date(2024, 7, 1)]
    assert both.gain == monthly.gain + yearly.gain == usd(30)
