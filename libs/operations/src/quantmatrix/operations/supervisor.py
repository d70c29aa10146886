"""The supervisor: starts servers and services as child processes, brings back what dies, stops everything in seconds."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from quantmatrix.common.runtime.logs import configure_logs
from quantmatrix.common.runtime.main import EXIT_CONFIGURATION
from quantmatrix.common.runtime.permissions import OPERATOR_USER, WORKER_USER
from quantmatrix.common.runtime.provisioning import provision, purge
from quantmatrix.common.runtime.streams import SERVICES
from quantmatrix.common.runtime.waiting import ended
from quantmatrix.operations.bootstrap import make_database, make_roles
from quantmatrix.operations.nursery import Nursery, ServiceChild
from quantmatrix.operations.places import FREE_BYTES_LOW, Places, Secrets, SetUpError
from quantmatrix.operations.processes import Child
from quantmatrix.operations.schemas import forget_replay, migrate_if_behind
from quantmatrix.operations.servers.nats import NatsServer, free_port
from quantmatrix.operations.servers.postgres import PostgresServer
from quantmatrix.operations.watching import LOOK_S, Door, watch

log = structlog.get_logger(__name__)

RESTART_S = (0.05, 0.1, 0.5, 1.0, 2.0, 5.0)
STEADY_S = 20.0
WATCH_S = 0.25
LOOKS_BETWEEN = 8
ROOM_S = 1.0
PROVISION_AGAIN_S = 0.05
STOP_SERVICES_S = 2.5
STOP_SERVER_S = 1.5
BESIDE_THE_TRADE = ("notify", "gateway")
"""On a machine with few cores these let the way from a price to a fill go first."""
Progress = Callable[[str], None]
_Part = TypeVar("_Part")


@dataclass(slots=True)
class Plan:
    """What to start, and what the services are told beyond addresses and passwords. console_port 0: any free one.

    look_s: how often to look whether a service or server answers anything. own_log: whether the supervisor's records go to a file beside
    those of the services, and this process's standard output stays free for people.
    """

    services: tuple[str, ...] = SERVICES
    environment: Mapping[str, str] = field(default_factory=dict)
    durable_bus: bool = False
    console_port: int = 0
    look_s: float = LOOK_S
    own_log: bool = False


class Supervisor:
    """Owns the data folder while it runs."""

    def __init__(self, places: Places, plan: Plan, say: Progress = lambda _: None) -> None:
        self.places = places
        self._plan = plan
        self._say = say
        self._secrets: Secrets | None = None
        self._nats: NatsServer | None = None
        self._postgres: PostgresServer | None = None
        self.nursery = Nursery(places.logs / "nursery.out", _surroundings())
        self.services: dict[str, ServiceChild] = {}
        self.health_ports: dict[str, int] = {}
        self.console_port = plan.console_port
        self.restarts = 0
        self.failed = asyncio.Event()
        self.failure = ""
        self.warning = ""
        self._keepers: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    @property
    def nats(self) -> NatsServer:
        return _started(self._nats)

    @property
    def postgres(self) -> PostgresServer:
        return _started(self._postgres)

    @property
    def secrets(self) -> Secrets:
        return _started(self._secrets)

    async def start(self) -> None:
        """Bring everything up. Raises SetUpError with one sentence; what was started is stopped again."""
        try:
            self._secrets = self.places.open()
            if self._plan.own_log:
                logging.raiseExceptions = False  # a full disk is told once, and not with every record that does not fit on it
                configure_logs(service="supervisor", level="INFO", file=self.places.logs / "supervisor.log")
            self._check_port()
            if self._plan.services:
                await self.nursery.open()
            await self._start_servers()
            urls = {service: self.postgres.url(service) for service in SERVICES}
            await migrate_if_behind(urls, self._say)
            await self._start_services()
        except BaseException:
            await self.stop()
            raise
        if self._plan.own_log:
            log.info("started", console_port=self.console_port, services=self._plan.services)
        self._publish_state()

    def _check_port(self) -> None:
        if "gateway" not in self._plan.services:
            return
        self.console_port = self.console_port or free_port()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.console_port))
            except OSError as error:
                raise SetUpError(
                    f"port {self.console_port} of this machine cannot be used for the console ({error.strerror}); "
                    "choose another one with --port or QM_GATEWAY_PORT"
                ) from error

    async def _start_servers(self) -> None:
        self._nats = NatsServer(self.places, self.secrets, durable=self._plan.durable_bus)
        self._postgres = PostgresServer(self.places, self.secrets)
        if not self._postgres.initialised:
            self._say("creating the database")
        await self._postgres.initialise()
        self._say("starting PostgreSQL and NATS")
        await asyncio.gather(self._postgres.start(), self._nats.start())
        await make_database(self._postgres.superuser_url("postgres"))
        await make_roles(self._postgres.superuser_url(), self.secrets.database)
        await self.provision()

    async def _start_services(self) -> None:
        self._say(f"starting {', '.join(self._plan.services)}")
        self.health_ports = {service: free_port() for service in self._plan.services}
        for service in self._plan.services:
            self.services[service] = ServiceChild(
                name=service,
                command=[f"quantmatrix.{service}"],
                environment=self.environment(service),
                output=self.places.logs / f"{service}.out",
                gives_way=service in BESIDE_THE_TRADE,
                nursery=self.nursery,
            )
        await asyncio.gather(*(child.start() for child in self.services.values()))
        for child in self.services.values():
            self._keep(self._keep_service(child))
            self._watch(child, Door(self.health_ports[child.name]))
        self._keep(self._keep_nats())
        self._keep(self._keep_postgres())
        self._watch(self.nats.child, self.nats.door)
        self._watch(self.postgres.child, self.postgres.door)
        self._keep(self._keep_an_eye_on_the_disk())

    def environment(self, service: str) -> dict[str, str]:
        """What a service is told: our own settings last, so that nothing outside redirects it by accident."""
        told = {name: value for name, value in os.environ.items() if name.startswith("QM_") and name != "QM_HOME"}
        own = {
            "QM_NATS_URL": self.nats.url,
            "QM_NATS_PASSWORD": self.secrets.nats[service],
            "QM_DATABASE_URL": self.postgres.url(service),
            "QM_EXECUTION_PAPER_DATABASE_URL": self.postgres.url("paper"),
            "QM_HEALTH_PORT": str(self.health_ports.get(service, 0)),
            "QM_LOG_FILE": str(self.places.logs / f"{service}.log"),
            "QM_GATEWAY_PORT": str(self.console_port),
            "QM_GATEWAY_ADMIN_PASSWORD": self.secrets.administrator,
            "QM_GATEWAY_COOKIE_SECURE": "false",
            "POLARS_MAX_THREADS": "1",
        }
        return {**_surroundings(), "QM_CATCH_UP_EVERY_S": "5", **told, **self._plan.environment, **own}

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._keepers.add(task)
        task.add_done_callback(self._kept)

    def _watch(self, child: Child, door: Door) -> None:
        self._keep(watch(child, door, self._say, look_s=self._plan.look_s))

    def _kept(self, task: asyncio.Task[None]) -> None:
        self._keepers.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(str(error))

    def _fail(self, sentence: str) -> None:
        self.failure = self.failure or sentence
        self.failed.set()

    async def _keep_service(self, child: Child) -> None:
        """Bring a service back whenever it ends, sooner at first; a wrong configuration is not tried again."""
        quick_ends = 0
        while not self._stop.is_set():
            began = asyncio.get_running_loop().time()
            code = await child.wait()
            if self._stop.is_set():
                return
            if code == EXIT_CONFIGURATION:
                self._fail(child.last_sentence() or f"{child.name} refuses its configuration")
                return
            killed = code == -signal.SIGKILL
            quick_ends = 0 if killed or asyncio.get_running_loop().time() - began > STEADY_S else quick_ends + 1
            await asyncio.sleep(RESTART_S[min(quick_ends, len(RESTART_S) - 1)])
            if quick_ends == len(RESTART_S):
                self._say(
                    f"{child.name} ends again and again, and is started again every {RESTART_S[-1]:g} s; look at 'qm logs {child.name}'"
                )
            self.restarts += 1
            await child.start()
            self._publish_state()

    async def _keep_postgres(self) -> None:
        while not self._stop.is_set():
            await self.postgres.child.wait()
            if not self._stop.is_set():
                self.restarts += 1
                await self._brought_back(self.postgres)
                self._publish_state()

    async def _keep_nats(self) -> None:
        """Bring the bus back when it ends, or when its store was emptied under it; then make its streams exist again."""
        while not self._stop.is_set():
            await self._until_nats_needs_a_start()
            if self._stop.is_set():
                return
            self.restarts += 1
            await self._brought_back(self.nats)
            await self.provision()
            self._publish_state()

    async def _until_nats_needs_a_start(self) -> None:
        looks = 0
        while self.nats.child.alive and not self._stop.is_set():
            try:
                async with asyncio.timeout(WATCH_S):
                    await self.nats.child.wait()
            except TimeoutError:
                looks += 1
                if not self.nats.store_is_ours():
                    log.warning("bus.emptied")
                    await self.nats.child.stop(STOP_SERVER_S)
                elif looks % LOOKS_BETWEEN == 0 and await self._bus_is_stuck():
                    await self.nats.child.stop(STOP_SERVER_S)

    async def _brought_back(self, server: NatsServer | PostgresServer) -> None:
        """Start a server again: as long as the disk is full, and a few times for any other reason. Raises SetUpError after those."""
        refusals = 0
        while not self._stop.is_set():
            try:
                await server.start()
                return
            except (SetUpError, OSError) as error:
                await server.child.stop(STOP_SERVER_S)
                if self._disk_is_full():
                    await asyncio.sleep(ROOM_S)
                    continue
                if refusals == len(RESTART_S):
                    raise
                log.warning("server.again", error=str(error))
                await asyncio.sleep(RESTART_S[refusals])
                refusals += 1

    async def _keep_an_eye_on_the_disk(self) -> None:
        """A server that cannot start takes its time to give up; people are told at once."""
        while not self._stop.is_set():
            self._disk_is_full()
            await asyncio.sleep(ROOM_S)

    def _disk_is_full(self) -> bool:
        free = self.places.free_bytes()
        full = free < FREE_BYTES_LOW
        self._warn(
            f"the disk where {self.places.home} lies is full ({free >> 20} MiB free): nothing is lost, "
            "and everything goes on as soon as there is room"
            if full
            else ""
        )
        return full

    async def _bus_is_stuck(self) -> bool:
        """A bus that could not write once (the disk was full) stays so until it is started anew; that waits for room."""
        trouble = await self.nats.trouble()
        if self._disk_is_full() or trouble is None:
            return False
        log.warning("bus.stuck", error=trouble)
        return True

    def _warn(self, sentence: str) -> None:
        if bool(sentence) == bool(self.warning):
            return
        self.warning = sentence
        self._say(sentence or "there is room on the disk again")
        self._publish_state()

    async def provision(self) -> None:
        """Make streams and consumers exist; tried until the bus takes it. A bus that ended meanwhile is first brought back by its keeper.

        A full disk may take hours to be emptied: tries come more and more rarely, down to one every ROOM_S.
        """
        pause_s = PROVISION_AGAIN_S
        while not self._stop.is_set() and self.nats.child.alive:
            try:
                client = await self.nats.connect()
                try:
                    await provision(client.jetstream())
                    return
                finally:
                    await client.close()
            except Exception as error:  # a server that is still loading answers in many ways
                log.debug("provision.again", error=repr(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, ROOM_S)

    async def restart_replay(self) -> None:
        """Begin the replay anew: the paper ledger is forgotten, people and the audit trail stay."""
        await self._let_go()
        await asyncio.gather(*(child.stop(STOP_SERVICES_S) for child in self.services.values()))
        await forget_replay(self.postgres.superuser_url())
        client = await self.nats.connect()
        try:
            await purge(client.jetstream())
        finally:
            await client.close()
        await self.provision()
        await self._start_services()
        self._publish_state()

    async def _let_go(self) -> None:
        """Stop bringing back what ends."""
        await ended(self._keepers)

    def children(self) -> dict[str, Child]:
        """Every child by name: services, nats, postgres."""
        found: dict[str, Child] = dict(self.services)
        if self._nats is not None and self._postgres is not None:
            found |= {"nats": self._nats.child, "postgres": self._postgres.child}
        return found

    def _publish_state(self) -> None:
        if self._stop.is_set():
            return
        state = {
            "supervisor": os.getpid(),
            "nats_url": self.nats.url,
            "operator_password": self.secrets.nats[OPERATOR_USER],
            "worker_password": self.secrets.nats[WORKER_USER],
            "console_port": self.console_port,
            "pids": {name: child.pid for name, child in self.children().items()},
            "health_ports": self.health_ports,
            "restarts": self.restarts,
            "warning": self.warning,
        }
        try:
            self.places.write_state(state)
        except OSError as error:  # a full disk: the state on it is the one before
            log.debug("state.unwritten", error=repr(error))

    async def stop(self) -> None:
        """Stop the services, then both servers; within five seconds in all. Safe to call at any point of the start."""
        self._stop.set()
        await self._let_go()
        await asyncio.gather(*(child.stop(STOP_SERVICES_S) for child in self.services.values()))
        await self.nursery.stop()
        servers = [server.child for server in (self._nats, self._postgres) if server is not None]
        await asyncio.gather(*(child.stop(STOP_SERVER_S) for child in servers))
        self.places.close()

    async def kill_everything(self) -> None:
        """As a power cut would: no goodbye to anybody. For tests; the folder is then as the crash left it."""
        self._stop.set()
        await self._let_go()
        for child in self.children().values():
            child.send(signal.SIGKILL)
        await asyncio.gather(*(child.wait() for child in self.children().values()))
        await self.nursery.stop()
        self.places.close()


def _surroundings() -> dict[str, str]:
    """What every process of ours is told of our surroundings."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


def _started(part: _Part | None) -> _Part:
    if part is None:
        raise RuntimeError("the supervisor has not started")
    return part
