"""Catching up: compare with what the owners said, and fetch what never arrived. This is why the bus may be lost."""

import asyncio

import structlog

from quantmatrix.common.contracts.asking.messaging import OutboxHeadsAsked, OutboxReadAsked
from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.delivery import Delivery
from quantmatrix.common.runtime.desk import Desk
from quantmatrix.common.runtime.errors import TRANSIENT, Refused
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.register import Register
from quantmatrix.common.runtime.waiting import woken

log = structlog.get_logger(__name__)
RETRY_S = 0.25
SURE_AFTER_S = 5.0
"""What a calm look misses may be on its way: it is missing for certain when it has not come by then."""
AWAY: tuple[type[BaseException], ...] = (*TRANSIENT, Refused)
PAGES_MAX = 1_000


class CatchUp:
    """Compares on start, on reconnection, when a gap shows, and every so often."""

    def __init__(
        self,
        *,
        ask: Ask,
        desk: Desk,
        register: Register,
        heard: KeysHeard,
        every_s: float,
        metrics: Metrics,
    ) -> None:
        self._ask = ask
        self._desk = desk
        self._register = register
        self._every_s = every_s
        self._metrics = metrics
        self._patterns = heard.by_owner
        self._suspected: dict[str, dict[str, int]] = {}  # by owner
        self._urgent: set[str] = set(self._patterns)
        self._wake = asyncio.Event()

    def now(self) -> None:
        """Something may have been lost: compare with every owner at once."""
        self._urgent |= set(self._patterns)
        self._wake.set()

    def for_key(self, key: str) -> None:
        """A number is missing under this key."""
        owner = key.partition("/")[0]
        if owner in self._patterns:
            self._urgent.add(owner)
            self._wake.set()

    async def run(self) -> None:
        """Compare for ever. Owners that do not answer are asked again soon, and keep nobody else waiting."""
        loop = asyncio.get_running_loop()
        calm_look_at = loop.time() + self._every_s
        while True:
            for owner in sorted(self._urgent):
                # Before the look: what is suspected during it may not be in its answer, and wants another one.
                self._urgent.discard(owner)
                if not await self._look(owner, urgent=True):
                    self._urgent.add(owner)
            if loop.time() >= calm_look_at:
                for owner in self._patterns:
                    await self._look(owner, urgent=False)
                unsure = any(self._suspected.values())
                calm_look_at = loop.time() + (min(self._every_s, SURE_AFTER_S) if unsure else self._every_s)
            if self._urgent:
                await asyncio.sleep(RETRY_S)
            else:
                self._wake.clear()
                await woken(self._wake, max(calm_look_at - loop.time(), 0.0))

    async def _look(self, owner: str, *, urgent: bool) -> bool:
        """Compare with one owner; fetch what is missing. A calm look waits until it sees the same number missing twice."""
        try:
            answer = await self._ask(owner, OutboxHeadsAsked(patterns=self._patterns[owner]))
            behind = {key: self._register.standing(key).seq for key, seq in answer.heads.items() if self._behind(key, seq)}
            if not urgent:
                suspected, self._suspected[owner] = self._suspected.get(owner, {}), behind
                behind = {key: seq for key, seq in behind.items() if suspected.get(key) == seq}
            if behind:
                await self._fetch(owner, dict(behind))
        except AWAY as error:
            log.debug("catch_up.waiting", owner=owner, error=str(error))
            return False
        return True

    def _behind(self, key: str, seq: int) -> bool:
        standing = self._register.standing(key)
        return standing.seq < seq and not standing.stopped

    async def _fetch(self, owner: str, after: dict[str, int]) -> None:
        fetched = 0
        for _ in range(PAGES_MAX):
            page = await self._ask(owner, OutboxReadAsked(after=after))
            self._desk.take_all(Delivery(m.subject, m.payload, m.key, m.seq) for m in page.messages)
            for message in page.messages:
                after[message.key] = max(after[message.key], message.seq)
            fetched += len(page.messages)
            if not page.more:
                break
            await self._desk.quiet()
        else:
            self._urgent.add(owner)  # there is more, and other owners have their turn first
        if fetched:
            self._metrics.caught_up.inc(fetched)
            log.info("caught_up", owner=owner, messages=fetched)
