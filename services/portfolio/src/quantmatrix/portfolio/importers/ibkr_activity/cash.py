"""Rows that move money without a trade, and shares without money: one function per section."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Printed
from quantmatrix.portfolio.domain.statements_securities import spelled
from quantmatrix.portfolio.importers._reading import EXCHANGE_ZONE, Row, UnreadableCellError, day_of, moment_of, zone
from quantmatrix.portfolio.importers.ibkr_activity.sections import asset_in

_SECURITY = re.compile(r"([^()]+)\(([A-Z0-9]+)\)")
_REFUND = re.compile(r"Refund \(([^,()]+),")
_SETTLED = re.compile(r"(?:Exercise|Assignment)\s*\(([^()]+)\)")
_AFFECTED = re.compile(r"\(([^,()]+), .*\)\s*$")
MOMENTS = ("%Y-%m-%d, %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d;%H:%M:%S", "%Y%m%d;%H%M%S", "%Y-%m-%d, %H:%M", "%Y-%m-%d", "%Y%m%d")


@dataclass(frozen=True, slots=True)
class About:
    """What rows leave out because the statement says it once: the account, the base currency, contracts' multipliers.

    names: of instruments with several symbols, the one that stands for the others.
    """

    account: str
    currency: str
    multipliers: dict[str, Quantity]
    names: dict[str, str] = field(default_factory=dict)

    def account_of(self, row: Row) -> str:
        return row.text("Account") or self.account

    def symbol_of(self, row: Row) -> str:
        symbol = row.text("Symbol")
        return self.names.get(spelled(symbol), symbol)

    def currency_of(self, row: Row) -> str:
        return row.text("Currency") or self.currency


def symbol_in(text: str) -> str | None:
    """The symbol that a description begins with, as in `ABC(US0000000000) Cash Dividend …`."""
    found = _SECURITY.match(text)
    return found[1].strip() if found else None


def dividend(row: Row, about: About) -> Entry:
    text = row.text("Description")
    kind = EntryKind.DIVIDEND
    if "Payment in Lieu" in text:
        kind = EntryKind.PAYMENT_IN_LIEU
    elif "(Return of Capital)" in text:
        kind = EntryKind.RETURN_OF_CAPITAL
    return _moved(row, about, kind, "Date", symbol_in(text))


def withholding(row: Row, about: About) -> Entry:
    return _moved(row, about, EntryKind.WITHHOLDING_TAX, "Date", symbol_in(row.text("Description")))


def interest(row: Row, about: About) -> Entry:
    return _moved(row, about, EntryKind.INTEREST, "Date")


def fee(row: Row, about: About) -> Entry:
    return _moved(row, about, EntryKind.FEE, "Date", symbol_in(row.text("Description")))


def transaction_fee(row: Row, about: About) -> Entry:
    """A stamp duty or the like, with the moment of its trade where it is told."""
    stamp = "Date/Time" if row.has("Date/Time") else "Date"
    at = moment_of(row.needed(stamp), stamp, *MOMENTS).replace(tzinfo=zone(EXCHANGE_ZONE)) if stamp == "Date/Time" else None
    return replace(_moved(row, about, EntryKind.FEE, stamp, row.text("Symbol") or None), at=at)


def adjustment(row: Row, about: About) -> Entry:
    """Cash for a price that was put right, or for an option on an index that delivers nothing, whose contract stands in the brackets."""
    settled = _SETTLED.search(row.text("Description"))
    return _moved(row, about, EntryKind.ADJUSTMENT, "Date", settled[1].strip() if settled else None)


def commission_adjustment(row: Row, about: About) -> Entry:
    refund = _REFUND.search(row.text("Description"))
    return _moved(row, about, EntryKind.COMMISSION_ADJUSTMENT, "Date", refund[1].strip() if refund else None)


def deposit(row: Row, about: About) -> Entry:
    amount = row.needed_money("Amount", about.currency_of(row))
    kind = EntryKind.DEPOSIT if amount.amount >= 0 else EntryKind.WITHDRAWAL
    return _moved(row, about, kind, "Settle Date" if row.has("Settle Date") else "Date")


def _moved(row: Row, about: About, kind: EntryKind, day_column: str, symbol: str | None = None) -> Entry:
    currency = about.currency_of(row)
    return Entry(
        kind, "", row.place, about.account_of(row), day_of(row.needed(day_column), day_column, *MOMENTS), None,
        row.needed_money("Amount", currency), symbol=symbol, text=row.text("Description"),
    )  # fmt: skip


def transfer(row: Row, about: About) -> Entry:
    """A position that came or went, or cash between accounts. Price and basis are not printed here and stay unknown."""
    direction = row.text("Direction").rstrip(".").lower()
    if direction not in ("in", "out"):
        raise UnreadableCellError("Direction", "In or Out")
    quantity = row.quantity("Qty")
    signed = None if not quantity else (abs(quantity) if direction == "in" else -abs(quantity))
    currency = about.currency_of(row)
    return Entry(
        EntryKind.TRANSFER, "", row.place, about.account_of(row), day_of(row.needed("Date"), "Date", *MOMENTS), None,
        row.money("Cash Amount", currency), symbol=row.text("Symbol") if signed else None, quantity=signed,
        realised=row.money("Realized P/L", currency), text=f"{row.text('Type')} {direction}", asset=asset_in(row),
    )  # fmt: skip


def corporate_action(row: Row, about: About) -> Entry:
    """What an action did to one security; its description names the security in its last brackets, else at its beginning."""
    text = row.needed("Description")
    affected = _AFFECTED.search(text)
    stamp = "Date/Time" if row.text("Date/Time") else "Report Date"
    at = moment_of(row.needed(stamp), stamp, *MOMENTS).replace(tzinfo=zone(EXCHANGE_ZONE))
    currency = about.currency_of(row)
    return Entry(
        EntryKind.CORPORATE_ACTION, "", row.place, about.account_of(row), at.date(), at, row.money("Proceeds", currency),
        symbol=affected[1].strip() if affected else symbol_in(text), quantity=row.quantity("Quantity"),
        realised=row.money("Realized P/L", currency), text=text, asset=asset_in(row), printed=Printed(codes=codes_of(row)),
    )  # fmt: skip


def codes_of(row: Row) -> tuple[str, ...]:
    """The broker's letters, of which several are joined in any order."""
    return tuple(code.strip() for code in row.text("Code").split(";") if code.strip())


