"""What holds under every lot method, and round trips of a public portfolio tracker."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import DAY, fill, left, lot, usd

from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.domain.book import Book, cash_moved, rebuilt, with_fill, with_split
from quantmatrix.portfolio.domain.lots import Fill, Split, book_fill
from quantmatrix.portfolio.domain.methods import LotMethod, LotMethods, picker_for

quantities = st.one_of(st.integers(1, 1_000).map(Decimal), st.decimals("0.0001", "500", places=4).filter(bool))
prices = st.decimals("0.01", "900", places=2)
fees = st.decimals("-0.5", "3", places=4)
kept_methods = st.builds(
    lambda first, changes: LotMethods(first, tuple((DAY + timedelta(days=day), method) for day, method in changes)),
    st.sampled_from(LotMethod),
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(LotMethod)), max_size=3),
)


@st.composite
def stories(draw: st.DrawFn) -> list[Fill | Split]:
    """Purchases and sales over two years, splits in between; some fees are rebates."""
    story: list[Fill | Split] = []
    for number in range(draw(st.integers(1, 18))):
        if draw(st.integers(0, 9)) == 0:
            story.append(Split(DAY + timedelta(days=number * 40), *draw(st.sampled_from([(2, 1), (7, 1), (3, 2), (1, 10)]))))
        else:
            sign = draw(st.sampled_from([1, -1]))
            day = DAY + timedelta(days=number * 40)
            story.append(fill(number, draw(quantities) * sign, str(draw(prices)), str(draw(fees)), day))
    return story


@settings(max_examples=250, deadline=None)
@given(stories(), kept_methods)
def test_under_every_method_lots_make_the_position_and_no_cent_is_lost(story: list[Fill | Split], methods: LotMethods) -> None:
    """Σ lots = position, and cash moved + basis left = gain: after every fact, whatever the method and its changes."""
    book, held = Book("USD"), Decimal(0)
    for fact in story:
        if isinstance(fact, Split):
            book = with_split(book, fact)
            held = book.quantity.value
        else:
            book, booked = with_fill(book, fact, picker_for(methods.on(fact.session)))
            held += fact.quantity.value * fact.side.sign
            assert {one.quantity.value < 0 for one in booked.closings} <= {fact.side.sign > 0}
        assert book.quantity.value == held
        assert (book.cash or usd(0)) + book.basis == (book.realised or usd(0))
        assert len({one.quantity.value > 0 for one in book.lots.values() if one.quantity}) <= 1


@settings(max_examples=150, deadline=None)
@given(stories(), kept_methods, prices)
def test_under_every_method_a_whole_sale_gains_proceeds_less_all_cost(
    story: list[Fill | Split], methods: LotMethods, price: Decimal
) -> None:
    book = rebuilt("USD", story, methods)
    if not book.quantity:
        return
    last = fill(999, -book.quantity.value, str(price), day=DAY + timedelta(days=999))
    closed, booked = with_fill(book, last, picker_for(methods.on(last.session)))

    assert booked.realised == cash_moved(last) - book.basis
    assert (closed.quantity, closed.basis) == (Quantity(0), usd(0))


@settings(max_examples=150, deadline=None)
@given(stories(), kept_methods, st.randoms(use_true_random=False))
def test_the_order_in_which_lots_are_read_changes_nothing(story: list[Fill | Split], methods: LotMethods, random: object) -> None:
    book = rebuilt("USD", story, methods)
    lots = [one for one in book.lots.values() if one.quantity]
    shuffled = list(lots)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    sale = fill(999, -max(Decimal(1), abs(book.quantity.value)) * (1 if book.quantity.value >= 0 else -1), "100", day=DAY)
    pick = picker_for(methods.on(sale.session))

    assert book_fill(sale, lots, pick).closings == book_fill(sale, shuffled, pick).closings


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 400)), min_size=1, max_size=8), st.integers(1, 400), st.data())
def test_no_other_choice_of_lots_loses_more_than_the_highest_cost(lots: list[tuple[int, int]], price: int, data: st.DataObject) -> None:
    held = [lot(number, units, str(units * cost), minute=number) for number, (units, cost) in enumerate(lots)]
    quantity = data.draw(st.integers(1, sum(units for units, _ in lots)))
    other = data.draw(st.sampled_from([one for one in LotMethod if one is not LotMethod.AVERAGE]))
    sale = fill(999, -quantity, str(price))
    best, compared = (book_fill(sale, held, picker_for(method)).realised for method in (LotMethod.HIGHEST_COST, other))

    assert best is not None and compared is not None and best <= compared


@pytest.mark.parametrize(
    ("trades", "gross", "net"),
    [
        ((("2", "142.90", "1.55"), ("-2", "136.60", "1.65")), "-12.6", "-15.8"),
        ((("9", "209.45", "1"), ("-9", "210", "1"), ("10", "204.11", "1"), ("-10", "208.01", "1")), "43.95", "39.95"),
        ((("20", "218", "16"), ("-20", "320", "16.18")), "2040", "2007.82"),
        ((("30", "290", "16"), ("-30", "321", "16.27")), "930", "897.73"),
    ],
)
def test_round_trips_of_a_public_portfolio_tracker(trades: tuple[tuple[str, str, str], ...], gross: str, net: str) -> None:
    """R7, R9 and R10: the gain without and with fees; a second round trip does not change the first."""
    with_fees = [fill(number, *trade) for number, trade in enumerate(trades)]
    without = [fill(number, quantity, price) for number, (quantity, price, _) in enumerate(trades)]

    assert rebuilt("USD", without).realised == usd(gross)
    assert rebuilt("USD", with_fees).realised == usd(net)


def test_half_of_a_position_sold() -> None:
    """R8: 2@75.80 (2.95), 1 sold at 85.73 (1.30): what is left cost 75.80 without its fee; at 87.80 it is 21.93 gross and 17.68 net."""
    plain = rebuilt("USD", [fill(1, 2, "75.80"), fill(2, -1, "85.73")])
    charged = rebuilt("USD", [fill(1, 2, "75.80", "2.95"), fill(2, -1, "85.73", "1.30")])

    assert left(plain) == [(1, Decimal("75.80"))]
    assert (plain.realised or usd(0)) + usd("87.80") - plain.basis == usd("21.93")
    assert (charged.realised or usd(0)) + usd("87.80") - charged.basis == usd("17.68")


def test_the_average_of_two_short_sales() -> None:
    """R11: sold short at 44,558.42 and 46,737.48: 45,647.95 on the average."""
    book = rebuilt("USD", [fill(1, -1, "44558.42"), fill(2, -1, "46737.48")])

    assert book.basis == usd("-91295.90")
    assert -book.basis.amount / 2 == Decimal("45647.95")


def test_what_is_left_costs_what_was_paid_for_it() -> None:
    """2 bought at 100 and 1 sold leave 100 a unit: the cost of all purchases is never divided by what remains of them."""
    book = rebuilt("USD", [fill(1, 2, "100"), fill(2, -1, "120")])

    assert left(book) == [(1, 100)]
