"""Corporate actions and arrivals: worked examples of the rules and of real files."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from services.portfolio.tests.domain.making import (
    ACCOUNT,
    COIN,
    DAY,
    STOCK,
    USER,
    at,
    figures,
    fill,
    instrument,
    lot,
    on,
    split_lot,
    usd,
    used,
)

from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import FillId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.actions import (
    Merger,
    Rename,
    ReturnOfCapital,
    SpinOff,
    merge,
    rename,
    return_capital,
    spin_off,
    stock_dividend,
)
from quantmatrix.portfolio.domain.arrivals import (
    Arrival,
    Completion,
    Departure,
    NotEnoughHeldError,
    Origin,
    arrived,
    complete_lot,
    completed,
    depart,
)
from quantmatrix.portfolio.domain.lots import Lot, NamedLot, Split, UnknownBasisError, book_fill
from quantmatrix.portfolio.domain.terms import Term, term

CHILD = instrument("CHILD")
LATER = DAY + timedelta(days=100)


def arrival(
    quantity: str, basis: str | None, acquired_on: str | None, session: str = "2024-09-19", origin: Origin = Origin.TRANSFER
) -> Arrival:
    return Arrival(
        arrival_id=FillId(derived_id("arrival", quantity, session)),
        account_id=ACCOUNT,
        user_id=USER,
        instrument=STOCK,
        origin=origin,
        quantity=Quantity(Decimal(quantity)),
        basis=None if basis is None else usd(basis),
        acquired_on=None if acquired_on is None else on(acquired_on),
        session=on(session),
        arrived_at=at(on(session)),
    )


def capital(per_unit: str) -> ReturnOfCapital:
    return ReturnOfCapital(derived_id("return", per_unit), STOCK, LATER, Price.parse(per_unit))


def merger(into: Instrument | None, numerator: int, denominator: int, cash: str, into_price: str = "0", taxable: bool = False) -> Merger:
    return Merger(
        derived_id("merger"), STOCK, into, LATER, numerator, denominator, usd(cash), Price.parse(into_price), taxable
    )  # fmt: skip


# Splits


def test_a_forward_split_as_a_broker_shows_it() -> None:
    """IBKR, 4 for 1: 325.1547 shares added to 108.3849 make 433.5396; basis unchanged."""
    after = split_lot(lot("held", "108.3849", "5000"), Split(LATER, 4, 1))

    assert figures([after]) == [(Decimal("433.5396"), 5000)]


def test_a_split_after_a_split() -> None:
    """R12: 10@100; 2:1 is 20@50; 10:1 backwards is 1@1,000; 2:1 and then 1:3 leaves 6.666... at 150."""
    held = lot("held", 10, "1000")
    thirds = split_lot(split_lot(held, Split(LATER, 2, 1)), Split(LATER, 1, 3))

    assert figures([split_lot(held, Split(LATER, 2, 1))]) == [(20, 1000)]
    assert figures([split_lot(held, Split(LATER, 1, 10))]) == [(1, 1000)]
    assert figures([thirds]) == [(Decimal("6.666666666667"), 1000)]


def test_cash_in_lieu_sells_the_fraction() -> None:
    """10 units 1 for 3 are 3.333...; the third is paid with 50.01 and has a tenth of the basis: no rounded price is needed."""
    after = split_lot(lot("held", 10, "1000"), Split(LATER, 1, 3))
    fraction = Decimal("0.333333333333")
    paid = replace(fill("in lieu", -fraction, "150", day=LATER), amount=usd("50.01"))
    done = book_fill(paid, [after])

    assert done.closings[0].proceeds == usd("50.01")
    assert done.closings[0].known_basis.rounded(6) == usd(100)
    assert figures(done.changed)[0][0] == 3


def test_a_stock_dividend_spreads_the_basis() -> None:
    """5 new units for 100 held: 105 with the same basis and dates."""
    after = split_lot(lot("held", 200, "2000"), stock_dividend(LATER, 5, 100))

    assert figures([after]) == [(210, 2000)]
    assert after.opened_on == DAY


def test_a_lot_that_was_transferred_in_after_a_split_is_in_new_units() -> None:
    """B5: when the lot came decides, not when its holding began."""
    came = arrived(arrival("100", "1000", "2018-02-02", session="2024-09-19"))

    assert split_lot(came, Split(on("2020-06-01"), 2, 1)) == came
    assert split_lot(came, Split(on("2024-10-01"), 2, 1)).quantity == Quantity(200)


# Spin-offs


def test_a_spin_off_divides_basis_by_market_value() -> None:
    """B6: 100@10, 1 for 5, child worth 5, parent 1: parent 100@5, child 20@25; the holding period is kept."""
    action = SpinOff(derived_id("spin"), STOCK, CHILD, LATER, 1, 5, Price(1), Price(5))
    acted = spin_off(action, [lot("held", 100, "1000")])

    assert figures(acted.changed) == [(100, 500)]
    assert figures(acted.opened) == [(20, 500)]
    assert (acted.opened[0].opened_on, acted.opened[0].created_on) == (DAY, LATER)
    assert acted.opened[0].instrument == CHILD
    assert acted.closings == () and not acted.cash


def test_a_spin_off_in_the_ratio_of_a_published_allocation() -> None:
    """B7: 0.241917 for 1 and 23.48 % of the basis; the prices are any two in that proportion."""
    action = SpinOff(derived_id("spin"), STOCK, CHILD, LATER, 241_917, 1_000_000, Price.parse("0.7652"), Price.parse("0.970580819041"))
    acted = spin_off(action, [lot("held", 1_000, "20000")])

    assert [one.quantity for one in acted.opened] == [Quantity(Decimal("241.917"))]
    assert acted.opened[0].known_basis.rounded(4) == usd(4696)
    assert acted.opened[0].known_basis + acted.changed[0].known_basis == usd(20_000)


def test_a_spun_off_warrant_without_allocation_has_no_basis() -> None:
    """OXY: 1.75 warrants on 14 shares; 0.75 paid in cash the same evening with a basis of zero."""
    acted = spin_off(SpinOff(derived_id("spin"), STOCK, CHILD, LATER, 1, 8, Price(0), Price(0)), [lot("held", 14, "300")])
    sale = book_fill(fill("cash", "-0.75", "4.95", day=LATER + timedelta(days=1), of=CHILD), acted.opened)

    assert figures(acted.opened) == [(Decimal("1.75"), 0)]
    assert figures(acted.changed) == [(14, 300)]
    assert used(sale.closings) == [(Decimal("0.75"), Decimal("3.7125"))]


def test_a_spin_off_from_an_unknown_basis_is_unknown() -> None:
    acted = spin_off(SpinOff(derived_id("spin"), STOCK, CHILD, LATER, 1, 5, Price(1), Price(5)), [lot("held", 100, None)])

    assert figures(acted.changed) == [(100, None)]
    assert figures(acted.opened) == [(20, None)]


# Mergers


def test_a_merger_for_cash_closes_every_lot() -> None:
    """B10: 12,000 bought for 31,962, 2.86 each: 34,320, gain 2,358."""
    acted = merge(merger(None, 1, 1, "2.86"), [lot("a", 8_000, "21308"), lot("b", 4_000, "10654", minute=1)])

    assert used(acted.closings) == [(8_000, 1572), (4_000, 786)]
    assert acted.cash == usd(34_320)
    assert figures(acted.changed) == [] and acted.opened == ()


def test_a_merger_for_stock_carries_basis_and_dates() -> None:
    acted = merge(merger(CHILD, 3, 2, "0"), [lot("a", 100, "1000"), lot("b", 50, "700", minute=1)])

    assert figures(acted.opened) == [(150, 1000), (75, 700)]
    assert {one.opened_on for one in acted.opened} == {DAY}
    assert acted.closings == () and not acted.cash


@pytest.mark.parametrize(
    ("basis", "gain", "new_basis"),
    [("1000", "200", "1000"), ("1650", "150", "1600"), ("2500", "0", "2300")],
)
def test_of_a_mixed_merger_gain_is_recognised_up_to_the_cash(basis: str, gain: str, new_basis: str) -> None:
    """IRC 356 and 358: 100 units become 100 worth 16 and 2 in cash each; realised 800, 150 and -700."""
    acted = merge(merger(CHILD, 1, 1, "2", "16"), [lot("held", 100, basis)])

    assert used(acted.closings) == [(100, Decimal(gain))]
    assert figures(acted.opened) == [(100, Decimal(new_basis))]
    assert acted.cash == usd(200)


def test_a_taxable_merger_sells_and_buys_at_market_value() -> None:
    acted = merge(merger(CHILD, 1, 1, "2", "16", taxable=True), [lot("held", 100, "2500")])

    assert used(acted.closings) == [(100, -700)]
    assert figures(acted.opened) == [(100, 1600)]
    assert acted.opened[0].opened_on == LATER


def test_a_merger_of_an_unknown_basis_is_pending() -> None:
    for_cash = merge(merger(None, 1, 1, "2.86"), [lot("held", 100, None)])
    mixed = merge(merger(CHILD, 1, 1, "2", "16"), [lot("held", 100, None)])

    assert used(for_cash.closings) == used(mixed.closings) == [(100, None)]
    assert for_cash.cash == usd(286)
    assert figures(mixed.opened) == [(100, None)]


def test_a_short_position_is_merged_too() -> None:
    acted = merge(merger(CHILD, 1, 2, "2", "16"), [lot("short", -100, "-1500")])

    assert acted.cash == usd(-200)
    assert used(acted.closings) == [(-100, 0)]
    assert figures(acted.opened) == [(-50, -1300)]


# Rename, return of capital


def test_a_rename_moves_lots_unchanged() -> None:
    """B11: 182 units with basis 7,015.602 under another symbol."""
    held = lot("held", 182, "7015.602")
    (moved,) = rename(Rename(derived_id("rename"), STOCK, CHILD, LATER), [held]).changed

    assert replace(moved, instrument=STOCK) == held
    assert moved.instrument == CHILD


@pytest.mark.parametrize(
    ("per_unit", "bases", "gains"), [("1", [900, 2000, 3300], []), ("10", [0, 200, 600], []), ("10.5", [0, 100, 450], [(0, 50)])]
)
def test_a_return_of_capital_lowers_every_unit_equally(per_unit: str, bases: list[int], gains: list[tuple[int, int]]) -> None:
    """B8: lots 100@10, 200@11, 300@12; 600 returned leave 9, 10 and 11 a unit, 6,000 leave 0, 1 and 2."""
    lots = [lot("a", 100, "1000"), lot("b", 200, "2200", minute=1), lot("c", 300, "3600", minute=2)]
    acted = return_capital(capital(per_unit), lots)

    assert [one.known_basis.amount for one in acted.changed] == bases
    assert used(acted.closings) == gains
    assert acted.cash == usd(600).times(Decimal(per_unit))


def test_more_capital_returned_than_there_is_basis_is_a_gain_by_holding() -> None:
    """B8: stock of 100; 80 returned leave 20; 30 more leave 0 and a gain of 10."""
    first = return_capital(capital("80"), [lot("held", 1, "100", "2022-01-03")])
    second = return_capital(capital("30"), first.changed)

    assert first.closings == () and figures(first.changed) == [(1, 20)]
    assert used(second.closings) == [(0, 10)] and figures(second.changed) == [(1, 0)]
    assert term(second.closings[0].opened_on, second.closings[0].closed_on) is Term.LONG


def test_a_return_of_capital_leaves_an_unknown_basis_unknown() -> None:
    acted = return_capital(capital("1"), [lot("held", 100, None)])

    assert acted.changed == () and acted.closings == ()
    assert acted.cash == usd(100)


def test_lots_bought_on_the_ex_date_get_nothing() -> None:
    acted = return_capital(capital("1"), [lot("late", 100, "1000", LATER)])

    assert acted.changed == () and not acted.cash


# Arrivals and departures


def test_a_grant_has_its_value_at_vesting_and_is_held_from_then() -> None:
    """B12: 7.3865 × 185.6 + 0.9984 × 203.5 = 1,574.1088."""
    first = arrived(arrival("7.3865", "1370.9344", "2025-05-14", "2025-05-14", Origin.GRANT))
    second = arrived(arrival("0.9984", "203.1744", "2025-05-14", "2025-05-14", Origin.GRANT))

    assert first.known_basis + second.known_basis == usd("1574.1088")
    assert (first.opened_on, first.dated, first.created_on) == (on("2025-05-14"), True, on("2025-05-14"))


def test_a_transferred_lot_without_a_basis_is_pending_until_it_is_supplied() -> None:
    """B13: a real AAPL row. 22,788.225 - 1.655312655 - 13,983.94 = 8,802.629687 (to the printed digit), long-term."""
    came = arrived(arrival("100", None, None))
    done = book_fill(fill("sale", -100, "227.88225", "1.655312655", "2025-02-03"), [came])
    assert used(done.closings) == [(100, None)]
    assert done.closings[0].proceeds == usd("22786.569687345")

    lot_after, (closing,) = complete_lot(done.changed[0], done.closings, usd("13983.94"))

    assert closing.known_realised.rounded(6) == usd("8802.629687")
    assert (lot_after.quantity, lot_after.basis) == (Quantity(0), usd(0))
    known = arrived(completed(arrival("100", None, None), Completion(came.fill_id, usd("13983.94"), on("2018-02-02"))))
    assert (known.basis, known.opened_on, known.dated) == (usd("13983.94"), on("2018-02-02"), True)
    assert term(known.opened_on, on("2025-02-03")) is Term.LONG


def test_what_is_unknown_cannot_be_taken_for_zero() -> None:
    came = arrived(arrival("100", None, None))
    (closing,) = book_fill(fill("sale", -40, "10"), [came]).closings

    with pytest.raises(UnknownBasisError, match="not known yet"):
        _ = came.known_basis
    with pytest.raises(UnknownBasisError):
        _ = closing.known_realised
    with pytest.raises(UnknownBasisError):
        _ = closing.known_basis
    assert closing.known_proceeds == usd(400)


def test_a_lot_that_leaves_takes_its_basis_along_without_gain() -> None:
    """B14: in for 700, out at another market value: nothing is realised."""
    came = arrived(arrival("10", "700", "2020-01-02"))
    (gone,), (remaining,) = depart(Departure(FillId(derived_id("out")), STOCK, Quantity(10), LATER, at(LATER)), [came])

    assert (gone.quantity, gone.basis, gone.acquired_on) == (Quantity(10), usd(700), on("2020-01-02"))
    assert (remaining.quantity, remaining.basis) == (Quantity(0), usd(0))


def test_lots_leave_oldest_first_or_as_named() -> None:
    lots = [lot("a", 10, "100"), lot("b", 10, "110", minute=1)]
    out = Departure(FillId(derived_id("out")), STOCK, Quantity(12), LATER, at(LATER))
    named = replace(out, quantity=Quantity(5), named=(NamedLot(lots[1].lot_id, Quantity(5)),))

    assert [(one.quantity.value, one.basis) for one in depart(out, lots)[0]] == [(10, usd(100)), (2, usd(22))]
    assert [(one.quantity.value, one.basis) for one in depart(named, lots)[0]] == [(5, usd(55))]


@pytest.mark.parametrize(
    "named", [(), (NamedLot(lot("b", 1, "1").lot_id, Quantity(10)),), (NamedLot(lot("x", 1, "1").lot_id, Quantity(21)),)]
)
def test_more_than_is_held_cannot_leave(named: tuple[NamedLot, ...]) -> None:
    """L1: not enough lots is an error, never a short position."""
    lots = [lot("a", 10, "100"), lot("b", 10, "110", minute=1)]

    with pytest.raises(NotEnoughHeldError, match="21 ABC were to go"):
        depart(Departure(FillId(derived_id("out")), STOCK, Quantity(21), LATER, at(LATER), named), lots)


# Fees in kind


def test_a_fee_in_kind_makes_a_purchase_smaller_and_dearer() -> None:
    """1 coin at 20,000 with 0.001 kept by the venue: 0.999 with the whole cost."""
    bought = replace(fill("buy", 1, "20000", of=COIN), fee_in_kind=Quantity(Decimal("0.001")))
    opened = book_fill(bought, []).opened

    assert opened is not None and figures([opened]) == [(Decimal("0.999"), 20_000)]


def test_a_fee_in_kind_leaves_the_lots_with_the_coins_that_are_sold() -> None:
    """0.5 sold at 30,000 with a fee of 0.001: proceeds 15,000, basis of 0.501. The fee's own gain and its cost cancel out."""
    sale = replace(fill("sell", "-0.5", "30000", of=COIN), fee_in_kind=Quantity(Decimal("0.001")))
    done = book_fill(sale, [lot("held", 1, "20000", of=COIN)])

    assert used(done.closings) == [(Decimal("0.501"), 15_000 - 10_020)]
    assert figures(done.changed) == [(Decimal("0.499"), 9_980)]


def test_a_fee_in_a_third_coin_is_a_sale_of_it_at_its_value() -> None:
    """0.01 of another coin (basis 10 each, worth 50 each) pays a fee of 0.50: that fee is in the basis, its gain is 0.40."""
    other = instrument("OTHER")
    spent = book_fill(fill("fee", "-0.01", "50", of=other), [lot("other", 1, "10", of=other)])
    bought = book_fill(fill("buy", 1, "100", "0.50", of=COIN), [])

    assert used(spent.closings) == [(Decimal("0.01"), Decimal("0.4"))]
    assert bought.opened is not None and bought.opened.basis == Money(Decimal("100.5"), "USD")


def test_a_lot_may_be_fractional() -> None:
    held: Lot = lot("held", "0.75789", "14572.305343575", of=COIN)
    done = book_fill(fill("sell", "-0.25263", "20000", of=COIN), [held])

    assert done.closings[0].basis == usd("4857.435114525")
    assert figures(done.changed) == [(Decimal("0.50526"), Decimal("9714.87022905"))]
