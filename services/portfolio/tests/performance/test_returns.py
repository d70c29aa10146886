"""Rates of return against published examples, and what must hold for every course.

R1 to R6 are worked examples: Excel's documentation of XIRR, and figures computed with a second library (pyxirr 0.10.8).
"""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.portfolio.tests.performance.walking import FIRST, daily, flow, mark, on, usd

from quantmatrix.common.values import CurrencyMismatchError, Money
from quantmatrix.portfolio.performance.course import Course, Flow, Mark, between, together
from quantmatrix.portfolio.performance.returns import (
    annualised,
    linked,
    links_of,
    modified_dietz,
    money_weighted,
    over_period,
    simple,
    time_weighted,
    xirr,
)

CLOSE = 1e-9
PRINTED = 2e-11
"""How far the printed digits of an example may lie from the exact solution: its inputs or its last digits are rounded."""
values = st.lists(st.integers(1, 10**9), min_size=1, max_size=30)


def test_r1_xirr_as_documented_for_excel() -> None:
    flows = [
        (on("2008-01-01"), -10_000.0), (on("2008-03-01"), 2_750.0), (on("2008-10-30"), 4_250.0), (on("2009-02-15"), 3_250.0),
        (on("2009-04-01"), 2_750.0),
    ]  # fmt: skip

    assert xirr(flows) == pytest.approx(0.373362533510, abs=PRINTED)


def test_r2_money_weighted_and_modified_dietz_of_a_year_with_flows() -> None:
    course = Course(mark("2025-01-01", 50_000), (mark("2025-12-31", 61_000),), (flow("2025-04-01", 20_000), flow("2025-09-01", -15_000)))

    assert money_weighted(course) == pytest.approx(0.100208436804, abs=1e-12)
    assert modified_dietz(course) == pytest.approx(0.099885662017, abs=1e-12)
    assert course.gain == usd(6_000)


def test_r3_xirr_of_two_purchases() -> None:
    flows = [(on("2025-01-01"), -1_000.0), (on("2025-07-02"), -1_000.0), (on("2026-01-01"), 2_300.0)]

    assert xirr(flows) == pytest.approx(0.202937354980, abs=1e-12)


def test_r4_a_deposit_after_a_gain_time_weighted_and_modified_dietz() -> None:
    # The value before the deposit is known on day 10; the deposit then counts from the start of the next day. Modified
    # Dietz looks at the day of the deposit itself.
    start, day_10, end = FIRST, FIRST + timedelta(days=10), FIRST + timedelta(days=30)
    marked = Course(
        Mark(start, usd(100_000)),
        (Mark(day_10, usd(105_000)), Mark(end, usd(120_000))),
        (Flow(day_10 + timedelta(days=1), usd(10_000)),),
    )
    unmarked = Course(Mark(start, usd(100_000)), (Mark(end, usd(120_000)),), (Flow(day_10, usd(10_000)),))

    assert time_weighted(marked) == pytest.approx(0.095652173913, abs=1e-12)
    assert modified_dietz(unmarked) == pytest.approx(0.09375, abs=1e-12)


def test_r5_large_flows_part_the_methods() -> None:
    course = Course(mark("2025-01-01", 100), (mark("2027-01-01", 300),), (flow("2026-01-01", 50),))

    assert money_weighted(course) == pytest.approx(0.50, abs=1e-12)
    assert modified_dietz(course) == pytest.approx(1.20, abs=1e-12)


def test_r6_a_quarter_with_three_flows() -> None:
    course = Course(
        mark("2025-03-31", 100_000),
        (mark("2025-07-22", "197708.49"),),
        (flow("2025-05-06", "8600.62"), flow("2025-06-04", "-2646.35"), flow("2025-06-25", "10108.48")),
    )

    yearly = money_weighted(course)

    assert modified_dietz(course) == pytest.approx(0.761963402539, abs=PRINTED)
    assert yearly == pytest.approx(5.302371349847, abs=PRINTED)
    assert over_period(yearly, on("2025-03-31"), on("2025-07-22")) == pytest.approx(0.768144169894, abs=PRINTED)


