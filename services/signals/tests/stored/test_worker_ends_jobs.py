"""A worker ends each job, however closely the answers that it waits for follow on each other."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from quantmatrix.common.contracts.asking.question import Reply
from quantmatrix.common.contracts.asking.work import JobBeat, JobHeard
from quantmatrix.common.contracts.codec import decode_as, encode
from quantmatrix.common.contracts.work import Job
from quantmatrix.common.runtime.waiting import ended
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshBus
from quantmatrix.signals.backtest.sweep import Tried
from quantmatrix.signals.stored.code import Code
from quantmatrix.signals.stored.hand import Hand
from quantmatrix.signals.stored.jobs import Handed
from quantmatrix.signals.stored.worker import Worker

JOBS = 28
WANTED = encode(Reply(msgspec.Raw(encode(JobHeard(True)))))
AT_ONCE = 2
"""So many words of a worker that it is at a job are answered before the job is done: the one it begins with, and one more."""


TURNS = 7
"""The second answer follows so many turns of the event loop behind the first, or fewer: one of them meets the end of the job."""


class ClosedHand(Hand):
    """Needs no process: the part was computed before it was asked for."""

    async def compute(self, handed: Handed, number: int, *, limit_s: float) -> Tried:
        return Tried(number, {}, {}, "digest")


class LateAnswers:
    """Signals that lets a worker wait for its beat until the part is stored, then answers the one close behind the other."""

    def __init__(self) -> None:
        self.done = 0
        self._beats: Counter[int] = Counter()
        self._held: list[Msg] = []

    async def listen(self, client: Client) -> None:
        await client.subscribe("svc.signals.job_beat", cb=self._beat)
        await client.subscribe("svc.signals.job_done", cb=self._stored)

    async def _beat(self, message: Msg) -> None:
        job = decode_as(JobBeat, message.data).backtest_id
        self._beats[job] += 1
        if self._beats[job] > AT_ONCE:
            self._held.append(message)
        else:
            await message.respond(WANTED)

    async def _stored(self, message: Msg) -> None:
        self.done += 1
        await message.respond(WANTED)
        for _ in range(self.done % TURNS):
            await asyncio.sleep(0)
        while self._held:
            await self._held.pop().respond(WANTED)


async def test_every_job_ends_though_its_beat_is_answered_in_the_same_moment(bus: FreshBus) -> None:
    signals, client = await bus.connect("signals"), await bus.connect("worker")
    answers = LateAnswers()
    await answers.listen(signals)
    for number in range(JOBS):
        job = Job(backtest_id=number, first=1, last=1, wanted="{}", code="here", data="", pieces=0, limit_s=1)
        await signals.jetstream().publish(job.subject(), encode(job))

    working: asyncio.Task[Any] = asyncio.create_task(Worker(client, Code("here", None), hire=ClosedHand, beat_s=0).run(1))
    try:
        await wait_until(lambda: answers.done == JOBS, "every job is done")
    finally:
        await ended([working])
