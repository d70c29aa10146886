"""What a page only has written goes out with what it heard and says: all of it or nothing, and never behind a statement's back."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from quantmatrix.common.runtime.errors import LeaseLost, TryLater
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.register import PLACES, Fence, Register
from quantmatrix.common.runtime.writing import Joined, Write, Writing, joined
from quantmatrix.common.testing.tiny import fill
from quantmatrix.operations.testing import FreshDatabase

SERVICE = "portfolio"
KEY = "execution/orders.A"


def noted(word: str, times: int = 1, *, name: str = "noted") -> Write:
    """Notes a word as often as wanted; insists that nobody noted anything before."""
    piece = f"{name} as (insert into note (word) select $1 from generate_series(1, $2::int))"
    return Write((piece,), (word, times), "(select count(*) from note) = 0")


@pytest_asyncio.fixture
async def connection(database: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    found = await database.connect(SERVICE)
    await found.execute("create temporary table note (word text)")
    yield found
    await found.execute("drop table note")


async def _settle(connection: asyncpg.Connection, writes: Joined | None, fence: Fence | None = None) -> None:
    register = Register(KeysHeard({}))
    await register.load(connection)
    view = register.view()
    view.advance(KEY, 1, fill("A", 1))
    await register.settle(connection, view, [fill("A", 1)], fence, writes)


async def _stored(connection: asyncpg.Connection) -> tuple[int, int, list[str]]:
    heard, said = await connection.fetchrow("select (select count(*) from inbox), (select count(*) from outbox)")
    return heard, said, sorted(row["word"] for row in await connection.fetch("select word from note"))


async def test_writes_are_made_with_what_is_heard_and_said_in_one_statement(connection: asyncpg.Connection) -> None:
    await _settle(connection, joined([noted("first", 2), noted("second", name="other")], PLACES))

    assert await _stored(connection) == (1, 1, ["first", "first", "second"])


async def test_a_write_that_insists_in_vain_leaves_nothing_behind(connection: asyncpg.Connection) -> None:
    await connection.execute("insert into note values ('before')")

    with pytest.raises(TryLater):
        await _settle(connection, joined([noted("after")], PLACES))

    assert await _stored(connection) == (0, 0, ["before"])


async def test_another_process_that_was_faster_leaves_nothing_of_ours_behind(connection: asyncpg.Connection) -> None:
    register = Register(KeysHeard({}))
    await register.load(connection)
    view = register.view()
    view.advance(KEY, 1, fill("A", 1))
    await connection.execute("insert into inbox (key, seq) values ($1, 4)", KEY)

    with pytest.raises(TryLater):
        await register.settle(connection, view, [fill("A", 1)], None, joined([noted("ours")], PLACES))

    assert register.doubtful
    assert await _stored(connection) == (1, 0, [])


async def test_a_process_whose_lease_was_taken_over_writes_nothing(connection: asyncpg.Connection) -> None:
    await connection.execute("insert into lease (name, fence) values ($1, 8)", SERVICE)

    with pytest.raises(LeaseLost):
        await _settle(connection, joined([noted("late")], PLACES), Fence(SERVICE, 7))

    assert await _stored(connection) == (0, 0, [])
    await _settle(connection, joined([noted("in time")], PLACES), Fence(SERVICE, 8))
    assert await _stored(connection) == (1, 1, ["in time"])


async def test_a_statement_sees_what_was_handed_in_before_it_and_begins_the_transaction(connection: asyncpg.Connection) -> None:
    begun = []

    async def begin() -> None:
        begun.append(connection.transaction())
        await begun[0].start()

    writing = Writing(connection, begin)
    assert await writing.reading.fetchval("select count(*) from note") == 0
    assert writing.alone

    writing.writes.append(noted("seen"))
    assert await writing.reading.fetchval("select word from note") == "seen"
    assert not writing.alone

    await begun[0].rollback()
    assert await connection.fetchval("select count(*) from note") == 0


async def test_a_write_before_a_statement_fails_the_page_when_it_insists_in_vain(connection: asyncpg.Connection) -> None:
    await connection.execute("insert into note values ('before')")
    writing = Writing(connection)
    writing.writes.append(noted("after"))

    with pytest.raises(TryLater, match="not so any more"):
        await writing.fetchval("select 1")


def test_the_places_of_joined_writes_follow_one_another() -> None:
    found = joined([noted("a"), noted("b", name="other")], 26)

    assert found is not None
    assert found.arguments == ("a", 1, "b", 1)
    assert "select $27 from generate_series(1, $28::int)" in found.pieces
    assert "select $29 from generate_series(1, $30::int)" in found.pieces


def test_two_changes_of_one_kind_are_made_one_after_the_other() -> None:
    assert joined([noted("a"), noted("b")], 26) is None
