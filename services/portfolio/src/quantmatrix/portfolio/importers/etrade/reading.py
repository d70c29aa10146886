"""E*TRADE's rows: newest first, amounts net of commission, two-digit years, reinvestments as a dividend and a purchase at price zero."""

import re
from collections.abc import Sequence
from typing import ClassVar

from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place, Statement
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._reading import Row, UnreadableCellError, columns_of, day_of, rows_of, text_of
from quantmatrix.portfolio.ports import StatementError

CURRENCY = "USD"
_PREAMBLE = "For Account:"
_OLDER = {"TransactionDate", "TransactionType", "SecurityType", "Symbol", "Quantity", "Amount", "Price", "Commission", "Description"}
_NEWER = {"Activity/Trade Date", "Activity Type", "Symbol", "Quantity #", "Price $", "Amount $", "Commission", "Description"}
_NAMES = {
    "Activity/Trade Date": "TransactionDate", "Activity Type": "TransactionType", "Quantity #": "Quantity", "Price $": "Price",
    "Amount $": "Amount", "Category": "SecurityType",
}  # fmt: skip
_DATES = ("%m/%d/%y", "%m/%d/%Y")
_REMOVALS = {"assign": EntryKind.ASSIGNMENT, "exercise": EntryKind.EXERCISE, "expir": EntryKind.EXPIRY}
_CASH: tuple[tuple[str, EntryKind], ...] = (
    ("withh", EntryKind.WITHHOLDING_TAX), ("tax", EntryKind.WITHHOLDING_TAX), ("return of capital", EntryKind.RETURN_OF_CAPITAL),
    ("dividend", EntryKind.DIVIDEND), ("cap gain", EntryKind.DIVIDEND), ("distribution", EntryKind.DIVIDEND), ("interest", EntryKind.INTEREST),
    ("fee", EntryKind.FEE), ("commission", EntryKind.FEE), ("adjust", EntryKind.ADJUSTMENT), ("misc", EntryKind.ADJUSTMENT),
    ("journal", EntryKind.TRANSFER), ("position transfer", EntryKind.TRANSFER), ("transfer", EntryKind.DEPOSIT), ("deposit", EntryKind.DEPOSIT),
    ("wire", EntryKind.DEPOSIT), ("withdraw", EntryKind.DEPOSIT), ("contribution", EntryKind.DEPOSIT), ("direct debit", EntryKind.DEPOSIT),
    ("credit", EntryKind.DEPOSIT), ("debit", EntryKind.DEPOSIT), ("check", EntryKind.DEPOSIT), ("ach", EntryKind.DEPOSIT), ("bill pay", EntryKind.DEPOSIT),
)  # fmt: skip
_ACTIONS = ("split", "reorgan", "merger", "spin", "symbol change", "name change", "stock dividend", "exchange")
_AT_PRICE = re.compile(r"(?:REIN|@|PRICE)\s*@?\s*\$?\s*(\d+\.\d+)", re.IGNORECASE)


class EtradeImporter:
    """Knows the kinds of transactions by the words in their names; the account is the masked number of the first line."""

    name: ClassVar[str] = "etrade"
    title: ClassVar[str] = "E*TRADE transactions (CSV)"

    def recognises(self, file_name: str, head: bytes) -> bool:
        return any(_is_header(line.split(",")) for line in head.decode("utf-8", errors="ignore").splitlines()[:12])

    def read(self, body: bytes) -> Statement:
        collected = Collected()
        account = ""
        columns: dict[str, int] | None = None
        width = 0
        for line, cells in rows_of(text_of(body)):
            if columns is None and _is_header(cells):
                columns = columns_of([_NAMES.get(cell.strip(), cell.strip()) for cell in cells])
                width = len(cells)
            elif columns is None:
                account = cells[1].strip() if cells[0].strip() == _PREAMBLE and len(cells) > 1 else account
            elif len([cell for cell in cells if cell.strip()]) == 1:
                collected.ignore(Place(line), "a line of text")
            else:
                self._book(Row(Place(line), columns, cells), width, account, collected)
        if columns is None:
            raise StatementError("it has not the columns of E*TRADE's transactions", line=1)
        collected.turn_around()
        return collected.statement(self.name, CURRENCY)

    def _book(self, row: Row, width: int, account: str, collected: Collected) -> None:
        try:
            if len(row.cells) < width - 1:
                raise UnreadableCellError("(all)", f"{width} cells as in the header, not {len(row.cells)}")
            entry = _entry(row, account)
        except ValueError as error:
            collected.damaged(row, error)
            return
        if entry is None:
            collected.strange(row.place, "a type of transaction that is not known", row.cells)
            return
        said = row.text("TransactionType")
        collected.book(entry, said, entry.session, entry.symbol, entry.quantity, entry.price, entry.amount, entry.fee, entry.text)


