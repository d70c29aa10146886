"""A connection to the bus that is closed for good, or silent: a service that only looked well would stand still for ever."""

import asyncio
import signal
from typing import Any

import pytest
from nats.aio.client import Client

from quantmatrix.common.runtime import subscribing
from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.runtime.subscribing import make_broker
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.tiny import READER, ReaderSettings
from quantmatrix.common.testing.waiting import WITHIN_S, wait_until
from quantmatrix.operations.testing import FreshBus, Servers


async def test_a_service_whose_connection_the_bus_refuses_for_good_ends_so_that_it_begins_anew(start_here: StartHere) -> None:
    """The library closes a connection at most errors that the server tells: a password that was changed, a limit, a word it does not know."""
    clients: list[Any] = []

    async def build(parts: Parts) -> Bus:
        clients.append(parts.client)
        return Bus()

    running = await start_here(READER, serve=lambda settings: run_service(settings, build), settings=ReaderSettings)
    await wait_until(lambda: clients, "the service is built")
    clients[0]._transport.write(b"NO SUCH WORD\r\n")
    await asyncio.wait({running}, timeout=WITHIN_S)

    assert running.done()
    with pytest.raises(ExceptionGroup) as ended:
        await start_here.stop(READER)
    assert ended.group_contains(ConnectionError, match="closed for good")


async def test_a_bus_that_says_nothing_is_connected_to_anew(bus: FreshBus, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when its machine went away without a word: nothing is refused, and nothing comes."""
    monkeypatch.setattr(subscribing, "PING_S", 0.1)
    metrics, closed = Metrics(READER), list[str]()
    broker = make_broker(
        service=READER,
        url=bus.url,
        password=bus.password(READER),
        metrics=metrics,
        on_back=lambda: None,
        on_lost_for_good=lambda: closed.append("for good"),
    )
    client: Client = await broker.connect()
    metrics.bus_connected.set(1)
    servers.nats.child.send(signal.SIGSTOP)
    try:
        await wait_until(lambda: metrics.registry.get_sample_value("qm_bus_connected") == 0, "the silence is noticed")
        assert closed == []
    finally:
        servers.nats.child.send(signal.SIGCONT)

    await wait_until(lambda: client.is_connected, "it is connected again")
    await broker.stop()
    assert closed == ["for good"]
