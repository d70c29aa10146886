"""Sweeps as jobs: whoever computes them, wherever and however often it dies, the stored result is the same to the digest."""

import signal
from collections.abc import AsyncIterator
from datetime import date

import pytest
from services.signals.tests.stored.gate import held_at_half
from services.signals.tests.stored.installed import PARTS, Installation, answers, market_behind

from quantmatrix.common.contracts.asking.backtests import (
    Backtest,
    BacktestResumeWanted,
    BacktestUnwanted,
    WindowsWanted,
)
from quantmatrix.common.contracts.asking.work import JobDone, JobPart
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.work import Job
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.process import ServiceProcess, StartProcess, children_of, is_alive
from quantmatrix.common.testing.waiting import GIVES_WAY_S, WITHIN_S, wait_until
from quantmatrix.operations.testing import FreshBus, FreshDatabase

pytestmark = pytest.mark.long(60)
WINDOWS = WindowsWanted(inside=200, outside=60)


@pytest.fixture
async def here(
    database: FreshDatabase, bus: FreshBus, ask: Ask, start_here: StartHere, start_process: StartProcess
) -> AsyncIterator[Installation]:
    await market_behind(database, bus)
    await start_here("signals")
    await wait_until(lambda: answers(ask), "signals answers")
    yield Installation(database, bus, ask, start_process)


async def test_no_worker_one_and_two_give_the_same_digest(here: Installation) -> None:
    """Of a sweep, and of the windows of a walk forward and the cuts of a look-ahead check, which are jobs too."""
    alone, forward, cut = await _one_of_each(here)
    first = await here.worker()
    by_one, forward_by_one, cut_by_one = await _one_of_each(here)
    second = await here.worker()
    by_two = await here.ended(await here.ordered())

    assert (alone.line.state, alone.line.error, len(alone.tried)) == ("done", None, PARTS)
    assert alone.line.digest == by_one.line.digest == by_two.line.digest
    assert alone.tried == by_one.tried == by_two.tried
    assert (forward.line.state, forward.line.kind, len(forward.steps)) == ("done", "walk_forward", 6)
    assert forward.line.digest == forward_by_one.line.digest and forward.steps == forward_by_one.steps
    assert (cut.line.state, cut.line.kind, cut.line.clean, cut.line.error) == ("done", "lookahead", True, None)
    assert cut.line.digest == cut_by_one.line.digest and cut.check == cut_by_one.check
    assert await here.parts(cut_by_one.line.backtest_id) == 8
    codes = [await first.stop(), await second.stop()]
    told = [process.written() for process in (first, second)]
    assert codes == [0, 0] and "parts were done" in told[0]
    assert all(f"backtest {by_two.line.backtest_id}: parts" in one for one in told)
    for shared in (by_one, forward_by_one, cut_by_one):
        assert f"backtest {shared.line.backtest_id}: parts" in told[0]
        assert f"backtest {shared.line.backtest_id}: parts" not in told[1]
    assert await here.database.fetch("signals", "select 1 from backtest_part where backtest_id = $1", alone.line.backtest_id)


async def _one_of_each(here: Installation) -> list[Backtest]:
    return [
        await here.ended(number) for number in (await here.ordered(), await here.ordered(windows=WINDOWS), await here.ordered(cuts=400))
    ]


async def test_a_worker_that_is_killed_in_the_middle_loses_nothing(here: Installation) -> None:
    whole = await here.ended(await here.ordered())
    doomed = await here.worker()
    async with held_at_half(here.database):
        number = await here.ordered()
        await here.half_way(number)
        hands = children_of(doomed.pid)
        await doomed.kill()
    here.workers = 0

    await here.worker()
    found = await here.ended(number)

    assert hands
    assert (found.line.state, found.line.error) == ("done", None)
    assert found.line.digest == whole.line.digest and found.tried == whole.tried
    await wait_until(lambda: not any(is_alive(hand) for hand in hands), "its processes ended with it")


async def test_a_bus_that_loses_its_jobs_is_told_them_again(here: Installation) -> None:
    worker = await here.worker()
    worker.send(signal.SIGSTOP)
    number = await here.ordered()
    await wait_until(lambda: _queued(here), "jobs lie in the queue")
    await here.bus.purge()
    await here.bus.provision()
    worker.send(signal.SIGCONT)

    found = await here.ended(number)

    assert (found.line.state, len(found.tried)) == ("done", PARTS)
    assert f"backtest {number}: parts" in worker.written()


