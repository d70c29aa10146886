"""Real servers for tests: both of them once per run, a fresh database and a fresh bus per test."""

import asyncio
import importlib.util
import shutil
import signal
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
from nats.aio.client import Client

from quantmatrix.common.runtime.database import Own
from quantmatrix.common.runtime.migrations import migrate
from quantmatrix.common.runtime.permissions import PROVISION_USER
from quantmatrix.common.runtime.provisioning import provision, purge
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.bootstrap import make_database, make_roles
from quantmatrix.operations.connecting import connect
from quantmatrix.operations.places import Places
from quantmatrix.operations.processes import Child
from quantmatrix.operations.servers.nats import NatsServer
from quantmatrix.operations.servers.postgres import DATABASE, PostgresServer
from quantmatrix.operations.supervisor import Plan, Supervisor

CONTROL_TIMEOUT_S = 240.0


def services_here() -> list[str]:
    """The services that can be run: those with an `app`."""
    return [service for service in SERVICES if importlib.util.find_spec(f"quantmatrix.{service}.app")]


class Servers:
    """Both servers, run by an event loop in a thread of its own, so that tests in any loop can use and disturb them."""

    def __init__(self, home: Path) -> None:
        self.places = Places(home)
        self._started: list[NatsServer | PostgresServer] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="servers", daemon=True)

    def start(self) -> None:
        """Start both and migrate the template database. After an error, `stop` cleans up all the same."""
        self._thread.start()
        self.secrets = self.places.open()
        self.nats = NatsServer(self.places, self.secrets)
        self.postgres = PostgresServer(self.places, self.secrets)
        self._started = [self.nats, self.postgres]
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

    async def _stop(self) -> None:
        for server in self._started:
            await server.child.stop()

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


class Prepared:
    """A data folder as a first start leaves it, with both servers stopped: made once, and copied for whoever does not test a first start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = False

    def copy_to(self, home: Path) -> Path:
        """Make this data folder, which must not be there yet."""
        if not self._made:
            with ThreadPoolExecutor(1) as beside:  # a test may have a loop of its own
                beside.submit(asyncio.run, self._make()).result()
            self._made = True
        shutil.copytree(self._folder, home, ignore=shutil.ignore_patterns("lock", "logs"))
        return home

    async def _make(self) -> None:
        supervisor = Supervisor(Places(self._folder), Plan(services=()))
        try:
            await supervisor.start()
        finally:
            await supervisor.stop()


class FreshDatabase:
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
        """A connection of this role, closed at the end of the test."""
        connection: Own = await asyncpg.connect(self.url(role))
        self._open.append(connection)
        return connection

    async def fetch(self, role: str, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Run one statement as a role."""
        connection = await asyncpg.connect(self.url(role))
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def make(self, template: str = DATABASE) -> "FreshDatabase":
        """Copy a template, to which nobody may be connected.

        Its files are copied: to write every page of it through the log takes twice the work, and nobody wants that log.
        """
        await self._maintain(f"create database {self.name} template {template} strategy file_copy")
        return self

    async def drop(self) -> None:
        for connection in self._open:
            connection.terminate()
        await self._maintain(f"drop database {self.name} with (force)")

    async def _maintain(self, statement: str) -> None:
        connection = await asyncpg.connect(self._servers.postgres.superuser_url("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


class FreshBus:
    """One test's view of the bus: connections under any user."""

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
        client = await connect(self.url, user, self.password(user), **{"max_reconnect_attempts": -1, "reconnect_time_wait": 0.1, **options})
        self._open.append(client)
        return client

    async def renew(self) -> None:
        """Streams and consumers as after a first start. What never held a message is that already."""
        client = await self._servers.nats.connect(PROVISION_USER)
        try:
            js = client.jetstream()
            for stream in await js.streams_info():
                if stream.state.last_seq:
                    await js.delete_stream(str(stream.config.name))
            await provision(js)
        finally:
            await client.close()

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
