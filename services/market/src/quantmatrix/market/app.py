"""Puts market together: load the feed once, then replay it."""

import asyncio

import structlog

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.runtime.slot import load
from quantmatrix.market import feeds
from quantmatrix.market.bus import bus
from quantmatrix.market.feeds._chains import with_chains
from quantmatrix.market.handlers import Replay, say_listings
from quantmatrix.market.phases import Phases
from quantmatrix.market.ports import Feed, FeedContent, FeedError
from quantmatrix.market.settings import MarketSettings
from quantmatrix.market.store import MarketStore, digest_of

log = structlog.get_logger(__name__)


async def serve(settings: MarketSettings) -> None:
    """Run market until it is asked to stop."""

    async def build(parts: Parts) -> Bus:
        feed: Feed = load(feeds, settings.feed).make(settings)
        content = await asyncio.to_thread(lambda: with_chains(feed.content(), settings))
        await bring_in(parts, settings, feed.name, content)
        calendar = TradingCalendar()
        replay = Replay(parts, calendar, tells_phases=settings.phases == "replay")
        return bus(replay, (Phases(parts, calendar).run,) if settings.phases == "clock" else ())

    await run_service(settings, build, exclusive=True)


async def bring_in(parts: Parts, settings: MarketSettings, name: str, content: FeedContent) -> None:
    """Store the feed's content on the first start; on later ones make sure that it is still the same.

    Raises FeedError when the data were filled from other content: a ledger never mixes two histories.
    """
    sessions = [bar.session for bar in content.bars]
    first = max(settings.replay_from or sessions[0], sessions[0])
    last = min(settings.replay_to or sessions[-1], sessions[-1])
    if first > last:
        raise FeedError(f"nothing to replay between {first} and {last}; the feed has {sessions[0]} to {sessions[-1]}")

    async def bring(page: Page) -> None:
        store = MarketStore(page.connection)
        replay = await store.replay()
        if replay is None:
            await store.load(name, content, first=first, last=last, pace_s=settings.replay_pace_s)
            say_listings(page, list(content.listings))
            log.info("feed.loaded", feed=name, instruments=len(content.listings), bars=len(content.bars), actions=len(content.actions))
        elif replay.content != digest_of(content, first, last):
            raise FeedError(
                f"these data were filled by the feed {replay.feed} ({replay.first} to {replay.last}) and the settings now ask for "
                "something else; restart the replay, or use another data folder (QM_HOME)"
            )

    await parts.write(bring, origin("feed", name, occurred_at=parts.clock.now()))
