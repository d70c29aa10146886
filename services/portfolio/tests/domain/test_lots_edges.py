"""Booking where one condition decides alone: each test fails when that condition is left out."""

from dataclasses import replace

import pytest
from services.portfolio.tests.domain.making import OPTION, fill, lot, on, split_lot, usd

from quantmatrix.common.values import Price, Quantity
from quantmatrix.portfolio.domain.lots import NamedLot, Split, book_fill
from quantmatrix.portfolio.domain.methods import LotChoiceError, LotMethod, identified, named_for, picker_for


def test_only_lots_that_were_used_are_changed() -> None:
    first, second = lot(1, 10, "100"), lot(2, 10, "200", minute=1)

    booked = book_fill(fill(500, -4, "30"), [first, second])

    assert [one.lot_id for one in booked.changed] == [first.lot_id]


def test_no_more_is_taken_of_a_lot_than_was_named() -> None:
    first, second = lot(1, 10, "100"), lot(2, 10, "200", minute=1)
    sale = replace(fill(500, -10, "30"), named=(NamedLot(first.lot_id, Quantity(4)), NamedLot(second.lot_id, Quantity(6))))

    booked = book_fill(sale, [first, second], picker_for(LotMethod.FIFO))

    assert [one.quantity for one in booked.closings] == [Quantity(4), Quantity(6)]
    assert [one.quantity for one in booked.changed] == [Quantity(6), Quantity(4)]


def test_an_average_gives_every_lot_its_new_basis_also_behind_those_that_were_used() -> None:
    """30 for 600 in three lots: 20 a unit for all of them, when only 5 of the first are sold."""
    lots = [lot(1, 10, "100"), lot(2, 10, "200", minute=1), lot(3, 10, "300", minute=2)]

    booked = book_fill(fill(500, -5, "30"), lots, picker_for(LotMethod.AVERAGE))

    assert [one.basis for one in booked.changed] == [usd(100), usd(200), usd(200)]
    assert [one.quantity for one in booked.changed] == [Quantity(5), Quantity(10), Quantity(10)]


def test_a_sale_of_known_and_unknown_lots_is_pending_and_sums_what_is_known() -> None:
    known, unknown = lot(1, 10, "100"), lot(2, 10, None, minute=1)

    booked = book_fill(fill(500, -20, "30"), [known, unknown])

    assert booked.pending and booked.realised == usd(200)
    assert not book_fill(fill(500, -10, "30"), [known, unknown]).pending


def test_a_split_changes_what_a_lot_opened_with_as_well() -> None:
    after = split_lot(replace(lot(1, 10, "100"), quantity=Quantity(4)), Split(on("2030-01-01"), 3, 1))

    assert (after.quantity, after.opened_quantity, after.basis) == (Quantity(12), Quantity(30), usd(100))


def test_the_size_of_a_lot_means_nothing_unless_one_says_so() -> None:
    lots = [lot(1, 10, "100"), lot(2, 4, "40", minute=1)]

    with pytest.raises(LotChoiceError):
        identified(lots, Quantity(4), None)

    assert [one.lot_id for one in identified(lots, Quantity(4), None, by_size=True)] == [lots[1].lot_id]


def test_short_lots_are_named_by_units_above_zero() -> None:
    shorts = [lot(1, -10, "-300"), lot(2, -10, "-200", minute=1)]
    cover = replace(fill(500, 4, "15"), named=(NamedLot(shorts[1].lot_id, Quantity(4)),))

    booked = book_fill(cover, shorts, picker_for(LotMethod.FIFO))

    assert [(one.lot_id, one.quantity) for one in booked.closings] == [(shorts[1].lot_id, Quantity(-4))]


def test_of_several_lots_of_a_size_the_oldest_is_meant_however_they_are_listed() -> None:
    newer, older = lot(2, 4, "40", minute=1), lot(1, 4, "40")

    assert [one.lot_id for one in identified([newer, older], Quantity(4), None, by_size=True)] == [older.lot_id]


def test_a_fill_has_those_of_the_named_lots_that_earlier_fills_of_its_order_left() -> None:
    """5 of one lot and 5 of another: after 3, a fill of 4 has the last 2 of the first and 2 of the second, and nothing of no units."""
    first, second, third = (lot(number, 10, "100", minute=number).lot_id for number in (1, 2, 3))
    named = [NamedLot(first, Quantity(5)), NamedLot(second, Quantity(5)), NamedLot(third, Quantity(5))]

    assert named_for(named, Quantity(3), Quantity(4)) == (NamedLot(first, Quantity(2)), NamedLot(second, Quantity(2)))
    assert named_for(named, Quantity(0), Quantity(5)) == (NamedLot(first, Quantity(5)),)
    assert named_for(named, Quantity(15), Quantity(1)) == ()


def test_what_a_contract_costs_is_its_price_times_what_it_is_for() -> None:
    """Two contracts of 100 bought at 3 for 600: 3 names them, and 300 names nothing."""
    dear, cheap = (replace(one, instrument=OPTION) for one in (lot(1, 2, "600"), lot(2, 2, "200", minute=1)))

    assert identified([dear, cheap], Quantity(1), Price(3)) == (NamedLot(dear.lot_id, Quantity(1)),)
    with pytest.raises(LotChoiceError):
        identified([dear, cheap], Quantity(1), Price(300))
