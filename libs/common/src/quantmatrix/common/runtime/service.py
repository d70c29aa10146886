"""The life of a service process: come up patiently, work, go down gently."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import structlog
from faststream.nats import NatsBroker
from nats.aio.client import Client

from quantmatrix.common.contracts.asking.messaging import (
    InboxHeadsAsked,
    OutboxHeadsAsked,
    OutboxReadAsked,
    ParkedAsked,
    ParkedDecisionAsked,
    TraceAsked,
)
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.message import Head, Message
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.catchup import CatchUp
from quantmatrix.common.runtime.clock import Clock, SystemClock
from quantmatrix.common.runtime.database import Pool, close_pool, connect, open_pool
from quantmatrix.common.runtime.desk import Desk
from quantmatrix.common.runtime.errors import TRANSIENT, NotLetIn
from quantmatrix.common.runtime.health import Check, Health, make_server
from quantmatrix.common.runtime.hearing import Answers, Bus, Does
from quantmatrix.common.runtime.keeper import OutboxKeeper
from quantmatrix.common.runtime.keys import KeysHeard, keys_heard
from quantmatrix.common.runtime.lease import Lease
from quantmatrix.common.runtime.logs import configure_logs
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.parking import ParkedDesk
from quantmatrix.common.runtime.register import Register
from quantmatrix.common.runtime.relay import Relay
from quantmatrix.common.runtime.settings import ServiceSettings
from quantmatrix.common.runtime.streams import heard_by
from quantmatrix.common.runtime.subscribing import Answering, hear_streams, is_refusal, let_in, make_broker, start_patiently
from quantmatrix.common.runtime.waiting import asked_to_end, done_before, ended

log = structlog.get_logger(__name__)
RETRY_S = 0.2
GAUGES_EVERY_S = 5.0
LATE_S = 0.5
"""A pause that ends so much too late is told: the event loop was blocked, or the process was stopped."""
BROKER_STOPS_S = 4.0
DOORS_CLOSE_S = 2.0
"""How long requests under way have to be finished, or refused, when the service stops."""
STARTING, STOPPING = "starting", "stopping"
asked_to_stop: ContextVar[asyncio.Event] = ContextVar("asked_to_stop")
"""The event that stops services started in this context; where there is none, SIGTERM and SIGINT stop them."""


@dataclass(slots=True)
class Parts:
    """What a service is built from; `desk` is there once the service's bus is known."""

    service: str
    pool: Pool
    client: Client
    ask: Ask
    clock: Clock
    metrics: Metrics
    _desk: Desk | None = field(default=None)

    @property
    def desk(self) -> Desk:
        if self._desk is None:
            raise RuntimeError("the desk is made from the service's bus; use it from handlers and background tasks only")
        return self._desk

    async def write(self, work: Callable[[Page], Awaitable[None]], start: Head) -> None:
        """One transaction before there is a desk: what a service has to store and say while it is being built."""
        register = Register(KeysHeard({}))
        async with self.pool.acquire(timeout=5) as connection, connection.transaction():
            await register.load(connection)
            page = Page(connection, start, register.view(), from_message=False)
            await work(page)
            await page.finish()
            await register.settle(connection, page.view, page.said, None)

    async def tell(self, message: Message) -> None:
        """Publish an ephemeral message: not stored, not numbered, lost on purpose when nobody listens."""
        await self.client.publish(message.subject(), encode(message))


Build = Callable[[Parts], Awaitable[Bus]]


async def run_service(settings: ServiceSettings, build: Build, *, exclusive: bool = False) -> None:
    """Run one service until it is asked to stop. exclusive: only one process of this service works at a time."""
    service = settings.SERVICE
    configure_logs(service=service, level=settings.log_level, file=settings.log_file)
    stop = asked_to_stop.get(None) or _stopped_by_signals()
    runner = _Runner(settings, build, exclusive=exclusive)
    log.info("starting")
    try:
        await runner.run(stop)
    except Exception as error:
        refused, others = _refusal_in(error)
        if refused is None:
            log.exception("stopped.by_error")
            raise
        if others is not None:
            log.error("stopped.by_error", exc_info=others)
        log.error("stopped.not_let_in", error=str(refused))
        raise refused from None
    log.info("stopped")


