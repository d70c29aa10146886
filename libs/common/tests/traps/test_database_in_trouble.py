"""A database that cannot just now, in every way it has of saying so: work waits, nothing is parked for it, and people are told to ask again."""

import asyncio

import asyncpg
import pytest
from libs.common.tests.traps.looking import looked_at_reader

from quantmatrix.common.contracts.asking.messaging import InboxHeadsAsked, ParkedAsked
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.runtime import database as runtime_database
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.runtime.desk import TRIES_MAX
from quantmatrix.common.runtime.hearing import Hears
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshDatabase

pytestmark = pytest.mark.long(20)
CODES = {
    "serialisation failure": "40001",
    "deadlock": "40P01",
    "lock time-out": "55P03",
    "statement time-out": "57014",
    "shut down by the administrator": "57P01",
    "too many connections": "53300",
    "full disk": "53100",
    "an error of the disk": "58030",
    "a standby that is written to": "25006",
    "a transaction that stood still too long": "25P03",
}
FAILS = f"""
create sequence tries;
create function fails() returns trigger language plpgsql as $$ begin
    if nextval('tries') <= {TRIES_MAX + 1} then raise exception using errcode = '%s'; end if;
    return new;
end $$;
create trigger fails before insert on tiny_booked for each row execute function fails()
"""


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
async def test_what_the_database_cannot_do_now_counts_against_no_message(pair: Pair, database: FreshDatabase, code: str) -> None:
    """It fails once more than a message may."""
    await (await database.connect(READER)).execute(FAILS % code)
    await pair.speaker()
    await pair.reader()
    await pair.say("A")

    assert await pair.all_booked("A", 1, within_s=30) == [1]
    assert (await pair.database.fetch(READER, "select last_value from tries"))[0][0] == TRIES_MAX + 2
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()


@pytest.mark.parametrize("code", ["57014", "55P03", "53400", "58030"])
async def test_what_the_database_never_does_for_one_message_keeps_no_other_key_waiting(
    pair: Pair, database: FreshDatabase, code: str
) -> None:
    """They are at hand together when the reader starts. It is tried again and again, and counts against nothing."""
    refused = FAILS.replace(f"nextval('tries') <= {TRIES_MAX + 1}", "new.account_id = 'B' and nextval('tries') > 0")
    await (await database.connect(READER)).execute(refused % code)
    await pair.speaker()
    await pair.say("B")
    await pair.say("A", count=3)
    await pair.reader()

    assert await pair.all_booked("A", 3, within_s=30) == [1, 2, 3]
    await (await database.connect(READER)).execute("drop trigger fails on tiny_booked")
    assert await pair.all_booked("B", 1, within_s=30) == [1]
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()


async def test_a_database_that_became_a_standby_is_waited_for(pair: Pair, database: FreshDatabase) -> None:
    """As after a failover: connections go on, questions are answered, and nothing can be written."""
    await pair.speaker()
    looked = await looked_at_reader(pair)
    await pair.say("A")
    await pair.all_booked("A", 1)
    superuser = await asyncpg.connect(database.superuser_url)

    async def standby(*, so: bool) -> None:
        await superuser.execute(f"alter role qm_{READER} in database {database.name} set default_transaction_read_only = {so}")
        await superuser.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", f"qm_{READER}")

    await standby(so=True)
    await pair.say("A", first=2, count=3)

    async def often() -> bool:
        return await looked.value("qm_messages_failed_total") > TRIES_MAX + 1

    await wait_until(often, "it was tried more often than a message may fail", within_s=30)
    assert (await pair.ask(READER, InboxHeadsAsked())).heads["execution/fills.A"] == 1
    await standby(so=False)
    await superuser.close()

    assert await pair.all_booked("A", 4, within_s=30) == [1, 2, 3, 4]
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()


async def test_tables_that_a_newer_program_has_widened_are_read_on(pair: Pair, database: FreshDatabase) -> None:
    """The driver keeps the plan of a statement, and the server refuses it once the table has another column."""
    await pair.speaker()
    await pair.reader(database_pool_size=1)
    await pair.say("A", count=2)
    await pair.all_booked("A", 2)
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()
    await (await database.connect(READER)).execute("alter table parked add column wider text; alter table inbox add column wider text")

    async def answered() -> bool:
        try:
            return (await pair.ask(READER, ParkedAsked(all=True))).messages == ()
        except ServiceSilent as told:
            assert "cannot answer right now" in str(told)
            return False

    await wait_until(answered, "it is answered again", within_s=30)
    await pair.say("A", first=3)
    assert await pair.all_booked("A", 3) == [1, 2, 3]


async def test_questions_wait_for_a_connection_so_long_and_are_then_told_to_come_again(
    pair: Pair, database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_database, "CONNECT_TIMEOUT_S", 1.0)
    await pair.speaker()
    await pair.reader(database_pool_size=1)
    holder = await database.connect(READER)
    async with holder.transaction():
        await holder.execute("lock table parked in access exclusive mode")
        first = asyncio.ensure_future(pair.ask(READER, ParkedAsked(), deadline_s=30))
        waiting = "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"

        async def waits() -> bool:
            return bool((await pair.database.fetch(READER, waiting))[0][0])

        await wait_until(waits, "the only connection is taken", within_s=30)
        with pytest.raises(ServiceSilent, match="portfolio cannot answer right now: TimeoutError"):
            await pair.ask(READER, InboxHeadsAsked(), deadline_s=30)

    assert (await first).messages == ()
    await pair.say("A")
    assert await pair.all_booked("A", 1) == [1]
    assert (await pair.ask(READER, InboxHeadsAsked())).heads["execution/fills.A"] == 1


async def test_an_error_that_the_database_cannot_store_is_stored_readably(pair: Pair) -> None:
    """A text may hold what PostgreSQL's may not; the message would come for ever, and its key stand still without a word."""

    async def fails(_: OrderFilled, __: Page) -> None:
        raise ValueError("no \0 and no \ud800 in a text")

    await pair.speaker()
    await pair.reader(Hears(OrderFilled, fails))
    await pair.say("A")

    async def parked() -> str:
        messages = (await pair.ask(READER, ParkedAsked())).messages
        return messages[0].error if messages else ""

    assert await wait_until(parked, "it is parked", within_s=30) == r"ValueError: no \x00 and no \ud800 in a text"
