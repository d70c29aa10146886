"""The register's copy in memory: what only asked to be counted stays counted when the tables are read again."""

from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.register import Register
from quantmatrix.common.testing.tiny import fill
from quantmatrix.operations.testing import FreshDatabase

SERVICE = "portfolio"


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
