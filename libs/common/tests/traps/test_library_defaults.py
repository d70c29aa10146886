"""What the libraries do unless they are told otherwise, and would lose, reorder or hide messages by."""

import asyncio
import json
import logging
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from faststream import AckPolicy
from faststream.nats.subscriber.usecases import PushStreamSubscriber
from libs.common.tests.traps.looking import Looked
from nats.js.api import RetentionPolicy

from quantmatrix.common.contracts.asking.messaging import ParkedAsked
from quantmatrix.common.runtime import relay
from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.common.runtime.health import Health, make_server
from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.logs import configure_logs
from quantmatrix.common.runtime.metrics import Metrics
from quantmatrix.common.runtime.permissions import PROVISION_USER
from quantmatrix.common.runtime.provisioning import provision, stream_config
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.runtime.streams import FAMILIES, HEARINGS, SERVICES, heard_by
from quantmatrix.common.runtime.subscribing import hear_streams, make_broker
from quantmatrix.common.runtime.waiting import ended
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER, SPEAKER, Books, ReaderSettings, hears
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.servers.nats import free_port
from quantmatrix.operations.testing import FreshBus, Servers


@pytest.mark.parametrize("service", SERVICES)
def test_no_subscription_to_a_stream_is_acknowledged_or_declared_by_the_library(service: str) -> None:
    """By default it ends a message at its first exception, and changes streams to settings of its own."""
    desk: Any = None
    made = hear_streams(service, heard_by(service), desk, Metrics(service), SystemClock()).subscribers

    assert len(made) == len(heard_by(service))
    for one in made:
        assert isinstance(one, PushStreamSubscriber), "one message after the other, and no batches side by side"
        assert (one.ack_policy, one.extra_options["manual_ack"]) == (AckPolicy.MANUAL, True)
        assert one.stream is not None and not one.stream.declare


def test_no_stream_is_without_a_limit_or_forgets_what_nobody_hears_yet() -> None:
    for family in FAMILIES:
        config = stream_config(family)
        assert config.max_bytes and config.max_age, family
        assert config.retention in (RetentionPolicy.LIMITS, RetentionPolicy.WORK_QUEUE), family


async def test_a_consumer_and_a_stream_that_somebody_changed_are_set_right(bus: FreshBus) -> None:
    """A subscription to a durable that exists ignores what it asks for; only provisioning changes it."""
    js = (await bus.connect(PROVISION_USER)).jetstream()
    hearing = HEARINGS[0]
    told = (await js.consumer_info(hearing.stream, hearing.durable)).config
    stream = (await js.stream_info(hearing.stream)).config
    wished = (told.max_deliver, told.ack_wait, told.max_ack_pending), stream.max_bytes
    told.max_deliver, told.ack_wait, told.max_ack_pending = 3, 1.0, 7
    await js.add_consumer(hearing.stream, told)
    stream.max_bytes = 1 << 20
    await js.update_stream(stream)

    await provision(js)

    found = (await js.consumer_info(hearing.stream, hearing.durable)).config
    again = (await js.stream_info(hearing.stream)).config
    assert ((found.max_deliver, found.ack_wait, found.max_ack_pending), again.max_bytes) == wished


