"""A whole Activity Statement: its sections in turn, every data row accounted for."""

import re
from dataclasses import replace
from typing import ClassVar

from quantmatrix.common.values import NotExactError
from quantmatrix.portfolio.domain.statements import ClosedLot, Entry, EntryKind, Figures, Statement
from quantmatrix.portfolio.importers._collecting import Collected
from quantmatrix.portfolio.importers._reading import Row, UnreadableCellError, text_of
from quantmatrix.portfolio.importers.ibkr_activity import cash, figures, levies, trades
from quantmatrix.portfolio.importers.ibkr_activity.cash import About
from quantmatrix.portfolio.importers.ibkr_activity.sections import (
    ACCOUNT,
    STATEMENT,
    Rows,
    is_information,
    is_total,
    period_of,
    refuse_other_languages,
    sort_rows,
)  # fmt: skip
from quantmatrix.portfolio.ports import StatementError

_BEGINNING = re.compile(rf'\s*"?{STATEMENT}"?(?P<between>[,;\t])"?Header"?(?P=between)')
TOTAL = "a total over other rows"
LAST_SECTIONS = ("Financial Instrument Information", "Codes", "Notes/Legal Notes")
SUMMED_SECTIONS = ("Dividends", "Withholding Tax", "Deposits & Withdrawals", "Interest", "Fees", "Commission Adjustments")


class ActivityImporter:
    """Reads by the header in force of each section, so that columns may come, go and move."""

    name: ClassVar[str] = "ibkr_activity"
    title: ClassVar[str] = "Interactive Brokers Activity Statement (CSV)"

    def recognises(self, file_name: str, head: bytes) -> bool:
        text = head.decode("utf-8", errors="ignore").removeprefix("\ufeff")
        return _BEGINNING.match(text) is not None and "Transaction History" not in text

    def read(self, body: bytes) -> Statement:
        text = text_of(body)
        begins = _BEGINNING.match(text)
        if begins is None:
            raise StatementError("it does not begin as an Activity Statement does", line=1)
        if begins["between"] != ",":
            raise StatementError(
                "its columns are not separated by commas, as if a spreadsheet had saved it: import the broker's own file", line=1
            )
        collected = Collected()
        rows = sort_rows(text, collected)
        period = period_of(rows)
        refuse_other_languages(rows)
        try:
            about = About(
                rows.field(ACCOUNT, "Account"), rows.field(ACCOUNT, "Base Currency"), figures.multipliers(rows), figures.names(rows)
            )
            if not about.account or not about.currency:
                raise StatementError(f"section {ACCOUNT} names no account or no base currency")
            closed = self._book(rows, about, collected)
            whole = trades.are_whole(rows.subtotals.get(trades.SECTION, []), collected.entries, about)
            said = replace(self._figures(rows, about, closed), whole_trades=whole)
            held = figures.positions(rows, about)
        except StatementError:
            raise
        except UnreadableCellError as error:
            raise StatementError(str(error), line=error.line) from error
        except NotExactError as error:
            raise StatementError("a summary has a figure or a currency that cannot be read") from error
        ending = [one.end for one in said.cash]
        return collected.statement(self.name, about.currency, period, [about.account], held, ending, said)

    def _book(self, rows: Rows, about: About, collected: Collected) -> list[ClosedLot]:
        closed: list[ClosedLot] = []
        for section, found in rows.by_section.items():
            if is_information(section):
                for row in found:
                    collected.ignore(row.place, f"information: {section}")
                continue
            bookable = [row for row in found if not is_total(row)]
            for row in found:
                if is_total(row):
                    collected.ignore(row.place, TOTAL)
            if section == trades.SECTION:
                closed = trades.read_trades(bookable, about, collected)
            elif section != levies.SECTION:
                for row in bookable:
                    self._book_row(section, row, about, collected)
        self._book_levies([row for row in rows.of(levies.SECTION) if not is_total(row)], rows, about, collected)
        return closed

    def _book_row(self, section: str, row: Row, about: About, collected: Collected) -> None:
        read = cash.SECTIONS.get(section)
        if read is None:
            collected.strange(row.place, "a section that is not known", row.cells)
            return
        try:
            entry = read(row, about)
        except ValueError as error:
            collected.damaged(row, error)
            return
        self._keep(section, entry, collected)

    def _keep(self, section: str, entry: Entry, collected: Collected) -> None:
        collected.book(entry, section, entry.symbol, entry.session, entry.at, entry.quantity, entry.amount, entry.text)

    def _book_levies(self, found: list[Row], rows: Rows, about: About, collected: Collected) -> None:
        """Fees of trades, after the trades: those that a commission has in it already are not booked again."""
        fees: list[Entry] = []
        for row in found:
            try:
                fees.append(cash.SECTIONS[levies.SECTION](row, about))
            except ValueError as error:
                collected.damaged(row, error)
        traded = [entry for entry in collected.entries if entry.kind in (EntryKind.TRADE, EntryKind.CONVERSION)]
        inside = levies.within_commissions(fees, traded, figures.cash(rows)) if fees else set()
        for fee in fees:
            if fee.place.line in inside:
                collected.ignore(fee.place, levies.RESTATED)
            else:
                self._keep(levies.SECTION, fee, collected)

    def _figures(self, rows: Rows, about: About, closed: list[ClosedLot]) -> Figures:
        unknown = [
            section for section in rows.by_section if not is_information(section) and section not in {*cash.SECTIONS, trades.SECTION}
        ]
        return Figures(
            value=figures.value(rows, about),
            again=figures.again(rows, about),
            cash=figures.cash(rows),
            accruals=figures.accruals(rows, about),
            prior=figures.prior(rows, about),
            ending=figures.ending(rows, about),
            sections=frozenset(rows.by_section),
            closed_lots=tuple(closed),
            totals=figures.totals(rows, SUMMED_SECTIONS, about.currency),
            wash_sales=any("wash sales" in note for note in rows.notes),
            unknown_sections=tuple(unknown),
            names=about.names,
            open_ended=not any(rows.of(section) for section in LAST_SECTIONS),
        )
