"""Transaction History of Interactive Brokers as CSV: one row a transaction, amounts in base currency."""

import re
from typing import ClassVar

from quantmatrix.common.values import Money, Price
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Figures, Statement, Summary
from quantmatrix.portfolio.domain.statements_identities import named_contract, option_terms
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._reading import Row, UnreadableCellError, day_of, text_of
from quantmatrix.portfolio.importers.ibkr_activity.sections import STATEMENT, Rows, period_of, sort_rows
from quantmatrix.portfolio.ports import StatementError

SECTION = "Transaction History"
SUMMARY = "Summary"
_SYMBOL = re.compile(r"([^()]+)\([A-Z0-9]+\)")
_KINDS = {
    "Buy": EntryKind.TRADE, "Sell": EntryKind.TRADE, "Assignment": EntryKind.ASSIGNMENT, "Exercise": EntryKind.EXERCISE,
    "Dividend": EntryKind.DIVIDEND, "Payment in Lieu": EntryKind.PAYMENT_IN_LIEU, "Return of Capital": EntryKind.RETURN_OF_CAPITAL,
    "Foreign Tax Withholding": EntryKind.WITHHOLDING_TAX, "Withholding Tax": EntryKind.WITHHOLDING_TAX, "US Withholding": EntryKind.WITHHOLDING_TAX,
    "Credit Interest": EntryKind.INTEREST, "Debit Interest": EntryKind.INTEREST, "Investment Interest Paid": EntryKind.INTEREST,
    "Investment Interest Received": EntryKind.INTEREST, "Bond Interest": EntryKind.INTEREST, "Borrow Fee": EntryKind.INTEREST,
    "Deposit": EntryKind.DEPOSIT, "Withdrawal": EntryKind.DEPOSIT, "Electronic Fund Transfer": EntryKind.DEPOSIT, "Cash Transfer": EntryKind.TRANSFER,
    "Other Fee": EntryKind.FEE, "Sales Tax": EntryKind.FEE, "Transaction Fee": EntryKind.FEE, "Commission Adjustment": EntryKind.COMMISSION_ADJUSTMENT,
    "Adjustment": EntryKind.ADJUSTMENT, "Forex Trade Component": EntryKind.ADJUSTMENT, "System Transfer": EntryKind.ADJUSTMENT,
    "Transfer": EntryKind.TRANSFER, "Position Transfer": EntryKind.TRANSFER, "Corporate Action": EntryKind.CORPORATE_ACTION,
}  # fmt: skip
_TRADED = (EntryKind.TRADE, EntryKind.ASSIGNMENT, EntryKind.EXERCISE)
_WITH_UNITS = (*_TRADED, EntryKind.TRANSFER, EntryKind.CORPORATE_ACTION)


class TransactionsImporter:
    """Prices are in the currency of the instrument and amounts in base currency, so that the two are not compared."""

    name: ClassVar[str] = "ibkr_transactions"
    title: ClassVar[str] = "Interactive Brokers Transaction History (CSV)"

    def recognises(self, file_name: str, head: bytes) -> bool:
        text = head.decode("utf-8", errors="ignore").removeprefix("\ufeff")
        return text.startswith(f"{STATEMENT},Header,") and SECTION in text

    def read(self, body: bytes) -> Statement:
        text = text_of(body)
        if not text.startswith(f"{STATEMENT},Header,"):
            raise StatementError("it does not begin as a Transaction History does", line=1)
        collected = Collected()
        rows = sort_rows(text, collected)
        period = period_of(rows)
        currency = _said(rows, "Base Currency")
        if not currency or not rows.of(SECTION):
            raise StatementError(f"there is no section {SECTION}, or no base currency")
        for section, found in rows.by_section.items():
            for row in found:
                if section == SECTION:
                    self._book(row, currency, collected)
                elif section in (STATEMENT, SUMMARY):
                    collected.ignore(row.place, f"information: {section}")
                else:
                    collected.strange(row.place, "a section that is not known", row.cells)
        try:
            figures = Figures(cash=_cash(rows, currency))
        except UnreadableCellError as error:
            raise StatementError(str(error), line=error.line) from error
        collected.turn_around()
        return collected.statement(self.name, currency, period, ending_cash=[one.end for one in figures.cash], figures=figures)

    def _book(self, row: Row, currency: str, collected: Collected) -> None:
        kind = _KINDS.get(row.text("Transaction Type"))
        if kind is None:
            collected.strange(row.place, "a type of transaction that is not known", row.cells)
            return
        try:
            entry = _entry(row, kind, currency)
        except ValueError as error:
            collected.damaged(row, error)
            return
        collected.book(
            entry, row.text("Transaction Type"), entry.session, entry.symbol, entry.quantity, entry.amount, entry.fee, entry.text
        )


def _said(rows: Rows, name: str) -> str:
    return rows.field(SUMMARY, name)


def _cash(rows: Rows, currency: str) -> tuple[Summary, ...]:
    found = {row.text("Field Name"): row.money("Field Value", currency) for row in rows.of(SUMMARY) if "Cash" in row.text("Field Name")}
    start, end = found.get("Starting Cash"), found.get("Ending Cash")
    return () if start is None or end is None else (Summary(f"cash {currency}", start, end - start, end),)


def _entry(row: Row, kind: EntryKind, currency: str) -> Entry:
    text = row.text("Description")
    commission = row.money("Commission", currency)
    amount = _amount(row, commission, currency)
    named = _SYMBOL.match(text)
    symbol = named_contract(row.text("Symbol").strip("-"), text) or (named[1].strip() if named else None)
    quantity = row.quantity("Quantity") if kind in _WITH_UNITS else None
    if kind in _TRADED and (quantity is None or symbol is None):
        raise UnreadableCellError("Quantity", "a quantity and a symbol")
    if kind is EntryKind.DEPOSIT and amount.amount < 0:
        kind = EntryKind.WITHDRAWAL
    price = (row.price("Price") or Price(0)) if kind in _TRADED else None
    fee: Money | None = None if commission is None else -commission
    asset = "Equity and Index Options" if symbol is not None and option_terms(symbol) is not None else ""
    return Entry(
        kind, "", row.place, row.text("Account"), day_of(row.needed("Date"), "Date"), None, amount, fee=fee, symbol=symbol,
        quantity=quantity, price=price, text=text, asset=asset,
    )  # fmt: skip


def _amount(row: Row, commission: Money | None, currency: str) -> Money:
    """What was moved without the commission; rows that are no trades may print the net amount alone."""
    gross = row.money("Gross Amount", currency)
    if gross is not None:
        return gross
    net = row.needed_money("Net Amount", currency)
    return net if commission is None else net - commission


IMPORTER = TransactionsImporter
