"""One person's accounts under the law of the United States and under that of the United Kingdom."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from services.portfolio.tests.domain.making import COIN, DAY, STOCK, fill, in_account, instrument, usd

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AssetClass, FillId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.actions import ReturnOfCapital
from quantmatrix.portfolio.domain.arrivals import Arrival, Origin
from quantmatrix.portfolio.domain.currencies import Rates
from quantmatrix.portfolio.domain.events import Event, ShareSplit
from quantmatrix.portfolio.domain.lots import Fill, Split
from quantmatrix.portfolio.domain.methods import LotMethod, LotMethods
from quantmatrix.portfolio.domain.tax.holdings import Treatment
from quantmatrix.portfolio.domain.tax.jurisdictions import AccountFacts, Jurisdiction, NotCoveredError, TaxLine, UnitedKingdom, UnitedStates


def account(
    name: str, *fills: Fill, treatment: Treatment = Treatment.TAXABLE, method: LotMethod = LotMethod.FIFO, more: Sequence[Event] = ()
) -> AccountFacts:
    own = [replace(in_account(one, name), fill_id=FillId(derived_id(name, one.fill_id))) for one in fills]
    return AccountFacts(own[0].account_id, treatment, [*(Event(one.fill_id, one) for one in own), *more], LotMethods(method))


def shown(lines: Sequence[TaxLine]) -> list[tuple[Decimal, Decimal, Decimal, str]]:
    return [(line.quantity.value, line.gain.amount, line.disallowed.amount, line.label) for line in lines]


def test_the_same_sale_under_two_laws() -> None:
    """100 sold at a loss and 50 bought again in 20 days: deferred here by half, there matched with what was bought."""
    accounts = [account("A", fill(1, 100, "10"), fill(60, -100, "8"), fill(80, 50, "7"))]
    laws: list[Jurisdiction] = [UnitedStates(), UnitedKingdom(Rates("USD", {}))]

    assert [shown(law.lines(accounts)) for law in laws] == [
        [(50, 0, 100, "short"), (50, -100, 0, "short")],
        [(100, -50, 0, "thirty days, pool")],
    ]


def test_a_wash_sale_over_two_accounts_and_a_retirement_account() -> None:
    sale, again = (fill(1, 100, "10"), fill(60, -100, "8")), fill(70, 100, "7")
    taxable, deferred = account("B", again), account("I", again, treatment=Treatment.TAX_DEFERRED)
    law = UnitedStates()

    assert shown(law.lines([account("A", *sale), taxable])) == shown(law.lines([account("A", *sale), deferred])) == [(100, 0, 200, "short")]
    assert shown(law.lines([account("A", *sale)])) == [(100, -200, 0, "short")]


def test_gains_of_a_retirement_account_are_labelled() -> None:
    (line,) = UnitedStates().lines([account("I", fill(1, 100, "10"), fill(500, -100, "12"), treatment=Treatment.TAX_DEFERRED)])

    assert (line.gain, line.treatment, line.label) == (usd(200), Treatment.TAX_DEFERRED, "long")
    assert UnitedKingdom(Rates("USD", {})).lines([account("I", fill(1, 1, "10"), treatment=Treatment.TAX_DEFERRED)]) == []


def test_the_lot_method_matters_in_one_country_only() -> None:
    fills = (fill(1, 100, "10"), fill(2, 100, "14"), fill(3, 100, "12"), fill(200, -150, "15"))
    american = [
        sum(line.gain.amount for line in UnitedStates().lines([account("A", *fills, method=one)]))
        for one in (LotMethod.FIFO, LotMethod.HIFO)
    ]
    british = [shown(UnitedKingdom(Rates("USD", {})).lines([account("A", *fills, method=one)])) for one in (LotMethod.FIFO, LotMethod.HIFO)]

    assert american == [550, 250]
    assert british == [[(150, 450, 0, "pool")]] * 2


def test_coins_are_not_washed() -> None:
    fills = tuple(replace(one, instrument=COIN) for one in (fill(1, 100, "10"), fill(60, -100, "8"), fill(70, 100, "7")))

    lines = UnitedStates().lines([account("A", *fills)])

    assert shown(lines) == [(100, -200, 0, "short")]
    assert lines[0].acquired_on == DAY + timedelta(days=1)


def test_section_1256_contracts_are_marked_and_neither_listed_nor_washed() -> None:
    """S1 in a ledger: contract of 50,000, worth 57,000 at the end of the year, sold for 56,000 in the next."""
    future = instrument("FUT", AssetClass.FUTURE, 50)
    contract = (fill("buy", 1, "1000", day="2008-06-22", of=future), fill("sell", -1, "1120", day="2009-02-01", of=future))
    law = UnitedStates(section_1256=frozenset({future.instrument_id}))
    marks = {(future.instrument_id, 2008): usd(57_000)}
    deferred = account("I", *contract, treatment=Treatment.TAX_DEFERRED)

    assert [(one.long_term, one.short_term) for one in law.marked([account("A", *contract), deferred], 2008, marks)] == [
        (usd(4200), usd(2800))
    ]
    assert [(one.long_term, one.short_term) for one in law.marked([account("A", *contract)], 2009, marks)] == [(usd(-600), usd(-400))]
    assert law.lines([account("A", *contract)]) == []


def test_option_losses_beside_stock_are_flagged() -> None:
    option = instrument("OPT", AssetClass.OPTION, 100)
    law = UnitedStates(families={option.instrument_id: STOCK.instrument_id})
    calls = account("A", fill(1, 1, "5", of=option), fill(40, -1, "1", of=option))
    stock = account("B", fill(50, 100, "20"))

    assert [(flag.loss.security, flag.acquired.account_id) for flag in law.flags([calls, stock])] == [("OPT", "B")]
    assert shown(law.lines([calls, stock])) == [(1, -400, 0, "short")]


def test_capital_returned_above_the_basis_is_a_line_of_its_own() -> None:
    capital = ReturnOfCapital(derived_id("capital"), STOCK, DAY + timedelta(days=500), Price(12))
    lines = UnitedStates().lines([account("A", fill(1, 10, "10"), more=[Event(derived_id("capital"), capital)])])

    assert shown(lines) == [(0, 20, 0, "long")]


def test_shorting_what_one_holds_moves_its_holding_period() -> None:
    """The short stands in another account; the stock, held under a year then, is sold more than a year after it was bought."""
    stock, short = account("A", fill(1, 100, "10"), fill(400, -100, "18")), account("B", fill(150, -100, "16"), fill(180, 100, "18"))

    assert shown(UnitedStates().lines([stock, short])) == [(100, -200, 0, "short"), (100, 800, 0, "short")]
    assert shown(UnitedStates().lines([stock]))[0][3] == "long"


def test_a_loss_of_a_short_sale_beside_old_stock_is_long_term() -> None:
    stock, short = account("A", fill(1, 100, "10")), account("B", fill(450, -100, "16"), fill(480, 100, "18"))

    assert shown(UnitedStates().lines([stock, short])) == [(100, -200, 0, "long")]
    assert shown(UnitedStates().lines([short])) == [(100, -200, 0, "short")]


def test_the_pool_converts_each_leg_at_its_own_rate_and_pools_accounts() -> None:
    days = [DAY + timedelta(days=number) for number in (1, 2, 200)]
    rates = Rates("GBP", {("USD", day): rate for day, rate in zip(days, map(Decimal, ("0.8", "0.7", "0.75")), strict=True)})
    split = Event(derived_id("split"), ShareSplit(STOCK.instrument_id, Split(DAY + timedelta(days=100), 2, 1)))
    accounts = [account("A", fill(1, 100, "10"), fill(200, -200, "6", "4"), more=[split]), account("B", fill(2, 100, "10"), more=[split])]
    (line,) = UnitedKingdom(rates).lines(accounts)

    # 800 + 700 pounds for 400 new units; 200 of them sold for 900, less a fee of 3.
    assert (line.proceeds, line.cost, line.gain) == (Money(Decimal(900), "GBP"), Money(Decimal(753), "GBP"), Money(Decimal(147), "GBP"))


def test_what_has_no_rule_is_refused() -> None:
    unknown = Arrival(
        FillId(derived_id("in")), account("A", fill(1, 1, "1")).account_id, fill(1, 1, "1").user_id, STOCK, Origin.TRANSFER, Quantity(1), None, None,
        DAY, fill(1, 1, "1").executed_at,
    )  # fmt: skip
    known = replace(unknown, basis=usd(10), acquired_on=DAY)
    law = UnitedKingdom(Rates("USD", {}))

    with pytest.raises(NotCoveredError, match="no rule for Arrival"):
        law.lines([AccountFacts(unknown.account_id, Treatment.TAXABLE, [Event(unknown.arrival_id, unknown)])])
    ((_, pool),) = law.matched([AccountFacts(known.account_id, Treatment.TAXABLE, [Event(known.arrival_id, known)])]).values()
    assert pool.cost == usd(10)
