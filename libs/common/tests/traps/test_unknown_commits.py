"""A connection cut at the commit: whether it lasts nobody was told, so the tables are asked, and nothing is done twice or not at all."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from libs.common.tests.traps.cutting import Cutting
from pydantic import SecretStr

from quantmatrix.common.contracts.asking.messaging import ParkedAsked
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.portfolio import LotOpened
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import LotId
from quantmatrix.common.runtime.hearing import Hears
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.writing import Write
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER, SPEAKER
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshDatabase, Servers

ROUNDS = 4
EACH = 5
COMMIT, MARK, ALONE = "COMMIT;", "delete from outbox_waiting", "noted as"


@pytest.fixture(params=[True, False], ids=["made and not answered", "never heard"])
async def door(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> AsyncIterator["Door"]:
    yield Door(servers.places.runtime, tmp_path, answered=request.param)


class Door:
    """Makes the cutting door of a test."""

    def __init__(self, server: Path, folder: Path, *, answered: bool) -> None:
        self._server, self._folder, self._answered = server, folder, answered

    def cutting_at(self, words: str) -> Cutting:
        return Cutting(self._server, self._folder, lambda statement: words in statement, answered=self._answered)


async def _say_with_cuts(pair: Pair, cutting: Cutting) -> None:
    for turn in range(ROUNDS):
        cutting.arm()
        await pair.say("A", "B", first=turn * EACH + 1, count=EACH)
        await wait_until(lambda turn=turn: cutting.cuts > turn, "the connection was cut", within_s=30)


async def _all_there_once(pair: Pair) -> None:
    for account in ("A", "B"):
        assert await pair.all_booked(account, ROUNDS * EACH, within_s=30) == list(range(1, ROUNDS * EACH + 1))
    said = await pair.database.fetch(READER, "select count(*) as n, count(distinct message_id) as d, max(seq) as last from outbox")
    assert (said[0]["n"], said[0]["d"]) == (2 * ROUNDS * EACH, 2 * ROUNDS * EACH)
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()
    await pair.all_published()


async def test_a_reader_cut_at_its_commit_books_everything_once(pair: Pair, database: FreshDatabase, door: Door) -> None:
    async with door.cutting_at(COMMIT).open() as cutting:
        await pair.speaker()
        await pair.reader(database_url=SecretStr(cutting.url(database.url(READER))))
        await _say_with_cuts(pair, cutting)

        await _all_there_once(pair)
        assert cutting.cuts == ROUNDS
        await pair.here.stop(READER)


async def test_a_page_of_one_statement_that_was_cut_is_made_once(pair: Pair, database: FreshDatabase, door: Door) -> None:
    async with door.cutting_at(ALONE).open() as cutting:
        await pair.speaker()
        await pair.reader(Hears(OrderFilled, _note), database_url=SecretStr(cutting.url(database.url(READER))))
        await _say_with_cuts(pair, cutting)

        await _all_there_once(pair)
        assert cutting.cuts == ROUNDS
        await pair.here.stop(READER)


async def test_a_speaker_cut_at_its_commit_says_everything_once(pair: Pair, database: FreshDatabase, door: Door) -> None:
    async with door.cutting_at(COMMIT).open() as cutting:
        await pair.speaker(database_url=SecretStr(cutting.url(database.url(SPEAKER))))
        await pair.reader()
        await _say_with_cuts(pair, cutting)

        await _all_there_once(pair)
        assert cutting.cuts == ROUNDS
        assert await pair.count(SPEAKER, "outbox") == await pair.count(SPEAKER, "tiny_said") == 2 * ROUNDS * EACH
        await pair.here.stop(SPEAKER)


async def test_a_relay_cut_while_it_notes_what_was_published_publishes_again_without_effect(
    pair: Pair, database: FreshDatabase, door: Door
) -> None:
    async with door.cutting_at(MARK).open() as cutting:
        await pair.speaker(database_url=SecretStr(cutting.url(database.url(SPEAKER))))
        await pair.reader()
        await _say_with_cuts(pair, cutting)

        await _all_there_once(pair)
        assert cutting.cuts == ROUNDS
        await pair.here.stop(SPEAKER)


def _noted(rows: Sequence[tuple[str, int, UUID]]) -> Write:
    accounts, numbers, fills = zip(*rows, strict=True)
    piece = """noted as (
        insert into tiny_booked (account_id, number, fill_id) select * from unnest($1::text[], $2::bigint[], $3::uuid[])
    )"""
    return Write((piece,), (list(accounts), list(numbers), list(fills)))


async def _note(event: OrderFilled, page: Page) -> None:
    """Books like the tiny reader, but asks the database for nothing."""
    page.gather(_noted, (event.account_id, int(event.quantity.value), event.fill_id))
    page.say(like(LotOpened, account_id=event.account_id, fill_id=event.fill_id, lot_id=LotId(derived_id("lot", event.fill_id))))
