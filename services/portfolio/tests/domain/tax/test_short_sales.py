"""Short-sale rules and Section 1256: the examples of Publication 550, and what dividing holdings conserves."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import DAY, on, usd

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, InstrumentId, LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment
from quantmatrix.portfolio.domain.tax.section_1256 import MissingMarkError, section_1256
from quantmatrix.portfolio.domain.tax.short_sales import short_sale_rules
from quantmatrix.portfolio.domain.terms import Term


def held(
    name: str,
    basis: str | None,
    bought: str | None,
    sold: str | None = None,
    proceeds: str | None = None,
    units: int = 100,
    short: bool = False,
) -> Holding:
    return Holding(
        lot_id=LotId(derived_id("lot", name)),
        account_id=AccountId("A"),
        treatment=Treatment.TAXABLE,
        security=InstrumentId("ABLE"),
        family="ABLE",
        is_short=short,
        quantity=Quantity(units),
        basis=None if basis is None else usd(basis),
        acquired_on=None if bought is None else on(bought),
        disposed_on=None if sold is None else on(sold),
        proceeds=None if proceeds is None else usd(proceeds),
    )


def ruled(*holdings: Holding) -> list[tuple[Quantity, Money | None, Term]]:
    return [
        (one.quantity, one.gain, one.term) for one in sorted(short_sale_rules(holdings), key=lambda one: (one.is_short, one.quantity.value))
    ]


def test_stock_held_for_less_than_a_year_makes_the_gain_of_a_short_sale_short_term() -> None:
    """B15: bought 1995-05-01 for 1,000, shorted 1995-10-02 for 1,600, delivered 1996-05-02: 600, short-term."""
    short = held("short", "-1600", "1995-10-02", "1996-05-02", "-1000", short=True)

    assert ruled(short) == [(Quantity(100), usd(600), Term.SHORT)]


def test_the_holding_of_the_stock_begins_when_the_short_sale_is_closed() -> None:
    """B15: bought 1995-05-04, shorted 1995-10-02, closed with shares bought 1995-11-02: loss 200 short-term; sold 1996-06-03: 800 short-term."""
    stock = held("stock", "1000", "1995-05-04", "1996-06-03", "1800")
    short = held("short", "-1600", "1995-10-02", "1995-11-02", "-1800", short=True)

    assert ruled(stock, short) == [(Quantity(100), usd(800), Term.SHORT), (Quantity(100), usd(-200), Term.SHORT)]
    assert stock.term is Term.LONG
    assert [one.held_from for one in short_sale_rules([stock, short]) if not one.is_short] == [on("1995-11-02")]


def test_stock_held_for_more_than_a_year_makes_a_loss_of_a_short_sale_long_term() -> None:
    """IRC 1233(d), for as many units as are held."""
    stock = held("stock", "1000", "1993-05-04", "1996-06-03", "1800", units=60)
    short = held("short", "-1600", "1995-10-02", "1995-11-02", "-1800", short=True)

    assert ruled(stock, short) == [
        (Quantity(60), usd(800), Term.LONG),
        (Quantity(40), usd(-80), Term.SHORT),
        (Quantity(60), usd(-120), Term.LONG),
    ]


def test_a_gain_of_a_short_sale_stays_short_term_beside_old_stock() -> None:
    stock = held("stock", "1000", "1993-05-04")
    short = held("short", "-1600", "1995-10-02", "1995-11-02", "-1500", short=True)

    assert ruled(stock, short) == [(Quantity(100), None, Term.UNKNOWN), (Quantity(100), usd(100), Term.SHORT)]
    assert {one.held_from for one in short_sale_rules([stock, short])} == {None}


def test_stock_bought_while_the_short_sale_is_open_begins_anew_too() -> None:
    during, after = held("during", "1000", "1995-10-10"), held("after", "1000", "1995-11-03")
    short = held("short", "-1600", "1995-10-02", "1995-11-02", "-1500", short=True)
    found = {one.lot_id: one.held_from for one in short_sale_rules([during, after, short])}

    assert (found[during.lot_id], found[after.lot_id]) == (on("1995-11-02"), None)


def test_only_as_many_units_as_were_shorted_begin_anew_the_earliest_first() -> None:
    first, second = held("first", "1000", "1995-05-04", units=80), held("second", "1000", "1995-06-04", units=80)
    short = held("short", "-1600", "1995-10-02", "1995-11-02", "-1500", short=True)
    found = [(one.lot_id, one.quantity.value, one.held_from) for one in short_sale_rules([second, first, short]) if not one.is_short]

    assert sorted(found, key=lambda one: (one[0] != first.lot_id, one[1])) == [
        (first.lot_id, 80, on("1995-11-02")),
        (second.lot_id, 20, on("1995-11-02")),
        (second.lot_id, 60, None),
    ]


def test_the_holding_begins_at_the_sale_of_the_stock_where_that_is_earlier() -> None:
    stock = held("stock", "1000", "1995-05-04", "1995-10-20", "1800")
    short = held("short", "-1600", "1995-10-02", "1996-11-02", "-1500", short=True)

    assert [one.held_from for one in short_sale_rules([stock, short]) if not one.is_short] == [on("1995-10-20")]


def test_stock_sold_before_or_of_unknown_date_is_left_alone() -> None:
    sold, undated = held("sold", "1000", "1995-05-04", "1995-10-02", "1800"), held("undated", "1000", None)
    short = held("short", "-1600", "1995-10-02", "1995-11-02", "-1500", short=True)

    assert {one.held_from for one in short_sale_rules([sold, undated, short])} == {None}


days = st.integers(0, 900).map(lambda number: str(DAY + timedelta(days=number)))


@st.composite
def stories(draw: st.DrawFn) -> list[Holding]:
    found = []
    for number in range(draw(st.integers(1, 7))):
        opened, closed = sorted((draw(days), draw(days)))
        is_short, units = draw(st.booleans()), draw(st.integers(1, 100))
        basis, proceeds = (str(draw(st.integers(1, 1_000)) * (-1 if is_short else 1)) for _ in range(2))
        gone = draw(st.booleans())
        found.append(held(f"lot {number}", basis, opened, closed if gone else None, proceeds if gone else None, units, is_short))
    return found


@settings(max_examples=200, deadline=None)
@given(stories())
def test_the_rules_change_dates_and_terms_and_no_amounts(story: list[Holding]) -> None:
    found = short_sale_rules(story)
    for one in story:
        parts = [part for part in found if part.lot_id == one.lot_id]
        assert sum((part.quantity.value for part in parts), Decimal(0)) == one.quantity.value
        assert sum((part.basis.amount for part in parts if part.basis), Decimal(0)) == one.basis.amount if one.basis else True
        assert all(part.held_from is None or part.held_from >= (one.acquired_on or date.min) for part in parts)
        if one.gain is not None:
            assert sum((part.gain.amount for part in parts if part.gain), Decimal(0)) == one.gain.amount


# Section 1256

INDEX = InstrumentId("ABLE")


def test_a_contract_is_marked_at_the_end_of_the_year() -> None:
    """S1: bought 2008-06-22 for 50,000, worth 57,000 at the end of 2008, sold 2009-02-01 for 56,000."""
    contract = held("future", "50000", "2008-06-22", "2009-02-01", "56000", units=1)
    marks = {(INDEX, 2008): usd(57_000)}
    (first,), (second,) = section_1256([contract], 2008, marks), section_1256([contract], 2009, marks)

    assert (first.gain, first.long_term, first.short_term) == (usd(7000), usd(4200), usd(2800))
    assert (second.gain, second.long_term, second.short_term) == (usd(-1000), usd(-600), usd(-400))
    assert section_1256([contract], 2007, marks) == section_1256([contract], 2010, marks) == []


def test_a_short_contract_is_marked_with_its_sign() -> None:
    contract = held("future", "-100", "2008-06-22", "2009-02-01", "-70", units=2, short=True)
    marks = {(INDEX, 2008): usd(40)}

    assert [one.gain for year in (2008, 2009) for one in section_1256([contract], year, marks)] == [usd(20), usd(10)]


def test_a_mark_that_is_missing_is_not_guessed() -> None:
    with pytest.raises(MissingMarkError, match="at the end of 2008"):
        section_1256([held("future", "50000", "2008-06-22")], 2008, {})


def test_contracts_of_unknown_basis_or_date_wait() -> None:
    lots = [held("no basis", None, "2008-06-22", "2008-07-01", "60000"), held("no date", "50000", None, "2008-07-01", "60000")]

    assert section_1256(lots, 2008, {}) == []


@settings(max_examples=150, deadline=None)
@given(stories(), st.integers(1, 500))
def test_over_all_years_a_contract_gains_what_it_gained(story: list[Holding], mark: int) -> None:
    sold = [one for one in story if one.gain is not None]
    marks = {(INDEX, year): usd(mark) for year in range(2023, 2030)}
    total = sum((one.gain.amount for year in range(2023, 2030) for one in section_1256(sold, year, marks)), Decimal(0))

    assert total == sum((one.gain.amount for one in sold if one.gain), Decimal(0))
