"""The event stream over a restart of the gateway, and its limits."""

import json

from services.gateway.tests.listening import beginning, listening, take, whole_feed
from services.gateway.tests.running import BEHIND, Console, drained, finished, gateway_here

from quantmatrix.common.runtime.asking import Ask
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.testing import FreshDatabase


async def test_nothing_is_lost_or_doubled_when_the_gateway_dies_in_between(
    console: Console, start_here: StartHere, database: FreshDatabase, ask: Ask
) -> None:
    await console.log_in()
    began = await beginning(database)
    for service in BEHIND:
        told = {"replay_from": "2004-01-02", "replay_to": "2004-03-31", "replay_pace_s": 0.02}
        await start_here(service, **(told if service == "market" else {}))
    first = await take(console, 25, began)
    await start_here.stop("gateway")
    await wait_until(lambda: finished(ask), "the replay goes on without the gateway")
    async with gateway_here(start_here) as restarted:
        await wait_until(lambda: drained(ask), "the gateway has caught up")
        await restarted.log_in()
        feed = await whole_feed(database)
        rest = await take(restarted, len(feed) - 25, first[-1].id, header=True)

    assert [one.message_id for one in first + rest] == [message_id for _, message_id in feed]
    moments = [json.loads(one.data)["session"] for one in first + rest if one.event == "moment"]
    sessions = await database.fetch("portfolio", "select session from snapshot order by session")
    assert moments == [str(row["session"]) for row in sessions]


async def test_too_many_streams_of_one_person_are_refused(start_here: StartHere) -> None:
    async with gateway_here(start_here, streams_per_user_max=1) as console:
        await console.log_in()
        async with listening(console) as events:
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
