"""Whatever dies or is said twice: every fill is booked once, and those of an account in their order."""

import signal

import pytest
from msgspec.structs import replace

from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.fills import MatchedWatermark, OrderFilled, SettledWatermark
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.hearing import Hears
from quantmatrix.common.runtime.permissions import PROVISION_USER
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER, SPEAKER, Books, fill
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshBus, Servers

pytestmark = pytest.mark.long(15)
ACCOUNTS = ("A", "B", "C")


async def test_a_backlog_and_a_trickle_are_booked_once_each_in_order(pair: Pair) -> None:
    await pair.speaker()
    await pair.reader()

    await pair.say(*ACCOUNTS, count=100)
    for number in range(101, 111):
        await pair.say(*ACCOUNTS, first=number)

    for account in ACCOUNTS:
        assert await pair.all_booked(account, 110) == list(range(1, 111))
    assert await pair.count(READER, "outbox") == 330


async def test_a_reader_that_was_away_books_what_it_missed(pair: Pair) -> None:
    await pair.speaker()
    await pair.say("A", count=50)
    await pair.reader()

    assert await pair.all_booked("A", 50) == list(range(1, 51))


async def test_the_same_number_heard_again_under_another_message_id_books_nothing(pair: Pair, bus: FreshBus) -> None:
    """As after the bus's duplicate window: it stores the message a second time, only the inbox knows better."""
    await pair.speaker()
    await pair.reader()
    await pair.say("A", count=3)
    await pair.all_booked("A", 3)
    js = (await bus.connect(SPEAKER)).jetstream()
    rows = await pair.database.fetch(SPEAKER, "select * from outbox order by id")

    for row in rows:
        headers = {"Nats-Msg-Id": f"again-{row['id']}", "Qm-Key": row["key"], "Qm-Seq": str(row["seq"])}
        assert not (await js.publish(row["subject"], row["payload"], stream="FILLS", headers=headers)).duplicate
    await pair.say("A", first=4)

    assert await pair.all_booked("A", 4) == [1, 2, 3, 4]


async def test_the_same_message_id_published_again_is_not_stored_again(pair: Pair, bus: FreshBus) -> None:
    await pair.speaker()
    await pair.say("A")
    await pair.all_published()
    js = (await bus.connect(SPEAKER)).jetstream()
    row = (await pair.database.fetch(SPEAKER, "select * from outbox"))[0]

    ack = await js.publish(row["subject"], row["payload"], stream="FILLS", headers={"Nats-Msg-Id": str(row["message_id"])})

    assert ack.duplicate
    assert ack.seq == 1


async def test_a_relay_that_died_between_publishing_and_noting_it_publishes_again_without_effect(pair: Pair, bus: FreshBus) -> None:
    await pair.speaker()
    await pair.reader()
    await pair.say("A", "B", count=20)
    await pair.all_booked("A", 20)
    await pair.all_booked("B", 20)
    await pair.here.stop(SPEAKER)
    await bus.purge()  # the bus has forgotten the message ids as well
    await bus.provision()
    await pair.database.fetch(SPEAKER, "insert into outbox_waiting select id from outbox on conflict do nothing")

    await pair.speaker()
    await pair.all_published()
    await pair.say("A", "B", first=21)

    assert await pair.all_booked("A", 21) == list(range(1, 22))
    assert await pair.all_booked("B", 21) == list(range(1, 22))
    info = await (await bus.connect(PROVISION_USER)).jetstream().stream_info("FILLS")
    assert info.state.messages == 42


@pytest.mark.chaos
async def test_a_reader_killed_at_its_work_books_nothing_twice(pair: Pair) -> None:
    await pair.speaker()
    reader = await pair.reader_process()
    await pair.up(READER)
    for number in range(1, 4):
        await pair.say(*ACCOUNTS, first=number, manner="slow")
        await pair.all_booked("A", number - 1)
        await reader.kill()
        await reader.start()

    for account in ACCOUNTS:
        assert await pair.all_booked(account, 3) == [1, 2, 3]


