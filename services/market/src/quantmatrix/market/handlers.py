"""What market does: it replays history moment by moment, and the next moment waits until the last one is booked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import structlog

from quantmatrix.common.calendars import PhaseNow, Session, TradingCalendar
from quantmatrix.common.contracts.asking.market import ReplayControlAsked, ReplayStatus, ReplayStatusAsked
from quantmatrix.common.contracts.portfolio import LedgerWatermark
from quantmatrix.common.contracts.prices import (
    Bar,
    BarsClosed,
    CorporateActionAnnounced,
    InstrumentListed,
    PricesWatermark,
    SessionPhaseChanged,
)
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import InstrumentId
from quantmatrix.common.options import terms_of
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import TRANSIENT, Refused
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.runtime.service import Parts
from quantmatrix.common.runtime.waiting import woken
from quantmatrix.market.domain.listing import DAILY, CorporateAction, DailyBar, Listing
from quantmatrix.market.progress import Progress
from quantmatrix.market.rows import ReplayRow, after_settling
from quantmatrix.market.store import MarketStore, stands

log = structlog.get_logger(__name__)

BARS_IN_A_MESSAGE = 500
PACE_MAX_S = 3_600.0
LOOK_S = 1.0
SESSIONS_AHEAD = 64


class Replay:
    """Publishes history in lockstep: one moment, then the watermark's way round through every service, then the next."""

    def __init__(self, parts: Parts, calendar: TradingCalendar, *, tells_phases: bool = False) -> None:
        self._parts = parts
        self._calendar = calendar
        self._tells_phases = tells_phases
        self._wake = asyncio.Event()
        self._stands: ReplayRow | None = None
        self._listings: Mapping[InstrumentId, Listing] = {}
        self._actions: Sequence[CorporateAction] = ()
        self._ahead: Mapping[date | None, list[DailyBar]] = {}
        self._progress = Progress()

    async def ledger_settled(self, watermark: LedgerWatermark, page: Page) -> None:
        """A moment is booked everywhere. At full speed the next one goes out in the same transaction."""
        store = MarketStore(page.reading)
        replay, self._stands = self._stands or await store.replay(), None
        if replay is None or replay.published != watermark.session:
            page.after_commit(self._wake.set)
            return
        bars = await self._bars_after(watermark.session, store)
        session = self._session_of(bars) if bars and replay.state == "running" and replay.pace_s == 0 else None
        moved = after_settling(replay, session, len(bars))
        page.write(stands(replay, moved))
        if session is not None:
            await self._say_moment(moved, session, bars, watermark.session, store, page)
            page.after_commit(lambda: self._remember(moved))
        else:
            page.after_commit(self._wake.set)

    def _remember(self, replay: ReplayRow) -> None:
        """Where the replay stands by our own last page; the next one insists on it, and looks where it does not hold."""
        self._stands = replay

    async def control(self, asked: ReplayControlAsked, page: Page) -> ReplayStatus:
        """Pause, resume or change the pace. Raises Refused when there is nothing to control or the pace makes no sense."""
        self._stands, store = None, MarketStore(page.connection)
        replay = await store.replay()
        if replay is None:
            raise Refused("REPLAY_ABSENT", "no replay is loaded")
        if asked.pace_s is not None:
            if not 0 <= asked.pace_s <= PACE_MAX_S:
                raise Refused("REPLAY_PACE", f"the pace is between 0 and {PACE_MAX_S:g} seconds, not {asked.pace_s:g}")
            await store.set_pace(asked.pace_s)
        if asked.paused is not None and replay.state != "finished":
            await store.set_state("paused" if asked.paused else "running")
        page.after_commit(self._wake.set)
        return await self._progress.status(page.connection)

    async def status(self, _: ReplayStatusAsked, connection: Connection) -> ReplayStatus:
        return await self._progress.status(connection)

    async def pace(self) -> None:
        """Let the next moment out when it is due. A crash between two moments loses nothing: the table says where we are."""
        while True:
            try:
                await self._let_out()
                self._wake.clear()
                if await woken(self._wake, LOOK_S):
                    await self._pause_between()
            except TRANSIENT as error:
                log.warning("replay.waiting", error=repr(error))
                await asyncio.sleep(LOOK_S)

    async def _pause_between(self) -> None:
        """A moment was settled: keep to the pace, but notice when the pace is changed meanwhile."""
        self._wake.clear()  # before the table is read: whoever changes it meanwhile is noticed
        replay = await self._row()
        if replay is not None and replay.may_publish and replay.pace_s > 0:
            await woken(self._wake, replay.pace_s)

    async def _let_out(self) -> None:
        replay = await self._row()
        if replay is not None and replay.may_publish:
            now = self._parts.clock.now()
            await self._parts.desk.do(self._publish_if_due, origin("replay", now, occurred_at=now))

    async def _row(self) -> ReplayRow | None:
        async with self._parts.pool.acquire(timeout=5) as connection:
            return await MarketStore(connection).replay()

    async def _publish_if_due(self, page: Page) -> None:
        self._stands, store = None, MarketStore(page.connection)
        replay = await store.replay()
        if replay is not None and replay.may_publish:
            await self._publish_next(replay, store, page)

    async def _publish_next(self, replay: ReplayRow, store: MarketStore, page: Page) -> None:
        bars = await self._bars_after(replay.published, store)
        if not bars:
            await store.set_state("finished")
            log.info("replay.finished", session=str(replay.published), bars=replay.bars_published)
            return
        session = self._session_of(bars)
        await self._say_moment(replay, session, bars, replay.published, store, page)
        await store.published(session.day, session.closed_at, len(bars))

    async def _bars_after(self, session: date | None, store: MarketStore) -> list[DailyBar]:
        """The bars of the session after one, empty at the end. History never changes, so it is read some way ahead."""
        if session not in self._ahead:
            self._ahead = await store.bars_ahead(session, SESSIONS_AHEAD)
        return self._ahead.get(session, [])

    def _session_of(self, bars: list[DailyBar]) -> Session:
        session = self._calendar.session(bars[0].session)
        if session is None:
            raise RuntimeError(f"{bars[0].session} is not a session of {self._calendar.name}, and the feed should have been refused")
        return session

    async def _say_moment(
        self, replay: ReplayRow, session: Session, bars: list[DailyBar], before: date | None, store: MarketStore, page: Page
    ) -> None:
        if not self._listings:
            named = await store.listings(before or date.min)
            self._listings = {listing.instrument_id: listing for listing in named}
            self._actions = await store.actions_until(replay.last)
        actions = [action for action in self._actions if is_due(action, before, session.day)]
        renamed = {action.instrument_id: action.becomes for action in actions if action.becomes}
        after = self._listings
        if renamed:
            after = {own: replace(one, symbol=renamed.get(own, one.symbol)) for own, one in self._listings.items()}
            page.after_commit(lambda: self._name(after))
        phases = self._calendar.phases(session) if self._tells_phases else ()
        say_moment(page, replay.feed, session, bars, actions, (self._listings, after), phases)

    def _name(self, listings: Mapping[InstrumentId, Listing]) -> None:
        self._listings = listings


