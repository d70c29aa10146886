"""A Flex query's CSV: which section a header begins is told by its columns."""

from collections.abc import Sequence
from datetime import date
from typing import ClassVar

from quantmatrix.portfolio.domain.statements import Place, Statement
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._flex import FlexRows, Section, moment, plain_name
from quantmatrix.portfolio.importers._reading import Row, UnreadableCellError, rows_of, text_of
from quantmatrix.portfolio.ports import StatementError

_MARKS = {"BOF", "BOA", "BOS", "EOS", "EOA", "EOF", "HEADER", "DATA", "MSG"}
_FIRST = {"BOF", "HEADER", "MSG"}
_STRUCTURE = _MARKS - {"HEADER", "DATA"}
_TELLING = {
    "clientaccountid", "accountid", "currencyprimary", "assetclass", "ibcommission", "ibcommissioncurrency", "tradeprice", "trademoney",
    "fifopnlrealized", "buysell", "tradedate", "levelofdetail", "settledate", "transactionid", "costbasis", "tradeid", "notescodes",
}  # fmt: skip
_TELLING_NEEDED = 3
_ACCOUNT_COLUMNS = {"clientaccountid", "accountid"}
_SECTIONS: tuple[tuple[set[str], Section], ...] = (
    ({"commissionandtax", "transactiontype"}, Section.INFORMATION),
    ({"commisionsandtax", "transactiontype"}, Section.INFORMATION),
    ({"buysell", "tradeprice"}, Section.TRADE),
    ({"tradeprice", "quantity"}, Section.TRADE),
    ({"buysell", "quantity", "price"}, Section.TRADE),
    ({"costbasismoney", "positionvalue"}, Section.POSITION),
    ({"costbasisprice", "markprice"}, Section.POSITION),
    ({"actiondescription", "quantity"}, Section.ACTION),
    ({"direction", "transferaccount"}, Section.TRANSFER),
    ({"direction", "positionamount"}, Section.TRANSFER),
    ({"direction", "cashtransfer"}, Section.TRANSFER),
    ({"taxamount", "taxdescription"}, Section.TAX),
    ({"exdate", "paydate", "grossamount"}, Section.INFORMATION),
    ({"type", "amount"}, Section.CASH),
    ({"startingvalue", "endingvalue"}, Section.VALUE),
    ({"startingcash", "endingcash"}, Section.CASH_REPORT),
    ({"endingcash"}, Section.INFORMATION),
    ({"reportdate", "total"}, Section.INFORMATION),
    ({"fromcurrency", "tocurrency", "rate"}, Section.INFORMATION),
    ({"listingexchange", "conid", "issuer"}, Section.INFORMATION),
    ({"accounttype", "customertype"}, Section.INFORMATION),
)


_NEEDED: dict[Section, tuple[tuple[str, ...], ...]] = {
    Section.TRADE: (("currencyprimary", "currency"), ("datetime", "tradedate", "tradedatetime"), ("quantity",), ("tradeprice", "price")),
    Section.CASH: (("currencyprimary", "currency"), ("settledate", "datetime", "reportdate"), ("amount",), ("type",)),
}
"""What a section cannot be read without: of each of these one column."""


class FlexCsvImporter:
    """Reads trades, cash, actions, transfers, taxes and positions; other sections are named as not known."""

    name: ClassVar[str] = "ibkr_flex_csv"
    title: ClassVar[str] = "Interactive Brokers Flex query (CSV)"

    def recognises(self, file_name: str, head: bytes) -> bool:
        try:
            _, cells = next(rows_of(head.decode("utf-8", errors="ignore").removeprefix("\ufeff").split("\n", 1)[0] + "\n"))
        except (StatementError, StopIteration):
            return False
        return cells[0] in _FIRST or _is_header(cells)

    def read(self, body: bytes) -> Statement:
        collected = Collected()
        rows = FlexRows(collected)
        days: list[date] = []
        header: tuple[Section | None, dict[str, int], int] | None = None
        begins = False
        for line, cells in rows_of(text_of(body)):
            mark = cells[0] if cells[0] in _MARKS else ""
            if mark in _STRUCTURE and mark:
                days += _period(cells) if mark == "BOF" else []
                begins = mark == "BOS"
            elif mark == "HEADER" or (not mark and (begins or _is_header(cells))):
                begins = False
                header = _header(cells[2:] if mark else cells, 2 if mark else 0)
                _refuse_without_columns(header, line)
            elif header is None:
                raise StatementError("the first row is no header of a Flex query", line=line)
            else:
                self._row(rows, collected, header, line, cells)
        rows.finish()
        currency = next((entry.amount.currency for entry in collected.entries if entry.amount), "USD")
        period = (min(days), max(days)) if days else None
        return collected.statement(self.name, currency, period, positions=rows.positions, figures=rows.figures.figures())

    def _row(
        self, rows: FlexRows, collected: Collected, header: tuple[Section | None, dict[str, int], int], line: int, cells: list[str]
    ) -> None:
        section, columns, width = header
        row = Row(Place(line, section.value if section else ""), columns, cells)
        if len(cells) != width:
            collected.damaged(row, UnreadableCellError("(all)", f"{width} cells as in the header, not {len(cells)}"))
        elif section is None:
            collected.strange(row.place, "a section that is not known", cells)
        else:
            rows.take(section, row, row.text("levelofdetail").upper())


def _is_header(cells: Sequence[str]) -> bool:
    """Names only, and enough of those that queries use. A row with a number in it is none, which is quickly seen."""
    if any(cell[:1].isdigit() for cell in cells):
        return False
    if len(cells) > 1 and plain_name(cells[0]) in _ACCOUNT_COLUMNS:
        return True
    return len({plain_name(cell) for cell in cells} & _TELLING) >= min(_TELLING_NEEDED, len(cells)) or _is_cash_header(cells)


def _is_cash_header(cells: Sequence[str]) -> bool:
    return {"Type", "Amount", "CurrencyPrimary"} <= set(cells)


def _header(names: Sequence[str], offset: int) -> tuple[Section | None, dict[str, int], int]:
    columns: dict[str, int] = {}
    for index, name in enumerate(names):
        columns.setdefault(plain_name(name), index + offset)
    section = next((section for needed, section in _SECTIONS if needed <= columns.keys()), None)
    return section, columns, len(names) + offset


def _refuse_without_columns(header: tuple[Section | None, dict[str, int], int], line: int) -> None:
    """Raise StatementError that names the column which the query was configured without."""
    section, columns, _ = header
    for names in _NEEDED.get(section, ()) if section else ():
        if not columns.keys() & set(names):
            raise StatementError(f"the section {section} has no column {names[0]}; add it to the query and export again", line=line)


def _period(cells: Sequence[str]) -> list[date]:
    """The first and last day that the record at the beginning names, where it does."""
    found = []
    for cell in cells[1:]:
        try:
            found.append(moment(cell, "BOF").date())
        except UnreadableCellError:
            continue
    return found[:2]
