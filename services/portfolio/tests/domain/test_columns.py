"""Booking in columns: the same lots and closings as booking one by one, to the last digit."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import fill, instrument, usd

from quantmatrix.common.instruments import Instrument
from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.domain import column_shares, columns
from quantmatrix.portfolio.domain.book import Book, rebuilt, with_fill
from quantmatrix.portfolio.domain.columns import TooLargeError, book_columns, columns_of
from quantmatrix.portfolio.domain.lots import Fill, Premium

Row = tuple[int, int, Decimal, Decimal, Decimal, Decimal, Decimal]
NAMES = [instrument(name) for name in ("AAA", "BBB", "CCC")]


def one_by_one(fills: Sequence[Fill]) -> tuple[list[Row], list[tuple[int, Decimal, Decimal, Decimal]]]:
    """Closings and lots of the exact booking, by the places of their fills."""
    place_of = {one.fill_id: place for place, one in enumerate(fills)}
    closings, lots = [], []
    for of in sorted({one.instrument.instrument_id for one in fills}):
        book = Book("USD")
        for one in fills:
            if one.instrument.instrument_id == of:
                book, booked = with_fill(book, one)
                closings += [
                    (
                        place_of[one.fill_id],
                        place_of[book.lots[closing.lot_id].fill_id],
                        closing.quantity.value,
                        closing.known_proceeds.amount,
                        closing.known_basis.amount,
                        closing.known_realised.amount,
                        closing.left.value,
                    )
                    for closing in booked.closings
                ]
        lots += [
            (place_of[lot.fill_id], lot.opened_quantity.value, lot.quantity.value, lot.known_basis.amount) for lot in book.lots.values()
        ]
    return closings, lots


def in_columns(fills: Sequence[Fill]) -> tuple[list[Row], list[tuple[int, Decimal, Decimal, Decimal]]]:
    frame, digits = columns_of(fills)
    book = book_columns(frame)

    def units(number: int) -> Decimal:
        return Decimal(int(number)).scaleb(-digits)

    def money(number: int) -> Decimal:
        return Decimal(int(number)).scaleb(-12)

    told, left = book.closings, book.lots
    amounts = (told.proceeds, told.basis, told.realised)
    columns = (told.fill, told.lot, map(units, told.quantity), *(map(money, one) for one in amounts), map(units, told.left))
    closings = [(int(row[0]), int(row[1]), *row[2:]) for row in zip(*columns, strict=True)]
    kept = zip(left.fill, left.opened, left.quantity, left.basis, strict=True)
    lots = [(int(place), units(opened), units(quantity), money(basis)) for place, opened, quantity, basis in kept]
    return closings, lots


quantities = st.one_of(st.integers(1, 30).map(Decimal), st.decimals("0.0001", "50", places=4).filter(bool))
prices = st.decimals("0.01", "900", places=2)
fees = st.decimals("-0.5", "3", places=4)


@st.composite
def stories(draw: st.DrawFn) -> list[Fill]:
    """Purchases and sales of three instruments, long and short, with rebates and fees in kind."""
    found = []
    for number in range(draw(st.integers(0, 30))):
        of: Instrument = draw(st.sampled_from(NAMES))
        one = fill(number, draw(quantities) * draw(st.sampled_from([1, -1])), str(draw(prices)), str(draw(fees)), of=of)
        if draw(st.integers(0, 5)) == 0 and one.quantity > Quantity(Decimal("0.001")):
            one = replace(one, fee_in_kind=Quantity(Decimal("0.0001")))
        found.append(one)
    return found


@settings(max_examples=250, deadline=None)
@given(stories())
def test_columns_make_what_booking_one_by_one_makes(story: list[Fill]) -> None:
    assert in_columns(story) == one_by_one(story)


@settings(max_examples=60, deadline=None)
@given(stories(), st.integers(0, 2))
def test_what_is_walked_is_what_is_worked_out_side_by_side(story: list[Fill], rounds: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column_shares, "ROUNDS_MAX", rounds)

        assert in_columns(story) == one_by_one(story)


@settings(max_examples=60, deadline=None)
@given(stories(), st.integers(1, 10))
def test_stretches_make_what_all_at_once_makes(story: list[Fill], length: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "STRETCH", length)

        closings, lots = in_columns(story)

    exact_closings, exact_lots = one_by_one(story)
    assert sorted(lots) == sorted(exact_lots)
    for of in NAMES:
        own = {place for place, one in enumerate(story) if one.instrument == of}
        assert [row for row in closings if row[0] in own] == [row for row in exact_closings if row[0] in own]


@settings(max_examples=60, deadline=None)
@given(stories())
def test_wide_integers_make_what_narrow_ones_make(story: list[Fill]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_FACTOR_MAX", 0)

        assert in_columns(story) == one_by_one(story)


def test_amounts_of_billions_are_booked_in_wide_integers() -> None:
    story = [fill(1, 3, "999999999999.99", "1"), fill(2, -1, "700000000000.07", "0.01"), fill(3, -1, "1", "0.01")]

    assert in_columns(story) == one_by_one(story)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_lot_that_is_closed_in_many_small_parts(sign: int) -> None:
    """997 units with a fee that no part divides, closed one by one: more parts than are worked out side by side."""
    story = [fill(0, 997 * sign, "10", "1"), *(fill(number, -sign, "11", "0.35") for number in range(1, 200))]

    assert in_columns(story) == one_by_one(story)
    assert column_shares.ROUNDS_MAX < 199


def test_a_fill_that_closes_many_lots_and_reverses() -> None:
    story = [*(fill(number, 3, "10.01", "0.1") for number in range(120)), fill(500, -1_000, "11.07", "1.0000001")]

    assert in_columns(story) == one_by_one(story)


def test_no_fills_make_nothing() -> None:
    assert in_columns([]) == ([], [])


def test_figures_that_do_not_fit_are_refused() -> None:
    frame = pl.DataFrame(
        {
            "instrument": ["A"],
            "quantity": pl.Series([10**20], dtype=pl.Int128),
            "value": pl.Series([10**20], dtype=pl.Int128),
            "fee": pl.Series([0], dtype=pl.Int128),
        }
    )

    with pytest.raises(TooLargeError):
        book_columns(frame)


def test_premiums_are_booked_one_by_one() -> None:
    with pytest.raises(TooLargeError, match="one by one"):
        columns_of([replace(fill(1, 1, "1"), premium=Premium(usd(1)))])


def test_the_sums_of_a_thousand_fills_are_those_of_the_book() -> None:
    """A fixed pseudo-random story of one instrument; quantities of four digits."""
    state, story = 1, []
    for number in range(1_000):
        state = (state * 48_271) % 2_147_483_647
        units = Decimal(state % 90_001 + 1) / 10_000
        story.append(fill(number, units if state % 3 else -units, str(Decimal(state % 4_999 + 1) / 100), "0.35"))
    frame, _ = columns_of(story)
    made, book = book_columns(frame), rebuilt("USD", story)

    assert book.realised is not None and book.realised.amount == Decimal(int(made.closings.realised.sum())).scaleb(-12)
    assert book.basis.amount == Decimal(int(made.lots.basis.sum())).scaleb(-12)
