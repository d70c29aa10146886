"""A Flex query's XML, read without entities, document types or anything else that reaches outside the file."""

import re
from datetime import date
from typing import ClassVar
from xml.parsers import expat

from quantmatrix.portfolio.domain.statements import Place, Statement
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._flex import FlexRows, Section, moment, plain_name
from quantmatrix.portfolio.importers._reading import ROWS_MAX, Row, UnreadableCellError, refuse_hostile, text_of
from quantmatrix.portfolio.ports import StatementError

ROOT = "FlexQueryResponse"
DEPTH_MAX = 8
_ELEMENTS = {
    "Trade": Section.TRADE, "TradeConfirm": Section.TRADE, "Order": Section.TRADE, "SymbolSummary": Section.TRADE,
    "AssetSummary": Section.TRADE, "Lot": Section.TRADE, "WashSale": Section.TRADE, "CashTransaction": Section.CASH,
    "CorporateAction": Section.ACTION, "Transfer": Section.TRANSFER, "OpenPosition": Section.POSITION, "TransactionTax": Section.TAX,
    "AccountInformation": Section.INFORMATION, "ChangeInNAV": Section.VALUE, "SecurityInfo": Section.INFORMATION,
    "ConversionRate": Section.INFORMATION, "CashReportCurrency": Section.CASH_REPORT, "OptionEAE": Section.INFORMATION,
    "EquitySummaryByReportDateInBase": Section.INFORMATION, "ChangeInDividendAccrual": Section.INFORMATION,
    "OpenDividendAccrual": Section.INFORMATION, "InterestAccrualsCurrency": Section.INFORMATION, "FxLot": Section.INFORMATION,
    "FxPosition": Section.INFORMATION, "FxTransaction": Section.INFORMATION, "PriorPeriodPosition": Section.INFORMATION,
    "MTMPerformanceSummaryUnderlying": Section.INFORMATION, "FIFOPerformanceSummaryUnderlying": Section.INFORMATION,
    "MTDYTDPerformanceSummaryUnderlying": Section.INFORMATION, "NetStockPosition": Section.INFORMATION,
    "StatementOfFundsLine": Section.INFORMATION, "UnbundledCommissionDetail": Section.INFORMATION,
    "TierInterestDetail": Section.INFORMATION, "HardToBorrowDetail": Section.INFORMATION, "SLBActivity": Section.INFORMATION,
    "SLBOpenContract": Section.INFORMATION, "SLBFee": Section.INFORMATION, "SLBCollateral": Section.INFORMATION,
}  # fmt: skip
_LEVEL_OF_ELEMENT = {
    "Order": "ORDER",
    "SymbolSummary": "SYMBOL_SUMMARY",
    "AssetSummary": "ASSET_SUMMARY",
    "Lot": "LOT",
    "WashSale": "WASH_SALE",
}


class FlexXmlImporter:
    """Reads elements by their names and attributes by theirs; which of them a query has is the person's choice."""

    name: ClassVar[str] = "ibkr_flex_xml"
    title: ClassVar[str] = "Interactive Brokers Flex query (XML)"

    def recognises(self, file_name: str, head: bytes) -> bool:
        return re.match(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]{0,200}\?>\s*)?<FlexQueryResponse[\s>]", head) is not None

    def read(self, body: bytes) -> Statement:
        text = text_of(body)
        if f"<{ROOT}" not in text[:1024]:
            raise StatementError(f"there is no element {ROOT} at its beginning", line=1)
        return _Elements().read(text)


class _Elements:
    """What the parser tells, element by element."""

    def __init__(self) -> None:
        self._collected = Collected()
        self._rows = FlexRows(self._collected)
        self._days: list[date] = []
        self._begun = False
        self._accounts: dict[str, None] = {}
        self._path: list[str] = []
        self._count = 0
        self._line = 0
        self._base = ""
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse

    def read(self, text: str) -> Statement:
        try:
            self._parser.Parse(text, True)
        except expat.ExpatError as error:
            raise StatementError("not readable as XML, as if cut off or edited", line=error.lineno) from error
        if not self._begun:
            raise StatementError("there is no element FlexStatement")
        self._rows.finish()
        currency = self._base or next((entry.amount.currency for entry in self._collected.entries if entry.amount), "USD")
        period = (min(self._days), max(self._days)) if self._days else None
        return self._collected.statement(
            FlexXmlImporter.name, currency, period, list(self._accounts), self._rows.positions, (), self._rows.figures.figures()
        )

    def _refuse(self, *_: object) -> None:
        raise StatementError("document types and entities are not read", line=self._parser.CurrentLineNumber)

    def _start(self, element: str, attributes: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        self._path.append(element)
        if len(self._path) > DEPTH_MAX:
            raise StatementError(f"elements lie more than {DEPTH_MAX} deep", line=line)
        if element == "FlexStatement":
            self._statement(attributes, line)
        elif len(self._path) == 5 or (element in _ELEMENTS and attributes):
            self._row(element, attributes, line)

    def _end(self, element: str) -> None:
        self._path.pop()

    def _statement(self, attributes: dict[str, str], line: int) -> None:
        """The period and the account; a query whose statement names no days has those of its rows."""
        self._begun = True
        try:
            self._days += [moment(attributes[name], name).date() for name in ("fromDate", "toDate") if attributes.get(name)]
        except UnreadableCellError as error:
            raise StatementError(str(error), line=line) from error
        if attributes.get("accountId"):
            self._accounts[attributes["accountId"]] = None

    def _row(self, element: str, attributes: dict[str, str], line: int) -> None:
        self._count += 1
        if self._count > ROWS_MAX:
            raise StatementError(f"more than {ROWS_MAX} elements", line=line)
        cells = list(attributes.values())
        refuse_hostile(cells, line)
        columns = {plain_name(name): index for index, name in enumerate(attributes)}
        # Rows are told apart by their lines, also where a query has several elements on one.
        self._line = max(line, self._line + 1)
        row = Row(Place(self._line, element), columns, cells)
        if element == "AccountInformation":
            self._base = self._rows.figures.currency = attributes.get("currency", "")
        section = _ELEMENTS.get(element)
        if section is None:
            self._collected.strange(row.place, "an element that is not known", cells)
        else:
            self._rows.take(section, row, attributes.get("levelOfDetail", "").upper() or _LEVEL_OF_ELEMENT.get(element, ""))
