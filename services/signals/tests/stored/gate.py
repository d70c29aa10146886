"""Holds a backtest in its middle: the database stores its first parts, and lets whoever brings the next one wait."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quantmatrix.operations.testing import FreshDatabase

HALF = 3
_KEY = 5_130
_GATE = f"""
create or replace function wait_at_the_gate() returns trigger language plpgsql set lock_timeout = 0 as
$$ begin perform pg_advisory_xact_lock_shared({_KEY}); return new; end $$;
create or replace trigger gate before insert on backtest_part for each row when (new.number > {HALF}) execute function wait_at_the_gate();
"""


@asynccontextmanager
async def held_at_half(database: FreshDatabase) -> AsyncIterator[None]:
    """Within the block no part beyond number HALF of any backtest is stored; whoever brings one waits until the block ends.

    A statement of a service that takes longer than 15 s is given up: a block holds until something is killed or stopped, and no longer.
    """
    connection = await database.connect("signals")
    await connection.execute(_GATE)
    await connection.execute("select pg_advisory_lock($1)", _KEY)
    try:
        yield
    finally:
        await connection.execute("select pg_advisory_unlock($1)", _KEY)
