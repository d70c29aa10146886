"""A quiet book is remembered, and whatever may disturb it ends that: an order, one whose end is unknown, a look that overlaps one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.execution.brokers.paper.stillness import Stillness

NINE = datetime(2024, 3, 5, 9, tzinfo=UTC)


def quiet() -> Stillness:
    still = Stillness()
    still.found(still.looking(), NINE)
    return still


def test_what_a_look_found_holds_from_then_on_and_not_before() -> None:
    still = quiet()

    assert still.holds(NINE)
    assert still.holds(NINE + timedelta(days=1))
    assert not still.holds(NINE - timedelta(days=1))


def test_nothing_is_known_before_the_first_look() -> None:
    assert not Stillness().holds(NINE)


def test_an_order_ends_it_until_the_next_look() -> None:
    still = quiet()

    with still.broken():
        assert not still.holds(NINE)

    assert not still.holds(NINE)
    still.found(still.looking(), NINE)
    assert still.holds(NINE)


def test_an_order_whose_end_is_unknown_may_come_late_so_nothing_is_believed_any_more() -> None:
    still = quiet()

    with pytest.raises(ConnectionError), still.broken():
        raise ConnectionError("the answer was lost")

    still.found(still.looking(), NINE)
    assert not still.holds(NINE + timedelta(days=1))


@given(begun=st.integers(0, 4), ended=st.integers(0, 4))
def test_a_look_that_overlaps_the_end_of_an_order_is_not_believed(begun: int, ended: int) -> None:
    """Moments: 0 before the order, 1 and 2 inside, 3 after it; an order may reach the book anywhere inside."""
    still, looks = Stillness(), {}

    def at(moment: int) -> None:
        if moment == begun:
            looks["begun"] = still.looking()
        if moment == ended and "begun" in looks:
            still.found(looks["begun"], NINE)

    at(0)
    with still.broken():
        at(1)
        at(2)
    at(3)
    at(4)

    assert still.holds(NINE) == (begun >= 3 and ended >= begun)
