"""Two tiny services in the places of execution and portfolio: one says fills, one books them. They show the runtime, not trading.

`python -m quantmatrix.common.testing.tiny speaker|reader` runs one. What a fill's `triggered_by` says, its reader does:
"slow" takes half a second, "flaky" fails twice, "wrong" fails while the account stands in `tiny_refused`. What is "late" its speaker
stores and then takes a fifth of a second to commit.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import msgspec
from pydantic import Field

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.fills import MatchedWatermark, OrderFilled
from quantmatrix.common.contracts.message import Watermark
from quantmatrix.common.contracts.portfolio import LotOpened
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, FillId, LotId
from quantmatrix.common.runtime.hearing import Bus, Does, Hears
from quantmatrix.common.runtime.main import main
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.runtime.settings import ServiceSettings
from quantmatrix.common.runtime.tables import MESSAGING
from quantmatrix.common.testing.examples import like
from quantmatrix.common.values import Quantity

SPEAKER, READER = "execution", "portfolio"
FLAKY_FAILURES = 2
SPEAKER_TABLES = MESSAGING + "create table tiny_said (account_id text, number bigint, primary key (account_id, number));"
READER_TABLES = (
    MESSAGING
    + """
create table tiny_booked (
    place bigint generated always as identity, account_id text not null, number bigint not null, fill_id uuid not null
);
create table tiny_refused (account_id text primary key);
create table tiny_watermark (session date not null, booked bigint not null);
"""
)


class SpeakerSettings(ServiceSettings):
    """Settings of the speaker."""

    SERVICE: ClassVar[str] = SPEAKER

    exclusive: bool = Field(False, description="Whether one speaker works at a time.")


class ReaderSettings(ServiceSettings):
    """Settings of the reader."""

    SERVICE: ClassVar[str] = READER


class Said(msgspec.Struct, frozen=True):
    """How many were said now; those said earlier are not said again."""

    count: int


class SayAsked(Question[Said], frozen=True, kw_only=True):
    """Say fills number `first` to `first + count - 1` of every account, in one transaction; a watermark after them if asked for."""

    VERB = "tiny.say"
    ANSWER = Said

    accounts: tuple[str, ...]
    first: int = 1
    count: int = 1
    manner: str = "plain"
    watermark: bool = False


async def say(asked: SayAsked, page: Page) -> Said:
    """Store the numbers and say their fills, once each."""
    said = 0
    for number in range(asked.first, asked.first + asked.count):
        for account in asked.accounts:
            done = await page.connection.execute("insert into tiny_said values ($1, $2) on conflict do nothing", account, number)
            if done.endswith("1"):
                page.say(fill(account, number, asked.manner), identity=("tiny", account, number))
                said += 1
    if asked.watermark:
        page.say(like(MatchedWatermark, covers={}))
    if asked.manner == "late":
        await page.connection.execute("select pg_sleep(0.2)")
    return Said(said)


def fill(account: str, number: int, manner: str = "plain") -> OrderFilled:
    """Fill `number` of an account; its quantity is the number."""
    return like(
        OrderFilled,
        account_id=AccountId(account),
        fill_id=FillId(derived_id("tiny", account, number)),
        quantity=Quantity(number),
        triggered_by=manner,
    )


class Books:
    """The reader's handlers."""

    def __init__(self) -> None:
        self.failures: dict[object, int] = {}

    async def book(self, event: OrderFilled, page: Page) -> None:
        """Note the fill and say a lot; a failure comes after both, so that anything half-done would show."""
        await page.connection.execute(
            "insert into tiny_booked (account_id, number, fill_id) values ($1, $2, $3)",
            event.account_id,
            int(event.quantity.value),
            event.fill_id,
        )
        page.say(like(LotOpened, account_id=event.account_id, fill_id=event.fill_id, lot_id=LotId(derived_id("lot", event.fill_id))))
        await self._misbehave(event, page)

    async def _misbehave(self, event: OrderFilled, page: Page) -> None:
        if event.triggered_by == "slow":
            await page.connection.execute("select pg_sleep(0.5)")
        if event.triggered_by == "flaky":
            failed = self.failures[event.fill_id] = self.failures.get(event.fill_id, 0) + 1
            if failed <= FLAKY_FAILURES:
                raise RuntimeError(f"failed for the {failed}. time")
        if event.triggered_by == "wrong":
            refused = await page.connection.fetchval("select exists (select from tiny_refused where account_id = $1)", event.account_id)
            if refused:
                raise ValueError(f"{event.account_id} is refused")

    async def watermark(self, event: Watermark, page: Page) -> None:
        """Note how much had been booked when the watermark came."""
        await page.connection.execute("insert into tiny_watermark select $1, count(*) from tiny_booked", event.session)


def hears(books: Books) -> tuple[Hears[OrderFilled], Hears[MatchedWatermark]]:
    """What the reader hears."""
    return Hears(OrderFilled, books.book), Hears(MatchedWatermark, books.watermark)


async def serve_speaker(settings: SpeakerSettings) -> None:
    async def build(_: Parts) -> Bus:
        return Bus(does=(Does(SayAsked, say),))

    await run_service(settings, build, exclusive=settings.exclusive)


async def serve_reader(settings: ReaderSettings) -> None:
    await serve_hearing(*hears(Books()))(settings)


def serve_hearing(*heard: Hears[Any]) -> Callable[[ReaderSettings], Awaitable[None]]:
    """A reader that hears these in the place of its own."""

    async def build(_: Parts) -> Bus:
        return Bus(hears=heard)

    async def serve(settings: ReaderSettings) -> None:
        await run_service(settings, build)

    return serve


if __name__ == "__main__":
    if sys.argv[1] == "speaker":
        main(SpeakerSettings, serve_speaker)
    else:
        main(ReaderSettings, serve_reader)
