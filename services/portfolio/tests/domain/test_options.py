"""Options: sold, expired, exercised, assigned, the wheel; worked examples of Publication 550 and of brokers' statements."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from services.portfolio.tests.domain.making import ACCOUNT, OPTION, STOCK, USER, at, figures, fill, instrument, lot, on, usd, used

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AssetClass, FillId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.arrivals import NotEnoughHeldError
from quantmatrix.portfolio.domain.events import Event
from quantmatrix.portfolio.domain.keeping import LedgerRules
from quantmatrix.portfolio.domain.ledger import Ledger, booked
from quantmatrix.portfolio.domain.lots import Closing, Fill, Lot, book_fill
from quantmatrix.portfolio.domain.options import Ended, OptionEnd, Right, book_end
from quantmatrix.portfolio.domain.terms import Term, term


def ended(how: OptionEnd, right: Right, strike: str, contracts: int = 1, fee: str = "0", day: str = "2025-02-21") -> Ended:
    return Ended(
        end_id=FillId(derived_id("end", how, right, strike, day)),
        account_id=ACCOUNT,
        user_id=USER,
        how=how,
        option=OPTION,
        underlying=STOCK,
        right=right,
        strike=Price.parse(strike),
        contracts=Quantity(contracts),
        fee=usd(fee),
        session=on(day),
        ended_at=at(on(day), 80),
        triggered_by="broker",
    )


def delivered(
    end: Ended, options: Sequence[Lot], stock: Sequence[Lot], fold_premium: bool = True
) -> tuple[list[Closing], list[Closing], list[Lot]]:
    """Closings of the option, closings of the stock, and the lots of the stock that are open after it."""
    done = book_end(end, options, fold_premium)
    assert done.delivery is not None
    after = book_fill(done.delivery, stock)
    changed = {one.lot_id: one for one in (*stock, *after.changed, *([after.opened] if after.opened else []))}
    return list(done.option.closings), list(after.closings), [one for one in changed.values() if one.quantity]


def ledger_of(*facts: Fill | Ended, fold_premium: bool = True) -> Ledger:
    ids = (fact.end_id if isinstance(fact, Ended) else fact.fill_id for fact in facts)
    return booked([Event(one, fact) for one, fact in zip(ids, facts, strict=True)], LedgerRules(fold_premium=fold_premium))


def test_a_long_option_that_is_sold() -> None:
    """O1: NVDA 21FEB25 120 C, bought for 1,431.4105, sold for 2,158 less 1.4760724: +725.113428 (to the printed digit)."""
    sale = book_fill(fill(1, -1, "21.58", "1.4760724", of=OPTION), [lot("call", 1, "1431.4105", of=OPTION)])

    assert sale.realised is not None and sale.realised.rounded(6) == usd("725.113428")


def test_a_long_option_that_expires_loses_what_it_cost() -> None:
    """O2: TTD 21MAR25 80 C, 10 contracts: -1,267.0525."""
    done = book_end(ended(OptionEnd.EXPIRY, Right.CALL, "80", 10), [lot("calls", 10, "1267.0525", of=OPTION)])

    assert used(done.option.closings) == [(10, Decimal("-1267.0525"))]
    assert done.delivery is None


def test_short_options_that_expire_gain_their_premiums() -> None:
    """O3 and L13: CLOV, short 2, 1 and 1 contracts, expiry of 4: +355.308974."""
    lots = [
        lot("a", -2, "-80.579982", of=OPTION),
        lot("b", -1, "-129.789537", of=OPTION, minute=1),
        lot("c", -1, "-144.939455", of=OPTION, minute=2),
    ]
    done = book_end(ended(OptionEnd.EXPIRY, Right.PUT, "10", 4), lots)

    assert done.option.realised == usd("355.308974")
    assert [one.quantity.value for one in done.option.closings] == [-2, -1, -1]


def test_a_short_option_that_is_bought_back() -> None:
    """O4: premium 499.34 received, bought back for 200.66: +298.68."""
    back = book_fill(fill(1, 1, "2", "0.66", of=OPTION), [lot("put", -1, "-499.34", of=OPTION)])

    assert back.realised == usd("298.68")


def test_a_long_call_that_is_exercised_adds_its_cost_to_the_stock() -> None:
    """O5: 100 at 50, fee 85, call 525: basis 5,610; the holding starts on the day after the exercise."""
    call = ended(OptionEnd.EXERCISE, Right.CALL, "50", fee="85", day="2024-10-20")
    option, _, stock = delivered(call, [lot("call", 1, "525", of=OPTION)], [])

    assert figures(stock) == [(100, 5610)]
    assert used(option) == [(1, 0)]
    assert stock[0].opened_on == on("2024-10-20")
    assert term(stock[0].opened_on, on("2025-10-20")) is Term.SHORT
    assert term(stock[0].opened_on, on("2025-10-21")) is Term.LONG


def test_a_long_put_that_is_exercised_takes_its_cost_from_the_proceeds() -> None:
    """O6: stock 4,000, put 201, strike 45: 4,500 - 201 - 4,000 = 299."""
    _, stock, _ = delivered(ended(OptionEnd.EXERCISE, Right.PUT, "45"), [lot("put", 1, "201", of=OPTION)], [lot("stock", 100, "4000")])

    assert used(stock) == [(100, 299)]


@pytest.mark.parametrize(("strike", "premium", "basis"), [("33", "230.93551", "3069.06449"), ("50", "49.5", "4950.50")])
def test_a_short_put_that_is_assigned_lowers_the_cost_of_the_stock(strike: str, premium: str, basis: str) -> None:
    """O7: HIMS 33 P and ORCL 50 P."""
    put = ended(OptionEnd.ASSIGNMENT, Right.PUT, strike)
    _, _, stock = delivered(put, [lot("put", -1, "-" + premium, of=OPTION)], [])

    assert figures(stock) == [(100, Decimal(basis))]


def test_a_short_call_that_is_assigned_adds_its_premium_to_the_proceeds() -> None:
    """O8: ARKK, 8,000 - 0.0166 - 3,860.30 + 162.94576 = 4,302.62916; the option row shows nothing."""
    call = ended(OptionEnd.ASSIGNMENT, Right.CALL, "80", fee="0.0166")
    option, stock, _ = delivered(call, [lot("call", -1, "-162.94576", of=OPTION)], [lot("stock", 100, "3860.30", "2020-01-02")])

    assert used(stock) == [(100, Decimal("4302.62916"))]
    assert used(option) == [(-1, 0)]
    assert term(stock[0].opened_on, stock[0].closed_on) is Term.LONG


def test_a_premium_is_shared_by_the_lots_that_are_called() -> None:
    """O8: UNIT, 200 shares of two lots, proceeds 2,500 - 0.07905, premium 20.527914."""
    call = ended(OptionEnd.ASSIGNMENT, Right.CALL, "12.5", 2, "0.07905")
    lots = [lot("a", 100, "1622.2865"), lot("b", 100, "1343.9348", minute=1)]
    _, stock, _ = delivered(call, [lot("calls", -2, "-20.527914", of=OPTION)], lots)

    assert used(stock) == [(100, Decimal("-362.062068")), (100, Decimal("-83.710368"))]


def test_the_wheel() -> None:
    """O9: HIMS, the put of O7 and then a call: 3,300 - 0.0166 - 3,069.06449 + 113.936763 = 344.855673."""
    put = ended(OptionEnd.ASSIGNMENT, Right.PUT, "33", day="2025-01-17")
    call = ended(OptionEnd.ASSIGNMENT, Right.CALL, "33", fee="0.0166", day="2025-02-21")
    ledger = ledger_of(
        fill("put", -1, "2.31", "0.06449", "2025-01-02", OPTION), put, fill("call", -1, "1.14", "0.063237", "2025-02-03", OPTION), call
    )

    assert used(ledger.closings) == [(-1, 0), (-1, 0), (100, Decimal("344.855673"))]
    assert ledger.cash == {"USD": usd("344.855673")}


def test_several_contracts_in_one_assignment() -> None:
    """O10: SUPV, 5 contracts: 5,000 - 0.222 - 3,334.591104 + 401.46718 = 2,066.654076."""
    call = ended(OptionEnd.ASSIGNMENT, Right.CALL, "10", 5, "0.222")
    _, stock, _ = delivered(call, [lot("calls", -5, "-401.46718", of=OPTION)], [lot("stock", 500, "3334.591104")])

    assert used(stock) == [(500, Decimal("2066.654076"))]


def test_a_published_puzzle() -> None:
    """O11: BLX, 2,000 - 0.05 - 2,667.92 + (65.00 - 0.34) = -603.31."""
    call = ended(OptionEnd.ASSIGNMENT, Right.CALL, "20", fee="0.05")
    _, stock, _ = delivered(call, [lot("call", -1, "-64.66", of=OPTION)], [lot("stock", 100, "2667.92")])

    assert used(stock) == [(100, Decimal("-603.31"))]


def test_where_premiums_are_taxed_apart() -> None:
    """O12: Germany. Put 13.50 at 0.32 assigned, call 14.50 at 0.32 assigned, rate 2.00: options 128.00, stock 200.00 EUR."""
    put = ended(OptionEnd.ASSIGNMENT, Right.PUT, "13.5", day="2025-01-17")
    call = ended(OptionEnd.ASSIGNMENT, Right.CALL, "14.5", day="2025-02-21")
    sold = (fill("put", -1, "0.32", "0", "2025-01-02", OPTION), fill("call", -1, "0.32", "0", "2025-02-03", OPTION))
    apart, folded = ledger_of(*sold, put, call, fold_premium=False), ledger_of(*sold, put, call)
    euros = [one.known_realised.times(Decimal(2)).amount for one in apart.closings]

    assert (euros[0] + euros[1], euros[2]) == (Decimal("128.00"), Decimal("200.00"))
    assert used(folded.closings) == [(-1, 0), (-1, 0), (100, 164)]
    assert apart.realised("USD") == folded.realised("USD") == apart.cash["USD"]


def test_a_premium_is_counted_once() -> None:
    """O13: over option and stock the gain is the cash. ARKK: 8,000 - 0.0166 - 3,860.30 + 164 - 1.05424."""
    ledger = ledger_of(
        fill("stock", 100, "38.60", "0.30", "2020-01-02"),
        fill("call", -1, "1.64", "1.05424", "2025-01-02", OPTION),
        ended(OptionEnd.ASSIGNMENT, Right.CALL, "80", fee="0.0166"),
    )

    assert ledger.realised("USD") == usd(8000) - usd("0.0166") - usd("3860.30") + usd(164) - usd("1.05424") == ledger.cash["USD"]


def test_two_calls_assigned_in_one_second_take_lots_in_the_order_of_the_file() -> None:
    """HIMS: the 33 call took the older lot (3,069.06449), the 31.5 call the younger one (2,566.0035)."""
    other = instrument("OTHER-OPTION", AssetClass.OPTION, 100)
    first = ended(OptionEnd.ASSIGNMENT, Right.CALL, "33")
    second = replace(ended(OptionEnd.ASSIGNMENT, Right.CALL, "31.5"), option=other)
    events = [
        Event(derived_id("second"), second, place=12),
        Event(derived_id("first"), first, place=11),
        *(
            Event(one.fill_id, one)
            for one in (
                fill("older", 100, "30.6906449", "0", "2025-01-02"),
                fill("younger", 100, "25.660035", "0", "2025-01-03"),
                fill("33", -1, "1", "0", "2025-01-04", OPTION),
                fill("31.5", -1, "1", "0", "2025-01-04", other),
            )
        ),
    ]

    stock = [one for one in booked(events).closings if one.quantity.value > 0]
    assert [one.known_basis for one in stock] == [usd("3069.06449"), usd("2566.0035")]
    assert stock[0].proceeds == usd(3400)


def test_options_that_are_not_held_cannot_end() -> None:
    with pytest.raises(NotEnoughHeldError, match="2 ABC-OPTION were to go, 1 are held"):
        book_end(ended(OptionEnd.ASSIGNMENT, Right.PUT, "33", 2), [lot("put", -1, "-100", of=OPTION)])


@pytest.mark.parametrize("how", [OptionEnd.EXERCISE, OptionEnd.ASSIGNMENT])
def test_only_long_options_are_exercised_and_only_short_ones_assigned(how: OptionEnd) -> None:
    held = lot("held", -1 if how is OptionEnd.EXERCISE else 1, "100", of=OPTION)

    with pytest.raises(NotEnoughHeldError):
        book_end(ended(how, Right.PUT, "33"), [held])


def test_stock_from_an_option_of_unknown_basis_has_an_unknown_basis() -> None:
    option, _, stock = delivered(ended(OptionEnd.EXERCISE, Right.CALL, "50"), [lot("call", 1, None, of=OPTION)], [])

    assert figures(stock) == [(100, None)]
    assert used(option) == [(1, None)]


def test_stock_called_away_by_an_option_of_unknown_basis_waits() -> None:
    _, stock, _ = delivered(ended(OptionEnd.ASSIGNMENT, Right.CALL, "50"), [lot("call", -1, None, of=OPTION)], [lot("s", 100, "4000")])

    assert used(stock) == [(100, None)]
    assert stock[0].proceeds is None and stock[0].basis == usd(4000)


def test_an_assigned_call_without_stock_opens_a_short() -> None:
    _, _, stock = delivered(ended(OptionEnd.ASSIGNMENT, Right.CALL, "50", fee="1"), [lot("call", -1, "-120", of=OPTION)], [])

    assert figures(stock) == [(-100, -(5000 - 1 + 120))]


def test_the_fee_of_an_expiry_is_paid_and_lost() -> None:
    ledger = ledger_of(fill("call", 1, "2", "1", "2025-01-02", OPTION), ended(OptionEnd.EXPIRY, Right.CALL, "50", fee="0.5"))

    assert ledger.realised("USD") == ledger.cash["USD"] == Money(Decimal("-201.5"), "USD")
