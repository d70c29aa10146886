"""The desk: takes what a service hears, in order, and settles it; one transaction for everything that is at hand.

There is one desk per process and it does one thing at a time. Messages of all streams, and jobs of the service itself,
pass over it, so nothing inside a service races, and a backlog is worked off in larger transactions through the very
code that takes single messages.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, TypeVar

import structlog

from quantmatrix.common.contracts.codec import MalformedMessageError, decode
from quantmatrix.common.contracts.message import UNSAID, Head, Message, Watermark
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import CONNECT_TIMEOUT_S, Pool
from quantmatrix.common.runtime.errors import TRANSIENT, LeaseLost
from quantmatrix.common.runtime.hearing import Hears
from quantmatrix.common.runtime.inbox import Inbox, Place
from quantmatrix.common.runtime.lease import Lease
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.outbox import OutboxRow, append
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.parking import park

log = structlog.get_logger(__name__)
_T = TypeVar("_T")

BATCH_MAX = 64
HOLD_MAX_S = 2.0
TRIES_MAX = 5
BACKOFF_S = (0.05, 0.1, 0.25, 0.5, 1.0)


class Verdict(Enum):
    """What becomes of a delivery: settled (acknowledge it), or later (give it back)."""

    SETTLED = auto()
    LATER = auto()


class _Taken(Enum):
    DONE = auto()
    DUPLICATE = auto()
    GAP = auto()
    HELD = auto()


@dataclass(slots=True, eq=False)
class Delivery:
    """One message as it arrived: from a stream, or fetched from its owner's outbox (then nobody waits for the verdict)."""

    subject: str
    body: bytes
    key: str | None
    seq: int
    done: "asyncio.Future[Verdict] | None" = None
    held_since: float | None = None

    def settle(self, verdict: Verdict) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_result(verdict)


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[Page], Awaitable[Any]]
    start: Head
    done: "asyncio.Future[Any]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Desk:
    """Settles deliveries and jobs. Whoever hands something in waits for the verdict."""

    def __init__(
        self,
        *,
        service: str,
        pool: Pool,
        inbox: Inbox,
        hears: Iterable[Hears[Any]],
        hand_over: Callable[[Sequence[OutboxRow]], None],
        metrics: Metrics,
        clock: Clock,
        lease: Lease | None = None,
        on_gap: Callable[[str], None] = lambda key: None,
    ) -> None:
        self._service = service
        self._pool = pool
        self._inbox = inbox
        self._hears = {spec.message: spec for spec in hears}
        self._hand_over = hand_over
        self._metrics = metrics
        self._clock = clock
        self._lease = lease
        self._on_gap = on_gap
        self._waiting: deque[Delivery] = deque()
        self._held: list[Delivery] = []
        self._jobs: deque[_Job] = deque()
        self._tries: dict[tuple[str | None, int], int] = {}
        self._quiet: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._changed = False

    async def hear(self, delivery: Delivery) -> Verdict:
        """Hand in one delivery of a stream and wait until it is settled or must come again."""
        delivery.done = asyncio.get_running_loop().create_future()
        self._waiting.append(delivery)
        self._wake.set()
        return await delivery.done

    def hear_again(self, deliveries: Iterable[Delivery]) -> None:
        """Hand in what was fetched from an outbox; whether it came through shows in the inbox."""
        self._waiting.extend(deliveries)
        self._wake.set()

    async def do(self, work: Callable[[Page], Awaitable[_T]], start: Head) -> _T:
        """Run a job in a transaction of its own, in its turn. Raises what the job raises; nothing is then changed."""
        job = _Job(work, start)
        self._jobs.append(job)
        self._wake.set()
        result: _T = await job.done
        return result

    async def quiet(self) -> None:
        """Wait until everything handed in so far has been taken once."""
        marker = asyncio.get_running_loop().create_future()
        self._quiet.append(marker)
        self._wake.set()
        await marker

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._something_to_do()
            while self._jobs:
                await self._run_job(self._jobs.popleft())
            batch = self._take()
            if batch:
                await self._settle(batch)
            self._give_back_long_held()
            if not self._waiting:
                for marker in self._quiet:
                    if not marker.done():
                        marker.set_result(None)
                self._quiet.clear()

    async def _something_to_do(self) -> None:
        if self._jobs or self._waiting or self._quiet or (self._held and self._changed):
            # Deliveries that arrive together are handed in one loop iteration apart: let them gather.
            await asyncio.sleep(0)
            return
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), HOLD_MAX_S / 4 if self._held else None)
        except TimeoutError:
            self._changed = True
            return
        await asyncio.sleep(0)

    def _take(self) -> list[Delivery]:
        """Held ones first, they are older; then what waits. Fetched and delivered messages are put in their numbers' order."""
        held = self._held if self._changed or self._waiting else []
        if held:
            self._held = []
        self._changed = False
        fresh = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
        return held + _in_order(fresh)

    def _give_back_long_held(self) -> None:
        now = self._clock.monotonic()
        keep = []
        for delivery in self._held:
            if delivery.held_since is not None and now - delivery.held_since > HOLD_MAX_S:
                delivery.settle(Verdict.LATER)
                if delivery.key is not None:
                    self._on_gap(delivery.key)
            else:
                keep.append(delivery)
        self._held = keep
        self._metrics.held.set(len(keep))

    async def _run_job(self, job: _Job) -> None:
        if job.done.cancelled():
            return
        try:
            async with self._pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection, connection.transaction():
                page = Page(connection, job.start, from_message=False)
                result = await job.work(page)
                if self._lease is not None:
                    await self._lease.check(connection)
                rows = await append(connection, page.said)
            self._committed(page, rows)
            self._changed = True
        except LeaseLost as error:
            job.done.set_exception(error)
            raise
        except Exception as error:
            if not job.done.done():
                job.done.set_exception(error)
        else:
            if not job.done.done():
                job.done.set_result(result)

    async def _settle(self, batch: Sequence[Delivery]) -> None:
        """Settle a batch in one transaction; when one of it fails, each in its own."""
        try:
            taken = await self._in_one_page(batch)
        except LeaseLost:
            raise
        except TRANSIENT as error:
            await self._wait_and_give_back(batch, error)
        except Exception as error:
            if len(batch) > 1:
                for delivery in batch:
                    await self._settle([delivery])
            else:
                await self._failed(batch[0], error)
        else:
            self._finish(taken)

    def _finish(self, taken: Sequence[tuple[Delivery, _Taken]]) -> None:
        for delivery, how in taken:
            if how is _Taken.HELD:
                delivery.held_since = delivery.held_since or self._clock.monotonic()
                self._held.append(delivery)
            elif how is _Taken.GAP:
                self._metrics.gaps.inc()
                delivery.settle(Verdict.LATER)
                if delivery.key is not None:
                    self._on_gap(delivery.key)
            else:
                self._tries.pop((delivery.key, delivery.seq), None)
                if how is _Taken.DUPLICATE:
                    self._metrics.duplicates.inc()
                else:
                    self._changed = True
                delivery.settle(Verdict.SETTLED)
        self._metrics.held.set(len(self._held))

    async def _in_one_page(self, batch: Sequence[Delivery]) -> list[tuple[Delivery, _Taken]]:
        started = self._clock.monotonic()
        if self._inbox.doubtful:
            await self._inbox.load(self._pool)
        async with self._pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                page = Page(connection, UNSAID)
                view = self._inbox.view()
                taken = [(delivery, await self._take_one(delivery, page, view)) for delivery in batch]
                if not view.changed and not page.said:
                    await transaction.rollback()
                    return taken
                if self._lease is not None:
                    await self._lease.check(connection)
                await self._inbox.store(connection, view)
                rows = await append(connection, page.said)
                await transaction.commit()
            except BaseException:
                # Also after a commit without an answer: only the table knows, so it is read before going on.
                self._inbox.doubt()
                await _roll_back(transaction)
                raise
        self._inbox.keep(view)
        self._committed(page, rows)
        self._metrics.page_seconds.observe(self._clock.monotonic() - started)
        return taken

    def _committed(self, page: Page, rows: Sequence[OutboxRow]) -> None:
        self._hand_over(rows)
        for call in page.afterwards:
            call()

    async def _take_one(self, delivery: Delivery, page: Page, view: "Place") -> _Taken:
        if delivery.key is None:
            await park(
                page,
                self._service,
                delivery.subject,
                delivery.body,
                "a message without a key and number: nobody's outbox sent it",
            )
            self._metrics.parked.inc()
            return _Taken.DONE
        standing = view.of(delivery.key)
        if delivery.seq <= standing.seq or standing.stopped:
            return _Taken.DUPLICATE
        if delivery.seq > standing.seq + 1:
            return _Taken.HELD if delivery.key in view.held else _Taken.GAP
        try:
            message = decode(delivery.body)
        except MalformedMessageError as error:
            await self._park(delivery, page, view, f"malformed: {error}")
            return _Taken.DONE
        if not await self._may_go_on(message, page, view):
            view.held.add(delivery.key)
            return _Taken.HELD
        await self._handle(message, page)
        view.advance(delivery.key, delivery.seq, message.head.message_id)
        return _Taken.DONE

    async def _may_go_on(self, message: Message, page: Page, view: "Place") -> bool:
        if isinstance(message, Watermark) and not view.covered(message.covers):
            return False
        spec = self._hears.get(type(message))
        if spec is None or spec.when is None:
            return True
        page.because_of(message.head)
        return await spec.when(message, page)

    async def _handle(self, message: Message, page: Page) -> None:
        spec = self._hears.get(type(message))
        name = type(message).__name__
        if spec is None:
            return
        started = self._clock.monotonic()
        page.because_of(message.head)
        try:
            await spec.handler(message, page)
        except Exception as error:
            self._metrics.failed.labels(name, type(error).__name__).inc()
            raise
        took = self._clock.monotonic() - started
        self._metrics.handled.labels(name).inc()
        self._metrics.handler_seconds.labels(name).observe(took)
        log.debug(
            "handled",
            type=name,
            message_id=str(message.head.message_id),
            cause=str(message.head.caused_by),
            took_ms=round(took * 1e3, 3),
        )

    async def _park(self, delivery: Delivery, page: Page, view: "Place", error: str) -> None:
        parked_id = await park(page, self._service, delivery.subject, delivery.body, error, key=delivery.key, seq=delivery.seq)
        if delivery.key is not None:
            view.stop(delivery.key, delivery.seq, parked_id)
        self._metrics.parked.inc()
        log.error("parked", subject=delivery.subject, key=delivery.key, seq=delivery.seq, error=error)

    async def _failed(self, delivery: Delivery, error: Exception) -> None:
        """One message failed by itself: try it a few times, then put it aside and stop its key."""
        tried = self._tries[delivery.key, delivery.seq] = self._tries.get((delivery.key, delivery.seq), 0) + 1
        log.exception("handler.failed", subject=delivery.subject, key=delivery.key, seq=delivery.seq, tried=tried, exc_info=error)
        if tried < TRIES_MAX:
            await asyncio.sleep(BACKOFF_S[min(tried - 1, len(BACKOFF_S) - 1)])
            self._waiting.appendleft(delivery)
            return
        view = self._inbox.view()
        try:
            async with self._pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection, connection.transaction():
                page = Page(connection, UNSAID)
                await self._park(delivery, page, view, f"{type(error).__name__}: {error}")
                await self._inbox.store(connection, view)
                rows = await append(connection, page.said)
        except TRANSIENT as away:
            await self._wait_and_give_back([delivery], away)
            return
        self._inbox.keep(view)
        self._committed(page, rows)
        self._tries.pop((delivery.key, delivery.seq), None)
        delivery.settle(Verdict.SETTLED)

    async def _wait_and_give_back(self, batch: Sequence[Delivery], error: BaseException) -> None:
        """The database or a peer is away: nothing counts against the messages, they come again."""
        log.warning("desk.waiting", error=repr(error), messages=len(batch))
        for delivery in batch:
            self._metrics.failed.labels("any", "transient").inc()
            if delivery.done is None and delivery.key is not None:
                self._on_gap(delivery.key)
            delivery.settle(Verdict.LATER)
        await asyncio.sleep(BACKOFF_S[1])


def _in_order(fresh: list[Delivery]) -> list[Delivery]:
    """Keep the order of arrival between keys, and the order of numbers within each key."""
    slots: dict[str | None, list[Delivery]] = {}
    for delivery in fresh:
        slots.setdefault(delivery.key, []).append(delivery)
    for waiting in slots.values():
        waiting.sort(key=lambda delivery: -delivery.seq)
    return [slots[delivery.key].pop() for delivery in fresh]


async def _roll_back(transaction: Any) -> None:
    try:
        await transaction.rollback()
    except TRANSIENT as error:
        log.debug("rollback.failed", error=repr(error))
