"""The supervisor with its two servers: it brings back what dies, says what is wrong, and leaves nothing behind."""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from quantmatrix.common.runtime.permissions import PROVISION_USER, USERS, password_variable, server_configuration
from quantmatrix.common.runtime.provisioning import missing
from quantmatrix.common.testing.process import children_of, is_alive
from quantmatrix.common.testing.waiting import WITHIN_S, wait_until
from quantmatrix.operations import nursery
from quantmatrix.operations.places import Places, SetUpError
from quantmatrix.operations.supervisor import STOP_SERVER_S, STOP_SERVICES_S, Plan, Supervisor
from quantmatrix.operations.testing import Prepared

pytestmark = pytest.mark.long(50)
Make = Callable[..., Supervisor]


@pytest.fixture
async def make(tmp_path: Path, prepared: Prepared) -> AsyncIterator[Make]:
    """Supervisors over one data folder that a first start has left; whatever a test leaves running is stopped."""
    prepared.copy_to(tmp_path / "data")
    made: list[Supervisor] = []

    def supervisor(*services: str, **plan: object) -> Supervisor:
        one = Supervisor(Places(tmp_path / "data"), Plan(services=services, **plan))  # type: ignore[arg-type]  # as the test says
        made.append(one)
        return one

    try:
        yield supervisor
    finally:
        for one in made:
            await one.stop()


async def _execute(supervisor: Supervisor, statement: str) -> object:
    connection = await asyncpg.connect(supervisor.postgres.superuser_url(), timeout=WITHIN_S)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def _streams_are_there(supervisor: Supervisor) -> bool:
    try:
        client = await supervisor.nats.connect(PROVISION_USER)
    except Exception:
        return False
    try:
        return not await missing(client.jetstream())
    finally:
        await client.close()


def _pids(supervisor: Supervisor) -> list[int]:
    found = [supervisor.nursery.pid] if supervisor.nursery.pid is not None else []
    for child in supervisor.children().values():
        if child.pid is not None:
            found += [child.pid, *children_of(child.pid)]
    return found


def test_no_stop_waits_longer_than_five_seconds_in_all() -> None:
    assert STOP_SERVICES_S + nursery.STOP_TIMEOUT_S + STOP_SERVER_S <= 5


async def test_everything_stops_and_nothing_is_left(make: Make, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "data")
    supervisor = make("notify")
    await supervisor.start()
    pids = _pids(supervisor)
    assert len(pids) > 4
    assert set(supervisor.places.read_state()) >= {"supervisor", "nats_url", "pids", "health_ports"}

    await supervisor.stop()

    await wait_until(lambda: not [pid for pid in pids if is_alive(pid)], "every process is gone")
    assert supervisor.places.read_state() == {}
    assert not supervisor.places.is_running()
    assert not supervisor.places.runtime.exists()


async def test_a_second_supervisor_is_refused_and_the_first_goes_on(make: Make) -> None:
    first, second = make(), make()
    await first.start()
    state = first.places.read_state()

    with pytest.raises(SetUpError, match="already running"):
        await second.start()

    assert first.places.read_state() == state
    assert await _execute(first, "select 1") == 1
    assert await _streams_are_there(first)


async def test_servers_that_are_killed_come_back_with_what_they_held(make: Make) -> None:
    supervisor = make()
    await supervisor.start()
    await _execute(supervisor, "create table kept as select 1 as a")
    for name in ("postgres", "nats"):
        child = supervisor.children()[name]
        before, starts = supervisor.restarts, child.starts
        child.send(signal.SIGKILL)

        def back(child: object = child, starts: int = starts, before: int = before) -> bool:
            return supervisor.restarts > before and child.starts > starts and child.alive  # type: ignore[attr-defined]

        await wait_until(back, f"{name} is back")

    await wait_until(lambda: _streams_are_there(supervisor), "the streams are there")

    async def answers() -> object:
        try:
            return await _execute(supervisor, "select a from kept")
        except (OSError, asyncpg.PostgresError):
            return None

    assert await wait_until(answers, "the database answers") == 1


async def test_a_bus_store_emptied_while_it_runs_is_noticed_and_made_again(make: Make) -> None:
    supervisor = make()
    await supervisor.start()
    assert await _streams_are_there(supervisor)
    for path in supervisor.nats.store.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    await wait_until(lambda: supervisor.restarts >= 1 and supervisor.nats.store_is_ours(), "the bus was started again")

    assert await wait_until(lambda: _streams_are_there(supervisor), "streams and consumers are there again")


