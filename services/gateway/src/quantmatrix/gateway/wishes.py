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
from quantmatrix.gateway.firsts import first_answer, keep_first
from quantmatrix.gateway.people import Actor, Person, Visit, actor_of
from quantmatrix.gateway.store import Answered

ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants it, and what. key: under which the first answer is kept; None for a request without one."""

    by: Actor
    key: str | None
    hashed: bytes


def wish_of(person: Person, visit: Visit, what: str, wanted: BaseModel, key: str | None) -> Wish:
    """What somebody wants, by one request or by all that carry the same key."""
    kept_as = str(derived_id("wish", what, person.user_id, key)) if key else None
    return Wish(actor_of(person, visit), kept_as, hashlib.sha256(wanted.model_dump_json().encode()).digest())


async def answer_before(gateway: Gateway, wish: Wish) -> RunTaken | None:
    """What was answered to the same key; None for a new one. Raises ProblemError when it came with another wish."""
    if wish.key is None:
        return None
    before = await first_answer(gateway, wish.by.user_id, wish.key, wish.hashed)
    return None if before is None else decode_as(RunTaken, before.answer)


async def send_once(gateway: Gateway, wish: Wish, taken: RunTaken, send: Callable[[Page], Awaitable[RunTaken]]) -> RunTaken:
    """Keep the answer and send, all or nothing; whoever was first under this key wins."""
    now = gateway.parts.clock.now()

    async def both(page: Page) -> RunTaken:
        answer = Answered(wish.hashed, ACCEPTED, as_json(taken))
        first = await keep_first(page, gateway, wish.by.user_id, wish.key, answer, now) if wish.key is not None else None
        return decode_as(RunTaken, first.answer) if first is not None else await send(page)

    return await gateway.parts.desk.do(both, origin("run", wish.by.user_id, wish.by.request_id, occurred_at=now))
