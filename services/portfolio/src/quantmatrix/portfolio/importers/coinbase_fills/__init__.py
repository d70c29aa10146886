"""Fills of Coinbase's exchange as CSV: every row is one execution with its own id."""

from typing import ClassVar

from quantmatrix.common.values import Price, Quantity
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Place, Printed, Statement
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._reading import Row, UnreadableCellError, columns_of, moment_of, money, table_of
from quantmatrix.portfolio.ports import StatementError

_BEGINNING = "portfolio,trade id,product,side,created at,size,size unit,price,fee,total,price/fee/total unit"
_MOMENTS = ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z")


class CoinbaseFillsImporter:
    """Total = -size x price - fee for a purchase; fee and total are in the unit of the price, which may be a coin."""

    name: ClassVar[str] = "coinbase_fills"
    title: ClassVar[str] = "Coinbase fills (CSV)"

    def recognises(self, file_name: str, head: bytes) -> bool:
        return head.decode("utf-8", errors="ignore").removeprefix("\ufeff").lower().startswith(_BEGINNING)

    def read(self, body: bytes) -> Statement:
        header, rows = table_of(body)
        if ",".join(header).lower() != _BEGINNING:
            raise StatementError("it has not the columns of Coinbase's fills", line=1)
        columns = columns_of([name.lower() for name in header])
        collected = Collected()
        for line, cells in rows:
            row = Row(Place(line), columns, cells)
            try:
                if len(cells) != len(header):
                    raise UnreadableCellError("(all)", f"{len(header)} cells as in the header, not {len(cells)}")
                collected.book_by_id(_fill(row), f"{row.needed('product')}-{row.needed('trade id')}")
            except ValueError as error:
                collected.damaged(row, error)
        currency = next((entry.amount.currency for entry in collected.entries if entry.amount), "USD")
        return collected.statement(self.name, currency)


def _fill(row: Row) -> Entry:
    unit, side = row.needed("price/fee/total unit"), row.needed("side").upper()
    if side not in ("BUY", "SELL"):
        raise UnreadableCellError("side", "BUY or SELL")
    size, fee = Quantity(row.needed_decimal("size")), money(row.needed_decimal("fee"), unit, "fee")
    total = money(row.needed_decimal("total"), unit, "total")
    at = moment_of(row.needed("created at"), "created at", *_MOMENTS)
    return Entry(
        EntryKind.TRADE, "", row.place, row.text("portfolio"), at.date(), at, total + fee, fee=fee, symbol=row.needed("product"),
        quantity=size if side == "BUY" else -size, price=Price(row.needed_decimal("price")), asset="Crypto", printed=Printed(),
    )  # fmt: skip


IMPORTER = CoinbaseFillsImporter
