"""What becomes of signals is worked out a moment after the bars, when their decisions are on the way: people look at it, no decision does."""

import asyncio
from datetime import date

import structlog

from quantmatrix.common.contracts.message import Head
from quantmatrix.common.names import InstrumentId
from quantmatrix.common.runtime.desk import Desk
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.signals.following import FollowStore
from quantmatrix.signals.slate import Slate

log = structlog.get_logger(__name__)
PAUSE_S = 1.0
"""Decisions go first; and what one wake-up finds is many sessions of a fast replay."""


class Following:
    """Follows signals on the slate's bars; what a restart left out is caught up with the next bars."""

    def __init__(self, slate: Slate) -> None:
        self._slate = slate
        self._decided = asyncio.Event()
        self._at: Head | None = None

    def decided(self, head: Head) -> None:
        """There are new bars on the slate, and they were decided on."""
        self._at = head
        self._decided.set()

    async def run(self, desk: Desk) -> None:
        """Work until cancelled."""
        while True:
            await self._decided.wait()
            await asyncio.sleep(PAUSE_S)
            self._decided.clear()
            if self._at is None:
                continue
            try:
                await desk.do(self.catch_up, origin("following", self._at.message_id, occurred_at=self._at.occurred_at))
            except TRANSIENT as error:
                log.warning("following.waiting", error=repr(error))
                self._decided.set()

    async def catch_up(self, page: Page) -> None:
        """Look at every session on the slate that has not been looked at."""
        store = FollowStore(page.connection)
        sessions: dict[date, list[tuple[InstrumentId, float, float, float]]] = {}
        for instrument, since in (await store.open_since()).items():
            series = self._slate.series(instrument)
            for session, high, low, close in series.bars_after(since) if series is not None else ():
                sessions.setdefault(session, []).append((instrument, high, low, close))
        for session, bars in sorted(sessions.items()):
            await store.follow_up(bars, session)