async def test_a_bus_killed_again_while_its_streams_are_made_comes_back(make: Make) -> None:
    supervisor = make()
    await supervisor.start()
    child = supervisor.nats.child
    for _ in range(5):
        starts = child.starts
        child.send(signal.SIGKILL)
        await wait_until(lambda starts=starts: child.starts > starts and child.alive, "the bus is started again")
        await wait_until(supervisor.nats.healthy, "the bus is up, and its streams are looked at")

    assert await wait_until(lambda: _streams_are_there(supervisor), "streams and consumers are there again")


async def test_a_bus_that_takes_no_streams_is_tried_more_and_more_rarely(make: Make) -> None:
    """A disk stays full for hours; twenty connections a second do not help it."""
    supervisor = make()
    await supervisor.start()
    tried: list[float] = []

    class TakesNothing:
        child = supervisor.nats.child

        async def connect(self) -> None:
            tried.append(asyncio.get_running_loop().time())
            raise OSError("no space left on device")

    bus, supervisor._nats = supervisor._nats, TakesNothing()  # type: ignore[assignment]  # what provisioning needs of it
    provisioning = asyncio.ensure_future(supervisor.provision())
    await wait_until(lambda: len(tried) == 6, "it was tried six times", within_s=30)
    supervisor._nats = bus
    await asyncio.wait_for(provisioning, 30)

    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert all(pause >= least for pause, least in zip(pauses, (0.05, 0.1, 0.2, 0.4, 0.8), strict=True))


@pytest.mark.parametrize("name", ["nats", "postgres"])
async def test_a_server_killed_before_it_is_ready_is_started_once_more(make: Make, name: str) -> None:
    supervisor = make()
    await supervisor.start()
    child = supervisor.children()[name]
    for _ in range(3):
        starts = child.starts
        child.send(signal.SIGKILL)
        await wait_until(lambda starts=starts: child.starts > starts, f"{name} is started again")

    assert await wait_until(lambda: _streams_are_there(supervisor), "streams and consumers are there again")
    assert await wait_until(supervisor.postgres.healthy, "the database takes connections")
    assert not supervisor.failed.is_set(), supervisor.failure


async def test_a_bus_store_that_cannot_be_read_is_begun_anew(make: Make) -> None:
    """What is left of a stream when its folder went away while the server wrote to it."""
    first = make()
    await first.start()
    await first.stop()
    stream = first.nats.store / "jetstream" / "QM" / "streams" / "FILLS"
    (stream / "meta.inf").unlink()
    (stream / "meta.sum").unlink()
    shutil.rmtree(stream / "msgs")

    second = make()
    await second.start()

    assert await _streams_are_there(second)


async def test_after_a_power_cut_the_next_start_goes_on(make: Make) -> None:
    first = make()
    await first.start()
    await _execute(first, "create table kept as select 1 as a")
    await first.kill_everything()

    second = make()
    await second.start()

    assert await _execute(second, "select a from kept") == 1
    assert second.secrets == first.secrets


async def test_a_first_start_killed_while_it_made_the_database_is_done_again(make: Make, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "data")
    supervisor = make()
    supervisor.places.open()
    supervisor.places.close()
    draft = supervisor.places.postgres.with_name("postgres.draft")
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18", encoding="utf-8")

    await supervisor.start()

    assert await _execute(supervisor, "select 1") == 1
    assert not draft.exists()


