"""Says messages on a real bus in a service's place: under its user, numbered as its outbox would."""

from collections.abc import Awaitable, Callable

import msgspec
from nats.aio.client import Client

from quantmatrix.common.contracts.asking.messaging import InboxHeadsAsked
from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.message import Head, Message
from quantmatrix.common.contracts.parked import MessageParked
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.runtime.keys import keys_heard
from quantmatrix.common.runtime.outbox import KEY_HEADER, SEQ_HEADER
from quantmatrix.common.runtime.streams import heard_by
from quantmatrix.common.testing.waiting import WITHIN_S, wait_until


class Saying:
    """One speaker per service; numbers are counted from 1 under each key."""

    def __init__(self, connect: Callable[[str], Awaitable[Client]]) -> None:
        self._connect = connect
        self._clients: dict[str, Client] = {}
        self._numbers: dict[str, int] = {}

    async def __call__(self, message: Message) -> Message:
        """Publish a message as its owner and wait until the bus has it; returns it with the head it got."""
        own = derived_id("test message", encode(message))
        headed = msgspec.structs.replace(message, head=Head(own, None, message.head.occurred_at, own))
        self._numbers[headed.key()] = self._numbers.get(headed.key(), 0) + 1
        await self.again(headed)
        return headed

    def skip(self, key: str, number: int) -> None:
        """Go on behind this number: a test has said it by itself."""
        self._numbers[key] = number

    async def heard_by(self, service: str, ask: Ask) -> None:
        """Wait until a running service has heard everything that was said so far and that it listens to."""
        listens = keys_heard(service, heard_by(service))
        wanted = {key: number for key, number in self._numbers.items() if listens.includes(key)}

        async def heard() -> bool:
            try:
                heads = (await ask(service, InboxHeadsAsked())).heads
            except ServiceSilent:
                return False
            return all(heads.get(key, 0) >= number for key, number in wanted.items())

        await wait_until(heard, f"{service} has heard {wanted}")

    async def again(self, message: Message) -> None:
        """Publish it once more under the same number, as a redelivery outside the bus's memory would come."""
        owner = message.service if isinstance(message, MessageParked) else message.OWNER
        if owner not in self._clients:
            self._clients[owner] = await self._connect(owner)
        js = self._clients[owner].jetstream()
        headers = {KEY_HEADER: message.key(), SEQ_HEADER: str(self._numbers[message.key()])}
        await js.publish(message.subject(), encode(message), headers=headers, timeout=WITHIN_S)
