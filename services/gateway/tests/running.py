"""Running a gateway and the services behind it inside a test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

from quantmatrix.common.contracts.asking.market import ReplayStatusAsked
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import UserId
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.quiet import all_is_heard
from quantmatrix.common.testing.waiting import GIVES_WAY_S, WITHIN_S, wait_until
from quantmatrix.gateway.people import Passwords
from quantmatrix.operations.servers.nats import free_port
from quantmatrix.operations.testing import FreshDatabase

PASSWORD = "correct horse battery"
MEMORY_MIB = 19
"""The least that a password may take: hundreds of logins are made here, and none is guessed at."""
OTHER = UserId(derived_id("user", "somebody else"))
BEHIND = ("market", "signals", "execution", "portfolio", "notify")
REPLAY = {"replay_from": "2004-01-02", "replay_to": "2004-04-30", "replay_pace_s": 0.0}


@dataclass(slots=True)
class Console:
    """A running gateway and a client that keeps its cookies."""

    port: int
    client: httpx.AsyncClient
    csrf: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def log_in(self, name: str = "admin", password: str = PASSWORD) -> httpx.Response:
        answer = await self.client.post("/login", data={"name": name, "password": password})
        if answer.status_code == 303:
            page = (await self.client.get("/about")).text
            self.csrf = page.split('"X-CSRF-Token": "')[1].split('"')[0]
        return answer

    async def get(self, path: str, **more: object) -> httpx.Response:
        return await self.client.get(path, **more)  # type: ignore[arg-type]

    async def post(self, path: str, json: object = None, **headers: str) -> httpx.Response:
        return await self.client.post(path, json=json, headers={"X-CSRF-Token": self.csrf, **headers})

    def another(self) -> "Console":
        """The same gateway, seen by somebody with no cookie yet."""
        return Console(self.port, httpx.AsyncClient(base_url=self.url, timeout=WITHIN_S))


@dataclass(slots=True, kw_only=True)
class Desk(Console):
    """A console with everything behind it."""

    database: FreshDatabase
    start_here: StartHere
    ask: Ask


@asynccontextmanager
async def gateway_here(start_here: StartHere, **told: Any) -> AsyncIterator[Console]:
    """Start a gateway with these settings, and wait until it answers."""
    port = told.setdefault("port", free_port())
    await start_here(
        "gateway", **{"admin_password": SecretStr(PASSWORD), "cookie_secure": False, "password_memory_mib": MEMORY_MIB, **told}
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WITHIN_S) as client:
        await wait_until(lambda: _answers(client), "the gateway answers")
        yield Console(port, client)


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/login")).status_code == 200
    except httpx.TransportError:
        return False


async def replay_done(start_here: StartHere, ask: Ask, **market: Any) -> None:
    """Start the services behind the gateway and wait until their replay is over and heard everywhere."""
    for service in BEHIND:
        await start_here(service, **({**REPLAY, **market} if service == "market" else {}))
    await wait_until(lambda: finished(ask), "the replay has finished", within_s=GIVES_WAY_S)
    await wait_until(lambda: drained(ask), "everything was heard")


async def stood_still(console: Console, start_here: StartHere, ask: Ask) -> None:
    """Start the services behind the gateway, log in, and halt their replay of IBM's year after some sessions."""
    for service in BEHIND:
        told = {"replay_from": "2004-01-02", "replay_to": "2004-12-31", "replay_pace_s": 0.02, "replay_symbols": ("IBM",)}
        await start_here(service, **(told if service == "market" else {}))
    await console.log_in()

    async def some_sessions() -> bool:
        answer = await console.get("/api/v1/replay")
        return answer.status_code == 200 and answer.json()["sessions_done"] >= 3

    await wait_until(some_sessions, "the replay runs")
    assert (await console.post("/api/v1/replay", {"paused": True})).json()["state"] == "paused"
    await wait_until(lambda: drained(ask), "everything was heard")


async def finished(ask: Ask) -> bool:
    try:
        status = await ask("market", ReplayStatusAsked())
    except ServiceSilent:
        return False
    return status.state == "finished" and status.settled == status.session


async def drained(ask: Ask) -> bool:
    """Whether every service has heard everything that the others said to it."""
    return await all_is_heard(ask, (*BEHIND, "gateway"))


async def backtest_ended(desk: Desk, number: int) -> str:
    """Wait until it has ended; returns how. The table is looked at: an answer over HTTP takes twenty times as much of the processor."""
    connection = await desk.database.connect("signals")

    async def state() -> str | None:
        found: str = await connection.fetchval("select state from backtest where backtest_id = $1", number)
        return None if found in ("queued", "running") else found

    try:
        return str(await wait_until(state, f"backtest {number} has ended", within_s=GIVES_WAY_S))
    finally:
        await connection.close()


async def sent_by(desk: Desk) -> list[str]:
    """The types of all messages that the gateway has sent, in order of them."""
    return [row["type"] for row in await desk.database.fetch("gateway", "select type from outbox order by type")]


async def add_user(database: FreshDatabase, name: str, role: str, user_id: UserId = OTHER) -> None:
    """Another user, with the same password."""
    connection = await database.connect("gateway")
    await connection.execute(
        "insert into users (user_id, name, password_hash, role, created_at) values ($1, $2, $3, $4, $5)",
        user_id,
        name,
        await Passwords(MEMORY_MIB).hashed(PASSWORD),
        role,
        datetime(2024, 1, 2, tzinfo=UTC),
    )
