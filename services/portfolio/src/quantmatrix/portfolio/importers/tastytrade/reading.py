"""tastytrade's transaction history: unsigned quantities, prices per contract, newest first, at most 1,000 rows a file.

The two shapes print costs with opposite signs, and the older one no seconds; the keys are made of what both agree on, so
that a file of the one shape merges with one of the other.
"""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from quantmatrix.common.options import CONTRACT_SIZE
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place, Printed, Statement
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._reading import Row, UnreadableCellError, columns_of, moment_of, money, table_of
from quantmatrix.portfolio.ports import StatementError

_BEGINNING = "Date,Type,Sub Type,Action,Symbol,Instrument Type,Description,Value,Quantity,Average Price"
_NEEDED = {"Date", "Type", "Sub Type", "Action", "Symbol", "Value", "Quantity", "Average Price", "Commissions", "Fees", "Currency"}
_OPTIONS = ("Equity Option", "Future Option")
_MONEY = {
    "Deposit": EntryKind.DEPOSIT, "Withdrawal": EntryKind.WITHDRAWAL, "Dividend": EntryKind.DIVIDEND, "Credit Interest": EntryKind.INTEREST,
    "Debit Interest": EntryKind.INTEREST, "Balance Adjustment": EntryKind.ADJUSTMENT, "Fee": EntryKind.FEE, "Transfer": EntryKind.TRANSFER,
    "Fully Paid Stock Lending Income": EntryKind.INTEREST, "Mark to Market": EntryKind.ADJUSTMENT, "Cash Merger": EntryKind.CORPORATE_ACTION,
    "ACAT": EntryKind.TRANSFER, "Credit": EntryKind.ADJUSTMENT, "Debit": EntryKind.ADJUSTMENT,
}  # fmt: skip
_REMOVALS = {
    "Assignment": EntryKind.ASSIGNMENT, "Exercise": EntryKind.EXERCISE, "Expiration": EntryKind.EXPIRY,
    "Cash Settled Assignment": EntryKind.ASSIGNMENT, "Cash Settled Exercise": EntryKind.EXERCISE,
}  # fmt: skip
_ACTIONS = {
    "Reverse Split", "Forward Split", "Symbol Change", "Stock Merger", "Cash Merger", "Spin Off", "Spin-Off", "Stock Dividend", "Special Dividend",
    "Name Change", "Merger", "Dividend Reinvestment Removal",
}  # fmt: skip
_LEGS = {"Buy to Open", "Buy to Close", "Sell to Open", "Sell to Close"}

_Pair = tuple[str, str, str]


class TastytradeImporter:
    """A removal without an action (expiry) takes its side from what the file opened before; else its quantity stays open."""

    name: ClassVar[str] = "tastytrade"
    title: ClassVar[str] = "tastytrade transactions (CSV)"

    def recognises(self, file_name: str, head: bytes) -> bool:
        return head.decode("utf-8", errors="ignore").removeprefix("\ufeff").startswith(_BEGINNING)

    def read(self, body: bytes) -> Statement:
        header, rows = table_of(body)
        columns = columns_of(header)
        if not columns.keys() >= _NEEDED:
            raise StatementError("it has not the columns of tastytrade's transactions", line=1)
        return _History(columns, len(header)).read([Row(Place(line), columns, cells) for line, cells in rows])


