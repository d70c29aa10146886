"""Messages given to streams one after the other, and what the bus says to each: over one inbox, by number."""

import asyncio
from collections.abc import Callable

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api
from nats.js.errors import NoStreamResponseError

from quantmatrix.common.runtime.outbox import OutboxRow


class _Told(msgspec.Struct):
    """What of the bus's word matters: the stream that has the message, or why none has."""

    stream: str = ""
    error: dict[str, object] | None = None


_told = msgspec.json.Decoder(_Told)


class Publisher:
    """Gives rows to the bus without waiting for its word."""

    def __init__(self, client: Client, on_refused: Callable[[], None]) -> None:
        self._client = client
        self._on_refused = on_refused
        self._inbox = ""
        self._number = 0
        self._asked: dict[str, asyncio.Future[None]] = {}

    async def give(self, row: OutboxRow) -> "asyncio.Future[None]":
        """Give one row to its stream; what comes back is done when the stream has it. Raises what the client raises."""
        if not self._inbox:
            inbox = self._client.new_inbox()
            await self._client.subscribe(f"{inbox}.*", cb=self._heard)
            self._inbox = inbox
        self._number += 1
        number = str(self._number)
        word: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked[number] = word
        headers = row.headers()
        headers[api.Header.EXPECTED_STREAM] = row.stream
        try:
            await self._client.publish(row.subject, row.payload, reply=f"{self._inbox}.{number}", headers=headers)
        except BaseException:
            del self._asked[number]
            raise
        return word

    def forget(self) -> None:
        """Nobody waits any more for what was not said yet."""
        self._asked.clear()

    async def _heard(self, message: Msg) -> None:
        word = self._asked.pop(message.subject[len(self._inbox) + 1 :], None)
        if word is None or word.done():
            return
        refusal = _refusal(message)
        if refusal is None:
            word.set_result(None)
        else:
            word.set_exception(refusal)
            self._on_refused()


def _refusal(message: Msg) -> Exception | None:
    """Why the bus did not take a message; None when a stream has it."""
    if not message.data:
        return NoStreamResponseError()
    try:
        told = _told.decode(message.data)
    except msgspec.MsgspecError as error:
        return ConnectionError(f"the bus answered what is no word of a stream: {error}")
    return None if told.stream and told.error is None else ConnectionError(f"the bus did not take a message: {told.error}")
