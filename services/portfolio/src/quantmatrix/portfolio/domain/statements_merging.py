"""Rows of one account out of two kinds of files of its broker: which of them tell of the same thing, and where the two contradict each other."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from quantmatrix.common.values import plain
from quantmatrix.portfolio.domain.statements import Entry, EntryKind
from quantmatrix.portfolio.domain.statements_securities import spelled

CENTS = Decimal("0.02")
APART_MAX = timedelta(days=5)
"""How far the days lie apart that two kinds of files print for one payment: of booking, of value, of report."""
CONTRADICTIONS_MAX = 3
_IN_UNITS = frozenset({EntryKind.TRADE, EntryKind.CONVERSION, EntryKind.EXPIRY, EntryKind.ASSIGNMENT, EntryKind.EXERCISE})

Group = tuple[object, ...]
Days = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Merged:
    """same: by the key of a row, the key of the booked row that tells the same. contradictions: what only a person can settle, in words."""

    same: dict[str, str]
    contradictions: tuple[str, ...]


def merged(new: Sequence[Entry], booked: Sequence[Entry], both: Sequence[Days]) -> Merged:
    """Find the rows of a file among those that another kind of file brought. both: the days that both kinds tell of.

    Row by row first: kind, security, units and amount to two cents, on one day, then a few days apart. What is left of a security and a day is
    compared in sum, for an order stands for several executions. What is left then is new, unless both kinds have something left of that day.
    """
    left, waiting, same = list(new), list(booked), dict[str, str]()
    for apart in (timedelta(0), APART_MAX):
        left = [entry for entry in left if not _take(entry, waiting, same, apart if _within(entry, both) else timedelta(0))]
    ours, theirs = _grouped(left), _grouped(waiting)
    for group, rows in list(ours.items()):
        others = theirs.get(group, [])
        if others and _alike(rows, others):
            same |= {entry.broker_key: others[0].broker_key for entry in rows}
            del ours[group], theirs[group]
    return Merged(same, tuple(_contradictions(ours, theirs, both)[:CONTRADICTIONS_MAX]))


def _contradictions(ours: dict[Group, list[Entry]], theirs: dict[Group, list[Entry]], both: Sequence[Days]) -> list[str]:
    """Where both kinds have something left of one security and day, or other trades each of one day: perhaps one under two symbols."""
    traded = {rows[0].session: rows for rows in theirs.values() if rows[0].kind in _IN_UNITS}
    found = []
    for group, rows in ours.items():
        others = theirs.get(group) or (traded.get(rows[0].session, []) if rows[0].kind in _IN_UNITS else [])
        if others and _within(rows[0], both):
            found.append(f"line {rows[0].place.line}: {_words(rows)} here, {_words(others)} booked")
    return found


def _within(entry: Entry, both: Sequence[Days]) -> bool:
    return any(first <= entry.session <= last for first, last in both)


def _take(entry: Entry, waiting: list[Entry], same: dict[str, str], apart: timedelta) -> bool:
    """Whether an equal row waits; it is then taken, the nearest day first."""
    found = [one for one in waiting if abs(one.session - entry.session) <= apart and _equal(entry, one)]
    if not found:
        return False
    other = min(found, key=lambda one: abs(one.session - entry.session))
    waiting.remove(other)
    same[entry.broker_key] = other.broker_key
    return True


def _equal(left: Entry, right: Entry) -> bool:
    if left.kind is not right.kind or spelled(left.symbol or "") != spelled(right.symbol or ""):
        return False
    return (left.quantity or 0) == (right.quantity or 0) and _alike([left], [right])


def _alike(left: Sequence[Entry], right: Sequence[Entry]) -> bool:
    """Whether units, amounts and, where both tell them, fees are the same in sum."""
    if _units(left) != _units(right) or not _near(_sum(left, _amount), _sum(right, _amount), len(left) + len(right)):
        return False
    return any(entry.fee is None for entry in (*left, *right)) or _near(_sum(left, _fee), _sum(right, _fee), len(left) + len(right))


def _near(left: dict[str, Decimal], right: dict[str, Decimal], rows: int) -> bool:
    return all(abs(left.get(one, Decimal(0)) - right.get(one, Decimal(0))) <= CENTS * rows / 2 for one in left.keys() | right.keys())


def _units(entries: Iterable[Entry]) -> Decimal:
    return sum((entry.quantity.value for entry in entries if entry.quantity), Decimal(0))


def _amount(entry: Entry) -> tuple[str, Decimal] | None:
    return (entry.amount.currency, entry.amount.amount) if entry.amount is not None else None


def _fee(entry: Entry) -> tuple[str, Decimal] | None:
    return (entry.fee.currency, entry.fee.amount) if entry.fee is not None else None


def _sum(entries: Iterable[Entry], part: Callable[[Entry], tuple[str, Decimal] | None]) -> dict[str, Decimal]:
    """By currency."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        if (one := part(entry)) is not None:
            found[one[0]] += one[1]
    return found


def _grouped(entries: Sequence[Entry]) -> dict[Group, list[Entry]]:
    """What is compared in sum: of a kind, a security and a day, purchases and sales apart."""
    found: dict[Group, list[Entry]] = defaultdict(list)
    for entry in entries:
        side = entry.kind in _IN_UNITS and entry.quantity is not None and entry.quantity.value > 0
        found[entry.kind, spelled(entry.symbol or ""), entry.session, side].append(entry)
    return found


def _words(entries: Sequence[Entry]) -> str:
    amounts = " and ".join(f"{plain(amount)} {currency}" for currency, amount in _sum(entries, _amount).items())
    units = _units(entries)
    about = f"{plain(units)} {entries[0].symbol} for " if units else f"{entries[0].symbol} " if entries[0].symbol else ""
    fees = " and ".join(f"{plain(amount)} {currency}" for currency, amount in _sum(entries, _fee).items() if amount)
    return f"{entries[0].kind.value.replace('_', ' ')} of {about}{amounts}{', fee ' * bool(fees)}{fees} on {entries[0].session}"
