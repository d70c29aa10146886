"""The product itself: from a tick to its fill, the whole replay, memory and start of each process."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import httpx
import msgspec
from nats.js.api import AckPolicy, ConsumerConfig
from tests.benchmarks.figures import Latency, resident_mib

from quantmatrix.common.contracts.codec import decode
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.portfolio import LotOpened
from quantmatrix.common.contracts.prices import BarsClosed
from quantmatrix.operations.demo import Options, Result, replayed
from quantmatrix.operations.places import Places
from quantmatrix.operations.supervisor import Plan, Supervisor

TICK_OPTIONS = Options(last="2006-12-29", environment={"QM_EXECUTION_PAPER_FILLS": "at_once"})
FETCH = 500
FETCH_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Ticks:
    """By the bus's own clock: from the message with the bars to the one with the fill, and to the one with the lot."""

    fill: Latency
    lot: Latency


@dataclass(frozen=True)
class Whole:
    """The replay of everything there is. memory in MiB by process, at its end; start in seconds until ready."""

    result: Result
    memory: dict[str, float]
    start: dict[str, float]


async def ticks(folder: Path, options: Options = TICK_OPTIONS) -> Ticks:
    """Replay with a venue that fills at once: a signal's order is filled while its tick is still the newest."""
    async with replayed(Places(folder / "ticks"), options) as done:
        bars: dict[date, float] = {}
        fills: list[float] = []
        when: dict[object, date] = {}
        async for at, body in _stored(done.supervisor, "PRICES", "prices.bars.>"):
            told = decode(body)
            if isinstance(told, BarsClosed):
                bars[told.session] = at
        async for at, body in _stored(done.supervisor, "FILLS", "fills.filled.>"):
            told = decode(body)
            if isinstance(told, OrderFilled):
                when[told.fill_id] = told.session
                fills.append(at - bars[told.session])
        lots = [
            at - bars[when[told.fill_id]]
            async for at, body in _stored(done.supervisor, "PORTFOLIO", "portfolio.>")
            if isinstance(told := decode(body), LotOpened)
        ]
        return Ticks(Latency.of(fills), Latency.of(lots))


async def _stored(supervisor: Supervisor, stream: str, subjects: str) -> AsyncIterator[tuple[float, bytes]]:
    """What the bus keeps, with the time at which it stored each message (seconds since 1970)."""
    client = await supervisor.nats.connect()
    try:
        js = client.jetstream()
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, filter_subject=subjects)
        subscription = await js.pull_subscribe(subjects, stream=stream, config=config)
        left = (await subscription.consumer_info()).num_pending or 0
        while left:
            messages = await subscription.fetch(min(FETCH, left), timeout=FETCH_TIMEOUT_S)
            left -= len(messages)
            for message in messages:
                yield message.metadata.timestamp.timestamp(), message.data
    finally:
        await client.close()


async def whole(folder: Path) -> Whole:
    """Start on a folder that is prepared already; then replay all years from nothing, and look at every process at the end."""
    start = await _start(Places(folder / "start"))
    async with replayed(Places(folder / "whole"), Options()) as done:
        children, nursery = done.supervisor.children().items(), done.supervisor.nursery.pid
        memory = {name: resident_mib(child.pid) for name, child in children if child.pid is not None}
        if nursery is not None:
            memory["nursery"] = resident_mib(nursery, alone=True)
        return Whole(done.result, memory, start)


async def _start(places: Places) -> dict[str, float]:
    options = Options(last="2000-03-31")
    async with replayed(places, options):
        pass
    supervisor = Supervisor(places, Plan(environment=options.as_environment()))
    began = time.perf_counter()
    starting = asyncio.ensure_future(supervisor.start())
    try:
        ready = await _until_ready(supervisor, began)
        await starting
        return ready
    finally:
        await supervisor.stop()


async def _until_ready(supervisor: Supervisor, began: float) -> dict[str, float]:
    found: dict[str, float] = {}
    async with httpx.AsyncClient(timeout=1) as http, asyncio.timeout(60):
        while not supervisor.health_ports or len(found) < len(supervisor.health_ports):
            for service, port in supervisor.health_ports.items():
                if service in found:
                    continue
                try:
                    if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == httpx.codes.OK:
                        found[service] = time.perf_counter() - began
                except (httpx.TransportError, msgspec.DecodeError):
                    continue
            await asyncio.sleep(0.01)
    return found
