"""FIFO lots: the worked examples of tax rules and brokers' statements, and what holds for every sequence of fills."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import split_lot

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, FillId, InstrumentId, LotId, Side, UserId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.book import Book, cash_moved, rebuilt, with_fill, with_split
from quantmatrix.portfolio.domain.lots import Booked, Fill, Lot, Split, book_fill

pytestmark = pytest.mark.long(15)
STOCK = Instrument(InstrumentId("ABC"), "ABC", AssetClass.STOCK, "USD", Quantity(1))
OPTION = replace(STOCK, asset_class=AssetClass.OPTION, multiplier=Quantity(100))
DAY = date(2024, 1, 2)


def usd(amount: str | int) -> Money:
    return Money(Decimal(amount), "USD")


def fill(number: int, quantity: str | int, price: str, fee: str = "0", instrument: Instrument = STOCK) -> Fill:
    """The numbered fill of a test; a negative quantity is a sale."""
    signed = Decimal(quantity)
    return Fill(
        fill_id=FillId(derived_id("fill", number)),
        account_id=AccountId("A"),
        user_id=UserId(derived_id("user")),
        instrument=instrument,
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=Quantity(abs(signed)),
        price=Price.parse(price),
        fee=usd(fee),
        session=DAY + timedelta(days=number),
        executed_at=datetime(2024, 1, 2, 15, tzinfo=UTC) + timedelta(days=number),
        triggered_by="manual",
    )


def book_of(*fills: Fill) -> Book:
    return rebuilt("USD", fills)


def left(book: Book) -> list[tuple[Decimal, Decimal]]:
    """Quantity and total basis of the open lots, oldest first."""
    return [(lot.quantity.value, lot.basis.amount) for lot in sorted(book.lots.values(), key=lambda lot: lot.opened_at) if lot.quantity]


THREE = (fill(1, 4, "100.00"), fill(2, 5, "111.11"), fill(3, 6, "122.22"))


@pytest.mark.parametrize(
    ("sold", "taken", "remaining"),
    [
        (7, [4, 3], [(2, Decimal("222.22")), (6, Decimal("733.32"))]),
        (12, [4, 5, 3], [(3, Decimal("366.66"))]),
        (15, [4, 5, 6], []),
    ],
)
def test_the_earliest_lot_goes_first(sold: int, taken: list[int], remaining: list[tuple[int, Decimal]]) -> None:
    """26 CFR 1.1012-1(c); lots 4 at 100.00, 5 at 111.11, 6 at 122.22."""
    book, booked = with_fill(book_of(*THREE), fill(4, -sold, "130"))

    assert [closing.quantity.value for closing in booked.closings] == taken
    assert left(book) == remaining


def test_selling_more_than_is_held_opens_a_short_lot() -> None:
    book, booked = with_fill(book_of(*THREE), fill(4, -16, "130"))

    assert [closing.quantity.value for closing in booked.closings] == [4, 5, 6]
    assert left(book) == [(-1, -130)]


def test_the_gain_of_a_sale_over_two_lots() -> None:
    """Buys 100 at 10, 100 at 14, 100 at 12; 150 sold at 15: FIFO realises 550 (measured with beancount 3.2.3)."""
    book = book_of(fill(1, 100, "10"), fill(2, 100, "14"), fill(3, 100, "12"), fill(4, -150, "15"))

    assert book.realised == usd(550)
    assert left(book) == [(50, 700), (100, 1200)]


def test_buys_close_the_oldest_short_first() -> None:
    """CLOV options: short 2, 1 and 1; expiry of all four at zero realises the premiums, +355.308974."""
    premiums = (("80.579982", 2), ("129.789537", 1), ("144.939455", 1))
    lots = [
        Lot(
            lot_id=LotId(derived_id("short", number)),
            fill_id=FillId(derived_id("short fill", number)),
            account_id=AccountId("A"),
            user_id=UserId(derived_id("user")),
            instrument=OPTION,
            opened_quantity=Quantity(-contracts),
            quantity=Quantity(-contracts),
            basis=usd("-" + premium),
            opened_on=DAY + timedelta(days=number),
            opened_at=datetime(2024, 1, 2, tzinfo=UTC) + timedelta(days=number),
            triggered_by="manual",
        )
        for number, (premium, contracts) in enumerate(premiums)
    ]

    booked = book_fill(fill(9, 4, "0", instrument=OPTION), list(reversed(lots)))

    assert [closing.quantity.value for closing in booked.closings] == [-2, -1, -1]
    assert booked.realised == usd("355.308974")
    assert booked.opened is None


def test_an_order_that_crosses_zero_closes_and_opens_with_its_fee_shared() -> None:
    """Long 100 at 10.00; 150 sold at 12 with a fee of 1.50: gain 199.00, short 50 with basis -599.50."""
    book, booked = with_fill(book_of(fill(1, 100, "10.00")), fill(2, -150, "12", "1.50"))

    (closing,) = booked.closings
    assert (closing.proceeds, closing.realised) == (usd("1199"), usd("199"))
    assert left(book) == [(-50, Decimal("-599.50"))]


def test_crossing_zero_from_below() -> None:
    book, booked = with_fill(book_of(fill(1, -100, "12", "1")), fill(2, 150, "10", "1.50"))

    (closing,) = booked.closings
    assert closing.basis == usd("-1199")
    assert closing.proceeds == usd("-1001")
    assert closing.realised == usd("198")
    assert left(book) == [(50, Decimal("500.50"))]


def test_fees_are_inside_the_basis_and_inside_the_proceeds() -> None:
    """CEG, as the broker printed it: 32,826.01 - 1.020301 - 24,781.464635 = 8,043.525064."""
    book = book_of(
        fill(1, 100, "245.50", "1.0046"),
        fill(2, 1, "229.46", "1.000035"),
    )
    assert book.basis == usd("24781.464635")

    book, booked = with_fill(book, fill(3, -101, "325.01", "1.020301"))

    assert sum(closing.proceeds.amount for closing in booked.closings) == Decimal("32826.01") - Decimal("1.020301")
    assert book.realised == usd("8043.525064")


def test_the_sum_over_partial_sales_is_exact_though_single_bases_are_rounded() -> None:
    """SRFM: lots 300 (1,231.5066) and 400 (1,602.0088), sold in six parts: the bases sum to 2,833.5154."""
    book = book_of(fill(1, 300, "4.10502200"), fill(2, 400, "4.00502200"))
    assert left(book) == [(300, Decimal("1231.5066")), (400, Decimal("1602.0088"))]
    bases = []
    for number, part in enumerate((100, 100, 100, 100, 100, 200), start=3):
        book, booked = with_fill(book, fill(number, -part, "5"))
        bases += [closing.basis.amount for closing in booked.closings]

    assert sum(bases) == Decimal("2833.5154")
    assert left(book) == []


def test_a_total_basis_is_kept_and_no_rounded_unit_price() -> None:
    """3 units for 10.00, all sold at 4: the gain is 2.00 and not 2.00000001."""
    thirds = replace(fill(1, 3, "3"), fee=usd(1))

    assert book_of(thirds, fill(2, -3, "4")).realised == usd(2)


def test_thirds_sold_one_by_one_leave_nothing_behind() -> None:
    book = book_of(replace(fill(1, 3, "3"), fee=usd(1)), fill(2, -1, "4"), fill(3, -1, "4"), fill(4, -1, "4"))

    assert book.realised == usd(2)
    assert book.basis == usd(0)


def test_two_lots_of_one_instant_are_settled_by_their_ids() -> None:
    one, other = fill(1, 10, "10"), replace(fill(2, 10, "11"), executed_at=fill(1, 10, "10").executed_at)
    forwards = with_fill(book_of(one, other), fill(3, -15, "12"))[1]
    backwards = with_fill(book_of(other, one), fill(3, -15, "12"))[1]

    assert forwards.closings == backwards.closings


def test_a_split_divides_lot_by_lot_and_keeps_basis_and_dates() -> None:
    """100 at 10 and 100 at 12, 2 for 1: 200 at 5 (1,000) and 200 at 6 (1,200)."""
    before = book_of(fill(1, 100, "10"), fill(2, 100, "12"))

    after = with_split(before, Split(DAY + timedelta(days=3), 2, 1))

    assert left(after) == [(200, 1000), (200, 1200)]
    assert [lot.opened_on for lot in after.lots.values()] == [lot.opened_on for lot in before.lots.values()]


def test_a_reverse_split_keeps_the_basis() -> None:
    """GCM: 12,000 shares with basis 3,256.20, 1 for 25: 480 shares."""
    book = with_split(book_of(fill(1, 12_000, "0.27135")), Split(DAY + timedelta(days=3), 1, 25))

    assert left(book) == [(480, Decimal("3256.20"))]


def test_a_split_touches_only_the_lots_that_were_there() -> None:
    """100 at 10 before, 300 at 12 after; 1 for 10 in between: 10 with basis 1,000, and 300 unchanged."""
    book = book_of(fill(1, 100, "10"), fill(3, 300, "12"))

    assert left(with_split(book, Split(DAY + timedelta(days=2), 1, 10))) == [(10, 1000), (300, 3600)]


def test_a_purchase_on_the_day_of_a_split_is_in_new_units_already() -> None:
    book = book_of(fill(1, 100, "10"))

    assert left(with_split(book, Split(DAY + timedelta(days=1), 2, 1))) == [(100, 1000)]


def test_cash_of_a_purchase_and_of_a_sale() -> None:
    assert cash_moved(fill(1, 10, "10", "1")) == usd(-101)
    assert cash_moved(fill(1, -10, "10", "1")) == usd(99)


def test_a_multiplier_turns_contracts_into_money() -> None:
    """Short put, 1 contract of 100: premium 2.31 less 0.06449."""
    book = book_of(fill(1, -1, "2.31", "0.06449", OPTION))

    assert left(book) == [(-1, Decimal("-230.93551"))]
    assert book.cash == usd("230.93551")


quantities = st.one_of(st.integers(1, 1_000).map(Decimal), st.decimals("0.0001", "500", places=4).filter(bool))
prices = st.decimals("0.01", "900", places=2)
fees = st.decimals("-0.5", "3", places=4)


@st.composite
def facts(draw: st.DrawFn) -> list[Fill | Split]:
    """Purchases and sales in any order, splits in between; some fees are rebates."""
    found: list[Fill | Split] = []
    for number in range(draw(st.integers(1, 25))):
        if draw(st.integers(0, 9)) == 0:
            found.append(Split(DAY + timedelta(days=number), *draw(st.sampled_from([(2, 1), (7, 1), (3, 2), (1, 10)]))))
        else:
            sign = draw(st.sampled_from([1, -1]))
            found.append(fill(number, str(draw(quantities) * sign), str(draw(prices)), str(draw(fees))))
    return found


@settings(max_examples=200, deadline=None)
@given(facts())
def test_after_every_fact_lots_make_the_position_and_cash_and_cost_what_was_realised(story: list[Fill | Split]) -> None:
    """All long or all short. Cash moved + what is in the lots = what was realised: no cent appears or disappears, whatever is rounded inside."""
    book, held = Book("USD"), Decimal(0)
    for fact in story:
        if isinstance(fact, Split):
            before = book.quantity.value
            book = with_split(book, fact)
            assert abs(book.quantity.value - before * fact.numerator / fact.denominator) <= Decimal("1e-9")
            held = book.quantity.value
        else:
            book, booked = with_fill(book, fact)
            held += fact.quantity.value * fact.side.sign
            uses_up_the_whole(fact, booked)
        assert book.quantity.value == held
        assert (book.cash or usd(0)) + book.basis == (book.realised or usd(0))
        assert len({lot.quantity.value > 0 for lot in book.lots.values() if lot.quantity}) <= 1


def uses_up_the_whole(fact: Fill, booked: Booked) -> None:
    """What was closed and what was opened make the fill; each closing realises its proceeds less its basis."""
    closed = sum((abs(closing.quantity.value) for closing in booked.closings), Decimal(0))
    opened = abs(booked.opened.quantity.value) if booked.opened else Decimal(0)
    assert closed + opened == fact.quantity.value
    for closing in booked.closings:
        assert closing.realised == closing.proceeds - closing.basis


@settings(max_examples=200, deadline=None)
@given(facts())
def test_a_split_conserves_every_lots_basis(story: list[Fill | Split]) -> None:
    book = rebuilt("USD", story)
    for lot in book.lots.values():
        after = split_lot(lot, Split(DAY + timedelta(days=1_000), 3, 1))
        assert (after.basis, after.opened_on, after.lot_id) == (lot.basis, lot.opened_on, lot.lot_id)


RATIOS = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=300, deadline=None)
@given(facts(), st.lists(RATIOS, min_size=1, max_size=4))
def test_a_split_of_the_position_is_the_sum_of_its_lots(story: list[Fill | Split], ratios: list[tuple[int, int]]) -> None:
    """One for three of two lots of a share each: a broker splits the two shares and rounds once, and so do the lots together."""
    book = rebuilt("USD", story)
    for numerator, denominator in ratios:
        wanted, before = book.quantity.scaled(numerator, denominator), {one.lot_id: one.quantity for one in book.lots.values()}
        book = with_split(book, Split(DAY + timedelta(days=1_000), numerator, denominator))

        assert book.quantity == wanted
        for lot in book.lots.values():
            alone = before[lot.lot_id].scaled(numerator, denominator)
            assert abs(lot.quantity - alone) <= Quantity(Decimal("0.000000000002"))


@settings(max_examples=150, deadline=None)
@given(facts(), prices)
def test_a_whole_sale_realises_proceeds_less_total_cost(story: list[Fill | Split], price: Decimal) -> None:
    book = rebuilt("USD", story)
    if book.quantity:
        last = fill(999, str(-book.quantity.value), str(price))
        closed, booked = with_fill(book, last)

        assert booked.realised == cash_moved(last) - book.basis
        assert closed.basis == usd(0)
        assert not closed.quantity
