"""When a reader compares itself with the owners of what it hears."""

import asyncio
from typing import Any, cast

from quantmatrix.common.contracts.asking.messaging import OutboxHeads, OutboxHeadsAsked
from quantmatrix.common.runtime.catchup import CatchUp
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.register import Register
from quantmatrix.common.runtime.waiting import ended

OWNER = "market"
HEARD = KeysHeard({OWNER: ("bars.*",)})
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
            self.catch_up.for_key(f"{OWNER}/bars.XNYS")
        else:
            self.again.set()
        return OutboxHeads({})


async def test_what_is_missed_while_an_owner_answers_is_looked_for_again() -> None:
    """The answer may be older than what is missed: without another look it would be found only by the next one on schedule."""
    owner = _Owner()
    owner.catch_up = CatchUp(
        ask=cast(Any, owner.ask),
        desk=cast(Any, None),
        register=Register(HEARD),
        heard=HEARD,
        every_s=FOR_EVER_S,
        metrics=Metrics("portfolio"),
    )
    running = asyncio.ensure_future(owner.catch_up.run())
    try:
        async with asyncio.timeout(SOON_S):
            await owner.again.wait()
    finally:
        await ended([running])

    assert owner.looks == 2
