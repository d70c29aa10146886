"""The event stream: every message once and in order, resumed without loss or doubles, everybody their own."""

import asyncio
from uuid import UUID

import pytest
from services.gateway.tests.listening import beginning, listening, take, whole_feed
from services.gateway.tests.running import Desk, add_user

from quantmatrix.gateway.feed import Place, parse_place

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long(10)]


async def test_every_message_is_heard_once_and_in_order(desk: Desk) -> None:
    feed = await whole_feed(desk.database)
    events = await take(desk, len(feed), await beginning(desk.database), header=True)

    assert [one.message_id for one in events] == [message_id for _, message_id in feed]
    assert len({one.message_id for one in events}) == len(events) > 100
    assert {one.event for one in events} >= {"order", "fill", "signal", "position", "moment", "notification", "account"}
    said = await desk.database.fetch("execution", "select message_id from outbox where type = 'OrderFilled'")
    assert {one.message_id for one in events if one.event == "fill"} == {str(row["message_id"]) for row in said}


async def test_a_page_that_was_away_goes_on_where_it_was(desk: Desk) -> None:
    feed = await whole_feed(desk.database)
    first = await take(desk, 10, await beginning(desk.database))
    rest = await take(desk, len(feed) - 10, first[-1].id, header=True)

    assert [one.message_id for one in first + rest] == [message_id for _, message_id in feed]


async def test_what_happens_between_reading_the_page_and_listening_is_told(desk: Desk) -> None:
    page = (await desk.get("/")).text
    place = page.split('data-place="')[1].split('"')[0]
    connection = await desk.database.connect("gateway")
    await connection.execute(
        "insert into feed (user_id, event, payload, occurred_at) select user_id, 'notification', payload, occurred_at from feed where event = 'notification' limit 1"
    )

    assert [one.event for one in await take(desk, 1, place)] == ["notification"]


async def test_everybody_hears_only_their_own(desk: Desk) -> None:
    await add_user(desk.database, "tara", "trader")
    other = desk.another()
    await other.log_in("tara")
    place = await beginning(desk.database)
    connection = await desk.database.connect("gateway")
    await connection.execute(
        """insert into feed (user_id, event, payload, occurred_at)
           select user_id, 'notification', '{"head":{"message_id":"hers"}}', created_at from users where name = 'tara'"""
    )

    assert [one.message_id for one in await take(other, 1, place)] == ["hers"]


async def test_a_place_that_is_no_longer_kept_is_answered_with_a_reset(desk: Desk) -> None:
    connection = await desk.database.connect("gateway")
    epoch = UUID((await beginning(desk.database)).partition("-")[0])
    await connection.execute("delete from feed where id < 50")
    for place in (Place(epoch, 3), Place(UUID(int=9), 60), Place(epoch, 10**9)):
        async with asyncio.timeout(60), listening(desk, str(place)) as events:
            first = await anext(events)
        last = (await whole_feed(desk.database))[-1][0]
        assert (first.event, parse_place(first.id)) == ("reset", Place(epoch, last)), place
    async with asyncio.timeout(60), listening(desk, str(Place(epoch, 49))) as events:
        assert (await anext(events)).event == "place"
