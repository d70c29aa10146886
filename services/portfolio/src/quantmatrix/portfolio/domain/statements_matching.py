"""A broker's executions held against the fills that execution reported: what is missing, extra or different, with both figures."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from quantmatrix.common.names import FillId
from quantmatrix.common.values import Money, Price, Quantity, plain
from quantmatrix.portfolio.domain.statements import Entry, EntryKind
from quantmatrix.portfolio.domain.statements_securities import spelled
from quantmatrix.portfolio.domain.statements_standing import standing

CENTS = Decimal("0.02")


class BreakKind(StrEnum):
    """missing: the statement has it and no fill was reported; extra: the other way round; different: both have it, not alike."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Told:
    """One execution as one side tells it. ids: what that side calls it; quantity carries the sign of its side."""

    ids: frozenset[str]
    symbol: str
    session: date
    quantity: Quantity
    price: Price
    fee: Money | None
    reference: str

    def words(self) -> str:
        fee = f", fee {plain(self.fee.amount)} {self.fee.currency}" if self.fee is not None else ""
        return f"{self.quantity} at {self.price}{fee}"


class Side(Protocol):
    """What one side says of a break. reference: what it calls it."""

    @property
    def reference(self) -> str: ...

    def words(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Break:
    """A difference about one symbol on one day; a side that has nothing is empty."""

    kind: BreakKind
    symbol: str
    session: date
    statement: tuple[Side, ...]
    ledger: tuple[Side, ...]

    def said(self, side: Sequence[Side]) -> str | None:
        return "; ".join(one.words() for one in side) or None


def of_statement(entries: Iterable[Entry]) -> list[Told]:
    """The trades among a statement's entries, without those that were cancelled."""
    return [
        Told(
            frozenset({entry.broker_key}), spelled(entry.symbol), entry.session, entry.quantity, entry.price, entry.fee, entry.broker_key
        )
        for entry in standing(list(entries))
        if entry.kind is EntryKind.TRADE and entry.symbol and entry.quantity and entry.price is not None
    ]  # fmt: skip


def of_fill(fill_id: FillId, execution_id: str | None, symbol: str, session: date, quantity: Quantity, price: Price, fee: Money) -> Told:
    """A fill as the ledger has it."""
    ids = frozenset({execution_id} if execution_id else ())
    return Told(ids, spelled(symbol), session, quantity, price, fee, str(fill_id))


def breaks_of(statement: Sequence[Told], ledger: Sequence[Told]) -> list[Break]:
    """Every execution that has no equal on the other side.

    Looked for by the broker's id first, then by content (symbol, day, signed quantity, price); what is left of a symbol, a day
    and a side is compared in sum, for one row of a statement may stand for several executions. Amounts agree to two cents.
    """
    found: list[Break] = []
    ours, theirs = list(ledger), list(statement)
    for one in list(theirs):
        other = next((fill for fill in ours if one.ids & fill.ids), None)
        if other is not None:
            theirs.remove(one)
            ours.remove(other)
            if not _alike([one], [other]):
                found.append(_different(one, [one], [other]))
    _take_equal(theirs, ours)
    left = _by(_group, theirs), _by(_group, ours)
    for key in sorted(left[0].keys() | left[1].keys()):
        printed, booked = left[0].get(key, []), left[1].get(key, [])
        if printed and booked:
            if not _alike(printed, booked):
                found.append(_different(printed[0], printed, booked))
        else:
            kind = BreakKind.MISSING if printed else BreakKind.EXTRA
            found += [
                Break(kind, one.symbol, one.session, (one,) if printed else (), () if printed else (one,)) for one in printed or booked
            ]
    return sorted(found, key=lambda one: (one.session, one.symbol, one.kind, one.said(one.statement) or "", one.said(one.ledger) or ""))


def _take_equal(theirs: list[Told], ours: list[Told]) -> None:
    waiting = _by(lambda one: (*_group(one), one.quantity, one.price), ours)
    for one in list(theirs):
        candidates = [other for other in waiting.get((*_group(one), one.quantity, one.price), []) if _alike([one], [other])]
        if candidates:
            waiting[*_group(one), one.quantity, one.price].remove(candidates[0])
            theirs.remove(one)
            ours.remove(candidates[0])


def _group(one: Told) -> tuple[date, str, bool]:
    return one.session, one.symbol, one.quantity.value > 0


def _by(key: Callable[[Told], tuple[object, ...]], side: Iterable[Told]) -> dict[tuple[object, ...], list[Told]]:
    found: dict[tuple[object, ...], list[Told]] = defaultdict(list)
    for one in side:
        found[key(one)].append(one)
    return found


def _different(about: Told, statement: Sequence[Told], ledger: Sequence[Told]) -> Break:
    return Break(BreakKind.DIFFERENT, about.symbol, about.session, tuple(statement), tuple(ledger))


def _alike(left: Sequence[Told], right: Sequence[Told]) -> bool:
    """Whether units, what they are worth at their prices, and what they cost are the same; a cost that one side does not tell is not compared."""
    if sum(one.quantity.value for one in left) != sum(one.quantity.value for one in right):
        return False
    if abs(_worth(left) - _worth(right)) > CENTS:
        return False
    costs = [_costs(left), _costs(right)]
    return costs[0] is None or costs[1] is None or abs(costs[0] - costs[1]) <= CENTS


def _worth(side: Sequence[Told]) -> Decimal:
    return sum((one.quantity.value * one.price.value for one in side), Decimal(0))


def _costs(side: Sequence[Told]) -> Decimal | None:
    if any(one.fee is None for one in side):
        return None
    return sum((one.fee.amount for one in side if one.fee is not None), Decimal(0))