@pytest.mark.chaos
async def test_a_speaker_killed_while_it_speaks_says_everything_once(pair: Pair) -> None:
    speaker = await pair.speaker_process()
    await pair.reader()
    for first in range(1, 401, 100):
        await pair.up(SPEAKER)
        await pair.say("A", "B", first=first, count=100)
        await speaker.kill()
        await speaker.start()

    for account in ("A", "B"):
        assert await pair.all_booked(account, 400) == list(range(1, 401))
    await pair.all_published()
    assert await pair.count(SPEAKER, "outbox") == 800


@pytest.mark.chaos
async def test_a_bus_killed_while_messages_flow_loses_none(pair: Pair, servers: Servers) -> None:
    await pair.speaker()
    await pair.reader()
    for first in range(1, 151, 50):
        await pair.say("A", "B", first=first, count=50)
        await servers.nats_kill()
        await servers.nats_start()

    for account in ("A", "B"):
        assert await pair.all_booked(account, 150) == list(range(1, 151))


@pytest.mark.chaos
async def test_a_database_killed_while_messages_flow_loses_none(pair: Pair, servers: Servers) -> None:
    await pair.speaker()
    await pair.reader()
    for first in range(1, 151, 50):
        await pair.say("A", "B", first=first, count=50)
        await servers.postgres_kill()
        await servers.postgres_start()

    for account in ("A", "B"):
        assert await pair.all_booked(account, 150) == list(range(1, 151))


async def test_a_process_asked_to_stop_finishes_and_leaves_in_time(pair: Pair) -> None:
    await pair.speaker()
    reader = await pair.reader_process()
    await pair.up(READER)
    await pair.say("A", manner="slow", count=2)

    async def at_work() -> bool:
        found = await pair.database.fetch(READER, "select 1 from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'")
        return bool(found)

    await wait_until(at_work, "the reader is at its work")
    reader.send(signal.SIGTERM)

    assert await reader.ended() == 0
    await reader.start()
    assert await pair.all_booked("A", 2) == [1, 2]


async def test_a_speaker_that_stops_while_it_publishes_ends_well_and_loses_nothing(pair: Pair) -> None:
    """The bus takes nothing any more while its connection is closed in order; the rows wait for the next start."""
    await pair.reader()
    for first in range(1, 1_001, 200):
        speaker = await pair.speaker_process()
        await pair.up(SPEAKER)
        await pair.say("A", "B", first=first, count=200)

        assert await speaker.stop() == 0, speaker.written()

    await pair.speaker()
    for account in ("A", "B"):
        assert await pair.all_booked(account, 1_000) == list(range(1, 1_001))


async def test_a_watermark_that_nobody_handles_still_waits_for_what_it_covers(pair: Pair, bus: FreshBus) -> None:
    """Else the next one of its key, which no longer names what the first one covered, would overtake a late message."""
    books = Books()

    await pair.reader(Hears(OrderFilled, books.book), Hears(SettledWatermark, books.watermark))
    js = (await bus.connect(SPEAKER)).jetstream()

    async def publish(message: Message, seq: int) -> None:
        own = replace(message, head=replace(message.head, message_id=derived_id("test", message.key(), seq)))
        headers = {"Qm-Key": own.key(), "Qm-Seq": str(seq), "Nats-Msg-Id": str(own.head.message_id)}
        await js.publish(own.subject(), encode(own), stream="FILLS", headers=headers)

    await publish(fill("A", 1), 1)
    await pair.all_booked("A", 1)
    await publish(like(MatchedWatermark, covers={"execution/fills.A": 2}), 1)
    await publish(like(SettledWatermark, covers={}), 2)

    async def both_are_out() -> bool:
        info = await (await bus.connect(PROVISION_USER)).jetstream().consumer_info("FILLS", READER)
        return bool(info.delivered.stream_seq >= 3 and info.num_pending == 0)

    await wait_until(both_are_out, "both watermarks are delivered")
    await publish(fill("A", 2), 2)

    async def noted() -> bool:
        return await pair.count(READER, "tiny_watermark") == 1

    await wait_until(noted, "the second watermark is handled")
    assert await pair.booked("A") == [1, 2]
    assert [row["booked"] for row in await pair.database.fetch(READER, "select booked from tiny_watermark")] == [2]
