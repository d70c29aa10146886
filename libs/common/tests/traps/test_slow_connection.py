"""A connection that takes too slowly what the bus sends: the server cuts it, and what was on its way is heard once over the next one."""

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER, Books, ReaderSettings, hears
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import Servers

LARGE = "x" * 1_200_000
COUNT = 12
"""More than both ends of a connection keep for each other."""


async def _seen(servers: Servers) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        found: dict[str, Any] = (await client.get(f"http://127.0.0.1:{servers.nats.monitor_port}/varz")).json()
    return found


@asynccontextmanager
async def impatient(servers: Servers) -> AsyncIterator[None]:
    """The server waits a fifth of a second for a connection that is made meanwhile to take what it sends; otherwise that is ten seconds."""
    file = servers.places.runtime / "nats.conf"
    usual = file.read_text(encoding="utf-8")
    before = (await _seen(servers))["write_deadline"]

    async def told(text: str) -> None:
        file.write_text(text, encoding="utf-8")
        servers.nats.child.send(signal.SIGHUP)

    async def waits_otherwise() -> bool:
        return bool((await _seen(servers))["write_deadline"] != before)

    await told(f'{usual}write_deadline: "200ms"\n')
    try:
        await wait_until(waits_otherwise, "the server has read its file again")
        yield
    finally:
        await told(usual)


async def test_a_connection_that_is_too_slow_for_the_bus_is_cut_and_everything_is_booked_once(pair: Pair, servers: Servers) -> None:
    clients: list[Any] = []

    async def build(parts: Parts) -> Bus:
        clients.append(parts.client)
        return Bus(hears=hears(Books()))

    async def cut() -> bool:
        return bool((await _seen(servers))["slow_consumers"] > before)

    await pair.speaker()
    before = (await _seen(servers))["slow_consumers"]
    async with impatient(servers):
        await pair.here(READER, serve=lambda settings: run_service(settings, build), settings=ReaderSettings)
        await pair.up(READER)
        transport = clients[0]._transport._io_writer.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        transport.pause_reading()
        await pair.say("A", count=COUNT, manner=LARGE)
        await wait_until(cut, "the server has cut the connection")
    transport.resume_reading()

    assert await pair.all_booked("A", COUNT) == list(range(1, COUNT + 1))
    assert clients[0].stats["reconnects"] >= 1
