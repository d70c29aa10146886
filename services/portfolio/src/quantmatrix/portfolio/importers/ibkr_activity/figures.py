"""What the statement says about itself: value, cash, positions, accruals and printed sums, for checks and never booked."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio.domain.statements import OpenPosition, PrintedLine, PrintedTotal, PriorPosition, Summary
from quantmatrix.portfolio.domain.statements_securities import spelled
from quantmatrix.portfolio.importers._reading import Row, decimal_of, money
from quantmatrix.portfolio.importers.ibkr_activity.cash import About
from quantmatrix.portfolio.importers.ibkr_activity.sections import INSTRUMENTS, Rows, asset_in, is_total

NAV = "Change in NAV"
CASH = "Cash Report"
MARKED = "Mark-to-Market Performance Summary"
OPEN = "Open Positions"
ACCRUALS = "Change in Dividend Accruals"
STARTING, ENDING = "Starting Value", "Ending Value"
_BASE = "Base Currency Summary"
_START, _END = "Starting Cash", "Ending Cash"
_BESIDE = {
    "Ending Settled Cash", "Starting Collateral Value", "Net Securities Lent Activity", "Ending Collateral Value", "Net Cash Balance",
    "Net Settled Cash Balance",
}  # fmt: skip
"""Lines of the cash report that move no cash: what settled of it, and collateral for shares that were lent out."""
_IN_VALUE = {"Deposits": "Deposits & Withdrawals", "Withdrawals": "Deposits & Withdrawals", "Broker Interest Paid and Received": "Interest"}
"""Lines of the cash report that the change in value prints under another name."""


def multipliers(rows: Rows) -> dict[str, Quantity]:
    """The multiplier by every name an instrument has: its symbol, other symbols behind a comma, and for options its description."""
    found: dict[str, Quantity] = {}
    for row in rows.of(INSTRUMENTS):
        multiplier = row.quantity("Multiplier")
        if multiplier is None:
            continue
        for name in (row.text("Symbol"), *row.text("Symbol").split(","), row.text("Description")):
            found.setdefault(name.strip(), multiplier)
    for row in rows.of(OPEN):
        multiplier = row.quantity("Mult")
        if multiplier and not is_total(row):
            found.setdefault(row.text("Symbol"), multiplier)
    return found


def names(rows: Rows) -> dict[str, str]:
    """Of instruments that the file lists under several symbols, because one was renamed, the symbol that stands for each of the others.

    It is the one that is held at the end, else that of the underlying, else the first.
    """
    held = {spelled(row.text("Symbol")) for row in rows.of(OPEN)}
    found: dict[str, str] = {}
    for row in rows.of(INSTRUMENTS):
        known = [spelled(name.strip()) for name in row.text("Symbol").split(",") if name.strip()]
        if len(known) > 1:
            root = row.text("Underlying")
            stands = next((one for one in known if one in held), next((one for one in known if one.split(" ")[0] == root), known[0]))
            found |= {one: stands for one in known if one != stands}
    return found


def value(rows: Rows, about: About) -> Summary | None:
    """Start, moves and end of the account's value, of several blocks their sums; None where the section is missing."""
    lines: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows.of(NAV):
        lines[row.text("Field Name")] += row.decimal("Field Value") or Decimal(0)
    if not {STARTING, ENDING} <= lines.keys() or len(lines) == 2:
        return None
    start, end = lines.pop(STARTING), lines.pop(ENDING)
    moved = sum(lines.values(), Decimal(0))
    return Summary(
        "value", money(start, about.currency, NAV), money(moved, about.currency, NAV), money(end, about.currency, NAV), _lines(lines, about.currency)
    )  # fmt: skip


def _lines(amounts: Mapping[str, Decimal], currency: str) -> tuple[PrintedLine, ...]:
    return tuple(PrintedLine(name, money(amount, currency, name)) for name, amount in amounts.items())


