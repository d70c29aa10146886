"""What the bus says to a message that is given to it: that a stream has it, or at once why none has."""

from uuid import uuid4

import pytest
from nats.js.errors import NoStreamResponseError

from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.runtime.outbox import OutboxRow
from quantmatrix.common.runtime.publishing import Publisher
from quantmatrix.common.testing.tiny import SPEAKER, fill
from quantmatrix.operations.testing import FreshBus


def row(number: int, *, family: str | None = None) -> OutboxRow:
    message = fill("A", number)
    return OutboxRow(number, message.key(), number, family or message.FAMILY, message.subject(), uuid4(), encode(message))


async def test_messages_given_one_after_the_other_are_all_taken(bus: FreshBus) -> None:
    refused: list[None] = []
    publisher = Publisher(await bus.connect(SPEAKER), lambda: refused.append(None))

    words = [await publisher.give(row(number)) for number in range(1, 101)]
    for word in words:
        await word

    assert not refused


async def test_a_message_that_its_stream_refuses_is_known_at_once_and_others_are_taken(bus: FreshBus) -> None:
    refused: list[None] = []
    publisher = Publisher(await bus.connect(SPEAKER), lambda: refused.append(None))

    words = [await publisher.give(one) for one in (row(1), row(2, family="orders"), row(3))]

    await words[0]
    with pytest.raises(ConnectionError, match="expected stream does not match"):
        await words[1]
    await words[2]
    assert len(refused) == 1


async def test_without_a_stream_there_is_a_refusal_and_no_waiting(bus: FreshBus) -> None:
    publisher = Publisher(await bus.connect(SPEAKER), lambda: None)
    await bus.purge()

    word = await publisher.give(row(1))

    with pytest.raises(NoStreamResponseError):
        await word


async def test_what_is_not_waited_for_any_more_is_forgotten(bus: FreshBus) -> None:
    refused: list[None] = []
    publisher = Publisher(await bus.connect(SPEAKER), lambda: refused.append(None))

    left = await publisher.give(row(1, family="orders"))
    publisher.forget()
    await (await publisher.give(row(2)))

    assert not left.done()
    assert not refused