async def test_a_refused_permission_is_an_error_in_the_log_and_a_number(
    bus: FreshBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To whoever publishes it looks like silence."""
    metrics, logged = Metrics(READER), tmp_path / "log"
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure_logs(service=READER, level="INFO", file=logged)
    broker = make_broker(
        service=READER, url=bus.url, password=bus.password(READER), metrics=metrics, on_back=lambda: None, on_lost_for_good=lambda: None
    )
    client = await broker.connect()
    try:
        await client.publish("fills.filled.A", b"forged")
        await wait_until(lambda: metrics.registry.get_sample_value("qm_bus_errors_total") == 1, "it is counted", within_s=30)
    finally:
        await broker.stop()

    [told] = [line for line in map(json.loads, logged.read_text(encoding="utf-8").splitlines()) if line["event"] == "bus.error"]
    assert told["level"] == "error" and 'permissions violation for publish to "fills.filled.a"' in told["error"]


async def test_a_bus_that_answers_nothing_is_given_up_and_told_again(pair: Pair, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's futures never end by themselves: the relay would wait for ever for a word that was lost."""
    monkeypatch.setattr(relay, "ACK_TIMEOUT_S", 0.3)
    looked = Looked(free_port())
    await pair.speaker(health_port=looked.port)
    await pair.reader()
    await pair.say("A")
    await pair.all_booked("A", 1)
    await _said_to_a_silent_bus(pair, servers, looked)

    assert await pair.all_booked("A", 2, within_s=30) == [1, 2]
    await pair.all_published()


async def _said_to_a_silent_bus(pair: Pair, servers: Servers, looked: Looked) -> None:
    """A row that stands in the outbox while the server stands still, until the relay has given it up."""
    servers.nats.child.send(signal.SIGSTOP)
    try:
        await pair.say_beside("A")

        async def given_up() -> bool:
            return await looked.value("qm_outbox_publish_failures_total") >= 1

        await wait_until(given_up, "the relay waits no longer", within_s=30)
        assert await pair.count(SPEAKER, "outbox_waiting") == 1
    finally:
        servers.nats.child.send(signal.SIGCONT)


async def test_a_row_that_was_committed_after_later_ones_is_published(pair: Pair) -> None:
    """Numbers of rows are given before the commit: whoever remembers the last one read loses what comes late."""
    await pair.speaker()
    await pair.reader()
    await pair.say("A", "B")
    await pair.all_booked("B", 1)
    late = await pair.database.connect(SPEAKER)
    transaction = late.transaction()
    await transaction.start()
    await pair.say_beside("A", connection=late)
    await pair.say("B", first=2, count=3)
    await pair.all_booked("B", 4)
    await pair.all_published()
    await transaction.commit()

    assert await pair.all_booked("A", 2) == [1, 2]
    await pair.all_published()


async def test_a_message_dropped_by_a_slow_subscription_is_fetched_and_told(pair: Pair, bus: FreshBus) -> None:
    """The client keeps what waits for a subscription in a queue, and drops what comes when that is full."""
    js = (await bus.connect(PROVISION_USER)).jetstream()
    config = (await js.consumer_info("FILLS", READER)).config
    config.ack_wait = 3_600  # the server would give it again: too late to help here
    await js.add_consumer("FILLS", config)
    clients: list[Any] = []
    looked = Looked(free_port())

    async def serve(settings: ReaderSettings) -> None:
        async def build(parts: Parts) -> Bus:
            clients.append(parts.client)
            return Bus(hears=hears(Books()))

        await run_service(settings, build)

    await pair.speaker()
    await pair.here(READER, serve=serve, settings=ReaderSettings, catch_up_every_s=3_600, health_port=looked.port)
    await pair.up(READER)
    await pair.say("A")
    await pair.all_booked("A", 1)
    [taken] = [one for one in clients[0]._subs.values() if one.subject.startswith("deliver.") and one.subject.endswith("FILLS")]
    taken._pending_queue._maxsize = 3

    said = 1

    async def dropped() -> bool:
        nonlocal said
        await pair.say("A", first=said + 1, count=50)
        said += 50
        return await looked.value("qm_bus_errors_total") > 0

    await wait_until(dropped, "something was dropped", within_s=30)
    taken._pending_queue._maxsize = 0
    await pair.say("A", first=said + 1)  # a number that shows what is missing before it

    assert await pair.all_booked("A", said + 1, within_s=30) == list(range(1, said + 2))
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()


async def test_answers_over_http_leave_at_once() -> None:
    """A listening socket without a named protocol makes every answer wait 40 ms for company."""
    server = make_server(Health(service="x", registry=Metrics("x").registry, checks={}), host="127.0.0.1", port=free_port())
    task = asyncio.ensure_future(server.serve())
    try:
        await wait_until(lambda: server.started, "it listens")
        assert {one.proto for listening in server.servers for one in listening.sockets} == {socket.IPPROTO_TCP}
    finally:
        server.should_exit = True
        await ended([task])