def say_moment(
    page: Page,
    feed: str,
    session: Session,
    bars: list[DailyBar],
    actions: list[CorporateAction],
    named: tuple[Mapping[InstrumentId, Listing], Mapping[InstrumentId, Listing]],
    phases: Sequence[PhaseNow] = (),
) -> None:
    """One session as daily bars know it: actions before the open, the bars at the close, the watermark.

    named: instruments with their symbols before the actions and after them. phases: of the session, those to tell, in order.
    """
    listings, after = named
    page.starting_from(origin("moment", feed, session.day, occurred_at=session.closed_at))
    for action in actions:
        listing = listings.get(action.instrument_id)
        if listing is not None:
            page.say(_announced(action, listing), identity=action.action_id, occurred_at=session.opened_at)
    say_phases(page, session, [one for one in phases if one.since <= session.opened_at])
    parts = [bars[start : start + BARS_IN_A_MESSAGE] for start in range(0, len(bars), BARS_IN_A_MESSAGE)]
    for number, part in enumerate(parts, start=1):
        closed = page.say(
            BarsClosed(
                calendar="XNYS",
                timeframe=DAILY,
                session=session.day,
                opened_at=session.opened_at,
                closed_at=session.closed_at,
                part=number,
                parts=len(parts),
                bars=tuple(_wire_bar(bar, after[bar.instrument_id]) for bar in part),
            ),
        )
    say_phases(page, session, [one for one in phases if one.since > session.opened_at])
    page.because_of(closed.head)
    page.say(PricesWatermark(calendar="XNYS", timeframe=DAILY, session=session.day, moment=session.closed_at))


