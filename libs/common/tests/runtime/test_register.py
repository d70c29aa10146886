"""The register's copy in memory: what only asked to be counted stays counted when the tables are read again."""

import pytest

from quantmatrix.common.contracts.message import UNSAID
from quantmatrix.common.runtime.database import Own
from quantmatrix.common.runtime.errors import TryLater
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.register import PLACES, Register
from quantmatrix.common.runtime.writing import joined
from quantmatrix.common.testing.tiny import fill
from quantmatrix.operations.testing import FreshDatabase

SERVICE = "portfolio"
KEY = "execution/orders.A"


async def test_what_was_counted_in_memory_survives_a_second_look_at_the_tables(database: FreshDatabase) -> None:
    connection = await database.connect(SERVICE)
    register = Register(KeysHeard({}))
    await register.load(connection)
    counted = register.view()
    counted.advance("execution/orders.A", 1, fill("A", 1))
    register.keep_in_memory(counted)

    register.doubt()
    await register.load(connection)

    assert register.standing("execution/orders.A").seq == 1
    async with connection.transaction():
        view = register.view()
        _, numbered = await register.settle(connection, view, [fill("A", 1)], None)
    register.keep(view, numbered)
    assert await connection.fetchval("select seq from inbox where key = 'execution/orders.A'") == 1


async def test_what_another_process_stored_is_believed(database: FreshDatabase) -> None:
    connection = await database.connect(SERVICE)
    register = Register(KeysHeard({}))
    await register.load(connection)
    counted = register.view()
    counted.advance("execution/orders.A", 1, fill("A", 1))
    register.keep_in_memory(counted)
    await connection.execute("insert into inbox (key, seq) values ('execution/orders.A', 4)")

    await register.load(connection)

    assert register.standing("execution/orders.A").seq == 4


async def test_what_the_tables_have_lost_is_heard_again(database: FreshDatabase) -> None:
    """A database that took over from a broken one may lack the last transactions: what they did is undone, so it counts as not heard."""
    connection = await database.connect(SERVICE)
    register = Register(KeysHeard({}))
    await register.load(connection)
    for number in range(1, 5):
        async with connection.transaction():
            view = register.view()
            view.advance("execution/orders.A", number, fill("A", number))
            _, numbered = await register.settle(connection, view, [], None)
        register.keep(view, numbered)
    counted = register.view()
    counted.advance("execution/orders.A", 5, fill("A", 5))
    counted.advance("execution/orders.B", 1, fill("B", 1))
    register.keep_in_memory(counted)
    await connection.execute("update inbox set seq = 2 where key = 'execution/orders.A'")

    await register.load(connection)

    assert register.standing("execution/orders.A").seq == 2
    assert register.standing("execution/orders.B").seq == 1


@pytest.mark.parametrize("before", [0, 1], ids=["new keys", "keys that stand already"])
async def test_a_page_of_one_statement_that_another_process_overtook_is_refused_whole(database: FreshDatabase, before: int) -> None:
    connection = await database.connect(SERVICE)
    ours, others = Register(KeysHeard({})), Register(KeysHeard({}))
    await others.load(connection)
    for account in "AB" * before:
        await _settled(others, connection, account, 0)
    await ours.load(connection)
    await _settled(others, connection, "A", before)
    said, heard = [*"AB" * before, "A"], 2 * before + 1

    with pytest.raises(TryLater):
        await _settled(ours, connection, "B", before)

    assert await _stored(connection) == (said, heard)
    await ours.load(connection)
    await _settled(ours, connection, "B", before)
    assert await _stored(connection) == ([*said, "B"], heard + 1)


async def _stored(connection: Own) -> tuple[list[str], int]:
    """The accounts of what was said, in order, and how far the key was heard."""
    row = await connection.fetchrow("select (select array_agg(right(key, 1) order by id) from outbox), seq from inbox where key = $1", KEY)
    assert row is not None
    return row[0], row[1]


async def _settled(register: Register, connection: Own, account: str, number: int) -> None:
    """Hear the next number of a key and say one message, on a page of one statement."""
    view = register.view()
    view.advance(KEY, register.standing(KEY).seq + 1, fill(account, number))
    page = Page(connection, UNSAID, view)
    page.say(fill(account, number), identity=(account, number))
    _, numbered = await register.settle(connection, view, page.said, None, joined([], PLACES))
    register.keep(view, numbered)
