"""The pace of a replay while the database is away: the next moment waits, and goes out when it is back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.portfolio import LedgerWatermark
from quantmatrix.common.runtime.service import Parts
from quantmatrix.common.runtime.waiting import ended
from quantmatrix.common.testing.clock import SetClock
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.market.handlers import Replay


class _Pool:
    """A database without a replay, that is away at one look."""

    def __init__(self, away_at: int) -> None:
        self.looks = 0
        self._away_at = away_at

    @asynccontextmanager
    async def acquire(self, timeout: float) -> AsyncIterator[Any]:
        self.looks += 1
        if self.looks == self._away_at:
            raise ConnectionRefusedError
        yield self

    async def fetchrow(self, _: str) -> None:
        return None


async def test_a_database_that_goes_away_between_two_moments_is_waited_for() -> None:
    """A moment was settled, so that the pace is looked up."""
    pool = _Pool(away_at=2)
    replay = Replay(cast(Parts, SimpleNamespace(pool=pool, clock=SetClock())), TradingCalendar())
    page = SimpleNamespace(reading=pool, after_commit=lambda call: call())
    pacing = asyncio.ensure_future(replay.pace())

    async def looked_on() -> bool:
        await replay.ledger_settled(like(LedgerWatermark), cast(Any, page))
        return pool.looks > 2 or pacing.done()

    try:
        await wait_until(looked_on, "the database is looked at again")
        assert not pacing.done()
    finally:
        await ended([pacing])
