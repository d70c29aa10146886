"""One hop of the floor: hear a message, one transaction with an inbox row and an effect, publish, acknowledge. No product code.

Usage: hop.py NATS_URL DATABASE_URL NUMBER
"""

import asyncio
import contextlib
import sys

import asyncpg
import nats
import uvloop
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig


async def main(bus: str, database: str, number: int) -> None:
    connection = await asyncpg.connect(database)
    client = await nats.connect(bus)
    js = client.jetstream()
    inbox = await connection.prepare(f"insert into floor.inbox{number} (id) values ($1) on conflict do nothing")
    effect = await connection.prepare(f"insert into floor.effect{number} (body) values ($1)")

    async def handle(message: Msg) -> None:
        async with connection.transaction():
            await inbox.fetch(int(message.headers["Id"]))
            await effect.fetch(message.data)
        await js.publish(f"hop.{number + 1}", message.data, headers=message.headers)
        await message.ack()

    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_ack_pending=256)
    await js.subscribe(f"hop.{number}", durable=f"hop{number}", cb=handle, manual_ack=True, config=config, stream="HOPS")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
