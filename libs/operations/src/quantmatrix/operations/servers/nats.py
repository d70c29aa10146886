"""A real nats-server as a child process, configured from the table of streams."""

import asyncio
import contextlib
import itertools
import os
import shutil
import socket
import ssl
import sysconfig
from collections.abc import Callable
from pathlib import Path
from secrets import randbelow

import httpx
import structlog
from nats.aio.client import Client

from quantmatrix.common.runtime.permissions import PROVISION_USER, password_variable, server_configuration
from quantmatrix.operations.connecting import connect
from quantmatrix.operations.places import Places, Secrets, SetUpError
from quantmatrix.operations.processes import Child
from quantmatrix.operations.watching import BUS, Door

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 1.5
LOOK_S = 0.02
MARKER = "store.json"
UNREADABLE = "could not be recovered"
UNREADABLE_S = 2.0
"""How long the server must say so before its store is given up."""
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody, for calls that are never encrypted: reading the machine's authorities at each look would take 20 ms."""
OUTGOING_FROM = 32_768
"""The first port that Linux gives to outgoing connections; one of those could be taken between a look and a start."""
PORTS = 12_000
PORT_TAKEN = "address already in use"
PORT_TRIES = 5
LAST_WORDS = 3
_looked_at = itertools.count(randbelow(PORTS))
"""Every process looks in another order, and never soon again at what it has given out."""

log = structlog.get_logger(__name__)


def free_port() -> int:
    """A port of the loopback interface that is free now and stays so: no outgoing connection is given it by chance."""
    for number in itertools.islice(_looked_at, PORTS):
        port = OUTGOING_FROM - PORTS + number % PORTS
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise SetUpError(f"none of the ports {OUTGOING_FROM - PORTS} to {OUTGOING_FROM - 1} of 127.0.0.1 is free")


class NatsServer:
    """The bus: its process, its store folder and its address."""

    name = "nats"

    def __init__(self, places: Places, secrets: Secrets, *, durable: bool = False, ports: Callable[[], int] = free_port) -> None:
        self._places = places
        self._secrets = secrets
        self._durable = durable
        self._ports = ports
        self.port, self.monitor_port = 0, 0
        self.child = Child(
            name=self.name,
            command=[str(nats_program()), "-c", str(places.runtime / "nats.conf")],
            environment={"GOMAXPROCS": str(_processors())} | {password_variable(user): password for user, password in secrets.nats.items()},
            output=places.logs / "nats.log",
        )

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def door(self) -> Door:
        """Where whoever watches it looks."""
        return Door(self.monitor_port, BUS)

    @property
    def store(self) -> Path:
        return self._places.nats

    async def start(self) -> None:
        """Start and wait until JetStream works. Raises SetUpError with the server's last words when it does not come up.

        Its ports are chosen at its first start, others where somebody took one meanwhile; from then on they stay. The bus keeps copies
        only: a store that was emptied, or that the server cannot read any more, is begun anew.
        """
        if self.store.exists() and not self.store_is_ours():
            self._empty()
        trouble = await self._started() if self.port else await self._started_first()
        if trouble is not None:
            log.warning("bus.unreadable", trouble=trouble)
            await self.child.stop(STOP_TIMEOUT_S)
            self._empty()
            trouble = await self._started()
        if trouble is not None:
            raise SetUpError(f"nats-server did not become ready within {READY_TIMEOUT_S:g} s: {trouble}; see {self.child.output}")

    async def _started_first(self) -> str | None:
        for _ in range(PORT_TRIES - 1):
            self._choose_ports()
            try:
                return await self._started()
            except SetUpError:
                if PORT_TAKEN not in self.child.last_words(LAST_WORDS):
                    raise
        self._choose_ports()
        return await self._started()

    def _choose_ports(self) -> None:
        self.port, self.monitor_port = self._ports(), self._ports()

    async def _started(self) -> str | None:
        """Start once; returns what stands between the server and its streams, None when they work."""
        self.store.mkdir(exist_ok=True)
        (self.store / MARKER).touch()
        configuration = server_configuration(
            listen=f"127.0.0.1:{self.port}",
            monitor=f"127.0.0.1:{self.monitor_port}",
            store_dir=str(self.store),
            durable=self._durable,
        )
        path = self._places.runtime / "nats.conf"
        path.write_text(configuration, encoding="utf-8")
        path.chmod(0o600)
        await self.child.start()
        return await self._until_ready()

    async def _until_ready(self) -> str | None:
        now, lost_since = asyncio.get_running_loop().time, float("inf")
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                while (answer := await self._health()) is None or answer.status_code != httpx.codes.OK:
                    if not self.child.alive:
                        raise SetUpError(f"nats-server stopped at once; its last words: {self.child.last_words(LAST_WORDS)}")
                    trouble = _told(answer) if answer is not None else ""
                    lost_since = min(lost_since, now()) if UNREADABLE in trouble else float("inf")
                    if now() - lost_since >= UNREADABLE_S:
                        return trouble
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise SetUpError(f"nats-server did not become ready within {READY_TIMEOUT_S:g} s; see {self.child.output}") from None
        return None

    def _empty(self) -> None:
        shutil.rmtree(self.store, ignore_errors=True)

    async def healthy(self) -> bool:
        """Whether the server answers that JetStream works."""
        answer = await self._health()
        return answer is not None and answer.status_code == httpx.codes.OK

    async def trouble(self) -> str | None:
        """What the server says is wrong with its streams; None when all is well or it does not answer."""
        answer = await self._health()
        return None if answer is None or answer.status_code == httpx.codes.OK else _told(answer)

    async def _health(self) -> httpx.Response | None:
        try:
            async with httpx.AsyncClient(timeout=1.0, verify=NO_AUTHORITIES) as client:
                return await client.get(f"http://127.0.0.1:{self.monitor_port}/healthz")
        except httpx.HTTPError:
            return None

    def store_is_ours(self) -> bool:
        """Whether the store folder is still the one this server was started on; an emptied one has lost its marker."""
        return (self.store / MARKER).exists()

    async def connect(self, user: str = PROVISION_USER) -> Client:
        """A connection under one of the server's users."""
        return await connect(self.url, user, self._secrets.nats[user], connect_timeout=10, max_reconnect_attempts=2, allow_reconnect=False)


def _processors() -> int:
    """Half of the machine's: on two, threads of the server that look for work take the time of the services that have some."""
    return max((os.cpu_count() or 1) // 2, 1)


def _told(answer: httpx.Response) -> str:
    return str(answer.json().get("error", "JetStream does not work"))


def nats_program() -> Path:
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    if beside.exists():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise SetUpError("the program nats-server is missing; run 'make setup'")
    return Path(found)
