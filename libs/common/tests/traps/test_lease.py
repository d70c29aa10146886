"""Work that only one process may do: the second stands by, and one that slept writes nothing when it wakes."""

import asyncio
import os
import signal

import asyncpg
import httpx
import pytest

from quantmatrix.common.contracts.asking.messaging import InboxHeadsAsked
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.runtime.errors import LeaseLost
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.lease import Lease
from quantmatrix.common.runtime.register import Fence, Register
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import SPEAKER, fill
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.servers.nats import free_port
from quantmatrix.operations.testing import FreshDatabase, Servers

pytestmark = pytest.mark.long(20)
EXCLUSIVE = {"QM_EXECUTION_EXCLUSIVE": "true"}


async def _fence(pair: Pair) -> int:
    rows = await pair.database.fetch(SPEAKER, "select fence from lease")
    return rows[0]["fence"] if rows else 0


async def _numbers(pair: Pair, account: str) -> list[int]:
    rows = await pair.database.fetch(SPEAKER, "select seq from outbox where key = $1 order by id", f"execution/fills.{account}")
    return [row["seq"] for row in rows]


async def test_the_second_process_stands_by_until_the_first_is_dead(pair: Pair) -> None:
    first = await pair.speaker_process(**EXCLUSIVE)
    await pair.up(SPEAKER)
    second = await pair.speaker_process(**EXCLUSIVE)

    async def waits() -> bool:
        # It tries the lock on connections of its own; the pool of the second process is there as well.
        return (
            len(await pair.database.fetch(SPEAKER, "select distinct pid from pg_stat_activity where application_name ~ 'execution'")) >= 4
        )

    await wait_until(waits, "the second process looks for the lease")
    assert await _fence(pair) == 1
    await pair.say("A", count=3)
    first.send(signal.SIGSTOP)
    with pytest.raises(ServiceSilent):  # the one that stands by answers nothing while the lease is held, be it by a sleeper
        await pair.ask(SPEAKER, InboxHeadsAsked(), deadline_s=0.5)
    await first.kill()
    await pair.say("A", first=4, count=3)

    assert await _fence(pair) == 2
    assert second.alive
    assert await _numbers(pair, "A") == [1, 2, 3, 4, 5, 6]


@pytest.mark.chaos
async def test_an_old_holder_that_wakes_up_writes_nothing(pair: Pair, database: FreshDatabase) -> None:
    first = await pair.speaker_process(**EXCLUSIVE)
    await pair.up(SPEAKER)
    await pair.say("A")
    os.kill(first.pid, signal.SIGSTOP)
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()")
    await superuser.close()
    second = await pair.speaker_process(**EXCLUSIVE)

    async def taken_over() -> bool:
        return await _fence(pair) == 2

    await wait_until(taken_over, "the second process has the lease")
    os.kill(first.pid, signal.SIGCONT)
    number = 1
    while first.alive and number < 200:  # both answer now; the first must not survive its first attempt to write
        number += 1
        await pair.say("A", first=number)

    assert await first.ended() == 1
    assert "was taken over" in first.written() + (first.output.with_suffix(".log")).read_text()
    assert second.alive
    assert await _numbers(pair, "A") == list(range(1, number + 1))
    assert await _fence(pair) == 2


async def test_the_lease_is_taken_again_after_the_database_restarted(pair: Pair, servers: Servers) -> None:
    """Nobody else had it, so the fence stays as it is: a page that is settled in the same moment is not refused."""
    speaker = await pair.speaker_process(**EXCLUSIVE)
    await pair.up(SPEAKER)
    await servers.postgres_kill()
    await servers.postgres_start()
    held = """select exists (select from pg_locks where locktype = 'advisory' and classid = hashtext('lease')::oid
              and objid = hashtext(current_schema())::oid)"""

    async def taken_again() -> bool:
        return bool((await pair.database.fetch(SPEAKER, held))[0][0])

    await wait_until(taken_again, "the lock is held again")
    await pair.say("A", count=2)
    assert await _numbers(pair, "A") == [1, 2]
    assert speaker.alive
    assert await _fence(pair) == 1


async def test_a_page_under_an_old_fence_is_refused_as_a_whole(database: FreshDatabase) -> None:
    lease = Lease(service="execution", database_url=database.url(SPEAKER))
    await lease.acquire()
    old = lease.fence
    await lease.release()
    await lease.acquire()
    connection = await database.connect(SPEAKER)
    register = Register(KeysHeard({}))
    await register.load(connection)

    with pytest.raises(LeaseLost, match="fence 2, ours is 1"):
        async with connection.transaction():
            await register.settle(connection, register.view(), [fill("A", 1)], old)
    await register.load(connection)
    async with connection.transaction():
        await register.settle(connection, register.view(), [fill("A", 1)], lease.fence)
    await lease.release()

    assert lease.fence == Fence("execution", 2)
    assert await connection.fetchval("select count(*) from outbox") == 1


async def test_who_lost_the_lease_to_another_and_gets_it_back_does_not_go_on(database: FreshDatabase) -> None:
    """The other has worked meanwhile: runs, orders and books are not as this process remembers them."""
    first, second = (Lease(service="execution", database_url=database.url(SPEAKER)) for _ in range(2))
    await first.acquire()
    watching = asyncio.create_task(first.watch())
    waiting = asyncio.create_task(second.acquire())
    superuser = await asyncpg.connect(database.superuser_url)
    holder = "select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"

    async def taken_over() -> bool:
        if not waiting.done():
            await superuser.execute(holder)
        return waiting.done()

    await wait_until(taken_over, "the second has the lease")
    await second.release()
    await superuser.close()

    with pytest.raises(LeaseLost, match=r"was taken over: fence \d+, ours is \d+"):
        async with asyncio.timeout(30):
            await watching
    await first.release()


async def test_only_who_finds_the_lease_taken_stands_by(database: FreshDatabase) -> None:
    """Whoever gets it at once was never well before it started."""
    told: list[str] = []
    first, second = (Lease(service="execution", database_url=database.url(SPEAKER)) for _ in range(2))
    await first.acquire(lambda: told.append("first"))
    waiting = asyncio.create_task(second.acquire(lambda: told.append("second")))
    await wait_until(lambda: told, "the second stands by")
    await first.release()
    await waiting
    await second.release()

    assert told == ["second"]


async def test_a_process_that_stands_by_says_that_it_is_well(pair: Pair) -> None:
    """Whoever watches processes must not end one for waiting its turn."""
    await pair.speaker_process(**EXCLUSIVE)
    await pair.up(SPEAKER)
    port = free_port()
    second = await pair.speaker_process(**EXCLUSIVE, QM_EXECUTION_HEALTH_PORT=str(port))

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as looked:

        async def ready() -> bool:
            try:
                return (await looked.get("/readyz")).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        await wait_until(ready, "the second process answers for its health")
        assert (await looked.get("/healthz")).status_code == httpx.codes.OK
    assert second.alive
    assert await _fence(pair) == 1
