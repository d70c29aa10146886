"""Results by strategy: a lot's result belongs to its opener, and all openers together have everything."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.portfolio.tests.performance.walking import FIRST, on, usd

from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.performance.strategies import ClosedPart, OpenedLot, results_of


def test_a_lot_belongs_to_its_opener_whoever_closed_it() -> None:
    # The bot bought for 1,000 and everything was sold a year later for 1,100; the person holds what cost 500, worth 450.
    lots = [
        OpenedLot("1", "bot:1", on("2024-01-02"), Quantity(0), usd(0), None),
        OpenedLot("2", "manual", on("2024-06-03"), Quantity(5), usd(500), usd(450)),
    ]
    closings = [ClosedPart("1", on("2025-01-01"), usd(1_100), usd(1_000))]

    bot, manual = results_of(lots, closings, on("2025-06-03"))

    assert (bot.triggered_by, bot.gain, bot.cost, bot.won, bot.open_lots) == ("bot:1", usd(100), usd(1_000), 1, 0)
    assert bot.simple == pytest.approx(0.10) and bot.yearly == pytest.approx(0.10)
    assert (manual.realised, manual.unrealised, manual.open_lots) == (usd(0), usd(-50), 1)
    assert manual.simple == pytest.approx(-0.10) and manual.yearly == pytest.approx(-0.10)


def test_a_lot_without_a_price_is_taken_at_cost_and_counted() -> None:
    (found,) = results_of([OpenedLot("1", "manual", FIRST, Quantity(1), usd(10), None)], [], FIRST + timedelta(days=9))

    assert (found.unrealised, found.unpriced, found.open_lots) == (usd(0), 1, 1)


def test_a_lot_that_cost_nothing_is_still_open() -> None:
    (found,) = results_of([OpenedLot("1", "manual", FIRST, Quantity(1), usd(0), usd(3))], [], FIRST + timedelta(days=9))

    assert (found.unrealised, found.open_lots, found.simple, found.yearly) == (usd(3), 1, None, None)


def test_a_short_lot_gains_when_it_is_covered_for_less() -> None:
    lots = [OpenedLot("1", "bot:2", FIRST, Quantity(0), usd(0), None)]

    (found,) = results_of(lots, [ClosedPart("1", FIRST + timedelta(days=30), usd(-90), usd(-100))], FIRST + timedelta(days=30))

    assert (found.gain, found.cost, found.won) == (usd(10), usd(100), 1)


def test_a_closing_of_a_lot_nobody_knows_is_refused() -> None:
    with pytest.raises(KeyError, match="unknown lots"):
        results_of([], [ClosedPart("9", FIRST, usd(1), usd(1))], FIRST)


openers = st.sampled_from(["bot:1", "bot:2", "manual"])
rows = st.lists(
    st.tuples(openers, st.integers(0, 900), st.integers(1, 10**6), st.integers(0, 10**6), st.integers(-(10**5), 10**5)),
    min_size=1,
    max_size=25,
)


@given(rows)
def test_all_openers_together_have_everything(given_rows: list[tuple[str, int, int, int, int]]) -> None:
    lots, closings = [], []
    for number, (opener, day, basis, value, gain) in enumerate(given_rows):
        lots.append(OpenedLot(str(number), opener, FIRST + timedelta(days=day), Quantity(1), usd(basis), usd(value)))
        closings.append(ClosedPart(str(number), FIRST + timedelta(days=day + 5), usd(basis + gain), usd(basis)))

    found = results_of(lots, closings, FIRST + timedelta(days=1_000))

    assert sum((one.gain for one in found), usd(0)) == usd(sum(value - basis + gain for _, _, basis, value, gain in given_rows))
    assert sum(one.lots for one in found) == len(given_rows)
