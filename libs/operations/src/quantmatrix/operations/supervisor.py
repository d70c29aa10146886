"""The supervisor: starts servers and services as child processes, brings back what dies, stops everything in seconds."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from quantmatrix.common.runtime.errors import TRANSIENT
from quantmatrix.common.runtime.main import EXIT_CONFIGURATION
from quantmatrix.common.runtime.permissions import OPERATOR_USER
from quantmatrix.common.runtime.provisioning import missing, provision, purge
from quantmatrix.common.runtime.revisions import current_revision, known_revisions
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.operations.bootstrap import make_database, make_roles
from quantmatrix.operations.places import Places, Secrets, SetUpError
from quantmatrix.operations.processes import Child
from quantmatrix.operations.servers.nats import NatsServer, free_port
from quantmatrix.operations.servers.postgres import PostgresServer

log = structlog.get_logger(__name__)

RESTART_S = (0.05, 0.1, 0.5, 1.0, 2.0, 5.0)
STEADY_S = 20.0
WATCH_S = 0.5
STOP_SERVICES_S = 3.0
STOP_SERVER_S = 1.5
MIGRATE_TIMEOUT_S = 120.0
Progress = Callable[[str], None]


@dataclass(slots=True)
class Plan:
    """What to start, and what the services are told beyond addresses and passwords."""

    services: tuple[str, ...] = SERVICES
    environment: Mapping[str, str] = field(default_factory=dict)
    durable_bus: bool = False
    console_port: int | None = None


class Supervisor:
    """Owns the data folder while it runs."""

    def __init__(self, places: Places, plan: Plan, say: Progress = lambda _: None) -> None:
        self._places = places
        self._plan = plan
        self._say = say
        self._secrets: Secrets | None = None
        self._nats: NatsServer | None = None
        self._postgres: PostgresServer | None = None
        self.services: dict[str, Child] = {}
        self.health_ports: dict[str, int] = {}
        self.restarts = 0
        self.failure: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._bus_ready = asyncio.Event()

    @property
    def nats(self) -> NatsServer:
        if self._nats is None:
            raise RuntimeError("the supervisor has not started")
        return self._nats

    @property
    def postgres(self) -> PostgresServer:
        if self._postgres is None:
            raise RuntimeError("the supervisor has not started")
        return self._postgres

    @property
    def secrets(self) -> Secrets:
        if self._secrets is None:
            raise RuntimeError("the supervisor has not started")
        return self._secrets

    async def start(self) -> None:
        """Bring everything up. Raises SetUpError with one sentence; what was started is stopped again."""
        try:
            await self._start_servers()
            await self._migrate()
            await self._start_services()
        except BaseException:
            await self.stop()
            raise
        self._publish_state()

    async def _start_servers(self) -> None:
        self._secrets = self._places.open()
        self._nats = NatsServer(self._places, self._secrets, durable=self._plan.durable_bus)
        self._postgres = PostgresServer(self._places, self._secrets)
        if not self._postgres.initialised:
            self._say("creating the database")
        await self._postgres.initialise()
        self._say("starting PostgreSQL and NATS")
        await asyncio.gather(self._postgres.start(), self._nats.start())
        await make_database(self._postgres.superuser_url("postgres"))
        await make_roles(self._postgres.superuser_url(), self._secrets)
        await self.provision()

    async def _migrate(self) -> None:
        urls = {service: self.postgres.url(service) for service in self._plan.services}
        behind = {service: url for service, url in urls.items() if await current_revision(url) != known_revisions(service)[-1]}
        if not behind:
            return
        self._say(f"preparing the tables of {', '.join(behind)}")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "quantmatrix.operations.migrating",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(MIGRATE_TIMEOUT_S):
            _, errors = await process.communicate(json.dumps(behind).encode())
        if process.returncode:
            raise SetUpError(errors.decode(errors="replace").strip().splitlines()[-1])

    async def _start_services(self) -> None:
        self._say(f"starting {', '.join(self._plan.services)}")
        self.health_ports = {service: free_port() for service in self._plan.services}
        for service in self._plan.services:
            self.services[service] = Child(
                name=service,
                command=[sys.executable, "-m", f"quantmatrix.{service}"],
                environment=self._environment(service),
                output=self._places.logs / f"{service}.out",
            )
        await asyncio.gather(*(child.start() for child in self.services.values()))
        for child in self.services.values():
            self._watch(self._keep_service(child))
        self._watch(self._keep_nats())
        self._watch(self._keep_postgres())

    def _environment(self, service: str) -> dict[str, str]:
        told = {name: value for name, value in os.environ.items() if name.startswith("QM_") and name != "QM_HOME"}
        own = {
            "QM_NATS_URL": self.nats.url,
            "QM_NATS_PASSWORD": self.secrets.nats[service],
            "QM_DATABASE_URL": self.postgres.url(service),
            "QM_EXECUTION_PAPER_DATABASE_URL": self.postgres.url("paper"),
            "QM_HEALTH_PORT": str(self.health_ports[service]),
            "QM_LOG_FILE": str(self._places.logs / f"{service}.log"),
            "QM_CATCH_UP_EVERY_S": "5",
            "POLARS_MAX_THREADS": "1",
        }
        base = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {**base, "PYTHONUNBUFFERED": "1", **own, **told, **self._plan.environment}

    def _watch(self, work: "asyncio.coroutines.Coroutine[object, object, None]") -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_service(self, child: Child) -> None:
        """Bring a service back whenever it ends, sooner at first; a wrong configuration is not tried again."""
        tries = 0
        while not self._stopping:
            began = asyncio.get_running_loop().time()
            code = await child.wait()
            if self._stopping:
                return
            if code == EXIT_CONFIGURATION:
                self.failure = child.last_words(1) or f"{child.name} refuses its configuration"
                return
            tries = 0 if asyncio.get_running_loop().time() - began > STEADY_S else tries + 1
            await asyncio.sleep(RESTART_S[min(tries, len(RESTART_S)) - 1] if code != -9 else RESTART_S[0])
            self.restarts += 1
            await child.start()
            self._publish_state()

    async def _keep_postgres(self) -> None:
        while not self._stopping:
            await self.postgres.child.wait()
            if self._stopping:
                return
            self.restarts += 1
            await self.postgres.start()
            self._publish_state()

    async def _keep_nats(self) -> None:
        """Bring the bus back when it ends, or when its store was emptied under it; then make its streams exist again."""
        while not self._stopping:
            await self._until_nats_ends_or_is_emptied()
            if self._stopping:
                return
            self._bus_ready.clear()
            self.restarts += 1
            await self.nats.start()
            await self.provision()
            self._publish_state()

    async def _until_nats_ends_or_is_emptied(self) -> None:
        while self.nats.child.alive and not self._stopping:
            try:
                await asyncio.wait_for(self.nats.child.wait(), WATCH_S)
            except TimeoutError:
                if self._bus_ready.is_set() and not self.nats.store_is_ours():
                    log.warning("bus.emptied")
                    await self.nats.child.stop(STOP_SERVER_S)
                    return
                continue

    async def provision(self) -> None:
        """Make streams and consumers exist; tried until the bus takes it."""
        while not self._stopping:
            try:
                client = await self.nats.connect()
            except TRANSIENT:
                await asyncio.sleep(WATCH_S / 10)
                continue
            try:
                await provision(client.jetstream())
                self._bus_ready.set()
                return
            except Exception as error:
                log.warning("provision.again", error=repr(error))
                await asyncio.sleep(WATCH_S / 5)
            finally:
                await client.close()

    async def forget_bus(self) -> None:
        """Delete all streams and make them anew, empty."""
        client = await self.nats.connect()
        try:
            await purge(client.jetstream())
        finally:
            await client.close()
        await self.provision()

    async def bus_is_whole(self) -> bool:
        client = await self.nats.connect()
        try:
            return not await missing(client.jetstream())
        finally:
            await client.close()

    def children(self) -> dict[str, Child]:
        """Every child by name: services, nats, postgres."""
        found = dict(self.services)
        if self._nats is not None and self._postgres is not None:
            found |= {"nats": self._nats.child, "postgres": self._postgres.child}
        return found

    def _publish_state(self) -> None:
        if self._stopping:
            return
        self._places.write_state(
            {
                "supervisor": os.getpid(),
                "nats_url": self.nats.url,
                "operator_password": self.secrets.nats[OPERATOR_USER],
                "console_port": self._plan.console_port,
                "pids": {name: child.pid for name, child in self.children().items()},
                "health_ports": self.health_ports,
                "restarts": self.restarts,
            }
        )

    async def stop(self) -> None:
        """Stop services, then the bus, then the database. Safe to call at any point of the start."""
        self._stopping = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*(child.stop(STOP_SERVICES_S) for child in self.services.values()))
        if self._nats is not None:
            await self._nats.child.stop(STOP_SERVER_S)
        if self._postgres is not None:
            await self._postgres.child.stop(STOP_SERVER_S)
        self._places.close()
