"""The lot methods: the worked examples of brokers, regulations and other ledgers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from services.portfolio.tests.domain.making import DAY, figures, fill, instrument, left, lot, usd, used

from quantmatrix.common.names import AssetClass
from quantmatrix.common.values import Price, Quantity
from quantmatrix.portfolio.domain.book import Book, rebuilt, with_fill
from quantmatrix.portfolio.domain.lots import Fill, Lot, NamedLot, Split, book_fill
from quantmatrix.portfolio.domain.methods import LotChoiceError, LotMethod, LotMethods, identified, no_lot, picker_for, still_named

THREE = (fill(1, 4, "100.00"), fill(2, 5, "111.11"), fill(3, 6, "122.22"))


def under(method: LotMethod, *facts: Fill | Split) -> Book:
    return rebuilt("USD", facts, LotMethods(method))


def sold(method: LotMethod, lots: Sequence[Lot], quantity: int, price: str, day: date | str | None = None) -> list[Decimal]:
    """Quantities used up by one sale (or, when negative, by one purchase that covers shorts)."""
    booked = book_fill(fill(500, -quantity, price, day=day), lots, picker_for(method))
    return [closing.quantity.value for closing in booked.closings]


@pytest.mark.parametrize(("quantity", "remaining"), [(7, [(4, 400), (4, Decimal("444.44"))]), (12, [(3, 300)])])
def test_the_newest_lot_goes_first(quantity: int, remaining: list[tuple[int, Decimal]]) -> None:
    """L2, last in, first out: 7 of 4@100.00, 5@111.11, 6@122.22 take 6 and 1; 12 take 6, 5 and 1."""
    assert left(under(LotMethod.LIFO, *THREE, fill(4, -quantity, "130"))) == remaining


def test_the_highest_cost_goes_first() -> None:
    """L3: 50@115, 50@116, 50@114; sales of 40, 35 and 30 leave 45@114."""
    buys = (fill(1, 50, "115"), fill(2, 50, "116"), fill(3, 50, "114"))
    book, taken = under(LotMethod.HIFO, *buys), []
    for number, quantity in enumerate((40, 35, 30), start=4):
        book, booked = with_fill(book, fill(number, -quantity, "120"), picker_for(LotMethod.HIFO))
        taken.append([(closing.quantity.value, closing.basis) for closing in booked.closings])

    assert taken == [
        [(40, usd(40 * 116))],
        [(10, usd(10 * 116)), (25, usd(25 * 115))],
        [(25, usd(25 * 115)), (5, usd(5 * 114))],
    ]
    assert left(book) == [(45, 45 * 114)]


@pytest.mark.parametrize(
    ("method", "gain"),
    [(LotMethod.FIFO, 550), (LotMethod.LIFO, 350), (LotMethod.HIFO, 250), (LotMethod.LOFO, 650), (LotMethod.AVERAGE, 450)],
)
def test_the_gain_of_one_sale_under_each_method(method: LotMethod, gain: int) -> None:
    """L4: 100@10, 100@14, 100@12; 150 sold at 15 (first three measured with beancount 3.2.3, average by arithmetic)."""
    book = under(method, fill(1, 100, "10"), fill(2, 100, "14"), fill(3, 100, "12"), fill(4, -150, "15"))

    assert book.realised == usd(gain)
    assert book.basis == usd(3600 - (150 * 15 - gain))


def test_an_average_is_kept_by_a_sale() -> None:
    """L8: 60@100 and 40@110 are 100@104; 20 sold have a basis of 2,080 and leave 80@104."""
    book, booked = with_fill(
        under(LotMethod.AVERAGE, fill(1, 60, "100"), fill(2, 40, "110")), fill(3, -20, "120"), picker_for(LotMethod.AVERAGE)
    )

    assert [closing.basis for closing in booked.closings] == [usd(2080)]
    assert book.basis == usd(80 * 104)
    assert left(book) == [(40, 4160), (40, 4160)]


def test_an_average_of_two_lots() -> None:
    """L8: 50@100 and 50@101; 49 sold leave 51@100.50."""
    book = under(LotMethod.AVERAGE, fill(1, 50, "100"), fill(2, 50, "101"), fill(3, -49, "110"))

    assert book.basis == usd("5125.50")
    assert book.quantity == Quantity(51)


def test_an_average_takes_dates_first_in_first_out() -> None:
    """B16: 50@10 and 50@14 are 12.00 each; 60 sold at 15 gain 180, 50 of them with the first date."""
    book = under(LotMethod.AVERAGE, fill(1, 50, "10"), fill(2, 50, "14"))
    book, booked = with_fill(book, fill(3, -60, "15"), picker_for(LotMethod.AVERAGE))

    assert book.realised == usd(180)
    assert [(closing.quantity.value, closing.opened_on) for closing in booked.closings] == [
        (50, DAY + timedelta(days=1)),
        (10, DAY + timedelta(days=2)),
    ]


def test_the_average_of_thirds_loses_nothing() -> None:
    book = under(LotMethod.AVERAGE, fill(1, 1, "10"), fill(2, 2, "10.01"), fill(3, -1, "11"), fill(4, -1, "11"), fill(5, -1, "11"))

    assert book.realised == usd(33) - usd("30.02")
    assert book.basis == usd(0)


def test_an_average_with_an_unknown_basis_is_unknown() -> None:
    lots = [lot("known", 50, "500"), lot("unknown", 50, None, minute=1)]

    booked = book_fill(fill(9, -60, "15"), lots, picker_for(LotMethod.AVERAGE))

    assert used(booked.closings) == [(50, None), (10, None)]
    assert booked.pending
    assert figures(booked.changed) == [(40, None)]


TERMS = (
    lot("long gain", 10, "50", "2020-01-01"),
    lot("long small gain", 10, "90", "2020-02-01"),
    lot("long loss", 10, "150", "2020-03-01"),
    lot("long small loss", 10, "110", "2020-04-01"),
    lot("short gain", 10, "40", "2024-01-02"),
    lot("short small gain", 10, "80", "2024-01-03"),
    lot("short loss", 10, "160", "2024-01-04"),
    lot("short small loss", 10, "120", "2024-01-05"),
)
NAME_OF = {one.lot_id: name for one, name in zip(TERMS, "ABCDEFGH", strict=True)}


@pytest.mark.parametrize(
    ("method", "order"),
    [
        (LotMethod.MAX_LT_GAIN, "AB EF HG DC"),
        (LotMethod.MAX_LT_LOSS, "CD GH FE BA"),
        (LotMethod.MAX_ST_GAIN, "EF AB DC HG"),
        (LotMethod.MAX_ST_LOSS, "GH CD BA FE"),
        (LotMethod.HIGHEST_COST, "GC HD BF AE"),
    ],
)
def test_the_priorities_of_interactive_brokers(method: LotMethod, order: str) -> None:
    """L10 and L11: its lot matching page. Lots of 10 sold at 10; A, B long gains, C, D long losses, E, F short gains, G, H short losses."""
    booked = book_fill(fill(500, -80, "10", day="2024-06-03"), TERMS, picker_for(method))

    assert "".join(NAME_OF[closing.lot_id] for closing in booked.closings) == order.replace(" ", "")


def test_the_highest_cost_of_shorts_is_the_least_that_was_brought() -> None:
    """The largest loss first: covering at 12, the short sold at 10 loses 2 a share and goes before the one sold at 15."""
    shorts = [lot("dear", -10, "-150"), lot("cheap", -10, "-100", minute=1)]

    assert used(book_fill(fill(9, 10, "12"), shorts, picker_for(LotMethod.HIGHEST_COST)).closings) == [(-10, -20)]
    assert used(book_fill(fill(9, 10, "12"), shorts, picker_for(LotMethod.HIFO)).closings) == [(-10, 30)]


def test_a_short_sale_is_short_term_however_long_it_was_open() -> None:
    shorts = [lot("old", -10, "-150", "2020-01-02"), lot("young", -10, "-160", "2024-01-02")]

    assert used(book_fill(fill(9, 10, "12"), shorts, picker_for(LotMethod.MAX_LT_GAIN)).closings) == [(-10, 40)]


@pytest.mark.parametrize("method", [one for one in LotMethod if one is not LotMethod.AVERAGE])
def test_futures_are_always_first_in_first_out(method: LotMethod) -> None:
    """L11, the same page."""
    future = instrument("FUT", AssetClass.FUTURE, 50)
    lots = [lot("first", 1, "5000", of=future), lot("second", 1, "6000", of=future, minute=1), lot("third", 1, "4000", of=future, minute=2)]

    booked = book_fill(fill(9, -1, "110", of=future), lots, picker_for(method))

    assert [closing.lot_id for closing in booked.closings] == [lots[0].lot_id]


@pytest.mark.parametrize("method", [LotMethod.HIFO, LotMethod.LOFO, LotMethod.HIGHEST_COST, LotMethod.MAX_LT_GAIN, LotMethod.MAX_ST_LOSS])
def test_a_lot_that_cannot_be_ranked_goes_last(method: LotMethod) -> None:
    lots = [lot("unknown", 10, None), lot("undated", 10, "100", dated=False), lot("known", 10, "100", minute=5)]

    assert [one[0] for one in used(book_fill(fill(9, -10, "12"), lots, picker_for(method)).closings)] == [10]
    assert book_fill(fill(9, -10, "12"), lots, picker_for(method)).closings[0].lot_id == lots[2].lot_id


@pytest.mark.parametrize("method", [LotMethod.HIFO, LotMethod.LOFO, LotMethod.HIGHEST_COST, LotMethod.MAX_LT_GAIN, LotMethod.MAX_ST_LOSS])
def test_lots_that_cannot_be_ranked_are_used_up_after_the_others(method: LotMethod) -> None:
    lots = [lot("unknown", 10, None), lot("undated", 10, "100", dated=False), lot("known", 10, "100", minute=5)]

    closings = book_fill(fill(9, -30, "12"), lots, picker_for(method)).closings

    assert closings[0].lot_id == lots[2].lot_id
    assert {closing.lot_id for closing in closings} == {one.lot_id for one in lots}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lot("gain", 1, "5", "2020-01-01"), lot("loss", 1, "15", "2020-01-01")),
        (lot("long", 1, "8", "2020-01-01"), lot("short", 1, "5", "2024-01-02")),
    ],
)
def test_lots_of_one_unit_are_bought_ones_like_larger_ones(first: Lot, second: Lot) -> None:
    """Sold at 10 for the largest long-term gain: a gain goes before a loss, and a long-term one before a larger short-term one."""
    closings = book_fill(fill(500, -2, "10", day="2024-06-03"), [second, first], picker_for(LotMethod.MAX_LT_GAIN)).closings

    assert [closing.lot_id for closing in closings] == [first.lot_id, second.lot_id]


@pytest.mark.parametrize(("method", "other"), [(LotMethod.MAX_LT_GAIN, "50"), (LotMethod.MAX_LT_LOSS, "150")])
def test_what_brings_just_its_cost_is_of_the_wanted_result(method: LotMethod, other: str) -> None:
    lots = [lot("other term", 10, other, "2024-01-02"), lot("even", 10, "100", "2020-01-01")]

    closings = book_fill(fill(500, -20, "10", day="2024-06-03"), lots, picker_for(method)).closings

    assert [closing.lot_id for closing in closings] == [lots[1].lot_id, lots[0].lot_id]


def test_a_lot_of_unknown_date_is_older_than_all_others() -> None:
    """Otherwise a sale would take a lot of the file while older ones remain (15 wrong closings of one real file)."""
    lots = [lot("bought", 10, "100"), lot("from before", 10, None, DAY + timedelta(days=3), dated=False)]

    booked = book_fill(fill(9, -10, "12"), lots)

    assert [closing.lot_id for closing in booked.closings] == [lots[1].lot_id]
    assert booked.pending and booked.realised is None


def named(*parts: tuple[Lot, int]) -> tuple[NamedLot, ...]:
    return tuple(NamedLot(one.lot_id, Quantity(units)) for one, units in parts)


LOTS = (lot("one", 10, "100"), lot("two", 10, "110", minute=1), lot("three", 10, "120", minute=2))


@pytest.mark.parametrize("method", list(LotMethod))
def test_lots_named_with_an_order_are_used_under_every_method(method: LotMethod) -> None:
    """L12: adequate identification at the time of the sale."""
    sale = replace(fill(9, -12, "20"), named=named((LOTS[2], 10), (LOTS[0], 2)))

    assert used(book_fill(sale, LOTS, picker_for(method)).closings) == [(10, 80), (2, 20)]


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (((lot("elsewhere", 10, "100"), 5),), "has 0 open"),
        (((LOTS[0], 11),), "has 10 open"),
        (((LOTS[0], 6), (LOTS[0], 6)), "named were 12"),
        (((LOTS[0], 4),), "named lots cover 4 of 5"),
        (((LOTS[0], 0),), "named were 0"),
        (((LOTS[0], -5),), "named were -5"),
    ],
)
def test_lots_that_are_wrongly_named_are_not_replaced_by_others(names: tuple[tuple[Lot, int], ...], wrong: str) -> None:
    sale = replace(fill(9, -5, "20"), named=named(*names))

    with pytest.raises(LotChoiceError, match=wrong):
        book_fill(sale, LOTS, picker_for(LotMethod.SPECIFIC))


def test_a_single_unit_of_a_lot_may_be_named() -> None:
    lots = [lot("first", 10, "100"), lot("second", 10, "120", minute=1)]

    booked = book_fill(replace(fill(9, -1, "15"), named=named((lots[1], 1))), lots, picker_for(LotMethod.FIFO))

    assert [(closing.lot_id, closing.quantity) for closing in booked.closings] == [(lots[1].lot_id, Quantity(1))]


def test_more_may_be_named_than_one_fill_needs() -> None:
    sale = replace(fill(9, -5, "20"), named=named((LOTS[1], 10), (LOTS[2], 10)))

    assert used(book_fill(sale, LOTS, picker_for(LotMethod.SPECIFIC)).closings) == [(5, 45)]


def test_everything_named_and_more_sold_reverses() -> None:
    sale = replace(fill(9, -12, "20"), named=named((LOTS[1], 10)))
    booked = book_fill(sale, LOTS[1:2], picker_for(LotMethod.SPECIFIC))

    assert used(booked.closings) == [(10, 90)]
    assert booked.opened is not None and booked.opened.quantity == Quantity(-2)


def test_lots_of_futures_cannot_be_named() -> None:
    future = instrument("FUT", AssetClass.FUTURE, 50)
    held = lot("first", 1, "5000", of=future)

    with pytest.raises(LotChoiceError, match="futures are always"):
        book_fill(replace(fill(9, -1, "110", of=future), named=named((held, 1))), [held], picker_for(LotMethod.SPECIFIC))


def test_an_account_of_specific_lots_without_names_is_first_in_first_out() -> None:
    """26 CFR 1.1012-1(c)(1): without adequate identification the earliest."""
    assert sold(LotMethod.SPECIFIC, LOTS, 12, "20") == [10, 2]


def test_the_names_of_an_order_last_over_its_fills() -> None:
    names = named((LOTS[0], 10), (LOTS[1], 4), (LOTS[2], 6))

    assert still_named(names, Quantity(0)) == names
    assert still_named(names, Quantity(12)) == named((LOTS[1], 2), (LOTS[2], 6))
    assert still_named(names, Quantity(14)) == named((LOTS[2], 6))
    assert still_named(names, Quantity(99)) == ()


@pytest.mark.parametrize(
    ("quantity", "cost", "by_size", "found"),
    [(11, "115", False, [7, 4]), (3, "117", False, [3]), (2, "117", False, [2]), (4, "115", True, [4]), (14, None, False, [7, 4, 3])],
)
def test_lots_are_meant_by_what_they_cost(quantity: int, cost: str | None, by_size: bool, found: list[int]) -> None:
    """L5 and L6: lots 7@115, 4@115, 3@117; one lot, or the total of all that match, or the oldest one of this size."""
    lots = [lot("seven", 7, "805"), lot("four", 4, "460", minute=1), lot("three", 3, "351", minute=2)]
    names = identified(lots, Quantity(quantity), Price.parse(cost) if cost else None, by_size)

    assert [one.quantity.value for one in names] == found


@pytest.mark.parametrize(("cost", "by_size"), [(None, False), ("115", False), ("116", False), ("115", True)])
def test_lots_that_could_be_any_are_not_chosen(cost: str | None, by_size: bool) -> None:
    """L5: lots 10@115 twice, 5 sold: ambiguous."""
    lots = [lot("lot1", 10, "1150"), lot("lot2", 10, "1150", minute=1)]

    with pytest.raises(LotChoiceError, match="name the lot"):
        identified(lots, Quantity(5), Price.parse(cost) if cost else None, by_size)


def test_a_lot_of_just_this_size_is_not_meant_unless_that_is_said() -> None:
    """L5 beside L6: lots 7@115 and 4@115, 4 sold."""
    lots = [lot("seven", 7, "805"), lot("four", 4, "460", minute=1)]

    with pytest.raises(LotChoiceError, match="2 lots match, with 11 units; 4 could be any of them"):
        identified(lots, Quantity(4), Price.parse("115"))


def test_a_fill_may_stand_beside_lots_of_the_other_side() -> None:
    """L7: lots 1@115 and 2@116, 5 sold at 117 without matching leave both and a short of 5."""
    lots = [lot("one", 1, "115"), lot("two", 2, "232", minute=1)]

    booked = book_fill(fill(9, -5, "117"), lots, no_lot)

    assert booked.closings == () and booked.changed == ()
    assert booked.opened is not None and figures([*lots, booked.opened]) == [(1, 115), (2, 232), (-5, -585)]


def test_a_method_holds_from_its_day_on() -> None:
    """Mixed: the first sale before the change is first in, first out, the others last in, first out."""
    methods = LotMethods().changed(DAY + timedelta(days=5), LotMethod.LIFO)
    buys = (fill(1, 10, "10"), fill(2, 10, "11"), fill(3, 10, "12"))
    book = rebuilt("USD", [*buys, fill(4, -5, "20"), fill(5, -5, "20"), fill(6, -5, "20")], methods)

    assert left(book) == [(5, 50), (10, 110)]
    assert methods.on(DAY + timedelta(days=4)) is LotMethod.FIFO
    assert methods.on(DAY + timedelta(days=5)) is LotMethod.LIFO


def test_of_two_methods_from_one_day_the_later_stated_holds() -> None:
    methods = LotMethods().changed(DAY, LotMethod.LIFO).changed(DAY, LotMethod.HIFO).changed(date(2023, 1, 1), LotMethod.LOFO)

    assert methods.on(DAY) is LotMethod.HIFO
    assert methods.on(date(2023, 6, 1)) is LotMethod.LOFO
