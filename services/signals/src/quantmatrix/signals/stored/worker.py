"""A worker: takes jobs from the queue, computes them in processes of its own, and acknowledges what signals has stored. It owns nothing."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.asking.work import PARTS_MAX, JobBeat, JobDataAsked, JobDone, JobPart
from quantmatrix.common.contracts.codec import decode_as
from quantmatrix.common.contracts.work import Job
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.runtime.errors import ConfigurationError, Refused
from quantmatrix.common.runtime.streams import ACK_WAIT_S, taken_by
from quantmatrix.common.runtime.waiting import ended
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.sweep import Tried
from quantmatrix.signals.stored.code import Code
from quantmatrix.signals.stored.hand import Hand, HandLostError
from quantmatrix.signals.stored.jobs import Handed

log = structlog.get_logger(__name__)
A = TypeVar("A", bound=msgspec.Struct)
FETCH_S = 5.0
PAUSE_S = 1.0
BEAT_S = ACK_WAIT_S / 4
TELL_S = 1.0
TRIES_MAX = 5
"""A job that was handed out more often than this ends its backtest: something in it kills whoever works on it."""
DEADLINE_S = 10.0


class _UnwantedError(Exception):
    """The backtest has ended: nobody waits for the rest of the job."""


@dataclass(slots=True)
class Told:
    """How much a worker has done since its start, for whoever looks at it."""

    jobs: int = 0
    parts: int = 0


class Worker:
    """Processes that share a connection, and the bars of the backtest that they work on."""

    def __init__(
        self,
        client: Client,
        code: Code,
        *,
        say: Callable[[str], None] = lambda _: None,
        hire: Callable[[], Hand] = Hand,
        beat_s: float = BEAT_S,
    ) -> None:
        self._client, self._code, self._say, self._hire, self._beat_s = client, code, say, hire, beat_s
        self._ask = Ask(client)
        self._bars: tuple[str, asyncio.Task[tuple[bytes, ...]]] | None = None
        self.told = Told()

    async def run(self, processes: int) -> None:
        """Work until cancelled. Raises ConfigurationError when the installation runs other code."""
        takers = [asyncio.ensure_future(self._take()) for _ in range(processes)]
        try:
            await asyncio.gather(*takers)
        finally:
            await ended(takers)

    async def _take(self) -> None:
        """Job after job, one at a time."""
        taking = taken_by("worker")
        assert taking is not None
        queue = await self._client.jetstream().pull_subscribe_bind(taking.durable, taking.stream)
        hand = self._hire()
        try:
            while True:
                message = await _next(queue)
                if message is not None:
                    await self._do(message, hand)
        finally:
            hand.close()

    async def _do(self, message: Msg, hand: Hand) -> None:
        job = decode_as(Job, message.data)
        if job.code != self._code.digest:
            await message.nak(delay=PAUSE_S)
            raise ConfigurationError(
                f"backtest {job.backtest_id} is to be computed by the code {job.code[:12]}, this worker has {self._code.digest[:12]}; "
                "install the version that the installation runs"
            )
        beating = asyncio.ensure_future(self._beat(message, job))
        working = asyncio.ensure_future(self._work(message, job, hand))
        try:
            await asyncio.wait({beating, working}, return_when=asyncio.FIRST_COMPLETED)
            await ended({working} if not working.done() else ())
            if not working.cancelled() and isinstance(error := working.exception(), HandLostError):
                log.warning("job.lost", backtest_id=job.backtest_id, first=job.first, error=str(error))
                await message.nak()
                return
            if not working.cancelled():
                working.result()
            await message.ack()
            self.told.jobs += 1
        finally:
            await ended((beating, working))

    async def _work(self, message: Msg, job: Job, hand: Hand) -> None:
        """Compute its parts and have them stored. Ends early when nobody wants them any more."""
        try:
            if message.metadata.num_delivered > TRIES_MAX:
                raise BacktestError(f"whoever worked on the parts {job.first} to {job.last} ended {TRIES_MAX} times; nobody tries it again")
            if not (await self._patiently(JobBeat(backtest_id=job.backtest_id))).wanted:
                raise _UnwantedError
            handed = Handed(job.wanted, job.data, await self._bars_of(job))
            ready: list[JobPart] = []
            told_at = time.monotonic()
            for number in range(job.first, job.last + 1):
                ready.append(_part(await hand.compute(handed, number, limit_s=job.limit_s)))
                if time.monotonic() - told_at > TELL_S or len(ready) == PARTS_MAX:
                    await self._tell(job, ready)
                    ready, told_at = [], time.monotonic()
            await self._tell(job, ready)
            self._say(f"backtest {job.backtest_id}: parts {job.first} to {job.last} are done")
        except BacktestError as error:
            self._say(f"backtest {job.backtest_id}: {error}")
            await self._patiently(JobDone(backtest_id=job.backtest_id, problem=str(error)))
        except _UnwantedError:
            self._say(f"backtest {job.backtest_id} has ended")

    async def _tell(self, job: Job, ready: list[JobPart]) -> None:
        if not (await self._patiently(JobDone(backtest_id=job.backtest_id, parts=tuple(ready)))).wanted:
            raise _UnwantedError
        self.told.parts += len(ready)

    async def _beat(self, message: Msg, job: Job) -> None:
        """Ends when the backtest is wanted no more; until then the queue and signals hear that somebody is at it."""
        while True:
            await asyncio.sleep(self._beat_s)
            try:
                await message.in_progress()
                if not (await self._ask("signals", JobBeat(backtest_id=job.backtest_id))).wanted:
                    return
            except (ServiceSilent, Refused, nats.errors.Error) as error:
                log.debug("job.beat", error=str(error))

    async def _bars_of(self, job: Job) -> tuple[bytes, ...]:
        """The packed bars, fetched once for all processes and kept for the next job on the same."""
        if (
            self._bars is None
            or self._bars[0] != job.data
            or self._bars[1].cancelled()
            or (self._bars[1].done() and self._bars[1].exception())
        ):
            self._bars = (job.data, asyncio.ensure_future(self._fetched(job)))
        return await asyncio.shield(self._bars[1])

    async def _fetched(self, job: Job) -> tuple[bytes, ...]:
        asked = [JobDataAsked(backtest_id=job.backtest_id, number=number) for number in range(job.pieces)]
        return tuple([(await self._patiently(one)).content for one in asked])

    async def _patiently(self, question: Question[A]) -> A:
        """Ask until signals answers: what is computed is not thrown away because a service is started anew."""
        while True:
            try:
                return await self._ask("signals", question, deadline_s=DEADLINE_S)
            except (ServiceSilent, nats.errors.Error) as error:
                log.debug("job.waits", error=str(error))
                await asyncio.sleep(PAUSE_S)
            except Refused as error:
                if error.code == "JOB_ENDED":
                    raise _UnwantedError from error
                raise BacktestError(error.detail) from error


async def _next(queue: JetStreamContext.PullSubscription) -> Msg | None:
    """The next job; None when none came. A queue that is away, or made anew, is asked again after a moment."""
    try:
        return (await queue.fetch(1, timeout=FETCH_S))[0]
    except (TimeoutError, nats.errors.TimeoutError):
        return None
    except (nats.errors.Error, JetStreamError) as error:
        log.debug("queue.away", error=str(error))
        await asyncio.sleep(PAUSE_S)
        return None


def _part(one: Tried) -> JobPart:
    return JobPart(one.number, json.dumps(dict(one.chosen)), json.dumps(dict(one.figures)), one.digest)
