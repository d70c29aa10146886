"""The desk: takes what a service hears, in order, and settles it; one transaction for everything that is at hand.

There is one desk per process and it does one thing at a time. Messages of all streams, and jobs of the service itself,
pass over it, so nothing inside a service races, and a backlog is worked off in larger transactions through the very
code that takes single messages.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import structlog

from quantmatrix.common.contracts.message import UNSAID, Head, Message, Watermark
from quantmatrix.common.runtime.clock import Clock
from quantmatrix.common.runtime.database import Connection, Own
from quantmatrix.common.runtime.delivery import Delivery, Verdict, in_order
from quantmatrix.common.runtime.errors import ENDS_THE_SERVICE, OF_A_STATEMENT, TRANSIENT
from quantmatrix.common.runtime.hearing import Hears
from quantmatrix.common.runtime.lease import Lease
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.outbox import Numbered, OutboxRow
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.parking import park
from quantmatrix.common.runtime.register import PLACES, Register, View
from quantmatrix.common.runtime.transactions import Transactions
from quantmatrix.common.runtime.waiting import woken
from quantmatrix.common.runtime.writing import joined

log = structlog.get_logger(__name__)
_plain_log = logging.getLogger(__name__)
_T = TypeVar("_T")

BATCH_MAX = 64
HOLD_MAX_S = 2.0
TRIES_MAX = 5
BACKOFF_S = (0.05, 0.1, 0.25, 0.5, 1.0)
NOTHING_TO_DO_S = 0.05
"""How long a message that nobody here handles may wait to be acknowledged together with others."""


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[Page], Awaitable[Any]]
    start: Head
    done: "asyncio.Future[Any]"


UNNUMBERED = "a message without a key and number: nobody's outbox sent it"


class Desk:
    """Settles deliveries and jobs, one transaction after the other."""

    def __init__(
        self,
        *,
        service: str,
        connect: Callable[[], Awaitable[Own]],
        register: Register,
        hears: Iterable[Hears[Any]],
        hand_over: Callable[[Sequence[OutboxRow]], Awaitable[None]],
        metrics: Metrics,
        clock: Clock,
        lease: Lease | None = None,
        on_gap: Callable[[str], None] = lambda key: None,
    ) -> None:
        self._service = service
        self._transactions = Transactions(connect, register, clock)
        self._register = register
        self._hears = {spec.message: spec for spec in hears}
        self._hand_over = hand_over
        self._metrics = metrics
        self._clock = clock
        self._lease = lease
        self._on_gap = on_gap
        self._waiting: deque[Delivery] = deque()
        self._held: list[Delivery] = []
        self._jobs: deque[_Job] = deque()
        self._quiet: list[asyncio.Future[None]] = []
        self._tries: dict[tuple[str | None, int], int] = {}
        self._wake = asyncio.Event()
        self._due = float("inf")
        self._changed = False

    def take(self, delivery: Delivery) -> None:
        """Hand in one delivery; it is told its verdict when it is settled or must come again."""
        spec = self._hears.get(type(delivery.message))
        patience = (spec.patience() if spec else NOTHING_TO_DO_S) if delivery.message is not None else 0.0
        self._waiting.append(delivery)
        due = self._clock.monotonic() + patience
        if due < self._due:
            self._due = due
            self._wake.set()

    def take_all(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self.take(delivery)

    async def do(self, work: Callable[[Page], Awaitable[_T]], start: Head) -> _T:
        """Run a job in a transaction of its own, in its turn. Raises what the job raises; nothing is then changed."""
        job = _Job(work, start, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._wake.set()
        result: _T = await job.done
        return result

    async def quiet(self) -> None:
        """Wait until everything handed in so far has been taken once."""
        marker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._quiet.append(marker)
        self._wake.set()
        await marker

    async def run(self) -> None:
        """Work until cancelled. Raises LeaseLost, and NotLetIn when the database refuses the service."""
        while True:
            await self._something_to_do()
            while self._jobs:
                await self._run_job(self._jobs.popleft())
            batch = self._batch()
            if batch:
                await self._settle(batch)
            await self._give_back_long_held()
            if not self._waiting:
                for marker in self._quiet:
                    if not marker.done():
                        marker.set_result(None)
                self._quiet.clear()

    async def _something_to_do(self) -> None:
        await self._transactions.begin_ahead()
        while not (self._jobs or self._quiet or (self._held and self._changed)):
            now = self._clock.monotonic()
            if self._waiting and (self._due <= now or len(self._waiting) >= BATCH_MAX):
                break
            self._wake.clear()
            due_s = min(self._due - now if self._waiting else float("inf"), HOLD_MAX_S / 4 if self._held else float("inf"))
            wait_s = min(due_s, max(self._transactions.seconds_left(), 0.0))
            if not await woken(self._wake, None if wait_s == float("inf") else wait_s):
                self._changed = self._changed or (wait_s == due_s and bool(self._held))
                await self._transactions.rest()

    def _batch(self) -> list[Delivery]:
        """Held ones first, they are older; then what waits, patient or not."""
        held, self._held = self._held, []
        self._changed = False
        fresh = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
        self._due = self._clock.monotonic() if self._waiting else float("inf")
        return held + in_order(fresh)

    async def _give_back_long_held(self) -> None:
        """What waits too long goes back to the bus, and its owner is asked for what it may be waiting for."""
        now = self._clock.monotonic()
        keep = []
        for delivery in self._held:
            if delivery.held_since is not None and now - delivery.held_since > HOLD_MAX_S:
                await delivery.settle(Verdict.LATER)
                self._ask_for(delivery)
            else:
                keep.append(delivery)
        self._held = keep
        self._metrics.holding(len(keep))

    def _ask_for(self, delivery: Delivery) -> None:
        if delivery.key is not None:
            self._on_gap(delivery.key)
        if isinstance(delivery.message, Watermark):
            for key in delivery.message.covers:
                self._on_gap(key)

    async def _run_job(self, job: _Job) -> None:
        if job.done.cancelled():
            return
        view = self._register.view()
        try:
            writing = await self._transactions.writing()
            view = self._register.view()
            page = Page(cast(Connection, writing), job.start, view, from_message=False)
            result, rows, numbered = await self._job_page(page, job)
        except Exception as error:
            self._register.doubt()
            if not job.done.done():
                job.done.set_exception(error)
            if isinstance(error, ENDS_THE_SERVICE):
                raise
            return
        self._register.keep(view, numbered)
        await self._committed(page, rows)
        self._changed = True
        if not job.done.done():
            job.done.set_result(result)

    async def _job_page(self, page: Page, job: _Job) -> tuple[Any, list[OutboxRow], Numbered]:
        try:
            result = await job.work(page)
            rows, numbered = await self._end(page, like_the_next=False)
        except BaseException:
            await self._transactions.roll_back()
            raise
        return result, rows, numbered

    async def _end(self, page: Page, *, like_the_next: bool) -> tuple[list[OutboxRow], Numbered]:
        """Store what was heard, said and is still to be written, and make it last; with one statement where the page has asked nothing.

        like_the_next: what this page asked, the next one may well ask again.
        """
        page.write_gathered()
        writing = page.writing
        together = joined(writing.writes, PLACES) if writing.alone else None
        if together is None:
            await writing.open()
        settled = await self._register.settle(writing.own, page.view, page.said, self._fence(), together)
        await self._transactions.commit(ahead=like_the_next and writing.asked)
        return settled

    def _fence(self) -> Any:
        return self._lease.fence if self._lease is not None else None

    async def _settle(self, batch: Sequence[Delivery]) -> None:
        """Settle a batch in one transaction; when one of it fails, each in its own."""
        try:
            await self._in_one_page(batch)
        except ENDS_THE_SERVICE:
            raise
        except TRANSIENT as error:
            if len(batch) > 1 and isinstance(error, OF_A_STATEMENT):
                await self._settle_each(batch)
            else:
                await self._wait_and_give_back(batch, error)
        except Exception as error:
            if len(batch) > 1:
                await self._settle_each(batch)
            else:
                await self._failed(batch[0], error)

    async def _settle_each(self, batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            await self._settle([delivery])

    async def _in_one_page(self, batch: Sequence[Delivery]) -> None:
        if not self._register.doubtful:
            batch = await self._without_work(batch)
        if not batch:
            return
        started = self._clock.monotonic()
        writing = await self._transactions.writing()
        try:
            view = self._register.view()
            page = Page(cast(Connection, writing), UNSAID, view)
            verdicts = [(delivery, await self._take_one(delivery, page, view)) for delivery in batch]
            worked = view.worked or bool(page.said)
            if worked:
                rows, numbered = await self._end(page, like_the_next=True)
            else:
                self._transactions.put_back()
        except BaseException:
            # Also after a commit without an answer: only the tables know, so they are read before going on.
            self._register.doubt()
            await self._transactions.roll_back()
            raise
        if worked:
            self._register.keep(view, numbered)
            await self._committed(page, rows)
        else:
            self._register.keep_in_memory(view)
        await self._tell(verdicts)
        self._metrics.page_seconds.observe(self._clock.monotonic() - started)

    async def _without_work(self, batch: Sequence[Delivery]) -> list[Delivery]:
        """Settle in memory, from the front, what asks for nothing but to be counted; the first that does ends it."""
        view = self._register.view()
        done = 0
        for delivery in batch:
            if delivery.key is None or delivery.message is None or not self._asks_for_nothing(delivery.message, delivery, view):
                break
            view.advance(delivery.key, delivery.seq, delivery.message)
            done += 1
        self._register.keep_in_memory(view)
        await self._tell([(delivery, Verdict.SETTLED) for delivery in batch[:done]])
        return list(batch[done:])

    def _asks_for_nothing(self, message: Message, delivery: Delivery, view: View) -> bool:
        """Whether a message is the next of its key and nobody handles it.

        A watermark that nobody handles still waits for what it covers: the next one of its key builds on that.
        """
        standing = view.of(delivery.key or "")
        if type(message) in self._hears or delivery.seq != standing.seq + 1 or standing.stopped:
            return False
        return not isinstance(message, Watermark) or view.covered(message.covers)

    async def _tell(self, verdicts: Sequence[tuple[Delivery, Verdict]]) -> None:
        for delivery, verdict in verdicts:
            if verdict is Verdict.HELD:
                delivery.held_since = delivery.held_since or self._clock.monotonic()
                self._held.append(delivery)
                continue
            if verdict is Verdict.LATER:
                self._metrics.gaps.inc()
                self._ask_for(delivery)
            else:
                self._tries.pop((delivery.key, delivery.seq), None)
                self._changed = True
            await delivery.settle(verdict)
        self._metrics.holding(len(self._held))

    async def _committed(self, page: Page, rows: Sequence[OutboxRow]) -> None:
        for call in page.afterwards:
            call()
        await self._hand_over(rows)

    async def _take_one(self, delivery: Delivery, page: Page, view: View) -> Verdict:
        if delivery.key is None:
            view.worked = True
            await self._park(delivery, page, view, f"malformed: {delivery.fault}" if delivery.message is None else UNNUMBERED)
            return Verdict.SETTLED
        standing = view.of(delivery.key)
        if delivery.seq <= standing.seq or standing.stopped:
            self._metrics.duplicates.inc()
            return Verdict.SETTLED
        if delivery.seq > standing.seq + 1:
            return Verdict.HELD if delivery.key in view.held else Verdict.LATER
        if delivery.message is None:
            view.worked = True
            await self._park(delivery, page, view, f"malformed: {delivery.fault}")
            return Verdict.SETTLED
        if not await self._may_go_on(delivery.message, page, view):
            view.held.add(delivery.key)
            return Verdict.HELD
        await self._handle(delivery.message, page, view)
        view.advance(delivery.key, delivery.seq, delivery.message)
        return Verdict.SETTLED

    async def _may_go_on(self, message: Message, page: Page, view: View) -> bool:
        if isinstance(message, Watermark) and not view.covered(message.covers):
            return False
        spec = self._hears.get(type(message))
        if spec is None or spec.when is None:
            return True
        page.because_of(message.head)
        return await spec.when(message, page)

    async def _handle(self, message: Message, page: Page, view: View) -> None:
        spec = self._hears.get(type(message))
        name = type(message).__name__
        if spec is None:
            return
        view.worked = True
        started = self._clock.monotonic()
        page.because_of(message.head)
        try:
            await spec.handler(message, page)
        except Exception as error:
            self._metrics.failed.labels(name, type(error).__name__).inc()
            raise
        took = self._clock.monotonic() - started
        self._metrics.done(name, took)
        if _plain_log.isEnabledFor(logging.DEBUG):
            head = message.head
            log.debug("handled", type=name, message_id=str(head.message_id), cause=str(head.caused_by), took_ms=round(took * 1e3, 3))

    async def _park(self, delivery: Delivery, page: Page, view: View, error: str) -> None:
        parked_id = await park(page, self._service, delivery.subject, delivery.body, error, key=delivery.key, seq=delivery.seq)
        if delivery.key is not None:
            view.stop(delivery.key, delivery.seq, parked_id)
        self._metrics.parked.inc()
        log.error("parked", subject=delivery.subject, key=delivery.key, seq=delivery.seq, error=error)

    async def _failed(self, delivery: Delivery, error: Exception) -> None:
        """One message failed by itself: try it a few times, then put it aside and stop its key."""
        tried = self._tries[delivery.key, delivery.seq] = self._tries.get((delivery.key, delivery.seq), 0) + 1
        log.error("handler.failed", subject=delivery.subject, key=delivery.key, seq=delivery.seq, tried=tried, exc_info=error)
        if tried < TRIES_MAX:
            await asyncio.sleep(BACKOFF_S[min(tried - 1, len(BACKOFF_S) - 1)])
            self._waiting.appendleft(delivery)
            self._due = self._clock.monotonic()
            return
        self._tries.pop((delivery.key, delivery.seq), None)

        async def put_aside(page: Page) -> None:
            await self._park(delivery, page, page.view, f"{type(error).__name__}: {error}")

        job = _Job(put_aside, UNSAID, asyncio.get_running_loop().create_future())
        await self._run_job(job)
        failed = job.done.exception()
        await delivery.settle(Verdict.SETTLED if failed is None else Verdict.LATER)

    async def _wait_and_give_back(self, batch: Sequence[Delivery], error: BaseException) -> None:
        """The database or a peer is away: nothing counts against the messages, they come again."""
        log.warning("desk.waiting", error=repr(error), messages=len(batch))
        self._metrics.failed.labels("any", "transient").inc()
        for delivery in batch:
            await delivery.settle(Verdict.LATER)
            self._ask_for(delivery)
        await asyncio.sleep(BACKOFF_S[1])
