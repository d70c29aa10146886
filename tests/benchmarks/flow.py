"""Messages a second through a real outbox, the bus, and a real inbox, handlers empty."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from quantmatrix.operations.places import Places
from quantmatrix.operations.processes import Child
from quantmatrix.operations.supervisor import Plan, Supervisor

KEY = "market/prices.moments.XNYS"
PER_PAGE = 100
DEADLINE_S = 30.0
LOOK_S = 0.02


@dataclass(frozen=True)
class Flow:
    """Messages a second, by the database's clock: into the outbox, and through to the inbox of the hearer (both from the first row)."""

    count: int
    out_per_s: float
    in_per_s: float


async def flow(folder: Path, count: int) -> Flow:
    """Start servers without services, then the pump and its hearer; count rows."""
    places = Places(folder / "flow")
    supervisor = Supervisor(places, Plan(services=()))
    await supervisor.start()
    children: list[Child] = []
    try:
        for service, word in (("signals", "hear"), ("market", "say")):
            child = Child(
                name=f"pump-{word}",
                command=[sys.executable, "-m", "tests.benchmarks.pump", word, str(count), str(PER_PAGE)],
                environment=supervisor.environment(service) | {"PYTHONPATH": str(Path.cwd())},
                output=places.logs / f"pump-{word}.out",
                directory=str(Path.cwd()),
            )
            await child.start()
            children.append(child)
        return await _counted(supervisor.postgres.superuser_url(), count)
    finally:
        await asyncio.gather(*(child.stop() for child in children))
        await supervisor.stop()


async def _counted(url: str, count: int) -> Flow:
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                if (await connection.fetchval("select max(seq) from signals.inbox where key = $1", KEY) or 0) >= count:
                    break
                await asyncio.sleep(LOOK_S)
        out_s, in_s = await connection.fetchrow(
            """select extract(epoch from max(said_at) - min(said_at))::float8, extract(epoch from clock_timestamp() - min(said_at))::float8
               from market.outbox where key = $1""",
            KEY,
        )
        return Flow(count, count / out_s, count / in_s)
    finally:
        await connection.close()
