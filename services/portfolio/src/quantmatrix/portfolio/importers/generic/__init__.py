"""A plain CSV of our own for brokers without an importer; its columns are described in the how-to about importing."""

from typing import ClassVar

from quantmatrix.common.values import Money, Quantity, notional
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place, Printed, Statement
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._reading import Row, UnreadableCellError, columns_of, day_of, moment_of, table_of
from quantmatrix.portfolio.ports import StatementError

_BEGINNING = ("date", "kind", "currency")
_COLUMNS = {
    *_BEGINNING, "id", "account", "time", "symbol", "asset", "quantity", "price", "multiplier", "amount", "fee", "basis", "acquired", "text",
}  # fmt: skip
_MOMENTS = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z")


class GenericImporter:
    """Every row says what it is; an amount that is left out is worked out from quantity, price and multiplier."""

    name: ClassVar[str] = "generic"
    title: ClassVar[str] = "QuantMatrix transactions (CSV)"

    def recognises(self, file_name: str, head: bytes) -> bool:
        return head.decode("utf-8", errors="ignore").removeprefix("\ufeff").startswith(",".join(_BEGINNING))

    def read(self, body: bytes) -> Statement:
        header, rows = table_of(body)
        names = [name.strip() for name in header]
        if tuple(names[:3]) != _BEGINNING or not set(names) <= _COLUMNS or len(set(names)) != len(names):
            raise StatementError(
                f"expected the columns {', '.join(_BEGINNING)} and any of {', '.join(sorted(_COLUMNS - {*_BEGINNING}))}", line=1
            )
        columns = columns_of(names)
        collected = Collected()
        for line, cells in rows:
            row = Row(Place(line), columns, cells)
            try:
                if len(cells) != len(names):
                    raise UnreadableCellError("(all)", f"{len(names)} cells as in the header, not {len(cells)}")
                entry = _entry(row)
                if row.text("id"):
                    collected.book_by_id(entry, row.text("id"))
                else:
                    collected.book(
                        entry, entry.session, entry.at, entry.symbol, entry.quantity, entry.price, entry.amount, entry.fee, entry.text
                    )
            except ValueError as error:
                collected.damaged(row, error)
        return collected.statement(self.name, next((entry.amount.currency for entry in collected.entries if entry.amount), "USD"))


def _entry(row: Row) -> Entry:
    currency, said = row.needed("currency"), row.needed("kind")
    if said not in set(EntryKind):
        raise UnreadableCellError("kind", f"one of {', '.join(EntryKind)}")
    kind = EntryKind(said)
    quantity, price, multiplier = row.quantity("quantity"), row.price("price"), row.quantity("multiplier") or Quantity(1)
    amount = row.money("amount", currency)
    if kind is EntryKind.TRADE:
        if not quantity or price is None or not row.text("symbol"):
            raise UnreadableCellError("quantity", "a quantity, a price and a symbol for a trade")
        amount = amount if amount is not None else -notional(price, quantity, multiplier, currency)
        if amount.amount * quantity.value > 0:
            raise UnreadableCellError("amount", "money to go where units come and the other way round")
    elif amount is None and not quantity:
        raise UnreadableCellError("amount", "an amount or a quantity")
    fee: Money | None = row.money("fee", currency)
    day = day_of(row.needed("date"), "date", "%Y-%m-%d")
    return Entry(
        kind, "", row.place, row.text("account"), day, moment_of(row.text("time"), "time", *_MOMENTS) if row.text("time") else None,
        amount, fee=fee, symbol=row.text("symbol") or None, quantity=quantity, price=price, basis=row.money("basis", currency),
        acquired_on=day_of(row.text("acquired"), "acquired", "%Y-%m-%d") if row.text("acquired") else None, text=row.text("text"),
        asset=row.text("asset"), multiplier=multiplier, printed=Printed(),
    )  # fmt: skip


IMPORTER = GenericImporter
