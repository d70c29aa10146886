"""What a strategy keeps of one instrument from one bar to the next: a confirmation, a trail, and how its trades went.

All of it follows from event time, so a restart, a replay and a backtest come to the same.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from quantmatrix.common.names import Side
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.bots.confirmation import Confirming
from quantmatrix.signals.domain.trailing import Trail


@dataclass(frozen=True, slots=True)
class Track:
    """How the run's trades in the instrument went. day: the exchange's date that the counts of today belong to.

    realised: profit of today's closed trades after fees; a sale counts as a trade of its own.
    """

    last_fill_at: datetime | None = None
    last_price: Price | None = None
    day: date | None = None
    trades: int = 0
    realised: Money | None = None
    losses_in_a_row: int = 0


NO_TRADES = Track()


@dataclass(frozen=True, slots=True)
class Pursuit:
    """An option that is being bought or sold, by its symbol: tries so far, and what belongs to the purchase.

    stop_level: on the series of what the option is on.
    """

    contract: str
    side: Side
    tries: int
    quantity: Quantity
    stop_level: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """Nothing of it is there before a strategy keeps it."""

    confirming: Confirming | None = None
    trail: Trail | None = None
    track: Track = NO_TRADES
    pursuit: Pursuit | None = None


NOTHING_KEPT = Memory()


def after_adjustment(memory: Memory, becomes: str, numerator: int, denominator: int) -> Memory:
    """After a split of the stock adjusted the contract that is pursued: it has this symbol now, and is pursued in new contracts."""
    if memory.pursuit is None:
        return memory
    quantity = memory.pursuit.quantity.scaled(numerator, denominator)
    return replace(memory, pursuit=replace(memory.pursuit, contract=becomes, quantity=quantity))


def today(track: Track, day: date) -> Track:
    """The track with counts of this day only."""
    return track if track.day == day else replace(track, day=day, trades=0, realised=None)


def track_after(track: Track, at: datetime, day: date, price: Price, realised: Money | None) -> Track:
    """After a fill. realised: what a sale gained, None for a purchase."""
    now = today(track, day)
    losses, gained = now.losses_in_a_row, now.realised
    if realised is not None:
        losses = losses + 1 if realised.amount < 0 else 0
        gained = realised if gained is None else gained + realised
    return replace(now, last_fill_at=at, last_price=price, trades=now.trades + 1, realised=gained, losses_in_a_row=losses)


def opened_at(session: date) -> datetime:
    """When a daily bar begins: its date at 00:00 UTC. Days are counted by the exchange's dates, whatever hours it keeps."""
    return datetime(session.year, session.month, session.day, tzinfo=UTC)


def closed_at(session: date) -> datetime:
    """When a daily bar ends: 24 hours after it began."""
    return opened_at(session) + timedelta(days=1)


def after_fill(memory: Memory, session: date, price: Price, realised: Money | None, *, flat: bool) -> Memory:
    """After a fill on a daily bar. Going flat ends the trail."""
    track = track_after(memory.track, opened_at(session), session, price, realised)
    return replace(memory, track=track, trail=None if flat else memory.trail)
