"""Tells the phases of the day as the New York clock enters them: what the jobs of a day hang on."""

import asyncio
from datetime import datetime

import structlog

from quantmatrix.common.calendars import PhaseNow, TradingCalendar
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.runtime.service import Parts
from quantmatrix.common.runtime.waiting import woken
from quantmatrix.market.handlers import say_phases
from quantmatrix.market.store import MarketStore

log = structlog.get_logger(__name__)
LOOK_MAX_S = 30.0
"""A clock may be set and a machine may sleep: the time is looked at again at the latest after so long."""
RETRY_S = 1.0


class Phases:
    """One phase at a time, each told once: the table says which was the last, so a restart within a phase tells nothing."""

    def __init__(self, parts: Parts, calendar: TradingCalendar) -> None:
        self._parts, self._calendar = parts, calendar

    async def run(self) -> None:
        """Work until cancelled. Phases that were slept through are not made up for."""
        while True:
            try:
                wait_s = min(await self.tell(self._parts.clock.now()), LOOK_MAX_S)
            except TRANSIENT as error:
                log.warning("phases.waiting", error=repr(error))
                wait_s = RETRY_S
            await woken(asyncio.Event(), max(wait_s, 0.01))

    async def tell(self, now: datetime) -> float:
        """Tell the phase of this instant unless it was told; returns the seconds until the next one."""
        one = self._calendar.phase_now(now)

        async def say(page: Page) -> None:
            store = MarketStore(page.connection)
            if not await store.entered(self._calendar.name, one.session.day, one.phase):
                return
            for said in say_phases(page, one.session, [one]):
                if await store.was_said(said.head.message_id):  # the clock went back over the beginning of a phase
                    page.take_back(said)

        await self._parts.desk.do(say, origin("phase", self._calendar.name, one.session.day, one.phase, occurred_at=one.since))
        return _until(one, now)


def _until(one: PhaseNow, now: datetime) -> float:
    return (one.until - now).total_seconds()