def test_deposits_count_from_the_start_of_a_day_and_withdrawals_from_its_end() -> None:
    deposited = daily(100, [220], {1: 100})
    withdrawn = daily(200, [110], {1: -110})

    assert time_weighted(deposited) == pytest.approx(0.10)
    assert time_weighted(withdrawn) == pytest.approx(0.10)


def test_a_new_account_starts_with_nothing_and_its_opening_is_a_flow() -> None:
    course = daily(0, [1_010, 1_020], {1: 1_000})

    assert time_weighted(course) == pytest.approx(0.02)
    assert simple(course) == pytest.approx(0.02)
    assert course.gain == usd(20)


def test_days_without_capital_are_skipped_and_never_become_infinite() -> None:
    course = daily(100, [110, 0, 0, 50, 55], {2: -110, 4: 50})

    links = links_of(course)

    assert [link.counted for link in links] == [True, True, False, True, True]
    assert linked(links) == pytest.approx(1.10 * 1.0 * 1.0 * 1.10 - 1)


def test_an_account_below_zero_has_no_return_until_it_is_above() -> None:
    links = links_of(daily(100, [-20, -10, 30], {}))

    assert [link.counted for link in links] == [True, False, False]
    assert links[0].factor == pytest.approx(-0.2)


@pytest.mark.parametrize(
    "flows",
    [
        [],
        [(FIRST, -100.0)],
        [(FIRST, 100.0), (FIRST + timedelta(days=9), 50.0)],
        [(FIRST, -100.0), (FIRST, 120.0)],
        [(FIRST, 0.0), (FIRST + timedelta(days=9), 0.0)],
    ],
)
def test_no_rate_is_made_up_where_none_solves_it(flows: list[tuple[object, float]]) -> None:
    assert xirr(flows) is None  # type: ignore[arg-type]


def test_everything_lost_within_a_day_is_found_and_a_tiny_rest_too() -> None:
    assert xirr([(FIRST, -100.0), (FIRST + timedelta(days=365), 1e-6)]) == pytest.approx(-1 + 1e-8, abs=1e-12)
    assert xirr([(FIRST, -100.0), (FIRST + timedelta(days=1), 101.0)]) == pytest.approx(1.01**365 - 1, rel=1e-9)


def test_of_several_rates_the_nearest_to_zero_is_taken() -> None:
    # 1 = 2.3 / (1 + r) - 1.32 / (1 + r)² has the solutions 10 % and 20 %.
    year = timedelta(days=365)

    assert xirr([(FIRST, -1_000.0), (FIRST + year, 2_300.0), (FIRST + 2 * year, -1_320.0)]) == pytest.approx(0.10, abs=1e-9)


def test_less_than_a_year_is_not_made_into_a_year() -> None:
    assert annualised(0.1, on("2025-01-01"), on("2025-12-31")) is None
    assert annualised(0.21, on("2025-01-01"), on("2027-01-01")) == pytest.approx(0.10)
    assert annualised(-1.0, on("2025-01-01"), on("2027-01-01")) is None


@given(values, st.integers(1, 10**9))
def test_without_flows_every_rate_is_the_growth(marks: list[int], start: int) -> None:
    course = daily(start, marks)
    growth = marks[-1] / start - 1

    assert time_weighted(course) == pytest.approx(growth, rel=CLOSE, abs=CLOSE)
    assert simple(course) == pytest.approx(growth, rel=CLOSE, abs=CLOSE)
    assert modified_dietz(course) == pytest.approx(growth, rel=CLOSE, abs=CLOSE)


