"""The fixtures of every test that needs the real servers. Nothing here knows a single service.

servers       once per run: a real NATS server and a real PostgreSQL, as `qm up` starts them, in a folder of their own. Tests may stop,
              kill and start them (`await servers.postgres_stop()`, `nats_kill()`, …); the next test finds them well again.
database      a fresh database per test, copied from a template in which every service's schema is migrated and every role has its own:
              `database.url("portfolio")`, `await database.connect("portfolio")`, `await database.fetch("portfolio", "select …")`.
bus           a fresh bus per test: streams and consumers of the table, empty. `await bus.connect("execution")` is a connection under that
              NATS user (also `provision`, `operator`); all are closed at the end.
ask           puts questions to services as the operator: `await ask("portfolio", PortfolioAsked(...))`.
start_here    runs a service inside the test: `await start_here("portfolio")`, settings as keywords; `await start_here.stop("portfolio")` ends
              one early. Errors of a service fail the test.
start_process runs a service as a process: `process = await start_process("execution", QM_EXECUTION_PAPER_CASH="5000")`, then
              `process.kill()`, `.stop()`, `.start()`. What is still running at the end is killed.

`quantmatrix.common.testing` has what needs no server: `wait_until(condition, within_s=…)`, `SetClock`, `examples.py` (an example of every
message). Tests that use these fixtures are marked `servers` by themselves: `pytest -m "not servers"` runs the others.
"""

import asyncio
import importlib.util
import itertools
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import nats
import pytest
from nats.aio.client import Client

sys.path.insert(0, str(Path(__file__).parent))

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.runtime.database import Own
from quantmatrix.common.runtime.migrations import migrate
from quantmatrix.common.runtime.permissions import OPERATOR_USER, PROVISION_USER
from quantmatrix.common.runtime.provisioning import provision, purge
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.process import StartProcess
from quantmatrix.operations.bootstrap import make_database, make_roles
from quantmatrix.operations.places import Places
from quantmatrix.operations.processes import Child
from quantmatrix.operations.servers.nats import NatsServer
from quantmatrix.operations.servers.postgres import DATABASE, PostgresServer

_numbers = itertools.count(1)
CONTROL_TIMEOUT_S = 60.0


def pytest_configure() -> None:
    """What the person's shell says about QuantMatrix is none of the tests' business."""
    for name in [name for name in os.environ if name.startswith("QM_")]:
        del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.servers)


def services_here() -> list[str]:
    """The services that can be run: those with an `app`."""
    return [service for service in SERVICES if importlib.util.find_spec(f"quantmatrix.{service}.app")]


