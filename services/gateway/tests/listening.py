"""Listening to the event stream as a program would."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.gateway.tests.running import Console

from quantmatrix.gateway.feed import Place
from quantmatrix.operations.testing import FreshDatabase

MESSAGES = {"order", "fill", "signal", "run", "position", "moment", "notification", "account"}


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
async def listening(console: Console, after: str = "", *, header: bool = False) -> AsyncIterator[AsyncIterator[Event]]:
    headers = {"Last-Event-ID": after} if header and after else {}
    params = {"after": after} if after and not header else {}
    async with console.client.stream("GET", "/api/v1/stream", headers=headers, params=params) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        yield events_in(answer.aiter_lines())


async def events_in(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            if "id" in fields:
                yield Event(fields["id"], fields.get("event", "message"), fields.get("data", ""))
            fields = {}


async def take(console: Console, count: int, after: str = "", *, header: bool = False) -> list[Event]:
    """The next so many messages after a place."""
    found: list[Event] = []
    async with asyncio.timeout(60), listening(console, after, header=header) as events:
        async for one in events:
            if one.event in MESSAGES:
                found.append(one)
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {len(found)} of {count} events")


async def beginning(database: FreshDatabase) -> str:
    rows = await database.fetch("gateway", "select epoch from feed_epoch")
    return str(Place(rows[0]["epoch"], 0))


async def whole_feed(database: FreshDatabase) -> list[tuple[int, str]]:
    rows = await database.fetch("gateway", "select id, payload::json -> 'head' ->> 'message_id' as message_id from feed order by id")
    return [(row["id"], row["message_id"]) for row in rows]
