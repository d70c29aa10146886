"""Locks, cut connections, full streams, two readers at once: work waits, and nothing is lost, doubled or parked for it."""

import asyncio
import os
import signal

import asyncpg
import pytest
from libs.common.tests.traps.looking import Looked

from quantmatrix.common.contracts.asking.messaging import InboxHeadsAsked, OutboxHeadsAsked, OutboxReadAsked, ParkedAsked, TraceAsked
from quantmatrix.common.runtime.asking import ServiceSilent
from quantmatrix.common.runtime.desk import TRIES_MAX
from quantmatrix.common.runtime.main import EXIT_CONFIGURATION
from quantmatrix.common.runtime.permissions import PROVISION_USER
from quantmatrix.common.runtime.provisioning import provision
from quantmatrix.common.testing.pair import Pair
from quantmatrix.common.testing.tiny import READER, SPEAKER, fill
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.servers.nats import free_port
from quantmatrix.operations.testing import FreshBus, FreshDatabase, Servers


async def _nothing_parked(pair: Pair) -> None:
    assert (await pair.ask(READER, ParkedAsked(all=True))).messages == ()


async def _superuser(database: FreshDatabase) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(database.superuser_url)


async def test_a_thread_that_is_stuck_keeps_no_message_waiting_and_its_process_ends_all_the_same(pair: Pair) -> None:
    await pair.speaker()
    process = await pair.process(READER, module="libs.common.tests.traps.stuck")
    await pair.say("A", count=3)

    assert await pair.all_booked("A", 3) == [1, 2, 3]
    assert await process.stop() == 0


@pytest.mark.parametrize(("error", "code"), [("ConfigurationError", EXIT_CONFIGURATION), ("NotLetIn", 1)])
async def test_a_thread_that_is_stuck_takes_neither_the_sentence_nor_the_exit_code_away(pair: Pair, error: str, code: int) -> None:
    process = await pair.process(READER, module=f"libs.common.tests.traps.stuck {error}")

    assert await process.ended() == code
    assert f"{READER}: one sentence" in process.written().splitlines()


async def test_two_readers_at_once_book_everything_once_and_in_order(pair: Pair) -> None:
    await pair.speaker()
    for _ in range(2):
        await pair.reader_process()
    await pair.up(READER)
    for first in range(1, 201, 20):
        await pair.say("A", "B", first=first, count=20)

    for account in ("A", "B"):
        assert await pair.all_booked(account, 200) == list(range(1, 201))
    assert await pair.count(READER, "outbox") == 400
    await _nothing_parked(pair)


@pytest.mark.chaos
async def test_connections_cut_in_the_middle_of_transactions_change_nothing(pair: Pair, database: FreshDatabase) -> None:
    await pair.speaker()
    await pair.reader()
    superuser = await _superuser(database)

    async def cut(service: str) -> bool:
        """Cut a desk's connection while it is in a transaction; True once that has happened."""
        rows = await superuser.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name = $2 and xact_start is not null",
            database.name,
            f"quantmatrix-{service}-own",
        )
        return bool(rows)

    for first in range(1, 301, 50):
        saying = asyncio.ensure_future(pair.say("A", "B", first=first, count=50, manner="late"))
        await wait_until(lambda: cut(SPEAKER), "the speaker was cut", look_max_s=0.02)
        await saying
        await pair.say("A", first=1_000 + first, manner="slow")  # the reader is at it long enough to be met
        await wait_until(lambda: cut(READER), "the reader was cut", look_max_s=0.02)
    await superuser.close()

    for account, count in (("A", 306), ("B", 300)):
        booked = await pair.all_booked(account, count)
        assert len(booked) == len(set(booked)) == count
        assert [number for number in booked if number < 1_000] == list(range(1, 301))
    assert await pair.count(READER, "outbox") == 606
    await _nothing_parked(pair)


async def test_a_locked_table_is_waited_for_and_counts_against_no_message(pair: Pair, database: FreshDatabase) -> None:
    superuser = await _superuser(database)
    await superuser.execute(f"alter role qm_{READER} in database {database.name} set lock_timeout = '100ms'")
    await pair.speaker()
    await pair.reader()
    holder = await _superuser(database)  # apart from the one that looks: inside a transaction the activity stands still
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute(f"lock table {READER}.tiny_booked in access exclusive mode")
    await pair.say("A", count=3)
    attempts: set[object] = set()

    async def tried_often() -> bool:
        waiting = "select xact_start from pg_stat_activity where wait_event_type = 'Lock' and datname = $1"
        attempts.update(row["xact_start"] for row in await superuser.fetch(waiting, database.name))
        return len(attempts) > TRIES_MAX + 3

    await wait_until(tried_often, "the lock was waited for more often than a message may fail")
    await transaction.rollback()
    await holder.close()
    await superuser.close()

    assert await pair.all_booked("A", 3) == [1, 2, 3]
    await _nothing_parked(pair)


@pytest.mark.parametrize(("limit", "most"), [("max_msgs", 10), ("max_bytes", 8_000)])
async def test_a_full_stream_keeps_new_messages_out_and_the_outbox_keeps_them(pair: Pair, bus: FreshBus, limit: str, most: int) -> None:
    looked = Looked(free_port())
    await pair.speaker(health_port=looked.port)
    await pair.reader(catch_up_every_s=3_600)
    js = (await bus.connect(PROVISION_USER)).jetstream()
    config = (await js.stream_info("FILLS")).config
    setattr(config, limit, most)
    await js.update_stream(config)

    await pair.say("A", count=40)

    async def told() -> bool:
        return await looked.value("qm_outbox_publish_failures_total") >= 3

    await wait_until(told, "the relay tells that the stream takes no more", within_s=30)
    held = (await js.stream_info("FILLS")).state.messages
    assert 0 < held < 40
    assert await pair.count(SPEAKER, "outbox_waiting") >= 40 - held
    assert (await pair.booked("A")) == list(range(1, len(await pair.booked("A")) + 1))
    await provision(js)

    assert await pair.all_booked("A", 40, within_s=30) == list(range(1, 41))
    await pair.all_published()


