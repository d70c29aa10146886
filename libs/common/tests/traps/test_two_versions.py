"""Two versions at once, as during an upgrade: a newer speaker, and an older and a newer reader over tables that are widened under both."""

from typing import Any

from quantmatrix.common.contracts.asking.messaging import ParkedAsked
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.runtime.hearing import Bus, Does, Hears
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER, SPEAKER, Books, ReaderSettings, Said, SayAsked, SpeakerSettings, fill, hears

WIDENED = "alter table tiny_booked add column note text not null default 'as before'; alter table inbox add column later text"


class NewerFill(OrderFilled, frozen=True, kw_only=True, tag="OrderFilled"):
    """What a later version may say: a field more."""

    note: str = ""


async def say_newer(asked: SayAsked, page: Page) -> Said:
    """Say fills as a later version does."""
    for account in asked.accounts:
        for number in range(asked.first, asked.first + asked.count):
            plain = fill(account, number)
            newer = NewerFill(**{name: getattr(plain, name) for name in plain.__struct_fields__}, note="new")
            page.say(newer, identity=("newer", account, number))
    return Said(asked.count)


class NewerBooks(Books):
    """The reader of a later version: it fills the new column."""

    async def book(self, event: OrderFilled, page: Page) -> None:
        await super().book(event, page)
        await page.connection.execute("update tiny_booked set note = 'newer' where fill_id = $1", event.fill_id)


def serving(bus: Bus) -> Any:
    async def build(_: Parts) -> Bus:
        return bus

    return lambda settings: run_service(settings, build)


async def test_an_older_and_a_newer_reader_beside_each_other_book_what_a_newer_speaker_says_once_and_in_order(pair: Pair) -> None:
    await pair.here(SPEAKER, serve=serving(Bus(does=(Does(SayAsked, say_newer),))), settings=SpeakerSettings)
    await pair.up(SPEAKER)
    older = await pair.reader_process()
    await pair.say("A", count=3)
    await pair.all_booked("A", 3)

    await (await pair.database.connect(READER)).execute(WIDENED)
    await pair.say("A", first=4, count=3)
    await pair.all_booked("A", 6)
    await pair.here(READER, serve=serving(Bus(hears=(Hears(OrderFilled, NewerBooks().book), hears(Books())[1]))), settings=ReaderSettings)
    await pair.up(READER)
    for first in range(7, 47, 10):
        await pair.say("A", first=first, count=10)
    await pair.all_booked("A", 46)
    await older.stop()
    await pair.say("A", first=47, count=3)

    assert await pair.all_booked("A", 49) == list(range(1, 50))
    rows = await pair.database.fetch(READER, "select note from tiny_booked order by place")
    assert [row["note"] for row in rows][:6] == ["as before"] * 6 and [row["note"] for row in rows][-3:] == ["newer"] * 3
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()