def grant(row: Row, about: About) -> Entry:
    """Shares given by the broker; their basis is their value when they vest, so it is unknown here."""
    day = day_of(row.needed("Report Date"), "Report Date", *MOMENTS)
    return Entry(
        EntryKind.GRANT, "", row.place, about.account_of(row), day, None, None, symbol=row.needed("Symbol"),
        quantity=Quantity(row.needed_decimal("Quantity")), price=row.price("Price"), text=row.text("Description"),
    )  # fmt: skip


SECTIONS: dict[str, Callable[[Row, About], Entry]] = {
    "Dividends": dividend,
    "Payment In Lieu Of Dividends": dividend,
    "Withholding Tax": withholding,
    "871(m) Withholding": withholding,
    "Interest": interest,
    "Broker Interest Paid": interest,
    "Broker Interest Received": interest,
    "Bond Interest Paid": interest,
    "Bond Interest Received": interest,
    "Broker Fees": fee,
    "Fees": fee,
    "Other Fees": fee,
    "Advisor Fees": fee,
    "Transaction Fees": transaction_fee,
    "Sales Tax": fee,
    "Commission Adjustments": commission_adjustment,
    "CYEP/Broker Fees": fee,
    "Price Adjustments": adjustment,
    "Option Cash Settlements": adjustment,
    "Deposits & Withdrawals": deposit,
    "Deposits/Withdrawals": deposit,
    "Deposits": deposit,
    "Transfers": transfer,
    "Corporate Actions": corporate_action,
    "Grant Activity": grant,
}
