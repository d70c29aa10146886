"""The event stream: in order, resumed without loss or doubles, also over a restart of the gateway; everybody their own."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from services.gateway.tests.running import BEHIND, Console, add_user, drained, finished, gateway_here

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.gateway.feed import Place, parse_place
from quantmatrix.operations.testing import FreshDatabase

MESSAGES = {"order", "fill", "signal", "position", "moment", "notification", "account"}


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    event: str
    data: str

    @property
    def message_id(self) -> str:
        found: str = json.loads(self.data)["head"]["message_id"]
        return found


@asynccontextmanager
async def _listening(console: Console, after: str = "", *, header: bool = False) -> AsyncIterator[AsyncIterator[Event]]:
    headers = {"Last-Event-ID": after} if header and after else {}
    params = {"after": after} if after and not header else {}
    async with console.client.stream("GET", "/api/v1/stream", headers=headers, params=params) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        yield _events(answer.aiter_lines())


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            if "id" in fields:
                yield Event(fields["id"], fields.get("event", "message"), fields.get("data", ""))
            fields = {}


async def _take(console: Console, count: int, after: str = "", *, header: bool = False) -> list[Event]:
    """The next so many messages after a place."""
    found: list[Event] = []
    async with asyncio.timeout(30), _listening(console, after, header=header) as events:
        async for one in events:
            if one.event in MESSAGES:
                found.append(one)
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {len(found)} of {count} events")


async def _beginning(database: FreshDatabase) -> str:
    rows = await database.fetch("gateway", "select epoch from feed_epoch")
    return str(Place(rows[0]["epoch"], 0))


async def _whole_feed(database: FreshDatabase) -> list[tuple[int, str]]:
    rows = await database.fetch("gateway", "select id, payload::json -> 'head' ->> 'message_id' as message_id from feed order by id")
    return [(row["id"], row["message_id"]) for row in rows]


async def test_every_message_is_heard_once_and_in_order(desk: Console, database: FreshDatabase) -> None:
    feed = await _whole_feed(database)
    events = await _take(desk, len(feed), await _beginning(database), header=True)

    assert [one.message_id for one in events] == [message_id for _, message_id in feed]
    assert len({one.message_id for one in events}) == len(events) > 100
    assert {one.event for one in events} >= {"order", "fill", "signal", "position", "moment", "notification", "account"}
    said = await database.fetch("execution", "select message_id from outbox where type = 'OrderFilled'")
    assert {one.message_id for one in events if one.event == "fill"} == {str(row["message_id"]) for row in said}


async def test_a_page_that_was_away_goes_on_where_it_was(desk: Console, database: FreshDatabase) -> None:
    feed = await _whole_feed(database)
    first = await _take(desk, 10, await _beginning(database))
    rest = await _take(desk, len(feed) - 10, first[-1].id, header=True)

    assert [one.message_id for one in first + rest] == [message_id for _, message_id in feed]


async def test_nothing_is_lost_or_doubled_when_the_gateway_dies_in_between(
    console: Console, start_here: StartHere, database: FreshDatabase, ask: Ask
) -> None:
    await console.log_in()
    began = await _beginning(database)
    for service in BEHIND:
        told = {"replay_from": "2004-01-02", "replay_to": "2004-03-31", "replay_pace_s": 0.02}
        await start_here(service, **(told if service == "market" else {}))
    first = await _take(console, 25, began)
    await start_here.stop("gateway")
    await wait_until(lambda: finished(ask), "the replay goes on without the gateway", within_s=60)
    async with gateway_here(start_here) as restarted:
        await wait_until(lambda: drained(ask), "the gateway has caught up", within_s=30)
        await restarted.log_in()
        feed = await _whole_feed(database)
        rest = await _take(restarted, len(feed) - 25, first[-1].id, header=True)

    assert [one.message_id for one in first + rest] == [message_id for _, message_id in feed]
    moments = [json.loads(one.data)["session"] for one in first + rest if one.event == "moment"]
    sessions = await database.fetch("portfolio", "select session from snapshot order by session")
    assert moments == [str(row["session"]) for row in sessions]


async def test_a_place_that_is_no_longer_kept_is_answered_with_a_reset(desk: Console, database: FreshDatabase) -> None:
    connection = await database.connect("gateway")
    epoch = UUID((await _beginning(database)).partition("-")[0])
    await connection.execute("delete from feed where id < 50")
    for place in (Place(epoch, 3), Place(UUID(int=9), 60), Place(epoch, 10**9)):
        async with asyncio.timeout(10), _listening(desk, str(place)) as events:
            first = await anext(events)
        last = (await _whole_feed(database))[-1][0]
        assert (first.event, parse_place(first.id)) == ("reset", Place(epoch, last)), place
    async with asyncio.timeout(10), _listening(desk, str(Place(epoch, 49))) as events:
        assert (await anext(events)).event == "place"


async def test_what_happens_between_reading_the_page_and_listening_is_told(desk: Console, database: FreshDatabase) -> None:
    page = (await desk.get("/")).text
    place = page.split('data-place="')[1].split('"')[0]
    connection = await database.connect("gateway")
    await connection.execute(
        "insert into feed (user_id, event, payload, occurred_at) select user_id, 'notification', payload, occurred_at from feed where event = 'notification' limit 1"
    )

    assert [one.event for one in await _take(desk, 1, place)] == ["notification"]


async def test_everybody_hears_only_their_own(desk: Console, database: FreshDatabase) -> None:
    await add_user(database, "tara", "trader")
    other = desk.another()
    await other.log_in("tara")
    place = await _beginning(database)
    connection = await database.connect("gateway")
    await connection.execute(
        """insert into feed (user_id, event, payload, occurred_at)
           select user_id, 'notification', '{"head":{"message_id":"hers"}}', created_at from users where name = 'tara'"""
    )

    assert [one.message_id for one in await _take(other, 1, place)] == ["hers"]


async def test_too_many_streams_of_one_person_are_refused(start_here: StartHere) -> None:
    async with gateway_here(start_here, streams_per_user_max=1) as console:
        await console.log_in()
        async with _listening(console) as events:
            await anext(events)
            refused = await console.get("/api/v1/stream")
            assert (refused.status_code, refused.json()["code"]) == (429, "STREAMS_OPEN")

        async def freed() -> bool:
            async with console.client.stream("GET", "/api/v1/stream") as answer:
                return answer.status_code == 200

        await wait_until(freed, "a closed stream makes room")


async def test_the_feed_stays_short(start_here: StartHere, database: FreshDatabase) -> None:
    async with gateway_here(start_here, feed_rows_kept=1_000):
        pass
    await start_here.stop("gateway")
    connection = await database.connect("gateway")
    await connection.execute(
        "insert into feed (user_id, event, payload, occurred_at) select gen_random_uuid(), 'fill', '{}', clock_timestamp() from generate_series(1, 2500)"
    )
    async with gateway_here(start_here, feed_rows_kept=1_000):

        async def shortened() -> bool:
            rows = await database.fetch("gateway", "select min(id) as first, count(*) as n from feed")
            return (rows[0]["first"], rows[0]["n"]) == (1_501, 1_000)

        await wait_until(shortened, "old events are forgotten")
