"""Rows of market's tables as values."""

from dataclasses import dataclass, replace
from datetime import date, datetime

import asyncpg

from quantmatrix.common.calendars import Session
from quantmatrix.common.names import ActionId, ActionKind, AssetClass, InstrumentId
from quantmatrix.common.options import terms_of
from quantmatrix.common.values import Price, Quantity, optional
from quantmatrix.market.domain.listing import CorporateAction, DailyBar, Listing, Quote, option_name


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """Where the replay stands. published and settled are sessions; published_at is the close of the published one."""

    feed: str
    content: str
    first: date
    last: date
    sessions: int
    state: str
    pace_s: float
    published: date | None
    published_at: datetime | None
    settled: date | None
    bars_published: int
    version: int

    @property
    def may_publish(self) -> bool:
        """Whether the next moment may go out: running, and the last one is booked everywhere."""
        return self.state == "running" and self.published == self.settled


def after_settling(replay: ReplayRow, following: Session | None, bars: int) -> ReplayRow:
    """The published session is booked everywhere; a following one is published with the same stroke."""
    moved = replace(replay, settled=replay.published, version=replay.version + 1)
    if following is None:
        return moved
    return replace(moved, published=following.day, published_at=following.closed_at, bars_published=replay.bars_published + bars)


def replay_of(row: asyncpg.Record) -> ReplayRow:
    """Where the replay stands."""
    return ReplayRow(
        feed=row["feed"],
        content=row["content"],
        first=row["first_session"],
        last=row["last_session"],
        sessions=row["sessions"],
        state=row["state"],
        pace_s=row["pace_s"],
        published=row["published"],
        published_at=row["published_at"],
        settled=row["settled"],
        bars_published=row["bars_published"],
        version=row["version"],
    )


def bar_of(row: asyncpg.Record) -> DailyBar:
    """A raw bar, with bid and ask of an option's quote."""
    return DailyBar(
        instrument_id=InstrumentId(row["instrument_id"]),
        session=row["session"],
        open=Price(row["open"]),
        high=Price(row["high"]),
        low=Price(row["low"]),
        close=Price(row["close"]),
        volume=Quantity(row["volume"]),
        bid=optional(Price, row["bid"]),  # type: ignore[arg-type]  # numeric column
        ask=optional(Price, row["ask"]),  # type: ignore[arg-type]  # numeric column
    )


def quote_of(row: asyncpg.Record) -> Quote:
    """The market of an option at a session's close."""
    return Quote(
        instrument_id=InstrumentId(row["instrument_id"]),
        session=row["session"],
        bid=Price(row["bid"]),
        ask=Price(row["ask"]),
        open_interest=row["open_interest"],
        volume=row["volume"],
        iv=row["iv"],
        delta=row["delta"],
    )


def action_of(row: asyncpg.Record) -> CorporateAction:
    """A corporate action."""
    return CorporateAction(
        action_id=ActionId(row["action_id"]),
        kind=ActionKind(row["kind"]),
        instrument_id=InstrumentId(row["instrument_id"]),
        effective=row["effective"],
        numerator=row["numerator"],
        denominator=row["denominator"],
        amount=optional(Price, row["amount"]),  # type: ignore[arg-type]  # numeric column
        derived=row["derived"],
        source=row["source"],
        becomes=row["becomes"],
        deliverable=optional(Quantity, row["deliverable"]),  # type: ignore[arg-type]  # numeric column
    )


def listing_of(row: asyncpg.Record) -> Listing:
    """An instrument under one of its symbols."""
    return Listing(
        instrument_id=InstrumentId(row["instrument_id"]),
        symbol=row["symbol"],
        name=row["name"] if row["underlying"] is None else option_name(terms_of(row["symbol"])),
        asset_class=AssetClass(row["asset_class"]),
        currency=row["currency"],
        multiplier=Quantity(row["multiplier"]),
        tick_size=Price(row["tick_size"]),
        lot_size=Quantity(row["lot_size"]),
        calendar=row["calendar"],
        listed_on=row["valid_from"],
        underlying=row["underlying"],
    )
