"""The replay in lockstep: a session goes out when the one before it is booked, and a restart loses and repeats nothing."""

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.market import BarsAsked, InstrumentsAsked, ReplayControlAsked, ReplayStatus, ReplayStatusAsked
from quantmatrix.common.contracts.portfolio import LedgerWatermark
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.saying import Saying
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.market.domain.listing import instrument_id
from quantmatrix.market.ports import FeedError

SESSIONS = [session.day for session in TradingCalendar().sessions(date(2024, 3, 1), date(2024, 3, 8))]
AT_FULL_SPEED = {"feed": "csv", "replay_pace_s": 0.0}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Six sessions of two symbols, with a split on the third."""
    rows = [f"{symbol},{day},10,11,9,10,100" for day in SESSIONS for symbol in ("ABC", "XYZ")]
    (tmp_path / "bars.csv").write_text("\n".join(["symbol,date,open,high,low,close,volume", *rows]), encoding="utf-8")
    (tmp_path / "splits.csv").write_text(f"symbol,effective,numerator,denominator\nABC,{SESSIONS[2]},2,1\n", encoding="utf-8")
    return {**AT_FULL_SPEED, "csv_file": tmp_path / "bars.csv", "csv_splits_file": tmp_path / "splits.csv"}


async def status(ask: Any) -> ReplayStatus | None:
    try:
        found: ReplayStatus = await ask("market", ReplayStatusAsked())
    except ServiceSilent:
        return None
    return found


async def until(ask: Any, session: date | None, *, state: str = "running") -> ReplayStatus:
    async def there() -> ReplayStatus | None:
        found = await status(ask)
        return found if found is not None and (found.session, found.state) == (session, state) else None

    found = await wait_until(there, f"{session} is out and the replay {state}")
    assert found is not None
    return found


async def booked(say: Saying, session: date) -> None:
    """The ledger has passed the watermark of a session back."""
    found = TradingCalendar().session(session)
    assert found is not None
    await say(like(LedgerWatermark, session=session, moment=found.closed_at, covers={}))


async def said(database: Any) -> list[tuple[str, str, str]]:
    """Everything that market stored to be said, in order: type, session or effective date, message id."""
    rows = await database.fetch("market", "select type, payload, message_id from outbox order by id")
    bodies = [(row["type"], json.loads(row["payload"]), str(row["message_id"])) for row in rows]
    return [(kind, body.get("session") or body.get("effective") or body.get("valid_from"), own) for kind, body, own in bodies]


async def test_the_next_session_waits_for_the_ledgers_watermark(start_here: Any, ask: Any, say: Saying, database: Any, files: Any) -> None:
    await start_here("market", **files)
    await until(ask, SESSIONS[0])
    await asyncio.gather(*(status(ask) for _ in range(20)))  # time for whatever would wrongly go on

    out = [session for kind, session, _ in await said(database) if kind == "BarsClosed"]
    assert out == [str(SESSIONS[0])]

    await booked(say, SESSIONS[0])
    await until(ask, SESSIONS[1])


async def test_a_watermark_of_another_session_lets_nothing_out(start_here: Any, ask: Any, say: Saying, files: Any) -> None:
    await start_here("market", **files)
    await until(ask, SESSIONS[0])

    await booked(say, SESSIONS[3])
    await say.heard_by("market", ask)

    found = await status(ask)
    assert found is not None and (found.session, found.settled) == (SESSIONS[0], None)


async def test_a_whole_replay_says_each_moment_once_and_in_order(start_here: Any, ask: Any, say: Saying, database: Any, files: Any) -> None:
    await start_here("market", **files)
    done = []
    for session in SESSIONS:
        done.append((await until(ask, session)).sessions_done)
        await booked(say, session)
    found = await until(ask, SESSIONS[-1], state="finished")

    assert done == [1, 2, 3, 4, 5, 6]
    assert (found.bars_published, found.sessions_done, found.sessions_total) == (12, 6, 6)
    moments = [(kind, session) for kind, session, _ in await said(database) if kind != "InstrumentListed"]
    expected: list[tuple[str, str]] = []
    for session in SESSIONS:
        action = [("CorporateActionAnnounced", str(session))] if session == SESSIONS[2] else []
        expected += [*action, ("BarsClosed", str(session)), ("PricesWatermark", str(session))]
    assert moments == expected


async def test_instruments_are_listed_before_anything_is_said_about_them(start_here: Any, ask: Any, database: Any, files: Any) -> None:
    await start_here("market", **files)
    await until(ask, SESSIONS[0])

    assert [kind for kind, _, _ in await said(database)][:3] == ["InstrumentListed", "InstrumentListed", "BarsClosed"]
    listed = (await ask("market", InstrumentsAsked())).instruments
    assert [(one.instrument.symbol, one.calendar, one.aliases) for one in listed] == [("ABC", "XNYS", ("ABC",)), ("XYZ", "XNYS", ("XYZ",))]


async def test_a_restart_goes_on_where_it_stopped_and_says_nothing_twice(
    start_here: Any, ask: Any, say: Saying, database: Any, files: Any
) -> None:
    await start_here("market", **files)
    await until(ask, SESSIONS[0])
    await booked(say, SESSIONS[0])
    await until(ask, SESSIONS[1])
    before = await said(database)
    await start_here.stop("market")

    await start_here("market", **files)
    await until(ask, SESSIONS[1])

    assert await said(database) == before
    await booked(say, SESSIONS[1])
    await until(ask, SESSIONS[2])
    ids = [own for _, _, own in await said(database)]
    assert len(ids) == len(set(ids))


async def test_the_watermark_of_a_session_that_was_booked_while_market_was_away_is_heard(
    start_here: Any, ask: Any, say: Saying, files: Any
) -> None:
    await start_here("market", **files)
    await until(ask, SESSIONS[0])
    await start_here.stop("market")
    await booked(say, SESSIONS[0])

    await start_here("market", **files)

    await until(ask, SESSIONS[1])


async def test_other_content_for_the_same_data_is_refused(start_here: Any, ask: Any, files: Any) -> None:
    await start_here("market", **files)
    await until(ask, SESSIONS[0])
    await start_here.stop("market")
    files["csv_file"].write_text(files["csv_file"].read_text().replace("10,11,9,10,100", "10,11,9,10.5,100"), encoding="utf-8")

    task = await start_here("market", **files)
    await asyncio.wait({task}, timeout=60)

    with pytest.raises(FeedError, match="these data were filled by the feed csv"):
        await start_here.stop("market")


async def test_a_refused_file_leaves_nothing_behind(start_here: Any, database: Any, files: Any) -> None:
    with files["csv_file"].open("a", encoding="utf-8") as file:
        file.write("\nABC,2024-03-02,10,11,9,10,100")

    task = await start_here("market", **files)
    await asyncio.wait({task}, timeout=60)

    with pytest.raises(FeedError, match="line 14: 2024-03-02 is not a session"):
        await start_here.stop("market")
    for table in ("instrument", "bar", "corporate_action", "replay", "outbox"):
        assert (await database.fetch("market", f"select count(*) from {table}"))[0]["count"] == 0


async def test_a_part_of_the_sessions_may_be_replayed_and_the_rest_is_history(start_here: Any, ask: Any, say: Saying, files: Any) -> None:
    await start_here("market", **files, replay_from=SESSIONS[3], replay_to=SESSIONS[4])
    found = await until(ask, SESSIONS[3])
    assert (found.first, found.last, found.sessions_total) == (SESSIONS[3], SESSIONS[4], 2)

    bars = await ask("market", BarsAsked(instrument_id=instrument_id("XNYS", "ABC")))

    assert list(bars.sessions) == SESSIONS[:4]
    assert [action.effective for action in bars.actions] == [SESSIONS[2]]
    for session in SESSIONS[3:5]:
        await booked(say, session)
    await until(ask, SESSIONS[4], state="finished")


async def test_history_never_tells_what_has_not_been_published(start_here: Any, ask: Any, files: Any) -> None:
    await start_here("market", **files)
    await until(ask, SESSIONS[0])

    bars = await ask("market", BarsAsked(instrument_id=instrument_id("XNYS", "ABC"), until=SESSIONS[-1]))

    assert list(bars.sessions) == SESSIONS[:1]
    assert bars.actions == ()
    with pytest.raises(Refused, match="INSTRUMENT_UNKNOWN"):
        await ask("market", BarsAsked(instrument_id="NOBODY"))


async def test_a_paused_replay_stays_where_it_is_also_over_a_restart(start_here: Any, ask: Any, say: Saying, files: Any) -> None:
    await start_here("market", **files)
    await until(ask, SESSIONS[0])
    await ask("market", ReplayControlAsked(paused=True))
    await booked(say, SESSIONS[0])
    await say.heard_by("market", ask)
    found = await until(ask, SESSIONS[0], state="paused")
    assert found.settled == SESSIONS[0]
    await start_here.stop("market")
    await start_here("market", **files)
    await until(ask, SESSIONS[0], state="paused")

    await ask("market", ReplayControlAsked(paused=False))

    await until(ask, SESSIONS[1])


async def test_a_pace_that_makes_no_sense_is_refused(start_here: Any, ask: Any, files: Any) -> None:
    await start_here("market", **files)
    await until(ask, SESSIONS[0])

    for pace in (-1.0, 3_600.5, 1e9):
        with pytest.raises(Refused, match="REPLAY_PACE"):
            await ask("market", ReplayControlAsked(pace_s=pace))


async def test_a_pace_lets_the_sessions_out_one_by_one(start_here: Any, ask: Any, say: Saying, files: Any) -> None:
    await start_here("market", **{**files, "replay_pace_s": 0.05})
    for session in SESSIONS:
        await until(ask, session)
        await booked(say, session)

    await until(ask, SESSIONS[-1], state="finished")
