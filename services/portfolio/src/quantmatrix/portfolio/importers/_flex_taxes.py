"""Transaction taxes of Flex queries: rows of their own, which a trade's column of taxes may have in it already."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from quantmatrix.portfolio.domain.statements import Entry
from quantmatrix.portfolio.importers._reading import Row

RESTATED = "a tax that is part of the costs of its trade"
SUMMED = "a summary over transaction taxes"
_COLUMNS = ("taxes", "tax", "salestax", "tradecharge", "othertax")
_STANDALONE = "STANDALONE"

Read = tuple[Row, str, Entry]
"""A row, its level of detail, and what it says."""
_Day = tuple[str, str | None, object]


def taxes_in(row: Row) -> Decimal:
    """What a trade's own columns of taxes say together."""
    return sum((row.decimal(name) or Decimal(0) for name in _COLUMNS), Decimal(0))


def reasons(taxes: Sequence[Read], trades: Sequence[Read], summaries: frozenset[str]) -> dict[int, str]:
    """Why which rows of taxes are not booked, by their line: they restate a trade, or sum up others that are there."""
    by_trade: dict[str, Decimal] = defaultdict(Decimal)
    by_day: dict[tuple[_Day, bool], Decimal] = defaultdict(Decimal)
    for row, level, entry in trades:
        paid = _paid_in(row, entry)
        by_trade[row.text("tradeid")] += paid
        by_day[_day(entry), level == "ORDER"] += paid
    levied: dict[_Day, Decimal] = defaultdict(Decimal)
    for _, _, entry in taxes:
        if entry.amount is not None:
            levied[_day(entry)] += entry.amount.amount
    details = any(level not in summaries for _, level, _ in taxes)
    found = {}
    for row, level, entry in taxes:
        if details and level in summaries:
            found[row.place.line] = SUMMED
        elif row.text("source").upper() != _STANDALONE and _is_inside(row, entry, by_trade, by_day, levied):
            found[row.place.line] = RESTATED
    return found


def _is_inside(
    row: Row, entry: Entry, by_trade: dict[str, Decimal], by_day: dict[tuple[_Day, bool], Decimal], levied: dict[_Day, Decimal]
) -> bool:
    day, trade = _day(entry), row.text("tradeid")
    if trade and trade in by_trade:
        return bool(by_trade[trade])
    return any(
        paid * levied[day] > 0 and abs(levied[day]) <= abs(paid) for paid in (by_day.get((day, True)), by_day.get((day, False))) if paid
    )


def _paid_in(row: Row, entry: Entry) -> Decimal:
    """The taxes that a trade's costs have in them: none where the commission is in another currency."""
    return taxes_in(row) if entry.fee is None or entry.amount is None or entry.fee.currency == entry.amount.currency else Decimal(0)


def _day(entry: Entry) -> _Day:
    return entry.account, entry.symbol, entry.session