class Servers:
    """Both servers, run by an event loop in a thread of its own, so that tests in any loop can use and disturb them."""

    def __init__(self, home: Path) -> None:
        self.places = Places(home)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="servers", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.secrets = self.places.open()
        self.nats = NatsServer(self.places, self.secrets)
        self.postgres = PostgresServer(self.places, self.secrets)
        self.run(self._start())

    async def _start(self) -> None:
        await self.postgres.initialise()
        await asyncio.gather(self.postgres.start(), self.nats.start())
        await make_database(self.postgres.superuser_url("postgres"))
        await make_roles(self.postgres.superuser_url(), self.secrets.database)
        connection = await asyncpg.connect(self.postgres.superuser_url("postgres"))
        try:
            await connection.execute("alter system set fsync = off")  # these data need not outlive a power cut
            await connection.execute("select pg_reload_conf()")
        finally:
            await connection.close()
        for service in services_here():
            await migrate(service, self.postgres.url(service))

    def stop(self) -> None:
        try:
            self.run(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CONTROL_TIMEOUT_S)
            self._loop.close()
            self.places.close()
            shutil.rmtree(self.places.runtime, ignore_errors=True)

    async def _stop(self) -> None:
        await asyncio.gather(self.nats.child.stop(), self.postgres.child.stop())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CONTROL_TIMEOUT_S)

    async def _there(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def make_well(self) -> None:
        """Start again what an earlier test left stopped."""
        if not self.nats.child.alive or not self.nats.store_is_ours():
            await self.nats_stop()
            await self.nats_start()
        if not self.postgres.child.alive:
            await self.postgres_start()

    async def nats_start(self) -> None:
        await self._there(self.nats.start())

    async def nats_stop(self) -> None:
        await self._there(self.nats.child.stop())

    async def nats_kill(self) -> None:
        await self._there(_kill(self.nats.child))

    async def postgres_start(self) -> None:
        await self._there(self.postgres.start())

    async def postgres_stop(self) -> None:
        await self._there(self.postgres.child.stop())

    async def postgres_kill(self) -> None:
        await self._there(_kill(self.postgres.child))


async def _kill(child: Child) -> None:
    child.send(signal.SIGKILL)
    await child.wait()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder of the test's own, gone afterwards: pytest's keeps the last three runs."""
    with tempfile.TemporaryDirectory(prefix="qm-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    home = Path(tempfile.mkdtemp(prefix="qm-tests-"))
    started = Servers(home / "data")
    try:
        started.start()
        yield started
    finally:
        started.stop()
        shutil.rmtree(home, ignore_errors=True)


class Database:
    """One database of one test. Addresses are per role: the services' own, `paper`, and the superuser's."""

    def __init__(self, servers: Servers, name: str) -> None:
        self.name = name
        self._servers = servers
        self._open: list[Own] = []

    def url(self, role: str) -> str:
        return self._servers.postgres.url(role).replace(f"/{DATABASE}?", f"/{self.name}?")

    @property
    def superuser_url(self) -> str:
        return self._servers.postgres.superuser_url(self.name)

    async def connect(self, role: str) -> Own:
        connection = await asyncpg.connect(self.url(role), timeout=5)
        self._open.append(connection)
        return connection

    async def fetch(self, role: str, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement as a role."""
        connection = await asyncpg.connect(self.url(role), timeout=5)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def close(self) -> None:
        for connection in self._open:
            connection.terminate()


@pytest.fixture
async def database(servers: Servers) -> AsyncIterator[Database]:
    await servers.make_well()
    made = Database(servers, f"test_{next(_numbers)}")
    maintenance = servers.postgres.superuser_url("postgres")
    await _execute(maintenance, f"create database {made.name} template {DATABASE}")
    try:
        yield made
    finally:
        await made.close()
        await servers.make_well()
        await _execute(maintenance, f"drop database {made.name} with (force)")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


class TestBus:
    """One test's view of the bus: connections under any user."""

    __test__ = False

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._open: list[Client] = []

    @property
    def url(self) -> str:
        return self._servers.nats.url

    def password(self, user: str) -> str:
        return self._servers.secrets.nats[user]

    async def connect(self, user: str, **options: Any) -> Client:
        """A connection that stays through restarts of the server. `error_cb` may be given to see the server's refusals."""
        client: Client = await nats.connect(
            self.url,
            user=user,
            password=self.password(user),
            inbox_prefix=f"_INBOX.{user}",
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.1,
            **{"error_cb": _quiet, **options},
        )
        self._open.append(client)
        return client

    async def provision(self) -> None:
        """Make streams and consumers exist again."""
        client = await self._servers.nats.connect(PROVISION_USER)
        try:
            await provision(client.jetstream())
        finally:
            await client.close()

    async def purge(self) -> None:
        """Delete every stream with its consumers, as losing the bus's folder does."""
        client = await self._servers.nats.connect(PROVISION_USER)
        try:
            await purge(client.jetstream())
        finally:
            await client.close()

    async def close(self) -> None:
        for client in self._open:
            await client.close()


async def _quiet(_: Exception) -> None:
    return


@pytest.fixture
async def bus(servers: Servers) -> AsyncIterator[TestBus]:
    await servers.make_well()
    fresh = TestBus(servers)
    await fresh.purge()
    await fresh.provision()
    try:
        yield fresh
    finally:
        await fresh.close()


@pytest.fixture
async def ask(bus: TestBus) -> Ask:
    return Ask(await bus.connect(OPERATOR_USER))


@pytest.fixture
async def start_here(database: Database, bus: TestBus, tmp_path: Path) -> AsyncIterator[StartHere]:
    starter = StartHere(database, bus, tmp_path)
    try:
        yield starter
    finally:
        await starter.stop_all()


@pytest.fixture
async def start_process(database: Database, bus: TestBus, tmp_path: Path) -> AsyncIterator[StartProcess]:
    starter = StartProcess(database, bus, tmp_path)
    try:
        yield starter
    finally:
        await starter.kill_all()