def again(rows: Rows, about: About) -> tuple[PrintedLine, ...]:
    """What the cash report prints of the lines of the change in value, in base currency."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows.of(CASH):
        if row.text("Currency") == _BASE and (amount := row.decimal("Total")) is not None:
            name = row.text("Currency Summary")
            found[_IN_VALUE.get(name, name)] += amount
    return _lines(found, about.currency)


def cash(rows: Rows) -> tuple[Summary, ...]:
    """Start, moves and end of each currency's cash; the summary in base currency is left out, and what was lent out beside it.

    A block runs from its starting to its ending cash: the one in base currency may name another currency inside.
    """
    ends: dict[str, dict[str, Decimal]] = defaultdict(dict)
    moves: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    block = ""
    for row in rows.of(CASH):
        currency, name, amount = row.text("Currency"), row.text("Currency Summary"), row.decimal("Total")
        block = currency if name == _START else block
        within, block = block or currency, "" if name == _END else block
        if _BASE in (currency, within) or amount is None or name in _BESIDE:
            continue
        if name in (_START, _END):
            ends[currency][name] = ends[currency].get(name, Decimal(0)) + amount
        else:
            moves[currency][name] += amount
    return tuple(_cash(currency, found, moves[currency]) for currency, found in ends.items() if len(found) == 2)


def _cash(currency: str, ends: dict[str, Decimal], moves: Mapping[str, Decimal]) -> Summary:
    start, end = money(ends[_START], currency, CASH), money(ends[_END], currency, CASH)
    total = sum(moves.values(), Decimal(0))
    return Summary(f"cash {currency}", start, money(total, currency, CASH), end, _lines(moves, currency))


def prior(rows: Rows, about: About) -> tuple[PriorPosition, ...] | None:
    """What was held before the period begins; None where no section says so."""
    return _marked(rows, about, "Prior Quantity") if rows.of(MARKED) else None


def ending(rows: Rows, about: About) -> tuple[PriorPosition, ...] | None:
    """What was held at the end, as the marks tell it; None where they do not."""
    return _marked(rows, about, "Current Quantity") if any(row.has("Current Quantity") for row in rows.of(MARKED)) else None


def _marked(rows: Rows, about: About, column: str) -> tuple[PriorPosition, ...]:
    return tuple(
        PriorPosition(about.account_of(row), about.symbol_of(row), quantity)
        for row in rows.of(MARKED)
        if not is_total(row) and asset_in(row) != "Forex"
        if (quantity := row.quantity(column)) is not None and row.text("Symbol")
    )


def positions(rows: Rows, about: About) -> tuple[OpenPosition, ...]:
    """What is held at the end: the rows that sum up, not the lots beneath them."""
    found = []
    for row in rows.of(OPEN):
        if is_total(row) or row.text("DataDiscriminator") not in ("Summary", ""):
            continue
        if (quantity := row.quantity("Quantity")) is not None:
            found.append(_position(row, quantity, about))
    return tuple(found)


def _position(row: Row, quantity: Quantity, about: About) -> OpenPosition:
    currency = row.text("Currency") or about.currency
    return OpenPosition(
        about.account_of(row), about.symbol_of(row), quantity, row.money("Cost Basis", currency), row.quantity("Mult"),
        row.price("Cost Price"), row.money("Value", currency), row.money("Unrealized P/L", currency), row.place.line,
    )  # fmt: skip


def accruals(rows: Rows, about: About) -> Summary | None:
    """Dividend accruals in base currency: start, the sum of postings and reversals, end. None where not all is printed in base."""
    start = end = None
    moves = Decimal(0)
    for row in rows.of(ACCRUALS):
        first = row.cells[2].strip() if len(row.cells) > 2 else ""
        if first.startswith(("Starting Dividend Accruals", "Ending Dividend Accruals")):
            amount = _last_number(row.cells)
            if first.startswith("Starting"):
                start = amount
            else:
                end = amount
        elif not is_total(row):
            if row.text("Currency") != about.currency:
                return None
            moves += row.decimal("Net Amount") or Decimal(0)
    if start is None or end is None:
        return None
    return Summary("dividend accruals", Money(start, about.currency), money(moves, about.currency, ACCRUALS), Money(end, about.currency))


def _last_number(cells: Iterable[str]) -> Decimal | None:
    found = None
    for cell in cells:
        try:
            found = decimal_of(cell, ACCRUALS) if decimal_of(cell, ACCRUALS) is not None else found
        except ValueError:
            continue
    return found


def totals(rows: Rows, sections: Iterable[str], base: str) -> tuple[PrintedTotal, ...]:
    """The sums that booked cash sections print over rows of one currency, where that currency can be told.

    Of a foreign currency the sum in base currency stands beside it; where it does not, the sum may be that one.
    """
    found = []
    for section in sections:
        currencies = {row.text("Currency") for row in rows.of(section) if not is_total(row) and row.text("Currency")}
        if currencies != {base} and not any("".join(row.cells[2:3]).startswith("Total in ") for row in rows.of(section)):
            continue
        for row in rows.of(section):
            if "".join(row.cells[2:3]).strip() != "Total" or len(currencies) != 1:
                continue
            amount = _last_number(row.cells)
            if amount is not None:
                (currency,) = currencies
                found.append(PrintedTotal(section, Money(amount, currency), row.place.line))
    return tuple(found)
