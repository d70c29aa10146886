"""Lots at a loss, and what would wash the loss away."""

from datetime import date

from services.portfolio.tests.domain.making import OPTION, STOCK, fill, usd
from services.portfolio.tests.reports.disposing import TAXABLE, bought, ledger, sold

from quantmatrix.common.names import AccountId, LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.ledger import Ledger
from quantmatrix.portfolio.domain.tax.holdings import Holding, Treatment, holdings_of
from quantmatrix.portfolio.domain.tax.wash_sales import wash_sales
from quantmatrix.portfolio.domain.terms import Term
from quantmatrix.portfolio.reports.candidates import Candidate, candidates

TODAY = date(2024, 6, 28)
RETIREMENT = AccountId("R")


def at_a_loss(holdings: list[Holding], values: dict[LotId, Money], today: date = TODAY) -> list[Candidate]:
    return candidates(wash_sales(holdings).lines, values, today)


def lots_of(made: Ledger) -> list[LotId]:
    return [lot.lot_id for lot in sorted(made.lots.values(), key=lambda lot: lot.opened_at)]


def test_a_lot_below_its_basis_is_a_candidate_and_one_above_is_not() -> None:
    made = ledger(bought("2024-01-02", 10, "10"), bought("2024-02-01", 10, "4"))
    dear, cheap = lots_of(made)

    (found,) = at_a_loss(holdings_of(TAXABLE, made, Treatment.TAXABLE), {dear: usd(60), cheap: usd(60)})

    assert (found.holding.lot_id, found.loss, found.usable, found.disallowed) == (dear, usd(-40), usd(-40), usd(0))
    assert (found.term, found.becomes_long, found.buy_again_from) == (Term.SHORT, date(2025, 1, 3), date(2024, 7, 29))
    assert not found.washed_by and not found.look_at


def test_a_purchase_of_the_last_thirty_days_washes_its_share_of_the_loss() -> None:
    made = ledger(bought("2023-01-03", 10, "10"), bought("2024-05-29", 4, "7"))
    old, new = lots_of(made)
    holdings = holdings_of(TAXABLE, made, Treatment.TAXABLE)

    found = at_a_loss(holdings, {old: usd(60)})[0]

    assert (found.loss, found.disallowed, found.usable) == (usd(-40), usd(16), usd(-24))
    assert found.washed_by == (new,) and found.term is Term.LONG and found.becomes_long is None
    assert at_a_loss(holdings, {old: usd(60)}, date(2024, 6, 29))[0].disallowed == usd(0)


def test_a_purchase_in_a_retirement_account_washes_it_too() -> None:
    here = ledger(bought("2023-01-03", 10, "10"))
    there = ledger(bought("2024-06-20", 10, "6", name="there "))
    holdings = [*holdings_of(TAXABLE, here, Treatment.TAXABLE), *holdings_of(RETIREMENT, there, Treatment.TAX_DEFERRED)]
    values: dict[LotId, Money] = {lots_of(here)[0]: usd(60), lots_of(there)[0]: usd(1)}

    (found,) = at_a_loss(holdings, values)

    assert found.usable == usd(0) and found.washed_by == (lots_of(there)[0],)


def test_a_recent_option_on_the_stock_is_for_a_person_to_judge() -> None:
    option = fill("call", 1, "2", day="2024-06-20", of=OPTION)
    made = ledger(bought("2023-01-03", 10, "10"), option)
    stock, call = lots_of(made)
    holdings = holdings_of(TAXABLE, made, Treatment.TAXABLE, families={OPTION.instrument_id: STOCK.instrument_id})

    found = at_a_loss(holdings, {stock: usd(60)})[0]

    assert found.disallowed == usd(0) and found.look_at == (call,)


def test_sold_lots_unpriced_lots_and_lots_of_unknown_basis_are_no_candidates() -> None:
    made = ledger(bought("2024-01-02", 10, "10"), sold("2024-02-01", 10, "9"), bought("2024-03-01", 5, "10"))

    assert at_a_loss(holdings_of(TAXABLE, made, Treatment.TAXABLE), {lots_of(made)[0]: usd(1)}) == []


def test_the_largest_usable_loss_comes_first() -> None:
    made = ledger(bought("2024-01-02", 10, "10"), bought("2024-01-03", 10, "20"))
    small, large = lots_of(made)

    found = at_a_loss(holdings_of(TAXABLE, made, Treatment.TAXABLE), {small: usd(90), large: usd(90)})

    assert [one.holding.lot_id for one in found] == [large, small]


def test_units_that_replaced_an_earlier_loss_replace_no_second_one_and_carry_it_in_their_basis() -> None:
    # 10 bought at 10 and sold at 8 on 06-03; 10 bought at 8 on 06-10 take over that loss: basis 100. 10 older units bought at 12 are
    # worth 7 each: their loss would find nothing left to wash it.
    made = ledger(bought("2024-01-02", 10, "10"), sold("2024-06-03", 10, "8"), bought("2024-06-10", 10, "8"))
    other = ledger(bought("2023-01-03", 10, "12", name="other "))
    holdings = [*holdings_of(TAXABLE, made, Treatment.TAXABLE), *holdings_of(AccountId("B"), other, Treatment.TAXABLE)]
    new, old = lots_of(made)[1], lots_of(other)[0]

    older, newer = at_a_loss(holdings, {new: usd(70), old: usd(70)})

    assert (older.holding.lot_id, older.loss, older.disallowed) == (old, usd(-50), usd(0))
    assert (newer.holding.lot_id, newer.loss) == (new, usd(-30))


def test_a_lot_in_two_parts_is_worth_what_it_is_worth_once() -> None:
    # 4 of 10 units bought on 06-10 take over a loss of 8; the lot is worth 60 in all.
    made = ledger(bought("2024-01-02", 4, "10"), sold("2024-06-03", 4, "8"), bought("2024-06-10", 10, "8"))

    found = at_a_loss(holdings_of(TAXABLE, made, Treatment.TAXABLE), {lots_of(made)[1]: usd(60)})

    assert [(one.quantity, one.value, one.loss) for one in found] == [(Quantity(4), usd(24), usd(-16)), (Quantity(6), usd(36), usd(-12))]
