"""What a statement's entries do to cash, currency by currency, and what must have lain there before they begin."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from quantmatrix.common.ids import derived_id
from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.statements import Entry, EntryKind
from quantmatrix.portfolio.domain.statements_securities import at_of, fill_id_of

OPENING = "opening"
COMMISSION = "commission"
_OF_TRADES = frozenset({EntryKind.TRADE, EntryKind.EXERCISE, EntryKind.ASSIGNMENT, EntryKind.EXPIRY})
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CashLine:
    """One movement. about: the id of what moved it; place tells the movements of one entry apart.

    counts_on: the day of the file that tells of it, which is later than the session where it tells late.
    """

    about: UUID
    kind: str
    place: int
    amount: Money
    session: date
    at: datetime
    counts_on: date


@dataclass(frozen=True, slots=True)
class Opening:
    """Cash that a file prints at its beginning. follows: a file before it ends the day before, so that nothing lies between."""

    first: date
    cash: tuple[Money, ...]
    follows: bool


def moves_of(entry: Entry) -> list[Money]:
    """The amounts that an entry adds to cash; of a future only its gain, which has all fees in it, of a conversion both sides."""
    if is_marked_daily(entry) and entry.realised is not None:
        return [entry.realised]
    found = [entry.amount] if entry.amount is not None and not is_marked_daily(entry) else []
    if entry.fee is not None:
        found.append(-entry.fee)
    if entry.kind is EntryKind.CONVERSION and entry.symbol and entry.quantity:
        found.append(Money(entry.quantity.value, entry.symbol.replace("/", ".").split(".")[0]))
    return found


def is_marked_daily(entry: Entry) -> bool:
    """Whether it trades something of which the day's gain is paid and never the value."""
    return entry.kind in _OF_TRADES and (entry.asset in ("Futures", "FUT") or entry.asset.startswith("CFD"))


def cash_lines(entries: Iterable[Entry], counts_on: Callable[[Entry], date]) -> list[CashLine]:
    """Every movement of the entries, commissions apart from what they were paid for."""
    found = []
    for entry in entries:
        about, at = fill_id_of(entry), at_of(entry)
        kind = "trade" if entry.kind in _OF_TRADES else entry.kind.value
        fee = -entry.fee if entry.fee is not None else None
        for place, amount in enumerate(moves_of(entry)):
            if amount:
                found.append(
                    CashLine(about, COMMISSION if place and amount == fee else kind, place, amount, entry.session, at, counts_on(entry))
                )
    return found


def with_openings(account: str, lines: Sequence[CashLine], openings: Sequence[Opening]) -> list[CashLine]:
    """The lines with what lay there before them: at the beginning of the first file, and after a gap between files."""
    found = list(lines)
    for opening in sorted(openings, key=lambda one: one.first):
        if opening.follows:
            continue
        running: dict[str, Money] = {}
        for line in found:
            if line.counts_on < opening.first:
                known = running.get(line.amount.currency)
                running[line.amount.currency] = line.amount if known is None else known + line.amount
        for start in opening.cash:
            missing = start - running.get(start.currency, Money.zero(start.currency))
            if missing:
                day = opening.first - ONE_DAY
                about = derived_id("statement opening", account, start.currency, opening.first)
                found.append(CashLine(about, OPENING, 0, missing, day, datetime.combine(day, time(), UTC), day))
    return sorted(found, key=lambda line: (line.at, line.about, line.place))