@given(values, st.integers(1, 10**9), st.dictionaries(st.integers(1, 30), st.integers(1, 10**8), max_size=5))
def test_deposits_at_the_going_rate_leave_the_time_weighted_return_alone(marks: list[int], start: int, paid: dict[int, int]) -> None:
    # Money that joins grows as the rest does from then on: every later value rises by the same share.
    plain = daily(start, marks)
    scale = usd(1).amount
    values_with, flows = [], []
    before = plain.start.value
    for number, one in enumerate(plain.marks, start=1):
        if number in paid:
            flows.append(Flow(one.on, usd(paid[number] * 10**6)))
            scale *= 1 + flows[-1].amount.amount / (before.amount * scale * 10**6)
        values_with.append(Mark(one.on, Money(round(one.value.amount * scale * 10**6, 6), "USD")))
        before = one.value
    joined = Course(Mark(plain.start.on, usd(start * 10**6)), tuple(values_with), tuple(flows))

    assert time_weighted(joined) == pytest.approx(time_weighted(plain), rel=1e-6, abs=1e-6)


@given(st.floats(-0.9, 5.0), st.lists(st.tuples(st.integers(0, 2_000), st.floats(1, 1e6)), min_size=1, max_size=10))
def test_xirr_finds_the_rate_that_made_the_flows(rate: float, paid: list[tuple[int, float]]) -> None:
    last = max(day for day, _ in paid) + 30
    worth = sum(amount * (1 + rate) ** ((last - day) / 365) for day, amount in paid)
    flows = [(FIRST + timedelta(days=day), -amount) for day, amount in paid]

    found = xirr([*flows, (FIRST + timedelta(days=last), worth)])

    assert found == pytest.approx(rate, rel=1e-6, abs=1e-9)


def test_accounts_together_are_worth_their_sum_and_late_ones_come_in_as_flows() -> None:
    early = daily(100, [110, 121, 133])
    late = Course(Mark(FIRST + timedelta(days=2), usd(50)), (Mark(FIRST + timedelta(days=3), usd(55)),))

    whole = together([late, early])

    assert [one.value for one in whole.marks] == [usd(110), usd(171), usd(188)]
    assert whole.flows == (Flow(FIRST + timedelta(days=2), usd(50)),)
    assert whole.gain == early.gain + late.gain


@given(st.lists(values, min_size=1, max_size=3), st.dictionaries(st.integers(1, 30), st.integers(-(10**6), 10**6), max_size=4))
def test_the_gain_of_all_is_the_sum_of_gains(rows: list[list[int]], paid: dict[int, int]) -> None:
    courses = [daily(10**6, row, {day: amount for day, amount in paid.items() if day <= len(row)}) for row in rows]

    assert together(courses).gain == sum((one.gain for one in courses), usd(0))


@given(values, st.dictionaries(st.integers(1, 30), st.integers(-(10**6), 10**6), max_size=4), st.integers(0, 31))
def test_parts_of_a_course_link_to_the_whole(row: list[int], paid: dict[int, int], cut: int) -> None:
    course = daily(10**6, row, {day: amount for day, amount in paid.items() if day <= len(row)})
    day = FIRST + timedelta(days=cut)
    first, second = between(course, None, day), between(course, day, None)

    assert [*links_of(first), *links_of(second)] == links_of(course)
    assert first.gain + second.gain == course.gain


def test_currencies_are_never_added() -> None:
    euro = Course(Mark(FIRST, Money(1, "EUR")), ())

    with pytest.raises(CurrencyMismatchError):
        together([daily(1, [2]), euro])
    with pytest.raises(ValueError, match="at least one"):
        together([])


def test_a_course_without_anything_has_no_rates() -> None:
    nothing = daily(0, [0, 0])

    assert (time_weighted(nothing), money_weighted(nothing), modified_dietz(nothing), simple(nothing)) == (None, None, None, None)


def test_the_rate_of_r1_solves_its_equation() -> None:
    flows = [(0, -10_000.0), (60, 2_750.0), (303, 4_250.0), (411, 3_250.0), (456, 2_750.0)]
    rate = xirr([(on("2008-01-01") + timedelta(days=days), amount) for days, amount in flows])

    assert rate is not None
    assert sum(amount * (1 + rate) ** (-days / 365) for days, amount in flows) == pytest.approx(0, abs=1e-8)
