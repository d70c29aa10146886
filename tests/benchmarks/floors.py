"""What the machine can do without the product, measured in the same run under the same durability settings."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import nats
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from tests.benchmarks.figures import Latency

from quantmatrix.operations.connecting import silent
from quantmatrix.operations.processes import Child
from quantmatrix.operations.servers.nats import free_port, nats_program
from quantmatrix.operations.servers.postgres import PostgresServer

HOPS = 4
BODY = b'{"type":"floor","price":"101.25","quantity":"100","moment":"2013-03-01T21:00:00Z"}' * 6
READY_S = 15.0


@dataclass(frozen=True)
class Floors:
    """publish: JetStream publish and wait. commit: one insert, one commit. hops: publish to the last hop's publish."""

    publish: Latency
    commit: Latency
    hops: Latency
    published_per_s: float


@asynccontextmanager
async def bare_nats(folder: Path) -> AsyncIterator[str]:
    """A nats-server with JetStream on files, fsync as the product's bus has it: none a message."""
    port = free_port()
    configuration = folder / "bare.conf"
    configuration.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder / "bare"}", sync_interval: "2m" }}\n')
    child = Child("bare-nats", [str(nats_program()), "-c", str(configuration)], {}, folder / "bare.log")
    await child.start()
    try:
        yield f"nats://127.0.0.1:{port}"
    finally:
        await child.stop()


async def measure(folder: Path, postgres: PostgresServer, count: int) -> Floors:
    """All floors, one after the other."""
    async with bare_nats(folder) as url:
        client = await _connected(url)
        js = client.jetstream()
        await js.add_stream(StreamConfig(name="HOPS", subjects=["hop.*"]))
        try:
            publish = await _publish(js, count * 4)
            burst = await _burst(js, count * 40)
            commit = await _commit(postgres, count * 4)
            return Floors(publish, commit, await _hops(url, client, postgres, count), burst)
        finally:
            await client.close()


async def _connected(url: str) -> nats.NATS:
    async with asyncio.timeout(READY_S):
        while True:
            try:
                return await nats.connect(url, allow_reconnect=False, connect_timeout=1, error_cb=silent)
            except (OSError, nats.errors.Error):
                await asyncio.sleep(0.02)


async def _publish(js: JetStreamContext, count: int) -> Latency:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await js.publish("hop.0", BODY)
        taken.append(time.perf_counter() - began)
    return Latency.of(taken)


async def _burst(js: JetStreamContext, count: int) -> float:
    """Messages a second with 256 in flight."""
    began = time.perf_counter()
    for start in range(0, count, 256):
        await asyncio.gather(*(js.publish("hop.0", BODY) for _ in range(min(256, count - start))))
    return count / (time.perf_counter() - began)


async def _commit(postgres: PostgresServer, count: int) -> Latency:
    connection = await asyncpg.connect(postgres.superuser_url())
    try:
        await connection.execute(
            "create schema if not exists floor; create table floor.one (id bigint generated always as identity, body bytea)"
        )
        statement = await connection.prepare("insert into floor.one (body) values ($1)")
        taken = []
        for _ in range(count):
            began = time.perf_counter()
            await statement.fetch(BODY)
            taken.append(time.perf_counter() - began)
        return Latency.of(taken)
    finally:
        await connection.close()


async def _hops(url: str, client: nats.NATS, postgres: PostgresServer, count: int) -> Latency:
    """Four processes in a row; the next message is sent when the last one came out."""
    connection = await asyncpg.connect(postgres.superuser_url())
    for number in range(1, HOPS + 1):
        await connection.execute(f"create table floor.inbox{number} (id bigint primary key)")
        await connection.execute(f"create table floor.effect{number} (id bigint generated always as identity, body bytea)")
    await connection.close()
    program = str(Path(__file__).with_name("hop.py"))
    hops = [
        await asyncio.create_subprocess_exec(
            sys.executable, program, url, postgres.superuser_url(), str(number), stdout=asyncio.subprocess.PIPE
        )
        for number in range(1, HOPS + 1)
    ]
    try:
        for hop in hops:
            async with asyncio.timeout(READY_S):
                await hop.stdout.readline()  # type: ignore[union-attr]  # it was asked for
        arrived: asyncio.Queue[float] = asyncio.Queue()

        async def note(_: object) -> None:
            arrived.put_nowait(time.perf_counter())

        await client.subscribe(f"hop.{HOPS + 1}", cb=note)
        js, taken = client.jetstream(), []
        for number in range(count):
            began = time.perf_counter()
            await js.publish("hop.1", BODY, headers={"Id": str(number)})
            taken.append(await arrived.get() - began)
        return Latency.of(taken[count // 10 :])
    finally:
        for hop in hops:
            hop.terminate()
            await hop.wait()