def _refusal_in(error: Exception) -> tuple[NotLetIn | None, ExceptionGroup[Exception] | None]:
    """The server's refusal among what ended the tasks of a service, and whatever else did."""
    refusals, others = ExceptionGroup("what else ended the service", [error]).split(NotLetIn)
    first: NotLetIn | ExceptionGroup[NotLetIn] | None = refusals
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return first, others


def _stopped_by_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


class _Runner:
    def __init__(self, settings: ServiceSettings, build: Build, *, exclusive: bool) -> None:
        self._settings = settings
        self._service = settings.SERVICE
        self._build = build
        self._url = settings.database_url.get_secret_value()
        self._metrics = Metrics(self._service)
        self._lease = Lease(service=self._service, database_url=self._url) if exclusive else None
        self._catch_up: CatchUp | None = None
        self._not_ready: str | None = STARTING
        self._bus_lost_for_good = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        pool = await self._patiently(
            "database", lambda: open_pool(self._url, service=self._service, size=self._settings.database_pool_size)
        )
        broker = make_broker(
            service=self._service,
            url=self._settings.nats_url,
            password=self._settings.nats_password.get_secret_value(),
            metrics=self._metrics,
            on_back=self._bus_is_back,
            on_lost_for_good=self._bus_lost_for_good.set,
        )
        try:
            client = await self._patiently("bus", lambda: let_in(self._service, broker))
            self._metrics.bus_connected.set(1)
            parts = Parts(
                self._service, pool, client, Ask(client, deadline_s=self._settings.answer_deadline_s), SystemClock(), self._metrics
            )
            async with self._telling_health(parts, client):
                await self._work(parts, broker, client, stop)
        finally:
            await _stop_broker(broker)
            if self._lease is not None:
                await self._lease.release()
            await close_pool(pool)

    async def _work(self, parts: Parts, broker: NatsBroker, client: Client, stop: asyncio.Event) -> None:
        if self._lease is not None:
            if not await done_before(self._lease.acquire(self._stands_by), stop):
                return
            self._not_ready = STARTING
        hearings = heard_by(self._service)
        heard = keys_heard(self._service, hearings)
        register = Register(heard)
        relay = Relay(service=self._service, database_url=self._url, client=client, metrics=self._metrics)
        bus = await self._build(parts)
        desk = Desk(
            service=self._service,
            connect=lambda: connect(self._url, service=self._service),
            register=register,
            hears=bus.hears,
            hand_over=relay.hand_over,
            metrics=self._metrics,
            clock=parts.clock,
            lease=self._lease,
            on_gap=self._gap,
        )
        parts._desk = desk
        self._catch_up = CatchUp(
            ask=parts.ask,
            desk=desk,
            register=register,
            heard=heard,
            every_s=self._settings.catch_up_every_s,
            metrics=self._metrics,
        )
        await self._patiently("register", lambda: _load(register, parts.pool))
        answering = Answering(service=self._service, pool=parts.pool, desk=desk, clock=parts.clock)
        broker.include_router(hear_streams(self._service, hearings, desk, self._metrics, parts.clock))
        broker.include_router(answering.router(*_with_common_questions(self._service, bus, register, self._gap)))
        await self._tasks(parts, broker, bus, desk, relay, client, stop)

    async def _tasks(
        self, parts: Parts, broker: NatsBroker, bus: Bus, desk: Desk, relay: Relay, client: Client, stop: asyncio.Event
    ) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(desk.run(), name="desk"), group.create_task(relay.run(), name="relay")]
            if self._catch_up is not None:
                tasks.append(group.create_task(self._catch_up.run(), name="catch-up"))
            tasks.append(group.create_task(self._gauges(parts), name="gauges"))
            tasks.append(group.create_task(self._end_without_bus(client), name="bus"))
            if self._lease is not None:
                tasks.append(group.create_task(self._lease.watch(), name="lease"))
            tasks += [group.create_task(task(), name=getattr(task, "__name__", "task")) for task in bus.background]
            doors = [group.create_task(door(), name=getattr(door, "__name__", "door")) for door in bus.doors]
            subscribing = group.create_task(start_patiently(broker, give_up_s=self._settings.start_timeout_s), name="subscribing")
            self._not_ready = None
            log.info("started")
            try:
                await stop.wait()
            finally:  # also when one of the tasks failed
                self._not_ready = STOPPING
                log.info("stopping")
                await asked_to_end(doors, DOORS_CLOSE_S)
                subscribing.cancel()
                await _stop_broker(broker)
                await ended([*doors, *tasks])

    @asynccontextmanager
    async def _telling_health(self, parts: Parts, client: Client) -> AsyncIterator[None]:
        """Answer for one's health from the first connection to the last, standing by included."""
        if not self._settings.health_port:
            yield
            return

        async def phase() -> str | None:
            return self._not_ready

        health = Health(service=self._service, registry=self._metrics.registry, checks={"phase": phase, **_checks(parts, client)})
        server = make_server(health, host=self._settings.health_host, port=self._settings.health_port)
        serving = asyncio.create_task(server.serve(), name="health")
        try:
            yield
        finally:
            await ended([serving])

    async def _patiently(self, what: str, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """Try until it works. Raises TimeoutError when the start takes too long, NotLetIn when the server refuses."""
        async with asyncio.timeout(self._settings.start_timeout_s):
            while True:
                try:
                    return await attempt()
                except NotLetIn:
                    raise
                except TRANSIENT as error:
                    log.info("start.waiting", what=what, error=repr(error))
                await asyncio.sleep(RETRY_S)

    def _stands_by(self) -> None:
        """A process that waits for the one that works to end is well."""
        self._not_ready = None

    def _bus_is_back(self) -> None:
        if self._catch_up is not None:
            self._catch_up.now()

    async def _end_without_bus(self, client: Client) -> None:
        """Raises ConnectionError when the connection to the bus was closed for good, NotLetIn when the bus let nobody of this name and
        password in: a process that begins anew makes another.
        """
        await self._bus_lost_for_good.wait()
        if self._not_ready == STOPPING:
            return
        told = client.last_error
        if told is not None and is_refusal(told):
            raise NotLetIn(f"the bus does not let {self._service} in: {told}")
        raise ConnectionError(f"the connection to the bus was closed for good: {told!r}")

    def _gap(self, key: str) -> None:
        if self._catch_up is not None:
            self._catch_up.for_key(key)

    async def _gauges(self, parts: Parts) -> None:
        while True:
            try:
                async with parts.pool.acquire(timeout=2) as connection:
                    age = await connection.fetchval(
                        "select extract(epoch from clock_timestamp() - said_at)::float8 from outbox_waiting join outbox using (id) order by id limit 1"
                    )
                self._metrics.outbox_age_seconds.set(age or 0.0)
            except TRANSIENT as error:
                log.debug("gauges.waiting", error=repr(error))
            due = parts.clock.monotonic() + GAUGES_EVERY_S
            await asyncio.sleep(GAUGES_EVERY_S)
            late_s = parts.clock.monotonic() - due
            if late_s > LATE_S:
                self._metrics.stood_still.inc(late_s)
                log.warning("loop.stood_still", seconds=round(late_s, 3))


def _with_common_questions(
    service: str, bus: Bus, register: Register, on_gap: Callable[[str], None]
) -> tuple[tuple[Answers[Any], ...], tuple[Does[Any], ...]]:
    keeper, parked = OutboxKeeper(service), ParkedDesk(service, bus.hears, on_gap)
    answers = (
        Answers(OutboxHeadsAsked, keeper.heads),
        Answers(OutboxReadAsked, keeper.read),
        Answers(TraceAsked, keeper.trace),
        Answers(InboxHeadsAsked, register.heads),
        Answers(ParkedAsked, parked.listed),
    )
    return (*answers, *bus.answers), (Does(ParkedDecisionAsked, parked.decide), *bus.does)


def _checks(parts: Parts, client: Client) -> dict[str, Check]:
    async def database() -> str | None:
        try:
            async with parts.pool.acquire(timeout=2) as connection:
                await connection.fetchval("select 1")
        except TRANSIENT as error:
            return f"the database does not answer: {type(error).__name__}"
        return None

    async def bus() -> str | None:
        return None if client.is_connected else "not connected to the bus"

    return {"database": database, "bus": bus}


async def _load(register: Register, pool: Pool) -> None:
    async with pool.acquire(timeout=5) as connection:
        await register.load(connection)


async def _stop_broker(broker: NatsBroker) -> None:
    try:
        async with asyncio.timeout(BROKER_STOPS_S):
            await broker.stop()
    except (Exception, TimeoutError) as error:
        log.debug("bus.stop", error=repr(error))
