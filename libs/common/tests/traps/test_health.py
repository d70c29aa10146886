"""What a process says of itself over HTTP, and how that changes when a server goes away."""

import threading

import pytest
from libs.common.tests.traps.looking import looked_at_reader

from quantmatrix.common.runtime import service
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import Servers

METRICS = {
    "qm_messages_handled_total", "qm_messages_failed_total", "qm_messages_parked_total", "qm_messages_duplicate_total",
    "qm_messages_gap_total", "qm_messages_caught_up_total", "qm_messages_held", "qm_handler_seconds_bucket", "qm_page_seconds_bucket",
    "qm_lag_seconds", "qm_outbox_published_total", "qm_outbox_publish_failures_total", "qm_outbox_age_seconds", "qm_bus_errors_total",
    "qm_loop_stood_still_seconds_total", "qm_bus_connected", "qm_service_info",
}  # fmt: skip


async def test_a_ready_service_says_so_and_names_nothing_secret(pair: Pair) -> None:
    looked = await looked_at_reader(pair)

    assert (await looked.get("/healthz")).json() == {"service": READER, "alive": True}
    assert (await looked.get("/readyz")).json() == {"service": READER, "ready": True, "wrong": {}}
    assert (await looked.get("/secrets")).status_code == 404


async def test_readiness_goes_red_while_the_database_is_away_and_green_again(pair: Pair, servers: Servers) -> None:
    looked = await looked_at_reader(pair)
    await servers.postgres_stop()
    await wait_until(lambda: looked.ready({"database": "away"}), "the database is missed")
    assert (await looked.get("/healthz")).status_code == 200
    await servers.postgres_start()
    await wait_until(lambda: looked.ready({}), "ready again")


async def test_readiness_goes_red_while_the_bus_is_away_and_green_again(pair: Pair, servers: Servers) -> None:
    looked = await looked_at_reader(pair)
    await servers.nats_stop()
    await wait_until(lambda: looked.ready({"bus": "away"}), "the bus is missed")
    await looked.until("qm_bus_connected", 0)
    await servers.nats_start()
    await wait_until(lambda: looked.ready({}), "ready again")
    await looked.until("qm_bus_connected", 1)


async def test_what_is_counted_has_the_names_that_alerts_are_written_for(pair: Pair) -> None:
    looked = await looked_at_reader(pair)
    await pair.speaker()
    await pair.say("A", count=3)
    await pair.all_booked("A", 3)
    await looked.until("qm_messages_handled_total", 3)

    text = (await looked.get("/metrics")).text
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    bare = {name.removesuffix("_total").removesuffix("_bucket") for name in METRICS}
    assert {name.removesuffix("_total") for name in named if not name.endswith("_created")} == bare
    assert 'type="OrderFilled"' in text
    assert 0 < await looked.value("qm_lag_seconds") < 60


async def test_failures_and_parked_messages_are_counted(pair: Pair) -> None:
    looked = await looked_at_reader(pair)
    await pair.speaker()
    await pair.database.fetch(READER, "insert into tiny_refused values ('B')")
    await pair.say("B", manner="wrong")

    await looked.until("qm_messages_parked_total", 1)
    assert await looked.value("qm_messages_failed_total") >= 5


async def test_an_event_loop_that_was_blocked_is_told(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "GAUGES_EVERY_S", 0.05)
    looked = await looked_at_reader(pair)

    async def told() -> bool:
        threading.Event().wait(2 * service.LATE_S)  # the reader runs in this very loop; it may be asking its database just then
        return await looked.value("qm_loop_stood_still_seconds_total") >= service.LATE_S

    await wait_until(told, "the time is told", within_s=60)


async def test_the_age_of_what_waits_for_the_bus_is_told(pair: Pair, servers: Servers) -> None:
    looked = await looked_at_reader(pair)
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
