"""Backtests in signals' tables: nothing half stored, ended once, the same after it was stored, and each user's own."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from services.signals.tests.backtest.making import FREE, USD, Script, bar, history

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.database import Own
from quantmatrix.common.testing.clock import SetClock
from quantmatrix.operations.testing import FreshDatabase
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.record import Record, record_of
from quantmatrix.signals.backtest.report import report
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.backtest.sweep import Tried
from quantmatrix.signals.domain.decisions import Decision, Situation
from quantmatrix.signals.stored.code import Code
from quantmatrix.signals.stored.repeating import computed
from quantmatrix.signals.stored.store import SILENT_S, BacktestStore
from quantmatrix.signals.stored.wanted import Wanted, wanted, what_differs
from quantmatrix.signals.stored.working import AtWork, CancelledBacktestError, work_on

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
USER, STRANGER = UserId(UUID(int=1)), UserId(UUID(int=2))
CODE = Code("c" * 64, "r" * 40)
PAST = [history(*(bar(number, str(9 + number), str(12 + number), str(8 + number), str(10 + number)) for number in range(1, 31)))]
JOB = Job({"at": {"2": 100, "5": -100, "9": 10}}, USD, FREE, seed=7)
ASKED = wanted(JOB, strategy="script", symbols=("AAA",), feed="replay")


@pytest.fixture
async def connection(database: FreshDatabase) -> Own:
    return await database.connect("signals")


@pytest.fixture
def store(connection: Own) -> BacktestStore:
    return BacktestStore(connection)


async def begun(store: BacktestStore, asked: Wanted = ASKED) -> int:
    number = await store.begin(USER, asked, CODE, NOW, data_digest="d")
    assert number is not None
    return number


def record() -> Record:
    return record_of(backtest(Script, PAST, JOB))


async def test_what_is_read_back_is_what_was_stored(store: BacktestStore) -> None:
    number, made = await begun(store), record()

    assert await store.finish(number, made, NOW)

    one = await store.one(USER, number, NOW)
    assert one is not None and one.figures is not None
    read = Record(one.figures, await store.tables(number))
    assert (one.state, one.code, one.wanted, one.digest) == ("done", CODE, ASKED, made.figures["digest"])
    assert read.figures == made.figures and all(read.tables[name].equals(frame) for name, frame in made.tables.items())
    assert report(read) == report(made)


async def test_repeating_what_is_stored_gives_the_same_digest_and_names_what_differs(store: BacktestStore) -> None:
    number = await begun(store)
    await store.finish(number, record(), NOW)
    one = await store.one(USER, number, NOW)
    assert one is not None and one.figures is not None

    again = computed(Script, PAST, one.wanted, lambda _, __: None).figures
    other_data = computed(Script, [history(*PAST[0].bars[:-1])], one.wanted, lambda _, __: None).figures

    assert one.wanted.job() == JOB
    assert what_differs(one.figures, again) == []
    assert "data" in what_differs(one.figures, other_data)
    assert what_differs(one.figures, {**again, "code_digest": "other", "digest": "other"}) == ["code"]
    assert what_differs(one.figures, {**again, "parameters": {}, "digest": "other"}) == ["parameters"]
    assert what_differs(one.figures, {**again, "digest": "other"}) == ["result"]


async def test_another_user_sees_nothing_of_it(store: BacktestStore) -> None:
    number = await begun(store)

    assert await store.one(STRANGER, number, NOW) is None
    assert await store.listed(STRANGER, NOW) == []
    assert [one.backtest_id for one in await store.listed(USER, NOW)] == [number]


async def test_it_ends_once(store: BacktestStore) -> None:
    number = await begun(store)
    await store.fail(number, "bar 3: it broke", NOW)

    assert not await store.finish(number, record(), NOW)
    assert not await store.cancel(number, NOW)
    assert await store.tables(number) == {}
    one = await store.one(USER, number, NOW)
    assert one is not None and (one.state, one.error, one.digest) == ("failed", "bar 3: it broke", None)


async def test_a_finish_that_fails_leaves_nothing_behind(store: BacktestStore, connection: Own) -> None:
    number, made = await begun(store), record()
    await connection.execute("insert into backtest_table values ($1, 'trades', 0, '')", number)

    with pytest.raises(asyncpg.UniqueViolationError):
        await store.finish(number, made, NOW)

    one = await store.one(USER, number, NOW)
    assert one is not None and one.state == "running"
    assert await connection.fetchval("select count(*) from backtest_table") == 1


async def test_whoever_works_and_is_silent_is_taken_for_gone(store: BacktestStore) -> None:
    number = await begun(store)
    late = NOW + timedelta(seconds=SILENT_S + 1)

    one = await store.one(USER, number, late)

    assert one is not None and one.state == "failed" and one.error is not None and "run it again" in one.error
    assert not await store.resume(number, CODE, "d", NOW)
    assert not await store.resume(number, Code("other", None), "d", late)
    assert not await store.resume(number, CODE, "other data", late)
    assert await store.resume(number, CODE, "d", late)


async def test_a_command_is_queued_once_and_taken_once(store: BacktestStore, database: FreshDatabase) -> None:
    command = UUID(int=9)
    number = await store.begin(USER, ASKED, CODE, NOW, asked_by=command)
    other = BacktestStore(await database.connect("signals"))

    assert await store.begin(USER, ASKED, CODE, NOW, asked_by=command) is None
    taken = await store.take(NOW)
    assert taken is not None and (taken.backtest_id, taken.state, taken.tries) == (number, "running", 1)
    assert await other.take(NOW) is None


async def test_what_a_process_that_died_worked_on_is_taken_up_at_once_and_by_one(store: BacktestStore, database: FreshDatabase) -> None:
    number = await store.begin(USER, ASKED, CODE, NOW, asked_by=UUID(int=9))
    assert number is not None
    doomed, second, third = [await database.connect("signals") for _ in range(3)]
    await BacktestStore(doomed).take(NOW)
    await BacktestStore(doomed).keep_part(number, Tried(1, {"at": 3}, {}, "digest"))
    assert await BacktestStore(second).take(NOW) is None

    await doomed.close()
    taken = [await BacktestStore(one).take(NOW) for one in (second, third)]

    assert taken[0] is not None and (taken[0].backtest_id, taken[0].tries) == (number, 2) and taken[1] is None
    assert [one.number for one in await store.parts(number)] == [1]


async def test_the_service_leaves_alone_what_a_command_works_on(store: BacktestStore, database: FreshDatabase) -> None:
    number = await begun(store)
    service = BacktestStore(await database.connect("signals"))
    untouched = await service.take(NOW)

    await store.hand_over(number, [b"bars", b"more"])
    taken = await service.take(NOW)

    assert untouched is None and taken is not None and taken.backtest_id == number and taken.by_service
    assert await service.data(number) == [b"bars", b"more"]
    await service.put_back(number)
    waiting = await store.one(USER, number, NOW + timedelta(days=1))
    assert waiting is not None and (waiting.state, waiting.tries, waiting.error) == ("queued", 0, None)


async def test_one_of_the_service_that_is_silent_waits_to_be_taken_up_again(store: BacktestStore) -> None:
    number = await store.begin(USER, ASKED, CODE, NOW, asked_by=UUID(int=9))
    assert number is not None
    await store.take(NOW)

    one = await store.one(USER, number, NOW + timedelta(seconds=SILENT_S + 1))

    assert one is not None and (one.state, one.error) == ("queued", None)


async def test_parts_stay_when_a_sweep_ends_early(store: BacktestStore) -> None:
    number = await begun(store)
    part = Tried(1, {"at": 3}, {"curve": {"sharpe": 0.1 + 0.2}}, "digest")
    await store.keep_part(number, part)
    await store.keep_part(number, part)
    await store.cancel(number, NOW)

    assert await store.parts(number) == [part]


async def test_work_is_stored_when_it_is_done(store: BacktestStore) -> None:
    number = await begun(store)
    seen: list[tuple[int, int]] = []

    made = await work_on(
        store,
        number,
        lambda at: computed(Script, PAST, ASKED, at.progress),
        SetClock(NOW),
        on_progress=lambda done, total: seen.append((done, total)),
    )

    one = await store.one(USER, number, NOW)
    assert one is not None and one.figures == made.figures and seen[-1] == (30, 30)


async def test_a_strategy_that_fails_is_stored_with_its_place(store: BacktestStore) -> None:
    number = await begun(store)

    with pytest.raises(BacktestError, match="script raised"):
        await work_on(store, number, lambda at: computed(Failing, PAST, ASKED, at.progress), SetClock(NOW))

    one = await store.one(USER, number, NOW)
    assert one is not None and one.state == "failed" and one.error is not None
    assert "bar 3" in one.error and "2010-01-06" in one.error
    assert await store.tables(number) == {}


async def test_an_endless_strategy_is_stopped_at_its_limit(store: BacktestStore) -> None:
    number = await begun(store)

    with pytest.raises(BacktestError, match=r"it took longer than 0\.6 s and was stopped at 0 of unknown"):
        await work_on(store, number, _waiting, SetClock(NOW), limit_s=0.6)

    one = await store.one(USER, number, NOW)
    assert one is not None and one.state == "failed"


async def test_cancelling_ends_the_computation(store: BacktestStore, database: FreshDatabase) -> None:
    number = await begun(store)
    other = BacktestStore(await database.connect("signals"))
    work = asyncio.ensure_future(work_on(store, number, _waiting, SetClock(NOW)))
    await asyncio.sleep(0)

    assert await other.cancel(number, NOW)

    with pytest.raises(CancelledBacktestError, match=f"backtest {number} was cancelled"):
        await work


class Failing(Script):
    """Raises on its third bar."""

    def decide(self, situation: Situation) -> Sequence[Decision]:
        if situation.row["number"] == 3:
            raise ZeroDivisionError("nothing to divide by")
        return super().decide(situation)


def _waiting(at: AtWork) -> Record:
    """Says how far it is again and again, and never ends by itself."""
    quiet = threading.Event()
    while True:
        at.progress(0, 0)
        quiet.wait(0.01)


async def test_the_time_left_follows_from_what_is_done(store: BacktestStore) -> None:
    number = await store.begin(USER, ASKED, CODE, NOW, asked_by=UUID(int=8))
    assert number is not None
    waiting = await store.one(USER, number, NOW)
    await store.take(NOW + timedelta(seconds=100))
    await store.beat(number, 0, 40, NOW + timedelta(seconds=101))
    fresh = await store.one(USER, number, NOW)
    await store.beat(number, 10, 40, NOW + timedelta(seconds=120))
    working = await store.one(USER, number, NOW)

    assert waiting is not None and fresh is not None and working is not None
    assert waiting.left_s(NOW) is None and fresh.left_s(NOW) is None
    assert working.left_s(NOW + timedelta(seconds=120)) == 60.0
