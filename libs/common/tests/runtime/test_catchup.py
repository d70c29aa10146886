"""When a reader compares itself with the owners of what it hears."""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import pytest
from nats.errors import NoRespondersError

from quantmatrix.common.contracts.asking.messaging import OutboxHeads, OutboxHeadsAsked, OutboxPage, OutboxReadAsked
from quantmatrix.common.runtime import catchup
from quantmatrix.common.runtime.catchup import CatchUp
from quantmatrix.common.runtime.delivery import Delivery
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.register import Register
from quantmatrix.common.runtime.waiting import ended

OWNER, OTHER, AWAY = "market", "signals", "gateway"
HEARD = KeysHeard({OWNER: ("bars.*",)})
KEY = f"{OWNER}/bars.XNYS"
FOR_EVER_S = 3_600.0
SOON_S = 10.0


class _Owner:
    """An owner that has said nothing; while it answers for the first time, a number is missed under one of its keys."""

    def __init__(self) -> None:
        self.looks = 0
        self.again = asyncio.Event()
        self.catch_up: CatchUp | None = None

    async def ask(self, _: str, question: OutboxHeadsAsked) -> OutboxHeads:
        self.looks += 1
        if self.looks == 1 and self.catch_up is not None:
            self.catch_up.for_key(KEY)
        else:
            self.again.set()
        return OutboxHeads({})


class _Lost:
    """Three owners. One has said a message since the reader's start that never arrives, one has said nothing, one is away."""

    def __init__(self) -> None:
        self.compared: list[str] = []
        self.fetched = asyncio.Event()

    async def ask(self, owner: str, question: OutboxHeadsAsked | OutboxReadAsked) -> OutboxHeads | OutboxPage:
        if isinstance(question, OutboxReadAsked):
            assert (owner, question.after) == (OWNER, {KEY: 0})
            self.fetched.set()
            return OutboxPage((), more=False)
        if owner == AWAY:
            raise NoRespondersError
        self.compared.append(owner)
        return OutboxHeads({KEY: 1} if owner == OWNER and self.compared.count(OWNER) > 1 else {})


class _Endless:
    """An owner who always has more."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.again = asyncio.Event()

    async def ask(self, _: str, question: OutboxHeadsAsked | OutboxReadAsked) -> OutboxHeads | OutboxPage:
        self.asked.append(type(question).__name__)
        if isinstance(question, OutboxReadAsked):
            return OutboxPage((), more=True)
        if len(self.asked) > 1:
            self.again.set()
        return OutboxHeads({KEY: 1})


class _NothingToTake:
    """A desk for answers without messages."""

    async def quiet(self) -> None:
        await asyncio.sleep(0)

    def take_all(self, deliveries: Iterable[Delivery]) -> None:
        assert not list(deliveries)


def _catch_up(ask: Any, heard: KeysHeard, *, every_s: float) -> CatchUp:
    return CatchUp(
        ask=cast(Any, ask),
        desk=cast(Any, _NothingToTake()),
        register=Register(heard),
        heard=heard,
        every_s=every_s,
        metrics=Metrics("portfolio"),
    )


async def test_a_message_lost_without_a_gap_is_fetched_at_the_second_look_from_whichever_owner() -> None:
    """Nothing comes after it, so no number shows that it is missing. One owner's answer says nothing of another's, and nobody waits for
    the one that is away.
    """
    owners = _Lost()
    heard = KeysHeard({AWAY: ("commands.*",), OWNER: ("bars.*",), OTHER: ("signals.*",)})
    running = asyncio.ensure_future(_catch_up(owners.ask, heard, every_s=0.01).run())
    try:
        async with asyncio.timeout(SOON_S):
            await owners.fetched.wait()
    finally:
        await ended([running])

    assert owners.compared.count(OWNER) == 3, "at the start, when it shows, and when it has not come since"


async def test_what_is_missed_while_an_owner_answers_is_looked_for_again() -> None:
    """The answer may be older than what is missed: without another look it would be found only by the next one on schedule."""
    owner = _Owner()
    owner.catch_up = _catch_up(owner.ask, HEARD, every_s=FOR_EVER_S)
    running = asyncio.ensure_future(owner.catch_up.run())
    try:
        async with asyncio.timeout(SOON_S):
            await owner.again.wait()
    finally:
        await ended([running])

    assert owner.looks == 2


async def test_more_than_is_fetched_at_a_time_is_gone_on_with_and_does_not_wait_for_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catchup, "PAGES_MAX", 2)
    owner = _Endless()
    running = asyncio.ensure_future(_catch_up(owner.ask, HEARD, every_s=FOR_EVER_S).run())
    try:
        async with asyncio.timeout(SOON_S):
            await owner.again.wait()
    finally:
        await ended([running])

    assert owner.asked[:4] == ["OutboxHeadsAsked", "OutboxReadAsked", "OutboxReadAsked", "OutboxHeadsAsked"]