async def _queued(here: Installation) -> bool:
    js = (await here.bus.connect("provision")).jetstream()
    return (await js.stream_info("WORK")).state.messages > 0


async def test_what_is_wrong_with_one_part_ends_the_whole_with_its_sentence(here: Installation) -> None:
    worker = await here.worker()
    found = await here.ended(await here.ordered(first=date(2030, 1, 2)))
    uncut = await here.ended(await here.ordered(windows=WindowsWanted(inside=5_000, outside=400)))
    after = await here.ended(await here.ordered())

    assert found.line.state == "failed" and "there are no bars between 2030-01-02" in str(found.line.error)
    assert uncut.line.state == "failed" and "sessions make 0 windows of 5000 and 400" in str(uncut.line.error)
    assert await here.parts(found.line.backtest_id) == 0
    assert after.line.state == "done" and "parts were done" in (await _stopped(worker))


async def _stopped(worker: ServiceProcess) -> str:
    await worker.stop()
    return worker.written()


async def test_a_cancelled_one_is_left_alone_until_a_person_lets_it_go_on(here: Installation) -> None:
    worker = await here.worker()
    async with held_at_half(here.database):
        number = await here.ordered()
        await here.half_way(number)
        worker.send(signal.SIGSTOP)  # the part that it may have on its way is its last: signals hears nothing else while that waits
    await here.ask("signals", BacktestUnwanted(user_id=FIRST_ADMINISTRATOR, backtest_id=number))
    worker.send(signal.SIGCONT)
    late = JobDone(backtest_id=number, parts=(JobPart(PARTS, "{}", "{}", "forged"),))

    heard = await Ask(await here.bus.connect("worker"), deadline_s=WITHIN_S)("signals", late)

    assert not heard.wanted
    assert await here.database.fetch("signals", "select 1 from backtest_part where digest = 'forged'") == []
    whole = await here.ended(await here.ordered())
    assert await here.parts(number) < PARTS
    assert whole.line.state == "done" and worker.alive

    again = await here.ask("signals", BacktestResumeWanted(user_id=FIRST_ADMINISTRATOR, backtest_id=number))
    resumed = await here.ended(again.backtest_id)

    assert again.backtest_id == number and (resumed.line.state, resumed.line.digest) == ("done", whole.line.digest)
    with pytest.raises(Refused, match="is done; there is nothing to go on with"):
        await here.ask("signals", BacktestResumeWanted(user_id=FIRST_ADMINISTRATOR, backtest_id=number))
    await here.ended(await here.ordered())
    assert await here.database.fetch("signals", "select 1 from backtest_data where backtest_id = $1", number) == []


async def test_a_part_is_stored_once_and_only_when_there_is_such_a_part(here: Installation) -> None:
    connection = await here.database.connect("signals")
    await connection.execute(
        """insert into backtest (user_id, kind, strategy, asked, state, total, code_digest, created_at, beat_at)
           values ($1, 'sweep', 'x', '{}', 'running', 3, '', now(), now())""",
        FIRST_ADMINISTRATOR,
    )
    ask = Ask(await here.bus.connect("worker"), deadline_s=WITHIN_S)
    first, again = (JobDone(backtest_id=1, parts=(JobPart(3, "{}", "{}", word),)) for word in ("first", "again"))

    await ask("signals", first)
    await ask("signals", again)
    with pytest.raises(Refused, match="parts 1 to 3, not 4"):
        await ask("signals", JobDone(backtest_id=1, parts=(JobPart(2, "{}", "{}", "half"), JobPart(4, "{}", "{}", "x"))))

    assert [row["digest"] for row in await connection.fetch("select digest from backtest_part")] == ["first"]


async def test_a_worker_with_other_code_leaves_the_job_to_others(here: Installation) -> None:
    job = Job(backtest_id=1, first=1, last=1, wanted="{}", code="0" * 64, data="", pieces=0, limit_s=1)
    worker = await here.worker()
    js = (await here.bus.connect("signals")).jetstream()

    await js.publish(job.subject(), encode(job))

    assert await worker.ended(within_s=GIVES_WAY_S) == 4
    assert "install the version that the installation runs" in worker.written()
    assert (await js.consumer_info("WORK", "worker")).num_ack_pending == 1
