"""Accounts with made-up names and what they disposed of, for the tests of reports."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from services.portfolio.tests.domain.making import STOCK, fill, usd

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, ClosingId, FillId, LotId
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.events import Event
from quantmatrix.portfolio.domain.ledger import Ledger, booked
from quantmatrix.portfolio.domain.lots import Fill
from quantmatrix.portfolio.domain.tax.holdings import Treatment, holdings_of
from quantmatrix.portfolio.domain.tax.wash_sales import wash_sales
from quantmatrix.portfolio.domain.terms import Term
from quantmatrix.portfolio.reports.disposals import Disposal, disposals_of

TAXABLE = AccountId("A")


def ledger(*fills: Fill) -> Ledger:
    return booked(Event(one.fill_id, one, place) for place, one in enumerate(fills))


def disposed(*fills: Fill, account: AccountId = TAXABLE, treatment: Treatment = Treatment.TAXABLE) -> list[Disposal]:
    """What the wash-sale rule makes of an account's fills."""
    made = ledger(*fills)
    report = wash_sales(holdings_of(account, made, treatment))
    return disposals_of(report.lines, made.lots, {account: made.closings})


def bought(day: str, quantity: int, price: str, fee: str = "0", name: str = "") -> Fill:
    return fill(f"{name}buy {day} {quantity}", quantity, price, fee, day)


def sold(day: str, quantity: int, price: str, fee: str = "0", name: str = "") -> Fill:
    return fill(f"{name}sell {day} {quantity}", -quantity, price, fee, day)


def plain(proceeds: str | None, basis: str | None, term: Term = Term.SHORT, day: str = "2024-06-03", **more: object) -> Disposal:
    """A disposal without a ledger behind it."""
    number = derived_id("plain", proceeds, basis, term, day, *sorted(more.items(), key=lambda item: item[0]))
    made = Disposal(
        closing_id=ClosingId(number), lot_id=LotId(number), fill_id=FillId(number), account_id=TAXABLE, treatment=Treatment.TAXABLE,
        symbol=STOCK.symbol, currency="USD", quantity=Quantity(10), acquired_on=date(2024, 1, 2), disposed_on=date.fromisoformat(day),
        proceeds=None if proceeds is None else usd(proceeds), basis=None if basis is None else usd(basis), disallowed=usd(0), added=usd(0),
        term=term,
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def total(amounts: Sequence[Money | None]) -> Decimal:
    return sum((one.amount for one in amounts if one is not None), Decimal(0))
