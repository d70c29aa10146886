"""The bus is disposable: what it loses, forgets or repeats costs seconds, never a fact."""

from collections.abc import Sequence
from typing import Any

from nats.js import JetStreamContext
from nats.js.api import AckPolicy

from quantmatrix.common.contracts.fills import MatchedWatermark
from quantmatrix.common.runtime.keeper import PAGE_MESSAGES_MAX
from quantmatrix.common.runtime.permissions import PROVISION_USER
from quantmatrix.common.runtime.provisioning import missing, provision
from quantmatrix.common.runtime.streams import FAMILIES, HEARINGS
from quantmatrix.common.testing.examples import EXAMPLES
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER, SPEAKER
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshBus, Servers

NEVER_S = 3_600
"""The reader compares with the owner at its start, and then only when something shows."""


async def _admin(bus: FreshBus) -> JetStreamContext:
    return (await bus.connect(PROVISION_USER)).jetstream()


async def test_what_is_said_while_the_bus_is_away_waits_in_the_outbox(pair: Pair, servers: Servers) -> None:
    await pair.speaker()
    await pair.reader()
    await pair.say("A", count=5)
    await pair.all_booked("A", 5)
    await pair.all_published()
    await servers.nats_stop()
    await pair.say_beside("A")

    assert await pair.count(SPEAKER, "outbox_waiting") == 1
    await servers.nats_start()
    assert await pair.all_booked("A", 6) == [1, 2, 3, 4, 5, 6]
    await pair.all_published()


async def test_what_an_emptied_bus_has_lost_is_fetched_from_its_owner(pair: Pair, bus: FreshBus) -> None:
    await pair.speaker()
    await pair.say("A", "B", count=250)
    await pair.all_published()
    await bus.purge()
    await bus.provision()
    await pair.reader(catch_up_every_s=NEVER_S)

    for account in ("A", "B"):
        assert await pair.all_booked(account, 250) == list(range(1, 251))


async def test_more_of_one_key_than_an_answer_holds_is_fetched_to_its_end(pair: Pair, bus: FreshBus) -> None:
    """Nothing comes after it, so no gap shows that there is more."""
    await pair.speaker()
    for page in range(3):
        await pair.say("A", first=page * PAGE_MESSAGES_MAX + 1, count=PAGE_MESSAGES_MAX)
    await pair.all_published()
    await bus.purge()
    await bus.provision()
    await pair.reader(catch_up_every_s=NEVER_S)

    assert await pair.all_booked("A", 3 * PAGE_MESSAGES_MAX) == list(range(1, 3 * PAGE_MESSAGES_MAX + 1))


async def test_a_bus_emptied_while_everything_runs_heals(pair: Pair, bus: FreshBus) -> None:
    await pair.speaker()
    await pair.reader()
    for first in range(1, 151, 50):
        await pair.say("A", "B", first=first, count=50)
        await bus.purge()
        await pair.say("A", "B", first=1_000 + first)
        await bus.provision()

    for account in ("A", "B"):
        booked = await pair.all_booked(account, 153)
        assert sorted(booked) == [*range(1, 151), 1_001, 1_051, 1_101]
        assert len(set(booked)) == 153
    await pair.all_published()


async def test_a_consumer_made_anew_replays_the_stream_without_effect(pair: Pair, bus: FreshBus) -> None:
    await pair.speaker()
    await pair.reader()
    await pair.say("A", count=30)
    await pair.all_booked("A", 30)
    js = await _admin(bus)
    await js.delete_consumer("FILLS", READER)
    await pair.here.stop(READER)
    await bus.provision()
    await pair.reader()

    async def replayed() -> bool:
        info = await js.consumer_info("FILLS", READER)
        return info.ack_floor is not None and info.ack_floor.stream_seq == 30

    await wait_until(replayed, "the whole stream was heard again")
    assert await pair.booked("A") == list(range(1, 31))


async def test_a_number_missing_in_the_middle_is_noticed_and_fetched(pair: Pair, bus: FreshBus) -> None:
    """Not at the start, where everything is compared anyway: the reader has just compared when the gap shows."""
    await pair.speaker()
    await pair.reader(catch_up_every_s=NEVER_S)
    await pair.say("A", first=1)
    await pair.all_booked("A", 1)
    js = await _admin(bus)
    rows = await _say_unpublished(pair, js, numbers=5)
    execution = (await bus.connect(SPEAKER)).jetstream()
    for row in rows:
        if row["seq"] != 3:
            headers = {"Nats-Msg-Id": str(row["message_id"]), "Qm-Key": row["key"], "Qm-Seq": str(row["seq"])}
            await execution.publish(row["subject"], row["payload"], stream="FILLS", headers=headers)

    assert await pair.all_booked("A", 6) == [1, 2, 3, 4, 5, 6]


