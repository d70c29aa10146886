"""Wishes about runs: the same Idempotency-Key is the same wish, and what comes twice is sent once."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel

from quantmatrix.common.contracts.asking.runs import RunTaken
from quantmatrix.common.contracts.codec import decode_as
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.gateway.context import Gateway
from quantmatrix.gateway.exact import as_json
from quantmatrix.gateway.people import Actor, Person, Visit, actor_of
from quantmatrix.gateway.problems import ProblemError
from quantmatrix.gateway.store import Answered, GatewayStore

ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants it, and what. key: under which the first answer is kept; None for a request without one."""

    by: Actor
    key: str | None
    hashed: bytes


def wish_of(person: Person, visit: Visit, what: str, wanted: BaseModel, key: str | None) -> Wish:
    """What somebody wants, by one request or by all that carry the same key."""
    by = actor_of(person, visit)
    if key:
        by = Actor(by.user_id, by.name, by.address, derived_id("wish", what, person.user_id, key))
    return Wish(by, f"{what} {key}" if key else None, hashlib.sha256(wanted.model_dump_json().encode()).digest())


async def answer_before(gateway: Gateway, wish: Wish) -> RunTaken | None:
    """What was answered to the same key; None for a new one. Raises ProblemError when it came with another wish."""
    if wish.key is None:
        return None
    async with gateway.parts.pool.acquire(timeout=5) as connection:
        before = await GatewayStore(connection).answered(wish.by.user_id, wish.key)
    return None if before is None else _answered(before, wish)


async def send_once(gateway: Gateway, wish: Wish, taken: RunTaken, send: Callable[[Page], Awaitable[RunTaken]]) -> RunTaken:
    """Keep the answer and send, all or nothing; whoever was first under this key wins."""
    now = gateway.parts.clock.now()

    async def both(page: Page) -> RunTaken:
        store, answer = GatewayStore(page.connection), Answered(wish.hashed, ACCEPTED, as_json(taken))
        if wish.key is not None and not await store.keep_answer(wish.by.user_id, wish.key, answer, now):
            return _answered(await store.answered(wish.by.user_id, wish.key) or answer, wish)
        return await send(page)

    return await gateway.parts.desk.do(both, origin("run", wish.by.user_id, wish.by.request_id, occurred_at=now))


def _answered(before: Answered, wish: Wish) -> RunTaken:
    if before.request_hash != wish.hashed:
        raise ProblemError(422, "IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key came with another request before; use a new one")
    return decode_as(RunTaken, before.answer)
