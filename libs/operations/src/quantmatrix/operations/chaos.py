"""Kills services and servers while a replay runs, at random moments from a seed; only kills that hurt are counted."""

import asyncio
import random  # noqa: TID251 - a seed is handed in; the same seed tries the same victims at the same intervals
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

import asyncpg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from quantmatrix.common.runtime.outbox import KEY_HEADER, SEQ_HEADER
from quantmatrix.common.runtime.streams import BY_NAME, SERVICES, heard_by
from quantmatrix.operations.processes import Child
from quantmatrix.operations.supervisor import Supervisor

SERVERS = ("nats", "postgres")
SERVER_SHARE = 0.2
TRIES = 60
PAUSE_MAX_S = 0.02


@dataclass(slots=True)
class Kills:
    """What was killed. `in_hand`: the victim had a message delivered and unanswered; `unpublished`: outbox rows waiting."""

    by_victim: Counter[str] = field(default_factory=Counter)
    in_hand: int = 0
    unpublished: int = 0
    idle_passed_over: int = 0

    @property
    def total(self) -> int:
        return sum(self.by_victim.values())


class Killer:
    """Every `every_s` seconds: choose a victim, stop it for an instant to see whether it is at work, and kill it if so."""

    def __init__(self, every_s: float, seed: int, kills_max: int | None = None) -> None:
        self._every_s = every_s
        self._kills_max = kills_max
        self._random = random.Random(seed)  # noqa: S311 - chaos, not secrets
        self.kills = Kills()

    async def __call__(self, supervisor: Supervisor) -> None:
        """Work until cancelled, or until there were `kills_max`."""
        while self._kills_max is None or self.kills.total < self._kills_max:
            await asyncio.sleep(self._every_s)
            await self._kill_one(supervisor)

    def _choose(self) -> str:
        names = SERVERS if self._random.random() < SERVER_SHARE else SERVICES
        return self._random.choice(names)

    async def _kill_one(self, supervisor: Supervisor) -> None:
        """Kill somebody who is at work; a victim that is idle is watched for a moment, then another one is chosen."""
        victim = self._choose()
        for attempt in range(TRIES):
            began = time.monotonic()
            if supervisor.children()[victim].alive and await self._caught_at_work(supervisor, victim):
                self.kills.by_victim[victim] += 1
                return
            if attempt and attempt % 15 == 0:
                self.kills.idle_passed_over += 1
                victim = self._choose()
            # A victim stands still while it is looked at, on a busy machine for long: it may work for as long again.
            await asyncio.sleep(self._random.random() * PAUSE_MAX_S + time.monotonic() - began)

    async def _caught_at_work(self, supervisor: Supervisor, victim: str) -> bool:
        child = supervisor.children()[victim]
        if victim in SERVERS:
            # A server is at work when anybody is; nobody needs to hold still for that.
            return self._kill(child, await self._look(supervisor, SERVICES))
        child.send(signal.SIGSTOP)
        killed = False
        try:
            killed = self._kill(child, await self._look(supervisor, (victim,)))
        finally:  # also when we are told to end meanwhile: nobody is left standing still
            if not killed:
                child.send(signal.SIGCONT)
        return killed

    def _kill(self, child: Child, at_work: tuple[bool, bool]) -> bool:
        in_hand, unpublished = at_work
        if not (in_hand or unpublished) or not child.send(signal.SIGKILL):
            return False
        self.kills.in_hand += in_hand
        self.kills.unpublished += unpublished
        return True

    async def _look(self, supervisor: Supervisor, services: tuple[str, ...]) -> tuple[bool, bool]:
        """Whether any of these services has a message in hand, and whether any has outbox rows that nobody published."""
        try:
            async with asyncio.timeout(1.0):
                return await _in_hand(supervisor, services), await _unpublished(supervisor, services)
        except Exception:  # a server that is just coming back tells nothing: not at work
            return False, False


async def _in_hand(supervisor: Supervisor, services: tuple[str, ...]) -> bool:
    client = await supervisor.nats.connect()
    try:
        js = client.jetstream()
        for service in services:
            for hearing in heard_by(service):
                if (await js.consumer_info(hearing.stream, hearing.durable)).num_ack_pending:
                    return True
        return False
    finally:
        await client.close()


async def _unpublished(supervisor: Supervisor, services: tuple[str, ...]) -> bool:
    """Whether an outbox holds a row that the bus has not got. Rows that are only not marked yet do not count."""
    connection = await asyncpg.connect(supervisor.postgres.superuser_url(), timeout=1)
    client = await supervisor.nats.connect()
    try:
        for service in services:
            row = await connection.fetchrow(
                f"select family, subject, key, seq from {service}.outbox_waiting join {service}.outbox using (id) order by id desc limit 1"
            )
            if row is not None and not await _is_stored(client.jetstream(), row):
                return True
        return False
    finally:
        await client.close()
        await connection.close()


async def _is_stored(js: JetStreamContext, row: asyncpg.Record) -> bool:
    """Whether the newest row stands in its stream already: rows are published in order, so then all older ones do."""
    try:
        last = await js.get_last_msg(BY_NAME[row["family"]].stream, row["subject"])
    except NotFoundError:
        return False
    headers = last.headers or {}
    return bool(headers.get(KEY_HEADER) == row["key"] and int(headers.get(SEQ_HEADER, "0")) >= row["seq"])