def is_due(action: CorporateAction, published: date | None, session: date) -> bool:
    """Whether an action became effective after the last published session and up to this one.

    At the start of a replay new terms of contracts that are still alive are told too: their first symbols were listed.
    """
    if published is not None:
        return published < action.effective <= session
    return action.effective == session or (
        bool(action.becomes) and action.effective < session and terms_of(action.becomes).expires >= session
    )


def say_listings(page: Page, listings: list[Listing]) -> None:
    """Every instrument, before anything is said about it."""
    for listing in listings:
        page.say(
            InstrumentListed(
                instrument=wire_instrument(listing),
                name=listing.name,
                calendar=listing.calendar,
                tick_size=listing.tick_size,
                lot_size=listing.lot_size,
                valid_from=listing.listed_on,
                underlying=listing.underlying,
            ),
            identity=(listing.instrument_id, listing.symbol),
        )


def wire_instrument(listing: Listing) -> Instrument:
    return Instrument(listing.instrument_id, listing.symbol, listing.asset_class, listing.currency, listing.multiplier)


def _wire_bar(bar: DailyBar, listing: Listing) -> Bar:
    return Bar(bar.instrument_id, listing.symbol, listing.currency, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.bid, bar.ask)


def _announced(action: CorporateAction, listing: Listing) -> CorporateActionAnnounced:
    return CorporateActionAnnounced(
        action_id=action.action_id,
        kind=action.kind,
        instrument=wire_instrument(listing),
        calendar=listing.calendar,
        effective=action.effective,
        numerator=action.numerator,
        denominator=action.denominator,
        amount=action.amount,
        derived=action.derived,
        source=action.source,
        becomes=action.becomes,
        deliverable=action.deliverable,
    )


def announced(actions: list[CorporateAction], listing: Listing) -> tuple[CorporateActionAnnounced, ...]:
    """Actions as they were announced, for those who ask for history."""
    return tuple(_announced(action, listing) for action in actions)


def say_phases(page: Page, session: Session, phases: Sequence[PhaseNow]) -> list[SessionPhaseChanged]:
    """Phases as they are entered, each with an id of its own: told again it is the same message."""
    return [
        page.say(
            SessionPhaseChanged(
                calendar="XNYS",
                phase=one.phase,
                session=session.day,
                opens_at=session.opened_at,
                closes_at=session.closed_at,
                early_close=session.early_close,
            ),
            identity=("phase", "XNYS", session.day, one.phase),
            occurred_at=one.since,
        )
        for one in phases
    ]


def until_published(replay: ReplayRow | None, wanted: date | None) -> date | None:
    """How far history may be told: never beyond what has been published. None when nothing has."""
    if replay is None:
        return None
    last = replay.published
    if last is None or (wanted is not None and wanted < last):
        return wanted if last is not None else None
    return last
