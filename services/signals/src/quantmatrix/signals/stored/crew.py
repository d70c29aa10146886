"""Workers on any number of machines: their jobs are published here, what they finish is stored here, and here is seen that they are gone."""

import asyncio
import json
import time
from collections.abc import Sequence

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client
from nats.js.errors import Error as JetStreamError

from quantmatrix.common.contracts.asking.work import CrewAsked, CrewFound, JobBeat, JobData, JobDataAsked, JobDone, JobHeard
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.work import Job
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import Connection, Pool
from quantmatrix.common.runtime.errors import TRANSIENT, Refused
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.streams import taken_by
from quantmatrix.signals.backtest.sweep import Tried
from quantmatrix.signals.stored.code import code_at_work
from quantmatrix.signals.stored.jobs import cut
from quantmatrix.signals.stored.store import Backtest, BacktestStore

log = structlog.get_logger(__name__)
LOOK_S = 0.5
ALONE_S = 30.0
"""After this time without a word of any worker and without one that waits, they are taken for gone."""
FRESH_S = 5.0
GAP_S = 0.4
LOST_LOOKS = 4
"""So many times in a row nothing lies in the queue and parts are missing: then the queue lost them."""
_AWAY: tuple[type[BaseException], ...] = (*TRANSIENT, nats.errors.Error, JetStreamError)


class Crew:
    """The service's side of the work queue. What it remembers only decides how long it waits, never what is stored."""

    def __init__(self, pool: Pool, client: Client, clock: Clock, *, limit_s: float) -> None:
        self._pool, self._js, self._clock, self._limit_s = pool, client.jetstream(timeout=2), clock, limit_s
        self._heard_at = -ALONE_S

    async def found(self, _: CrewAsked, connection: Connection) -> CrewFound:
        return CrewFound(await self.is_there(), code_at_work().digest)

    async def beat(self, asked: JobBeat, connection: Connection) -> JobHeard:
        self._heard_at = time.monotonic()
        return JobHeard(await BacktestStore(connection).still_wanted(asked.backtest_id) is not None)

    async def data(self, asked: JobDataAsked, connection: Connection) -> JobData:
        content = await BacktestStore(connection).data_piece(asked.backtest_id, asked.number)
        if content is None:
            raise Refused("JOB_ENDED", f"backtest {asked.backtest_id} has no piece {asked.number} of bars: it has ended")
        return JobData(content)

    async def done(self, asked: JobDone, page: Page) -> JobHeard:
        """Store what is finished, all of it or nothing. A part that was stored before stays as it is."""
        self._heard_at = time.monotonic()
        store = BacktestStore(page.connection)
        total = await store.still_wanted(asked.backtest_id)
        if total is None:
            return JobHeard(False)
        for one in asked.parts:
            if not 1 <= one.number <= total:
                raise Refused("JOB_PART_UNKNOWN", f"backtest {asked.backtest_id} has parts 1 to {total}, not {one.number}")
            await store.keep_part(asked.backtest_id, Tried(one.number, json.loads(one.chosen), json.loads(one.figures), one.digest))
        if asked.problem:
            await store.fail(asked.backtest_id, asked.problem, self._clock.now())
        return JobHeard(not asked.problem)

    async def is_there(self) -> bool:
        """Whether any worker waits for jobs, or was at one a moment ago. Between two waits is a short gap, so it looks twice."""
        for pause in (0.0, GAP_S):
            await asyncio.sleep(pause)
            if time.monotonic() - self._heard_at < FRESH_S or (await self._queue())[0] > 0:
                return True
        return False

    async def work(self, found: Backtest, total: int, data: str, pieces: int) -> bool:
        """Hand out what is missing, and wait until every part is stored or the workers went: then somebody else has to go on.

        False when the backtest ended meanwhile: cancelled, or failed with what a worker told.
        """
        missing = await self._missing(found.backtest_id, total)
        job = Job(
            backtest_id=found.backtest_id, first=1, last=1, wanted=found.wanted.stored(), code=found.code.digest, data=data, pieces=pieces,
            limit_s=self._limit_s,
        )  # fmt: skip
        rounds, lost, last, moved_at = 0, 0, len(missing), time.monotonic()
        while missing:
            async with self._pool.acquire(timeout=5) as connection:
                if not await BacktestStore(connection).beat(found.backtest_id, total - len(missing), total, self._clock.now()):
                    return False
            if rounds == 0:
                rounds = await self._published(job, cut(missing, total), 1)
            await asyncio.sleep(LOOK_S)
            missing = await self._missing(found.backtest_id, total)
            waiting, queued = await self._queue()
            if waiting or len(missing) < last:
                moved_at = time.monotonic()
            last, lost = len(missing), lost + 1 if queued == 0 else 0
            if time.monotonic() - max(moved_at, self._heard_at) > ALONE_S:
                log.warning("jobs.alone", backtest_id=found.backtest_id, missing=len(missing))
                return True
            if lost >= LOST_LOOKS:
                rounds, lost = await self._published(job, cut(missing, total), rounds + 1), 0
        return True

    async def _missing(self, backtest_id: int, total: int) -> list[int]:
        async with self._pool.acquire(timeout=5) as connection:
            there = await BacktestStore(connection).numbers(backtest_id)
        return [number for number in range(1, total + 1) if number not in there]

    async def _published(self, job: Job, cuts: Sequence[tuple[int, int]], rounds: int) -> int:
        """The number of this round. A job that cannot be published is missed later, and published in another round."""
        try:
            for first, last in cuts:
                one = msgspec.structs.replace(job, first=first, last=last)
                name = f"{job.backtest_id}-{first}-{last}-{rounds}"
                await self._js.publish(one.subject(), encode(one), headers={"Nats-Msg-Id": name})
        except _AWAY as error:
            log.warning("jobs.delayed", backtest_id=job.backtest_id, error=str(error))
        return rounds

    async def _queue(self) -> tuple[int, int]:
        """How many workers wait for a job, and how many jobs are not done; as if there were jobs while the bus is away."""
        taking = taken_by("worker")
        assert taking is not None
        try:
            info = await self._js.consumer_info(taking.stream, taking.durable)
        except _AWAY:
            return 0, 1
        return info.num_waiting or 0, (info.num_pending or 0) + (info.num_ack_pending or 0)
