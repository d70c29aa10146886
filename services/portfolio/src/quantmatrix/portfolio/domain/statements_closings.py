"""The broker's printed basis beside our own, and positions and cash beside the statement's end figures."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from quantmatrix.common.values import Money, Quantity, plain
from quantmatrix.portfolio.domain.statements import Entry, EntryKind, Statement
from quantmatrix.portfolio.domain.statements_cash import moves_of
from quantmatrix.portfolio.domain.statements_identities import COMMISSION_LEFT_OUT, Cause, Difference, is_option, is_refunded
from quantmatrix.portfolio.domain.statements_replay import Replay, Step
from quantmatrix.portfolio.domain.statements_securities import spelled
from quantmatrix.portfolio.domain.statements_standing import Key
from quantmatrix.portfolio.domain.statements_tracing import lines_without_rows

CENT = Decimal("0.01")
_PER_CONTRACT = Decimal("0.007")


@dataclass(frozen=True, slots=True)
class Closings:
    """checked: closing trades whose basis is printed and known to us. pending: those that use up lots of unknown basis."""

    checked: int
    pending: int
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> int:
        return self.checked - len(self.differences)


@dataclass(frozen=True, slots=True)
class Ends:
    """Figures at the end that were compared with what the entries make, and those that differ."""

    checked: int
    differences: tuple[Difference, ...]

    @property
    def unexplained(self) -> int:
        return sum(one.cause is None for one in self.differences)


def closings_of(statement: Statement, replay: Replay) -> Closings:
    """Every closing trade's own basis against the printed one, to one cent."""
    pending, differences, checked = 0, [], 0
    spun = {entry.symbol for entry in statement.entries if entry.kind is EntryKind.CORPORATE_ACTION and "Spin" in entry.text}
    for step in replay.steps:
        printed = step.entry.basis
        if not step.booked.closings or printed is None:
            continue
        own = _own(step, printed.currency)
        if own is None:
            pending += 1
            continue
        checked += 1
        if abs(own + printed).amount > CENT:
            cause = Cause.SPUN_OFF if step.entry.symbol in spun else _cause(step, own + printed, statement)
            note = "" if cause else _looks_like(step, own + printed)
            differences.append(Difference(step.entry.place.line, step.entry.symbol or "", -printed, own, cause, note))
    return Closings(checked, pending, tuple(_averaged(differences, statement)))


def _own(step: Step, currency: str) -> Money | None:
    """The basis that a trade used up; one that also opens is printed with both in one figure."""
    total = Money.zero(currency)
    for closing in step.booked.closings:
        if closing.basis is None:
            return None
        total += closing.basis
    if step.booked.opened is not None:
        if step.booked.opened.basis is None:
            return None
        total -= step.booked.opened.basis
    return total


def _cause(step: Step, difference: Money, statement: Statement) -> Cause | None:
    entry, size = step.entry, abs(difference).amount
    if is_refunded(statement, entry.symbol or "", size, CENT):
        return Cause.COMMISSION_ADJUSTMENT
    units = abs(entry.quantity).value if entry.quantity else Decimal(0)
    if is_option(entry) and size <= units * _PER_CONTRACT:
        return Cause.COMMISSION_ADJUSTMENT
    if entry.printed and "LD" in entry.printed.codes:
        return Cause.WASH_SALE
    if statement.figures.wash_sales and difference.amount < 0:
        return Cause.WASH_SALE
    if difference.amount > 0 and _taxed_again(entry, statement):
        return Cause.RETURN_OF_CAPITAL
    return None


def _looks_like(step: Step, difference: Money) -> str:
    return COMMISSION_LEFT_OUT if step.fees and abs(abs(difference).amount - abs(step.fees).amount) <= CENT else ""


def _taxed_again(entry: Entry, statement: Statement) -> bool:
    """Tax given back on an earlier dividend is the trace that a return of capital leaves when it is printed nowhere."""
    return any(
        one.symbol == entry.symbol and one.amount is not None and one.amount.amount > 0
        for one in statement.entries
        if one.kind is EntryKind.WITHHOLDING_TAX
    ) or any(one.symbol == entry.symbol for one in statement.entries if one.kind is EntryKind.RETURN_OF_CAPITAL)