async def test_a_taken_port_is_told_before_anything_is_started(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        supervisor = make("gateway", console_port=port)

        with pytest.raises(
            SetUpError, match=rf"port {port} of this machine cannot be used .*choose another one with --port or QM_GATEWAY_PORT"
        ):
            await supervisor.start()

    assert supervisor.children() == {}
    assert not supervisor.places.is_running()


async def test_data_of_a_newer_program_are_refused_and_the_servers_stopped(make: Make) -> None:
    first = make("notify")
    await first.start()
    await _execute(first, "update notify.alembic_version set version_num = '0099'")
    await first.stop()
    second = make("notify")

    with pytest.raises(SetUpError, match="the data of notify are of revision 0099, which this program does not know"):
        await second.start()

    assert [child for child in second.children().values() if child.alive] == []


async def test_a_service_that_refuses_its_configuration_is_told_and_not_started_again(make: Make) -> None:
    supervisor = make("notify", environment={"QM_NOTIFY_TRIES_MAX": "many"})
    await supervisor.start()
    async with asyncio.timeout(WITHIN_S):
        await supervisor.failed.wait()

    assert supervisor.failure.startswith("notify: QM_NOTIFY_TRIES_MAX: input should be a valid integer")
    assert supervisor.services["notify"].starts == 1


@pytest.mark.parametrize("how", ["killed", "standing still", "its nursery killed"])
async def test_a_service_that_is_killed_or_stands_still_comes_back_and_is_ready(make: Make, how: str) -> None:
    supervisor = make("notify", look_s=0.2)
    await supervisor.start()

    async def ready() -> bool:
        try:
            async with httpx.AsyncClient(timeout=WITHIN_S) as client:
                answer = await client.get(f"http://127.0.0.1:{supervisor.health_ports['notify']}/readyz")
                return answer.status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    await wait_until(ready, "notify is ready")
    await wait_until(lambda: supervisor.services["notify"].has_answered, "the supervisor has seen it answer")
    first, parent = supervisor.services["notify"].pid, supervisor.nursery.pid
    assert first is not None and parent is not None
    os.kill(parent if "nursery" in how else first, signal.SIGSTOP if how == "standing still" else signal.SIGKILL)
    await wait_until(lambda: supervisor.services["notify"].starts >= 2 and supervisor.services["notify"].alive, "it was started again")

    await wait_until(ready, "notify is ready again")
    assert supervisor.services["notify"].pid != first
    assert (supervisor.nursery.pid == parent) == ("nursery" not in how)


@pytest.mark.parametrize("name", ["nats", "postgres"])
async def test_a_server_that_stands_still_is_ended_and_comes_back(make: Make, name: str) -> None:
    supervisor = make(look_s=0.2)
    await supervisor.start()
    server = supervisor.children()[name]
    await wait_until(lambda: server.has_answered, "the supervisor has seen it answer")
    first = server.pid
    assert first is not None

    os.kill(first, signal.SIGSTOP)

    whole = supervisor.nats if name == "nats" else supervisor.postgres
    await wait_until(lambda: server.starts >= 2 and server.alive, "it was started again")
    await wait_until(whole.healthy, "it works again")
    assert server.pid != first


def test_the_bus_s_configuration_names_every_user_and_holds_no_password() -> None:
    text = server_configuration(listen="127.0.0.1:1", monitor=None, store_dir='/a "quoted" folder', durable=True)

    for user in USERS:
        assert f"user: {user}, password: ${password_variable(user)}" in text
    assert "sync_interval: always" in text
    assert r"\"quoted\"" in text
    assert "http:" not in text
    assert 'sync_interval: "2m"' in server_configuration(listen="127.0.0.1:1", monitor="127.0.0.1:2", store_dir="/x")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 330 MiB in memory; only root may make one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=330m", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


async def test_a_full_disk_is_told_and_waited_out(small_disk: Path) -> None:
    told: list[str] = []
    supervisor = Supervisor(Places(small_disk / "data"), Plan(services=()), told.append)
    await supervisor.start()
    try:
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 20))

        async def fails() -> bool:
            return not await _stores(supervisor)

        await wait_until(fails, "the bus cannot write")
        await wait_until(_told(told, "is full"), "the full disk is told")
        assert "nothing is lost" in supervisor.warning
        filler.unlink()
        await wait_until(lambda: _stores(supervisor), "the bus writes again")
        await wait_until(_told(told, "there is room"), "the room is told")
        assert not supervisor.failed.is_set()
        assert await _execute(supervisor, "select 1") == 1
    finally:
        await supervisor.stop()


def _told(told: list[str], words: str) -> Callable[[], Awaitable[bool]]:
    async def is_told() -> bool:
        return any(words in sentence for sentence in told)

    return is_told


async def _stores(supervisor: Supervisor) -> bool:
    """Whether the bus takes half a megabyte and says so."""
    try:
        client = await supervisor.nats.connect("execution")
        try:
            await client.jetstream().publish("fills.filled.A", bytes(1 << 19), timeout=2)
        finally:
            await client.close()
    except Exception:
        return False
    return True
