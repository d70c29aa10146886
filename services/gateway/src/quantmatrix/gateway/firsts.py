"""First answers: what was answered to an Idempotency-Key, told again however often it is asked, and forgotten after a while."""

import asyncio
from datetime import datetime, timedelta

import structlog

from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.service import Parts
from quantmatrix.gateway.context import Gateway
from quantmatrix.gateway.problems import ProblemError
from quantmatrix.gateway.store import Answered, GatewayStore

log = structlog.get_logger(__name__)
FORGET_EVERY_S = 60.0


async def first_answer(gateway: Gateway, user_id: UserId, key: str, hashed: bytes) -> Answered | None:
    """What was answered to the same key; None for a new one. Raises ProblemError when it came with another request."""
    since = _since(gateway.parts.clock.now(), gateway.settings.idempotency_hours)
    async with gateway.parts.pool.acquire(timeout=5) as connection:
        before = await GatewayStore(connection).answered(user_id, key, since)
    return None if before is None else _same(before, hashed)


async def keep_first(page: Page, gateway: Gateway, user_id: UserId, key: str, answer: Answered, now: datetime) -> Answered | None:
    """Keep the answer on this page; what is returned is that of a request that was faster, and nothing may then be done."""
    store, since = GatewayStore(page.connection), _since(now, gateway.settings.idempotency_hours)
    if await store.keep_answer(user_id, key, answer, now, since):
        return None
    return _same(await store.answered(user_id, key, since) or answer, answer.request_hash)


async def forget_firsts(parts: Parts, kept_hours: int) -> None:
    """Forget what is older than it is kept, for ever."""
    while True:
        try:
            async with parts.pool.acquire(timeout=5) as connection:
                await GatewayStore(connection).forget_answers(_since(parts.clock.now(), kept_hours))
        except TRANSIENT as error:
            log.debug("firsts.waiting", error=repr(error))
        await asyncio.sleep(FORGET_EVERY_S)


def _since(now: datetime, kept_hours: int) -> datetime:
    return now - timedelta(hours=kept_hours)


def _same(before: Answered, hashed: bytes) -> Answered:
    if before.request_hash != hashed:
        raise ProblemError(422, "IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key came with another request before; use a new one")
    return before