def _is_header(cells: Sequence[str]) -> bool:
    names = {cell.strip() for cell in cells}
    return names >= _OLDER or names >= _NEWER


def _entry(row: Row, account: str) -> Entry | None:
    """One row; None for a type that is not known. The commission is a cost inside the amount."""
    said = row.needed("TransactionType").lower()
    text = row.text("Description")
    amount = row.needed_money("Amount", CURRENCY)
    commission = row.money("Commission", CURRENCY) or Money.zero(CURRENCY)
    cost = abs(commission)
    quantity = row.quantity("Quantity") or Quantity(0)
    symbol = row.text("Symbol").strip("-") or None
    day = day_of(row.needed("TransactionDate"), "TransactionDate", *_DATES)
    kind = _kind(said, quantity, amount)
    if kind is None:
        return None
    price = row.price("Price")
    if kind is EntryKind.TRADE:
        quantity = _signed(said, quantity, amount)
        price = price or _price_in(text) or _price_of(amount + cost, quantity)
    moves_units = kind in (EntryKind.TRADE, EntryKind.TRANSFER, EntryKind.CORPORATE_ACTION) or kind in _REMOVALS.values()
    return Entry(
        kind, "", row.place, account, day, None, amount + cost, fee=cost or None, symbol=symbol,
        quantity=quantity if moves_units and quantity else None, price=price if kind is EntryKind.TRADE else None,
        text=text, asset=row.text("SecurityType"),
    )  # fmt: skip


def _kind(said: str, quantity: Quantity, amount: Money) -> EntryKind | None:
    for word, removal in _REMOVALS.items():
        if word in said:
            return removal
    if any(word in said for word in ("bought", "sold", "buy", "sell", "short sale")):
        return EntryKind.TRADE
    if any(word in said for word in _ACTIONS):
        return EntryKind.CORPORATE_ACTION
    if quantity and amount and any(word in said for word in ("dividend", "reinvest", "distribution", "cap gain")) and amount.amount < 0:
        return EntryKind.TRADE
    kind = next((kind for word, kind in _CASH if word in said), None)
    return EntryKind.WITHDRAWAL if kind is EntryKind.DEPOSIT and amount.amount < 0 else kind


def _signed(said: str, quantity: Quantity, amount: Money) -> Quantity:
    if not quantity:
        raise UnreadableCellError("Quantity", "something else than zero")
    sells = "sold" in said or "sell" in said or "short sale" in said
    buys = "bought" in said or "buy" in said
    return -abs(quantity) if sells or (not buys and amount.amount > 0) else abs(quantity)


def _price_in(text: str) -> Price | None:
    """The price of a reinvestment, which stands in its description alone."""
    found = _AT_PRICE.search(text)
    return Price.parse(found[1]) if found and len(found[1].split(".")[1]) <= 12 else None


def _price_of(amount: Money, quantity: Quantity) -> Price:
    per_unit = abs(amount).share(Quantity(1), abs(quantity))
    return Price(per_unit.amount)
