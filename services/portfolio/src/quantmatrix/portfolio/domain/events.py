"""What happened to an account, as events: each once, in the order of booking, reversed ones left out, completions applied."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import assert_never
from uuid import UUID

from quantmatrix.common.names import AccountId, InstrumentId
from quantmatrix.portfolio.domain.actions import Merger, Rename, ReturnOfCapital, SpinOff
from quantmatrix.portfolio.domain.arrivals import Arrival, Completion, Departure, completed
from quantmatrix.portfolio.domain.lots import Fill, Split
from quantmatrix.portfolio.domain.options import Ended


@dataclass(frozen=True, slots=True)
class ShareSplit:
    """A split of an instrument. What is paid for a fraction is a sale of its own, with the amount that came."""

    instrument_id: InstrumentId
    split: Split


@dataclass(frozen=True, slots=True)
class Reversal:
    """Takes back an event that was wrong: the ledger is as if it had never been. Reversing the reversal brings it back."""

    reverses: UUID


What = Fill | Ended | Arrival | Departure | ShareSplit | SpinOff | Merger | Rename | ReturnOfCapital
"""What changes lots."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, once for each id. place settles the order of what happened in one instant: the row of a file."""

    event_id: UUID
    what: What | Completion | Reversal
    place: int = 0


class EventConflictError(ValueError):
    """Two events have one id and differ, or an event is of another account."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """An event that counts, with its completion applied."""

    event_id: UUID
    what: What
    place: int


def in_order(events: Iterable[Event]) -> list[Ordered]:
    """The events that count, each once, in the order of booking."""
    by_id: dict[UUID, Event] = {}
    for event in events:
        known = by_id.setdefault(event.event_id, event)
        if known.what != event.what:
            raise EventConflictError(f"two events have the id {event.event_id} and say different things")
    reversals: dict[UUID, list[UUID]] = {}
    for event in by_id.values():
        if isinstance(event.what, Reversal):
            reversals.setdefault(event.what.reverses, []).append(event.event_id)
    standing = [event for event in by_id.values() if _stands(event.event_id, reversals, frozenset())]
    completions = {event.what.arrival_id: event.what for event in standing if isinstance(event.what, Completion)}
    found = []
    for event in standing:
        what = event.what
        if isinstance(what, Completion | Reversal):
            continue
        if isinstance(what, Arrival) and what.arrival_id in completions:
            what = completed(what, completions[what.arrival_id])
        found.append(Ordered(event.event_id, what, event.place))
    _of_one_account(found)
    return sorted(found, key=_when)


def _stands(event_id: UUID, reversals: dict[UUID, list[UUID]], above: frozenset[UUID]) -> bool:
    """Whether no standing reversal takes the event back."""
    if event_id in above:
        raise EventConflictError(f"reversal {event_id} reverses itself")
    return not any(_stands(reversal, reversals, above | {event_id}) for reversal in reversals.get(event_id, ()))


def _of_one_account(events: Sequence[Ordered]) -> None:
    accounts: set[AccountId] = {one.what.account_id for one in events if isinstance(one.what, Fill | Ended | Arrival)}
    if len(accounts) > 1:
        raise EventConflictError(f"a ledger is of one account, these events are of {', '.join(sorted(accounts))}")


def _when(event: Ordered) -> tuple[date, int, datetime, int, str]:
    day, phase, at = time_of(event.what)
    return day, phase, at, event.place, str(event.event_id)


def time_of(what: What) -> tuple[date, int, datetime]:
    """The day, the phase of the day, and the instant in it."""
    match what:
        case Fill():
            return what.session, 2, what.executed_at
        case Ended():
            return what.session, 2, what.ended_at
        case Arrival():
            return what.session, 1, what.arrived_at
        case Departure():
            return what.session, 3, what.left_at
        case ShareSplit():
            return _before_open(what.split.effective)
        case SpinOff() | Merger() | Rename() | ReturnOfCapital():
            return _before_open(what.effective)
        case _:
            assert_never(what)


def _before_open(day: date) -> tuple[date, int, datetime]:
    return day, 0, datetime.combine(day, time(0), UTC)


def instruments_of(what: What) -> tuple[InstrumentId, ...]:
    """The instruments whose lots an event changes: an action may join two books."""
    match what:
        case Fill() | Arrival() | Departure() | ReturnOfCapital():
            return (what.instrument.instrument_id,)
        case ShareSplit():
            return (what.instrument_id,)
        case Ended():
            return (what.option.instrument_id, what.underlying.instrument_id)
        case SpinOff():
            return (what.parent.instrument_id, what.child.instrument_id)
        case Merger():
            return (what.old.instrument_id,) if what.into is None else (what.old.instrument_id, what.into.instrument_id)
        case Rename():
            return (what.old.instrument_id, what.into.instrument_id)
        case _:
            assert_never(what)