class _History:
    def __init__(self, columns: dict[str, int], width: int) -> None:
        self._width = width
        self._collected = Collected()
        self._held: dict[str, Decimal] = defaultdict(Decimal)
        self._exchanged: dict[_Pair, Decimal] = defaultdict(Decimal)
        self._dividends: set[tuple[str, str]] = set()
        self._costs_below_zero = False

    def read(self, rows: list[Row]) -> Statement:
        for row in rows:
            self._look(row)
        for row in reversed(rows):
            try:
                if len(row.cells) != self._width:
                    raise UnreadableCellError("(all)", f"{self._width} cells as in the header, not {len(row.cells)}")
                self._book(row)
            except ValueError as error:
                self._collected.damaged(row, error)
        currency = next((entry.amount.currency for entry in self._collected.entries if entry.amount), "USD")
        return self._collected.statement(TastytradeImporter.name, currency)

    def _look(self, row: Row) -> None:
        """What has to be known before the first row is booked. Bad cells are told when their row's turn comes."""
        try:
            value, fees = row.decimal("Value") or Decimal(0), row.decimal("Fees") or Decimal(0)
        except UnreadableCellError:
            return
        self._costs_below_zero |= fees < 0
        if row.text("Sub Type") in _ACTIONS:
            self._exchanged[_pair(row)] += value
        if row.text("Sub Type") == "Dividend" and value > 0:
            self._dividends.add((row.text("Date")[:10], _symbol(row)))

    def _book(self, row: Row) -> None:
        kind, sub = row.text("Type"), row.text("Sub Type")
        if kind == "Trade" or (kind == "Receive Deliver" and sub in _LEGS):
            entry = self._trade(row, delivered=kind != "Trade")
        elif kind == "Receive Deliver" and sub in _REMOVALS:
            entry = self._removal(row, _REMOVALS[sub])
        elif kind == "Receive Deliver" and sub in _ACTIONS:
            entry = self._action(row)
        elif kind == "Money Movement" and sub in _MONEY:
            entry = self._moved(row, _MONEY[sub])
        else:
            self._collected.strange(row.place, "a type of transaction that is not known", row.cells)
            return
        if entry.quantity and entry.symbol:
            self._held[entry.symbol] += entry.quantity.value
        minute = row.text("Date")[:16]
        value = row.needed_decimal("Value").quantize(Decimal("0.01"))
        self._collected.book(entry, minute, kind, sub, row.text("Action"), entry.symbol, row.decimal("Quantity"), value)

    def _trade(self, row: Row, *, delivered: bool) -> Entry:
        quantity, currency = _signed(row), row.needed("Currency")
        value = row.needed_money("Value", currency)
        multiplier = _multiplier(row)
        average = row.decimal("Average Price")
        per_unit = abs(average) / multiplier.value if average is not None else abs(value.amount / quantity.value / multiplier.value)
        return self._entry(
            row, EntryKind.TRADE, value, quantity, price=Price(per_unit.quantize(Decimal(1).scaleb(-12))), multiplier=multiplier,
            printed=Printed(codes=(*(("A",) if delivered else ()), *_opens_or_closes(row)), price_step=_step(average, multiplier)),
        )  # fmt: skip

    def _removal(self, row: Row, kind: EntryKind) -> Entry:
        """Assigned options were short and exercised ones long; an expired one is whichever the file holds."""
        units = Quantity(row.needed_decimal("Quantity"))
        held = self._held.get(_symbol(row), Decimal(0))
        quantity: Quantity | None = abs(units)
        if kind is EntryKind.EXERCISE or (kind is EntryKind.EXPIRY and held > 0):
            quantity = -abs(units)
        elif kind is EntryKind.EXPIRY and not held:
            quantity = None
        return self._entry(row, kind, row.needed_money("Value", row.needed("Currency")), quantity, multiplier=_multiplier(row))

    def _action(self, row: Row) -> Entry:
        """One leg of an exchange. Both legs have the same value, so that no cash moves; where they differ it does."""
        value = row.needed_money("Value", row.needed("Currency"))
        amount = value if self._exchanged[_pair(row)] else None
        text = f"{row.text('Sub Type')} {row.text('Underlying Symbol')}"
        return self._entry(row, EntryKind.CORPORATE_ACTION, amount, _signed(row), multiplier=_multiplier(row), text=text)

    def _moved(self, row: Row, kind: EntryKind) -> Entry:
        value = row.needed_money("Value", row.needed("Currency"))
        symbol = _symbol(row)
        if kind is EntryKind.DIVIDEND and value.amount < 0 and (row.text("Date")[:10], symbol) in self._dividends:
            kind = EntryKind.WITHHOLDING_TAX
        elif kind is EntryKind.DEPOSIT and symbol:
            kind = EntryKind.ADJUSTMENT
        return self._entry(row, kind, value, None)

    def _entry(
        self,
        row: Row,
        kind: EntryKind,
        amount: Money | None,
        quantity: Quantity | None,
        *,
        price: Price | None = None,
        multiplier: Quantity | None = None,
        printed: Printed | None = None,
        text: str = "",
    ) -> Entry:
        at: datetime = moment_of(row.needed("Date"), "Date", "%Y-%m-%dT%H:%M:%S%z")
        return Entry(
            kind, "", row.place, "", at.date(), at, amount, fee=self._cost(row), symbol=_symbol(row) or None, quantity=quantity,
            price=price, asset=row.text("Instrument Type"), multiplier=multiplier, printed=printed, text=text or row.text("Description"),
        )  # fmt: skip

    def _cost(self, row: Row) -> Money | None:
        """Commission is printed below zero; fees are above zero in the older shape and below in the newer."""
        commission, fees = row.decimal("Commissions") or Decimal(0), row.decimal("Fees") or Decimal(0)
        cost = -commission + (-fees if self._costs_below_zero else fees)
        return money(cost, row.needed("Currency"), "Fees") if cost else None


def _step(average: Decimal | None, multiplier: Quantity) -> Price:
    """The last digit of the average price of a contract, in the price of a unit."""
    exponent = average.as_tuple().exponent if average is not None else 0
    step = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0) / multiplier.value
    return Price(max(step, Decimal(1).scaleb(-12)).quantize(Decimal(1).scaleb(-12)))


def _symbol(row: Row) -> str:
    """The symbol with single blanks: the shapes pad the roots of contracts to different lengths."""
    return " ".join(row.text("Symbol").split())


def _pair(row: Row) -> _Pair:
    return row.text("Date")[:10], row.text("Sub Type"), row.text("Underlying Symbol")


def _multiplier(row: Row) -> Quantity:
    found = row.quantity("Multiplier")
    if found:
        return found
    return CONTRACT_SIZE if row.text("Instrument Type") in _OPTIONS else Quantity(1)


def _opens_or_closes(row: Row) -> tuple[str, ...]:
    """The broker's word for what a trade does, as the letters that others print; later rows of futures have none."""
    action = row.text("Action") or row.text("Sub Type").upper().replace(" ", "_")
    return ("O",) if action.endswith("_TO_OPEN") else ("C",) if action.endswith("_TO_CLOSE") else ()


def _signed(row: Row) -> Quantity:
    units = Quantity(row.needed_decimal("Quantity"))
    action = row.text("Action") or row.text("Sub Type").upper()
    if not units:
        raise UnreadableCellError("Quantity", "something else than zero")
    if action.startswith("BUY"):
        return abs(units)
    if action.startswith("SELL"):
        return -abs(units)
    raise UnreadableCellError("Action", "BUY_… or SELL_…")
