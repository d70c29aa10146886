"""Holding periods by trade dates (Publication 550; Revenue Ruling 66-7)."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import on

from quantmatrix.portfolio.domain.terms import Term, long_from, term


@pytest.mark.parametrize(
    ("acquired", "first_long"),
    [
        ("2023-10-20", "2024-10-21"),  # B2: exercised on 20 October, short on the same day of the next year
        ("2023-12-31", "2025-01-01"),
        ("2024-02-28", "2025-03-01"),
        ("2024-02-29", "2025-03-01"),
        ("2023-02-28", "2024-03-01"),
        ("2024-01-31", "2025-02-01"),
    ],
)
def test_long_term_is_more_than_a_year(acquired: str, first_long: str) -> None:
    assert term(on(acquired), on(first_long) - timedelta(days=1)) is Term.SHORT
    assert term(on(acquired), on(first_long)) is Term.LONG


def test_what_was_acquired_on_an_unknown_day_has_an_unknown_term() -> None:
    assert term(None, on("2024-01-02")) is Term.UNKNOWN


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 1_000))
def test_a_later_acquisition_is_never_long_sooner(acquired: date, days: int) -> None:
    assert long_from(acquired) <= long_from(acquired + timedelta(days=days))
    assert 366 <= (long_from(acquired) - acquired).days <= 367
