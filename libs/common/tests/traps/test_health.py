"""What a process says of itself over HTTP, and how that changes when a server goes away."""

import httpx

from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.servers.nats import free_port
from quantmatrix.operations.testing import Servers

METRICS = {
    "qm_messages_handled_total", "qm_messages_failed_total", "qm_messages_parked_total", "qm_messages_duplicate_total",
    "qm_messages_gap_total", "qm_messages_caught_up_total", "qm_messages_held", "qm_handler_seconds_bucket", "qm_page_seconds_bucket",
    "qm_lag_seconds", "qm_outbox_published_total", "qm_outbox_publish_failures_total", "qm_outbox_age_seconds", "qm_bus_errors_total",
    "qm_bus_connected", "qm_service_info",
}  # fmt: skip


class Looked:
    """A service's own HTTP endpoints."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=10) as client:
            return await client.get(self._base + path)

    async def ready(self, expected: dict[str, str] | None) -> bool:
        """Whether /readyz names exactly these parts as wrong (None: not reachable yet counts as no)."""
        try:
            found = await self.get("/readyz")
        except httpx.HTTPError:
            return False
        assert found.status_code == (503 if found.json()["wrong"] else 200)
        return set(found.json()["wrong"]) == set(expected or {})

    async def value(self, name: str) -> float:
        """The sum of a metric's samples."""
        lines = (await self.get("/metrics")).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


async def _reader(pair: Pair) -> Looked:
    port = free_port()
    await pair.reader(health_port=port)
    looked = Looked(port)
    await wait_until(lambda: looked.ready({}), "ready")
    return looked


async def test_a_ready_service_says_so_and_names_nothing_secret(pair: Pair) -> None:
    looked = await _reader(pair)

    assert (await looked.get("/healthz")).json() == {"service": READER, "alive": True}
    assert (await looked.get("/readyz")).json() == {"service": READER, "ready": True, "wrong": {}}
    assert (await looked.get("/secrets")).status_code == 404


async def test_readiness_goes_red_while_the_database_is_away_and_green_again(pair: Pair, servers: Servers) -> None:
    looked = await _reader(pair)
    await servers.postgres_stop()
    await wait_until(lambda: looked.ready({"database": "away"}), "the database is missed")
    assert (await looked.get("/healthz")).status_code == 200
    await servers.postgres_start()
    await wait_until(lambda: looked.ready({}), "ready again")


async def test_readiness_goes_red_while_the_bus_is_away_and_green_again(pair: Pair, servers: Servers) -> None:
    looked = await _reader(pair)
    await servers.nats_stop()
    await wait_until(lambda: looked.ready({"bus": "away"}), "the bus is missed")
    assert await looked.value("qm_bus_connected") == 0
    await servers.nats_start()
    await wait_until(lambda: looked.ready({}), "ready again")
    assert await looked.value("qm_bus_connected") == 1


async def test_what_is_counted_has_the_names_that_alerts_are_written_for(pair: Pair) -> None:
    looked = await _reader(pair)
    await pair.speaker()
    await pair.say("A", count=3)
    await pair.all_booked("A", 3)

    text = (await looked.get("/metrics")).text
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    bare = {name.removesuffix("_total").removesuffix("_bucket") for name in METRICS}
    assert {name.removesuffix("_total") for name in named if not name.endswith("_created")} == bare
    assert await looked.value("qm_messages_handled_total") == 3
    assert 'type="OrderFilled"' in text
    assert 0 < await looked.value("qm_lag_seconds") < 60


async def test_failures_and_parked_messages_are_counted(pair: Pair) -> None:
    looked = await _reader(pair)
    await pair.speaker()
    await pair.database.fetch(READER, "insert into tiny_refused values ('B')")
    await pair.say("B", manner="wrong")

    async def counted() -> bool:
        return await looked.value("qm_messages_parked_total") == 1

    await wait_until(counted, "the parked message is counted")
    assert await looked.value("qm_messages_failed_total") >= 5


async def test_the_age_of_what_waits_for_the_bus_is_told(pair: Pair, servers: Servers) -> None:
    looked = await _reader(pair)
    await pair.speaker()
    await servers.nats_stop()
    await pair.database.fetch(
        READER,
        """
        with stored as (
            insert into outbox (key, seq, family, subject, type, message_id, trace, occurred_at, said_at, payload)
            values ('portfolio/x', 1, 'portfolio', 'portfolio.x', 'X', gen_random_uuid(), gen_random_uuid(), now(),
                    clock_timestamp() - interval '1 minute', '') returning id
        )
        insert into outbox_waiting select id from stored
        """,
    )

    async def old() -> bool:
        return await looked.value("qm_outbox_age_seconds") >= 60

    await wait_until(old, "the age is told")
