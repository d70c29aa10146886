"""Letters of a day: hung on the phases that market tells, written once per person and session, and not in a replay unless asked for."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs
from services.gateway.tests.running import BEHIND, finished

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.briefing import IndexMove, Morning, MorningAsked, MorningSetup
from quantmatrix.common.contracts.asking.days import DaySummaryAsked
from quantmatrix.common.contracts.asking.notify import InboxAsked, NotificationSummary
from quantmatrix.common.contracts.asking.scans import Unread
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.prices import SessionPhaseChanged
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.names import SessionPhase
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.notify.letter_store import Letter, LetterKind
from quantmatrix.notify.letters import GIVEN_UP_AFTER, pause_before
from quantmatrix.notify.morning_words import morning_text, morning_title

FIRST, LAST = date(2004, 1, 2), date(2004, 1, 30)
SESSIONS = [one.day for one in TradingCalendar().sessions(FIRST, LAST)]
SHORT = {"replay_from": str(FIRST), "replay_to": str(LAST), "replay_pace_s": 0.0}
TOPICS = ("morning", "summary")


async def letters(ask: Any) -> list[NotificationSummary]:
    found = await ask("notify", InboxAsked(user_id=FIRST_ADMINISTRATOR, limit=500), deadline_s=10)
    return [one for one in found.notifications if one.topic in TOPICS]


async def written(database: Any) -> dict[str, int]:
    rows = await database.fetch("notify", "select kind || ' ' || state as what, count(*) from letter group by 1 order by 1")
    return {row["what"]: row["count"] for row in rows}


async def start_all(start_here: Any, **market: Any) -> None:
    for service in BEHIND:
        await start_here(service, **({**SHORT, **market} if service == "market" else {}))


@pytest.mark.long(20)
async def test_a_replay_that_tells_every_phase_has_both_letters_of_every_session_once(start_here: Any, ask: Any, database: Any) -> None:
    await start_all(start_here, phases="replay")
    await wait_until(lambda: finished(ask), "the replay has finished", within_s=90)
    await start_here.stop("notify")
    await start_here("notify")

    async def all_told() -> bool:
        return await written(database) == {"morning told": len(SESSIONS), "summary told": len(SESSIONS)}

    await wait_until(all_told, "every letter is written", within_s=60)
    found = await letters(ask)

    assert sorted(one.topic for one in found) == sorted(TOPICS * len(SESSIONS))
    for one in found:
        session = TradingCalendar().session(one.occurred_at.date())
        assert session is not None and one.session == session.day
        if one.topic == "summary":
            told = await ask("notify", DaySummaryAsked(user_id=FIRST_ADMINISTRATOR, session=session.day), deadline_s=10)
            assert (one.title, one.body) == (told.title, told.text)
            assert one.occurred_at == session.closed_at + timedelta(minutes=30)
        else:
            asked = await ask("signals", MorningAsked(before=session.day), deadline_s=10)
            assert (one.title, one.body) == (morning_title(session.day, asked), morning_text(asked))
            assert session.opened_at - one.occurred_at == timedelta(hours=2)
            assert all(setup.session < session.day for setup in asked.setups)


@pytest.mark.long(15)
async def test_an_ordinary_replay_writes_none(start_here: Any, ask: Any, database: Any) -> None:
    await start_all(start_here)
    await wait_until(lambda: finished(ask), "the replay has finished", within_s=90)

    assert await written(database) == {} and await letters(ask) == []


async def test_phases_heard_again_plan_each_letter_once_with_its_time(start_here: Any, ask: Any, say: Saying, database: Any) -> None:
    """An early close is half past one; nobody is there to answer, so that the letters stay planned."""
    session = TradingCalendar().session(date(2026, 11, 27))
    assert session is not None and session.early_close
    phases = TradingCalendar().phases(session)
    await start_here("notify")
    await say(like(AccountOpened, user_id=FIRST_ADMINISTRATOR))
    await say.heard_by("notify", ask)
    for one in (*phases, *phases):
        await say(_changed(one.phase, session, one.since))
    await say.heard_by("notify", ask)

    rows = await database.fetch("notify", "select kind, session, due_at from letter order by kind")

    assert [tuple(row.values()) for row in rows] == [
        ("morning", session.day, datetime(2026, 11, 27, 12, 30, tzinfo=UTC)),
        ("summary", session.day, datetime(2026, 11, 27, 18, 30, tzinfo=UTC)),
    ]


async def test_a_letter_that_comes_too_late_is_not_written(start_here: Any, ask: Any, say: Saying, database: Any) -> None:
    session = TradingCalendar().session(date(2024, 3, 5))
    assert session is not None
    await start_here("notify")
    await say(like(AccountOpened, user_id=FIRST_ADMINISTRATOR))
    await say.heard_by("notify", ask)
    await say(_changed(SessionPhase.COOLDOWN, session, session.closed_at))
    await say.heard_by("notify", ask)
    await database.fetch("notify", "update letter set give_up_at = '2024-03-06', next_try_at = '2024-03-06'")

    async def skipped() -> bool:
        return await written(database) == {"summary skipped": 1}

    await wait_until(skipped, "the letter is skipped")
    assert await letters(ask) == []


SUMMARY, MORNING = LetterKind.SUMMARY, LetterKind.MORNING


@pytest.mark.parametrize(
    ("kind", "minutes", "seconds"),
    [(SUMMARY, -60, 2), (SUMMARY, 0, 2), (SUMMARY, 5, 30), (SUMMARY, 60, 300), (SUMMARY, 700, 300), (MORNING, 60, 2)],
)
def test_a_summary_that_nobody_can_write_is_tried_ever_more_rarely(kind: LetterKind, minutes: int, seconds: int) -> None:
    due = datetime(2026, 11, 27, 18, 30, tzinfo=UTC)
    letter = Letter(FIRST_ADMINISTRATOR, kind, LAST, due, due + GIVEN_UP_AFTER, late=False)

    assert pause_before(letter, due + timedelta(minutes=minutes)) == timedelta(seconds=seconds)


def _changed(phase: SessionPhase, session: Any, since: datetime) -> SessionPhaseChanged:
    made = like(
        SessionPhaseChanged, phase=phase, session=session.day, opens_at=session.opened_at, closes_at=session.closed_at, early_close=True
    )
    return structs.replace(made, head=structs.replace(made.head, occurred_at=since))


def test_a_morning_has_moves_setups_and_what_could_not_be_read() -> None:
    told = Morning(
        preset="atr_matrix",
        indices=(IndexMove("SPY", LAST, 0.512), IndexMove("QQQ", None, None, "it is not listed here")),
        setups=(MorningSetup("ABC", LAST, 112.0, 106.0, (128.0, 140.0), 2.667, 10),),
        scanned=5,
        hits=1,
        unread=(Unread("XYZ", "40 bars, a reading needs 50"),),
    )

    assert morning_title(LAST, told) == "Morning of 2004-01-30: 1 of 5 fit atr_matrix"
    assert morning_text(told).splitlines() == [
        "SPY +0.51 %.",
        "Not known: QQQ.",
        "ABC: entry 112.00, stop 106.00, T1 128.00, T2 140.00, reward to risk 2.7, 10 days (close of 2004-01-30).",
        "1 could not be read: XYZ.",
    ]