async def _say_unpublished(pair: Pair, js: JetStreamContext, numbers: int) -> Sequence[Any]:
    """Fills that stand in the outbox but never reached the bus: said while the stream was away, their marks removed."""
    config = (await js.stream_info("FILLS")).config
    config.subjects = ["fills.elsewhere"]
    await js.update_stream(config)
    await pair.say("A", first=2, count=numbers)
    await pair.here.stop(SPEAKER)
    await pair.database.fetch(SPEAKER, "delete from outbox_waiting")
    await provision(js)
    await pair.speaker()
    return await pair.database.fetch(SPEAKER, "select * from outbox where seq > 1 order by id")


async def test_a_watermark_waits_for_what_it_covers(pair: Pair, bus: FreshBus) -> None:
    """The fill before the watermark is lost on the bus; the watermark is not settled before it was fetched."""
    await pair.speaker()
    await pair.reader(catch_up_every_s=NEVER_S)
    await pair.say("A", first=1)
    await pair.all_booked("A", 1)
    js = await _admin(bus)
    config = (await js.stream_info("FILLS")).config
    config.subjects = ["fills.watermark.>"]
    await js.update_stream(config)
    await pair.say("A", "B", first=2, watermark=True)
    await pair.here.stop(SPEAKER)
    await pair.database.fetch(
        SPEAKER, "delete from outbox_waiting using outbox o where o.id = outbox_waiting.id and o.type = 'OrderFilled'"
    )
    await provision(js)
    await pair.speaker()

    async def settled() -> Sequence[Any]:
        return await pair.database.fetch(READER, "select booked from tiny_watermark")

    rows = await wait_until(settled, "the watermark is settled")
    assert [row["booked"] for row in rows] == [3]
    assert EXAMPLES[MatchedWatermark].key() == "execution/fills.watermark.XNYS"


async def test_a_database_away_for_longer_than_any_delivery_limit_loses_nothing(pair: Pair, bus: FreshBus, servers: Servers) -> None:
    """Naks of 0.2 s would use up five tries in a second, and a limit of deliveries with them."""
    await pair.speaker()
    reader = await pair.reader_process()
    await pair.up(READER)
    await pair.say("A", manner="slow", count=1)
    js = await _admin(bus)
    await pair.all_booked("A", 1)
    await pair.say("A", first=2, count=40)
    await servers.postgres_stop()
    execution = (await bus.connect(SPEAKER)).jetstream()
    info = await js.stream_info("FILLS")
    for number in range(20):
        await execution.publish("fills.filled.Z", b"{}", stream="FILLS", headers={"Qm-Key": "execution/fills.Z", "Qm-Seq": str(number + 1)})

    async def tried_often() -> bool:
        found = await js.consumer_info("FILLS", READER)
        return (found.num_redelivered or 0) >= 20 and found.delivered.consumer_seq > info.state.messages + 20 * 8

    await wait_until(tried_often, "every message came eight times")
    await servers.postgres_start()

    assert await pair.all_booked("A", 41) == list(range(1, 42))
    assert reader.alive


async def test_streams_and_consumers_are_what_the_table_says_and_give_nothing_up(bus: FreshBus) -> None:
    js = await _admin(bus)

    assert not (await provision(js)).anything
    assert not await missing(js)
    for hearing in HEARINGS:
        config = (await js.consumer_info(hearing.stream, hearing.durable)).config
        assert (config.ack_policy, config.max_deliver) == (AckPolicy.EXPLICIT, -1), hearing
        assert config.filter_subjects == list(hearing.subjects) or config.filter_subject == hearing.subjects[0]
    await js.delete_stream("FILLS")
    assert await missing(js)
    made = await provision(js)
    assert (made.streams_made, made.consumers_made) == (1, len([h for h in HEARINGS if h.stream == "FILLS"]))
    assert {family.stream for family in FAMILIES} == {info.config.name for info in await js.streams_info()}
