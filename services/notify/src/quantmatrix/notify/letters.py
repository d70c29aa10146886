"""Letters of a day: planned by the phases that market tells, written when their time has come, each once per person and session."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog

from quantmatrix.common.contracts.asking.briefing import MorningAsked
from quantmatrix.common.contracts.asking.days import DaySummaryAsked
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.prices import SessionPhaseChanged
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import Priority, SessionPhase
from quantmatrix.common.runtime.errors import TRANSIENT, Refused, TryLater
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.runtime.service import Parts
from quantmatrix.common.runtime.waiting import woken
from quantmatrix.notify.day_summary import DaySummaries
from quantmatrix.notify.domain.telling import Room, Telling
from quantmatrix.notify.letter_store import Letter, LetterKind, LetterStore
from quantmatrix.notify.morning_words import morning_text, morning_title

log = structlog.get_logger(__name__)
AT_ONCE_MAX = 20
LOOK_MAX_S = 60.0
RETRY_S = 2.0
RETRY_MAX_S = 300.0
DEADLINE_S = 15.0
GIVEN_UP_AFTER = timedelta(hours=12)
"""A summary that could not be written for so long, by the wall clock, is not written any more; anybody may still ask for it."""
Tell = Callable[[Telling, Page], Coroutine[Any, Any, None]]


class Letters:
    """Plans on hearing a phase, writes in the background. What asks others happens outside of any transaction."""

    def __init__(self, parts: Parts, summaries: DaySummaries, tell: Tell, *, morning_after: timedelta, summary_after: timedelta) -> None:
        self._parts, self._summaries, self._tell = parts, summaries, tell
        self._morning_after, self._summary_after = morning_after, summary_after
        self._wake = asyncio.Event()

    async def account_opened(self, opened: AccountOpened, page: Page) -> None:
        """Who has an account is written to."""
        await LetterStore(page.connection).keep_reader(opened.user_id)

    async def phase_changed(self, changed: SessionPhaseChanged, page: Page) -> None:
        """PREP plans the morning's letter, COOLDOWN the day's summary; event time says for when, the wall clock until when."""
        now, since, store = self._parts.clock.now(), changed.head.occurred_at, LetterStore(page.connection)
        if changed.phase is SessionPhase.PREP:
            late = max(now + GIVEN_UP_AFTER, changed.opens_at) if _is_past(changed, now) else changed.closes_at
            await store.plan(LetterKind.MORNING, changed.session, since + self._morning_after, late)
        if changed.phase is SessionPhase.COOLDOWN:
            due_at = changed.closes_at + self._summary_after
            await store.plan(LetterKind.SUMMARY, changed.session, due_at, max(now, due_at) + GIVEN_UP_AFTER)
        page.after_commit(self._wake.set)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            try:
                wait_s = await self._round()
            except TRANSIENT as error:
                log.warning("letters.waiting", error=repr(error))
                wait_s = RETRY_S
            await woken(self._wake, wait_s)

    async def _round(self) -> float:
        """Write what is due; returns the seconds until there may be more."""
        now = self._parts.clock.now()
        async with self._parts.pool.acquire(timeout=5) as connection:
            store = LetterStore(connection)
            due, following = await store.due(now, AT_ONCE_MAX), await store.next_due_at()
        for letter in due:
            await self._write(letter)
        if following is None:
            return LOOK_MAX_S
        return min(max((following - now).total_seconds(), 0.0 if len(due) == AT_ONCE_MAX else RETRY_S), LOOK_MAX_S)

    async def _write(self, letter: Letter) -> None:
        if letter.late:
            await self._end(letter, None, "it came too late")
            return
        try:
            telling = await self._words(letter)
        except (Refused, TryLater) as error:
            log.info("letter.waiting", kind=letter.kind, session=str(letter.session), error=str(error))
            async with self._parts.pool.acquire(timeout=5) as connection:
                await LetterStore(connection).put_off(letter, pause_before(letter, self._parts.clock.now()), str(error))
        else:
            await self._end(letter, telling, None)

    async def _end(self, letter: Letter, telling: Telling | None, reason: str | None) -> None:
        """Tell it and note that it was told, in one transaction: whoever comes second tells nothing."""

        async def end(page: Page) -> None:
            if await LetterStore(page.connection).end(letter, "skipped" if telling is None else "told", reason) and telling is not None:
                await self._tell(telling, page)

        await self._parts.desk.do(end, origin("letter", letter.kind, letter.user_id, letter.session, occurred_at=letter.due_at))

    async def _words(self, letter: Letter) -> Telling:
        match letter.kind:
            case LetterKind.SUMMARY:
                async with self._parts.pool.acquire(timeout=5) as connection:
                    told = await self._summaries.summary(DaySummaryAsked(user_id=letter.user_id, session=letter.session), connection)
                title, text = told.title, told.text
            case LetterKind.MORNING:
                asked = MorningAsked(before=letter.session)
                morning = await self._parts.ask("signals", asked, deadline_s=DEADLINE_S)
                title, text = morning_title(letter.session, morning), morning_text(morning)
        about = derived_id("letter", letter.kind, letter.user_id, letter.session)
        room = Room.PORTFOLIO_DIGEST if letter.kind is LetterKind.SUMMARY else Room.MORNING_BREW
        return Telling(letter.user_id, None, str(letter.kind), Priority.LOW, title, text, about, room)


def pause_before(letter: Letter, now: datetime) -> timedelta:
    """How long to wait before the next try: two seconds, and for a summary a tenth of how long it was tried, up to five minutes.

    What nobody books for hours, because no prices come or an account is not valued, would be asked for thousands of times.
    """
    least = timedelta(seconds=RETRY_S)
    if letter.kind is LetterKind.MORNING:
        return least
    tried = now - (letter.give_up_at - GIVEN_UP_AFTER)
    return min(max(tried / 10, least), timedelta(seconds=RETRY_MAX_S))


def _is_past(changed: SessionPhaseChanged, now: datetime) -> bool:
    """Whether the session was over when its phase was heard: a replay tells of the past."""
    return changed.closes_at < now
