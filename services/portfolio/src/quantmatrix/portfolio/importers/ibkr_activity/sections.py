"""What the sections of an Activity Statement are: which are booked, which are information, and the grammar of their rows."""

import re
from dataclasses import dataclass, field
from datetime import date

from quantmatrix.portfolio.domain.statements import Place
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._reading import Row, columns_of, rows_of
from quantmatrix.portfolio.ports import StatementError

STATEMENT = "Statement"
ACCOUNT = "Account Information"
INSTRUMENTS = "Financial Instrument Information"
STRUCTURE = {"Header", "SubTotal", "Total", "Notes"}
PSEUDO_SECTIONS = ("Total P/L for Statement Period", "Notes")
INFORMATION = {
    STATEMENT, ACCOUNT, INSTRUMENTS, "Codes", "Notes/Legal Notes", "Net Asset Value", "Change in NAV",
    "Mark-to-Market Performance Summary", "Realized & Unrealized Performance Summary",
    "Month & Year to Date Performance Summary", "Cash Report", "Open Positions", "Change in Dividend Accruals",
    "Open Dividend Accruals", "Interest Accruals", "Borrow Fee Details", "Net Stock Position Summary", "Account Summary",
    "Forex Balances", "Forex P/L Details", "Commission Details", "Collateral for Customer Borrowing", "Trade Allocations",
    "Option Exercises, Assignments and Expirations", "Unsettled Trades", "Pending Excercises", "Pending Exercises",
    "Location of Customer Assets, Positions and Money", "Hard to Borrow Details", "Base Currency Exchange Rate",
    "Soft Dollar Details", "Positions and Mark-to-Market Profit and Loss", "Statement of Funds", "Trade Summary by Asset Class",
    "Trade Summary by Symbol", "Trade Summary by Underlying", "Complex Positions Summary", "Tier Interest Details", "Margin Summary",
    "Equity Summary in Base", "Performance Summary", "Margin Report", "Change in Position Value", "Change in Combined NAV",
    "Complex Position Summary", "Disclaimer", "Legal Notes",
}  # fmt: skip
INFORMATION_BEGINNINGS = (
    "Stock Yield Enhancement Program", "IBKR Stock Yield Enhancement Program", "IBKR Managed Securities", "Exchange Rates", "Sales Tax Details",
    "GST",
)  # fmt: skip
_COLUMNS = {"Comm/Tax": "Comm/Fee", "Net Amnt": "Net Amount", "Gross Amnt": "Gross Amount", "Asset Class": "Asset Category"}
"""What columns were called in other years."""

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"), start=1
    )
}
_DAY = re.compile(r"(?P<month>\w+) (?P<day>\d{1,2}), (?P<year>\d{4})", re.ASCII)
_HELD_WITH = " - Held with "
_ENGLISH_ONLY = "export the statement in English (in the portal: Settings, Language) and import that"


@dataclass(frozen=True, slots=True)
class Rows:
    """The data rows of a file by section, in the file's order, and what stands beside them."""

    by_section: dict[str, list[Row]] = field(default_factory=dict)
    subtotals: dict[str, list[Row]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def of(self, section: str) -> list[Row]:
        return self.by_section.get(section, [])

    def field(self, section: str, name: str) -> str:
        """The value of a row of name and value, by its place, for headers are translated; empty where there is none."""
        return next((row.cells[3].strip() for row in self.of(section) if len(row.cells) > 3 and row.cells[2].strip() == name), "")

    def line_of(self, section: str, name: str) -> int | None:
        """The line of such a row."""
        return next((row.place.line for row in self.of(section) if len(row.cells) > 3 and row.cells[2].strip() == name), None)


def sort_rows(text: str, collected: Collected) -> Rows:
    """Data rows under the last header of their own section. What is no row of a section goes to `collected`."""
    rows = Rows()
    headers: dict[str, tuple[dict[str, int], int]] = {}
    last: tuple[int, list[str], int] | None = None
    for line, cells in rows_of(text):
        section, kind = cells[0].strip(), cells[1].strip() if len(cells) > 1 else ""
        if kind == "Header":
            headers[section] = (columns_of([_COLUMNS.get(cell.strip(), cell) for cell in cells[2:]], offset=2), len(cells))
        elif kind == "Data" and section in headers:
            columns, width = headers[section]
            rows.by_section.setdefault(section, []).append(Row(Place(line, section), columns, cells))
            last = (line, cells, width)
            continue
        elif kind == "Data":
            raise StatementError("a data row before the header of its section", line=line)
        elif kind == "SubTotal" and section in headers:
            rows.subtotals.setdefault(section, []).append(Row(Place(line, section), headers[section][0], cells))
        elif section in PSEUDO_SECTIONS:
            rows.notes.append(" ".join(cells))
        elif kind not in STRUCTURE:
            collected.strange(Place(line, section), "no row of any section", cells)
        last = None
    _refuse_cut_off(text, last)
    return rows


def _refuse_cut_off(text: str, last: tuple[int, list[str], int] | None) -> None:
    """The last row of a file that was cut off ends without a line break, in the middle of its columns."""
    if last is not None and not text.endswith(("\n", "\r")) and len(last[1]) < last[2] and not "".join(last[1][2:3]).startswith("Total"):
        raise StatementError("the file ends in the middle of a row", line=last[0])


def period_of(rows: Rows) -> tuple[date, date]:
    """First and last day, from the row Period. Raises StatementError when it is missing or in another language."""
    place = rows.line_of(STATEMENT, "Period")
    said = next((",".join(row.cells[3:]) for row in rows.of(STATEMENT) if row.place.line == place), "")
    days = [_day(match, place) for match in _DAY.finditer(said)]
    if not days:
        raise StatementError(f"the statement names no period that can be read; {_ENGLISH_ONLY}", line=place)
    return days[0], days[-1]


def _day(match: re.Match[str], line: int | None) -> date:
    month = _MONTHS.get(match["month"])
    if month is None:
        raise StatementError(f"the period is in another language than English; {_ENGLISH_ONLY}", line=line)
    try:
        return date(int(match["year"]), month, int(match["day"]))
    except ValueError as error:
        raise StatementError("the period names a day that does not exist", line=line) from error


def refuse_other_languages(rows: Rows) -> None:
    """Raise StatementError where the section about the account is not there under its English name."""
    if not rows.of(ACCOUNT):
        others = [section for section in rows.by_section if section != STATEMENT]
        if others:
            raise StatementError(f"there is no section {ACCOUNT}; if the statement is in another language, {_ENGLISH_ONLY}")


def asset_in(row: Row) -> str:
    """The broker's word for the class, without the custodian that statements of some years name behind it (`Stocks - Held with …`)."""
    return row.text("Asset Category").split(_HELD_WITH)[0].strip()


def is_information(section: str) -> bool:
    return section in INFORMATION or section.startswith(INFORMATION_BEGINNINGS)


def is_total(row: Row) -> bool:
    """A sum that stands among the data rows, as `Total` or `Total in USD` in the first cell that has something."""
    first = next((text for cell in row.cells[2:] if (text := cell.strip())), "")
    return first == "Total" or first.startswith("Total ")
