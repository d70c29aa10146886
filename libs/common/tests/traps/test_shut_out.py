"""Passwords that change while a service runs: it says who is not let in and ends; begun anew with the right one it goes on, and nothing is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from libs.common.tests.traps.looking import looked_at_reader

from quantmatrix.common.contracts.asking.messaging import ParkedAsked
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.runtime.database import Own
from quantmatrix.common.runtime.errors import NotLetIn
from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.lease import Lease
from quantmatrix.common.runtime.permissions import password_variable
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER, ReaderSettings, serve_reader
from quantmatrix.common.testing.waiting import WITHIN_S, wait_until
from quantmatrix.operations.testing import FreshBus, FreshDatabase, Servers

OTHER = "another-password"
CUT = "select pg_terminate_backend(pid) from pg_stat_activity where usename = $1 and application_name like $2"
NOT_THE_RELAY = " and not exists (select from pg_locks held where held.pid = pg_stat_activity.pid and held.locktype = 'advisory')"


@dataclass
class Doors:
    """Both servers, and the ways in which they can shut the reader out until a block ends."""

    servers: Servers
    bus: FreshBus
    superuser: Own

    @asynccontextmanager
    async def database(self, connections: str = "%") -> AsyncIterator[None]:
        """Another password for the reader's role; those of its connections that have such a name are cut."""
        role, right = f"qm_{READER}", self.servers.secrets.database[READER]
        try:
            await self.superuser.execute(f"alter role {role} password '{OTHER}'")
            await self.superuser.execute(CUT, role, connections)
            yield
        finally:
            await self.superuser.execute(f"alter role {role} password '{right}'")

    @asynccontextmanager
    async def desk_alone(self) -> AsyncIterator[None]:
        """Another password, and of the reader's connections only that of its desk is cut."""
        async with self.database(connections=""):
            cut = await self.superuser.fetch(CUT + NOT_THE_RELAY, f"qm_{READER}", f"quantmatrix-{READER}-own")
            assert len(cut) == 1
            yield

    @asynccontextmanager
    async def bus_told(self) -> AsyncIterator[None]:
        """The bus reads its file again, and there is another password in it for the reader."""
        file = self.servers.places.runtime / "nats.conf"
        right = file.read_text(encoding="utf-8")
        try:
            file.write_text(right.replace(f"${password_variable(READER)}", OTHER), encoding="utf-8")
            self.servers.nats.child.send(signal.SIGHUP)
            yield
        finally:
            file.write_text(right, encoding="utf-8")
            self.servers.nats.child.send(signal.SIGHUP)

    @asynccontextmanager
    async def bus_begun_anew(self) -> AsyncIterator[None]:
        """The bus went away, and comes back with another password for the reader."""
        try:
            await self._begin_anew(OTHER)
            yield
        finally:
            await self._begin_anew(self.servers.secrets.nats[READER])

    async def _begin_anew(self, password: str) -> None:
        await self.servers.nats_stop()
        self.servers.nats.child.environment[password_variable(READER)] = password
        await self.servers.nats_start()
        await self.bus.provision()


Shut = Callable[[Doors], AbstractAsyncContextManager[None]]


@pytest.fixture
async def doors(servers: Servers, bus: FreshBus, database: FreshDatabase) -> AsyncIterator[Doors]:
    superuser = await asyncpg.connect(database.superuser_url)
    yield Doors(servers, bus, superuser)
    await superuser.close()


@pytest.mark.parametrize(
    ("shut", "sentence"),
    [
        (Doors.database, f'the database does not let {READER} in: password authentication failed for user "qm_{READER}"'),
        (Doors.desk_alone, f'the database does not let {READER} in: password authentication failed for user "qm_{READER}"'),
        (Doors.bus_told, f"the bus does not let {READER} in: nats: authorization failed"),
        (Doors.bus_begun_anew, f"the bus does not let {READER} in: nats: 'Authorization Violation'"),
    ],
    ids=["database", "desk alone", "bus told", "bus begun anew"],
)
async def test_whoever_is_let_in_no_more_says_so_and_ends_and_the_next_has_missed_nothing(
    pair: Pair, doors: Doors, shut: Shut, sentence: str
) -> None:
    await pair.speaker()
    running = await pair.here(READER, serve=serve_reader, settings=ReaderSettings)
    await pair.say("A")
    await pair.all_booked("A", 1)
    async with shut(doors):
        await pair.say("A", first=2, count=3)
        await asyncio.wait({running}, timeout=WITHIN_S)

        with pytest.raises(NotLetIn) as told:
            await pair.here.stop(READER)
        assert str(told.value) == sentence
    await pair.reader()

    assert await pair.all_booked("A", 4) == [1, 2, 3, 4]
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()


@pytest.mark.parametrize(("shut", "which"), [(Doors.database, "database"), (Doors.bus_told, "bus")], ids=["database", "bus"])
async def test_a_start_that_is_not_let_in_ends_with_one_sentence_and_a_later_one_works(
    pair: Pair, doors: Doors, shut: Shut, which: str
) -> None:
    async with shut(doors):
        process = await pair.reader_process()

        assert await process.ended() == 1
    [sentence] = process.written().splitlines()
    assert sentence.startswith(f"{READER}: the {which} does not let {READER} in: ")
    await process.start()
    await pair.up(READER)


async def test_what_else_ended_a_service_that_is_not_let_in_is_in_its_log(start_here: StartHere, tmp_path: Path) -> None:
    async def not_let_in() -> None:
        raise NotLetIn("one sentence")

    async def broken() -> None:
        raise LookupError("nobody knows this account")

    async def build(_: Parts) -> Bus:
        return Bus(background=(not_let_in, broken))

    file = tmp_path / "reader.log"
    running = await start_here(READER, serve=lambda settings: run_service(settings, build), settings=ReaderSettings, log_file=file)
    await asyncio.wait({running}, timeout=WITHIN_S)
    with pytest.raises(NotLetIn, match="one sentence"):
        await start_here.stop(READER)

    assert "nobody knows this account" in file.read_text(encoding="utf-8")


async def test_while_no_new_connection_is_let_in_it_is_not_ready_says_so_and_books_on(pair: Pair, doors: Doors) -> None:
    """A password is changed and connections stay: those that work go on with what they do, and a new one is needed for questions."""
    await pair.speaker()
    looked = await looked_at_reader(pair)
    await pair.say("A")
    await pair.all_booked("A", 1)
    async with doors.database(connections=f"quantmatrix-{READER}"):
        await wait_until(lambda: looked.ready({"database": "not let in"}), "the refusal is noticed")
        assert "NotLetIn" in (await looked.get("/readyz")).text
        with pytest.raises(ServiceSilent, match="cannot answer right now: NotLetIn"):
            await pair.ask(READER, ParkedAsked(all=True))
        await pair.say("A", first=2, count=2)
        await wait_until(lambda: doors.superuser.fetchval(f"select count(*) = 3 from {READER}.tiny_booked"), "the new ones are booked")

    await wait_until(lambda: looked.ready({}), "ready again")
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()


async def test_who_stands_by_and_is_not_let_in_waits_no_longer(servers: Servers, database: FreshDatabase) -> None:
    wrong = database.url(READER).replace(servers.secrets.database[READER], OTHER)

    with pytest.raises(NotLetIn, match=f"qm_{READER}"):
        await Lease(service=READER, database_url=wrong).acquire()