def _averaged(differences: Sequence[Difference], statement: Statement) -> list[Difference]:
    """Orders of one symbol that hide several executions differ one by one and agree in sum."""
    sums: dict[str, Money] = {}
    for one in differences:
        sums[one.about] = sums[one.about] + one.amount if one.about in sums else one.amount
    counts: dict[str, int] = defaultdict(int)
    for one in differences:
        counts[one.about] += 1
    return [
        replace(one, cause=Cause.SEVERAL_EXECUTIONS, note="") if counts[one.about] > 1 and abs(sums[one.about]).amount <= CENT else one
        for one in differences
    ]


def cut_off(statement: Statement, positions: Ends, cash: Ends) -> str:
    """Why a file without an end was cut off, or exported without sections: its rows do not make what it sums up. Empty where they do."""
    if not statement.figures.open_ended:
        return ""
    lacks = "it has none of the sections that such a file ends with"
    value = statement.figures.value
    if not statement.entries and (value is None or any(one.amount for one in value.lines)):
        return f"the file was cut off: {lacks}, and nothing in it can be booked"
    for one in (*cash.differences, *positions.differences):
        figures = f"{one.about} is printed as {plain(one.printed.amount)} and its rows make {plain(one.expected.amount)}"
        return f"the file was cut off: {lacks}, and {figures}" + (f" ({one.note})" if one.note else "")
    return ""


def positions_of(statement: Statement, replay: Replay) -> Ends:
    """Held at the end, in units, where the beginning was not inferred from that very figure."""
    told = [(one.account, one.symbol, one.quantity, one.line) for one in statement.positions]
    if not told:
        if statement.figures.ending is None:
            return Ends(0, ())
        told = [(one.account, one.symbol, one.quantity, 0) for one in statement.figures.ending]
    printed: dict[Key, Quantity] = defaultdict(lambda: Quantity(0))
    lines: dict[Key, int] = {}
    for account, symbol, quantity, line in told:
        key = (account, spelled(symbol))
        printed[key] += quantity
        lines[key] = line
    compared = (printed.keys() | {key for key in replay.lots if replay.held(key)}) - replay.inferred
    units = statement.currency
    differences = [
        Difference(lines.get(key, 0), key[1], Money(printed[key].value, units), Money(replay.held(key).value, units), None)
        for key in sorted(compared)
        if printed[key] != replay.held(key)
    ]
    return Ends(len(compared), tuple(differences))


def cash_of(statement: Statement) -> Ends:
    """Each currency's cash at the end: what was there, and what the entries moved."""
    moved: dict[str, Money] = {}
    for entry in statement.entries:
        for amount in moves_of(entry):
            moved[amount.currency] = moved[amount.currency] + amount if amount.currency in moved else amount
    differences = []
    for summary in statement.figures.cash:
        expected = summary.start + moved.get(summary.start.currency, Money.zero(summary.start.currency))
        if abs(summary.end - expected).amount > CENT:
            note = lines_without_rows(summary, statement.entries)
            differences.append(Difference(0, summary.name, summary.end, expected, None, note))
    return Ends(len(statement.figures.cash), tuple(differences))


def totals_of(statement: Statement) -> Ends:
    """What a section prints as its sum, against the rows that were read from it."""
    sums: dict[str, Money] = {}
    for entry in statement.entries:
        if entry.amount is not None:
            section = entry.place.section
            held = sums.get(section)
            if held is None or held.currency == entry.amount.currency:
                sums[section] = entry.amount if held is None else held + entry.amount
    differences = []
    for one in statement.figures.totals:
        own = sums.get(one.section, Money.zero(one.total.currency))
        if own.currency != one.total.currency or abs(own - one.total).amount > CENT:
            differences.append(Difference(one.line, one.section, one.total, own, None))
    return Ends(len(statement.figures.totals), tuple(differences))