@pytest.mark.parametrize("limit", ["max_msgs", "max_bytes", "max_msgs_per_subject", "max_msg_size", "max_age"])
async def test_a_limit_that_somebody_set_by_hand_is_taken_away(bus: FreshBus, limit: str) -> None:
    js = (await bus.connect(PROVISION_USER)).jetstream()
    config = (await js.stream_info("FILLS")).config
    before = getattr(config, limit)
    setattr(config, limit, 1_000)
    await js.update_stream(config)

    await provision(js)

    assert getattr((await js.stream_info("FILLS")).config, limit) == before != 1_000


async def test_a_reader_that_stood_still_until_its_messages_came_again_books_them_once(pair: Pair, bus: FreshBus) -> None:
    """Its messages are in its hands and on their way a second time when it wakes up."""
    js = (await bus.connect(PROVISION_USER)).jetstream()
    config = (await js.consumer_info("FILLS", READER)).config
    config.ack_wait = 0.5
    await js.add_consumer("FILLS", config)
    looked = Looked(free_port())
    await pair.speaker()
    reader = await pair.reader_process(QM_HEALTH_PORT=str(looked.port))
    await pair.up(READER)
    await pair.say("A", manner="slow", count=2)
    await wait_until(lambda: _works(pair), "a message is in its hands", look_max_s=0.02, within_s=30)
    os.kill(reader.pid, signal.SIGSTOP)
    try:
        await pair.say("A", first=3, count=20)

        async def again() -> bool:
            return ((await js.consumer_info("FILLS", READER)).num_redelivered or 0) > 0

        await wait_until(again, "messages were given again", within_s=30)
    finally:
        os.kill(reader.pid, signal.SIGCONT)

    async def heard_again() -> bool:
        return await looked.value("qm_messages_duplicate_total") > 0

    await wait_until(heard_again, "they were heard a second time", within_s=30)
    assert await pair.all_booked("A", 22, within_s=30) == list(range(1, 23))
    await _nothing_parked(pair)


async def _works(pair: Pair) -> bool:
    working = "select exists (select from pg_stat_activity where query ~ '^select pg_sleep' and state = 'active')"
    return bool((await pair.database.fetch(READER, working))[0][0])


async def test_a_service_that_is_not_there_is_told_at_once_and_one_without_database_says_so(pair: Pair, servers: Servers) -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(ServiceSilent, match=r"portfolio does not answer \(inbox.heads: nobody is listening\)"):
        await pair.ask(READER, InboxHeadsAsked())
    assert asyncio.get_running_loop().time() - began < 1
    await pair.reader()
    await servers.postgres_stop()

    with pytest.raises(ServiceSilent, match="portfolio cannot answer right now"):
        await pair.ask(READER, InboxHeadsAsked())


async def test_the_outbox_answers_readers_page_by_page_in_order(pair: Pair) -> None:
    await pair.speaker()
    await pair.say("A", count=250)
    await pair.say("B", count=30)
    assert (await pair.ask(SPEAKER, OutboxHeadsAsked(patterns=("fills.*",)))).heads == {"execution/fills.A": 250, "execution/fills.B": 30}
    assert (await pair.ask(SPEAKER, OutboxHeadsAsked(patterns=("orders.*", "fills.B")))).heads == {"execution/fills.B": 30}
    after = {"execution/fills.A": 10, "execution/fills.B": 0, "execution/fills.unknown": 0}
    seen: dict[str, list[int]] = {"execution/fills.A": [], "execution/fills.B": []}
    pages = 0
    while True:
        page = await pair.ask(SPEAKER, OutboxReadAsked(after=after))
        pages += 1
        for message in page.messages:
            seen[message.key].append(message.seq)
            after[message.key] = message.seq
        if not page.more:
            break

    assert pages >= 2
    assert seen == {"execution/fills.A": list(range(11, 251)), "execution/fills.B": list(range(1, 31))}


async def test_a_chain_is_found_by_message_by_trace_and_by_what_it_is_about(pair: Pair) -> None:
    await pair.speaker()
    await pair.reader()
    await pair.say("A", count=2)
    await pair.all_booked("A", 2)
    fill_id = str(fill("A", 1).fill_id)

    [said] = (await pair.ask(SPEAKER, TraceAsked(about=fill_id))).messages
    [opened] = (await pair.ask(READER, TraceAsked(about=fill_id))).messages

    assert (said.type, said.service, said.caused_by) == ("OrderFilled", SPEAKER, None)
    assert (opened.type, opened.caused_by, opened.trace) == ("LotOpened", said.message_id, said.trace)
    assert [m.message_id for m in (await pair.ask(READER, TraceAsked(traces=(said.trace,)))).messages] == [opened.message_id]
    assert [m.type for m in (await pair.ask(SPEAKER, TraceAsked(message_ids=(said.message_id,)))).messages] == ["OrderFilled"]
    assert (await pair.ask(SPEAKER, TraceAsked(about="nothing"))).messages == ()
