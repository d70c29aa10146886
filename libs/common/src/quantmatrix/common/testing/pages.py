"""Lets a service's handlers work on real pages without a bus: one transaction per message, in the order a test says them."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.message import Head, Message, Watermark
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.register import Standing, View

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotYetError(AssertionError):
    """The handler would still wait for something that this message builds on."""


class Pages:
    """A desk of one connection. What handlers say is returned and kept in `said`; calls after the commit are made."""

    def __init__(self, connection: Connection, bus: Bus) -> None:
        self.connection = connection
        self._hears = {spec.message: spec for spec in bus.hears}
        self._standings: dict[str, Standing] = {}
        self._count = 0
        self.said: list[Message] = []

    async def hear(self, message: Message) -> list[Message]:
        """Handle one message in a transaction of its own. Raises NotYetError when its handler would wait, and what the handler raises."""
        message = self._headed(message)
        said: list[Message] = []
        spec = self._hears.get(type(message))
        if spec is not None:
            page = self._page(message.head)
            async with self.connection.transaction():
                if spec.when is not None and not await spec.when(message, page):
                    raise NotYetError(f"{type(message).__name__} waits for something that was not heard")
                await spec.handler(message, page)
                page.write_gathered()
                await page.writing.open()
            for call in page.afterwards:
                call()
            said = page.said
        self._advance(message)
        self.said += said
        return said

    def page(self) -> Page:
        """A page that starts a chain of its own, for a test that works on one itself."""
        started = self._next_id()
        return Page(self.connection, Head(started, None, _EPOCH, started), self._view(), from_message=False)

    def _page(self, head: Head) -> Page:
        return Page(self.connection, head, self._view())

    def _view(self) -> View:
        return View(self._standings, KeysHeard({}))

    def _next_id(self) -> UUID:
        self._count += 1
        return derived_id("test page", self._count)

    def _headed(self, message: Message) -> Message:
        """The same message again has the same id, another one another: ids follow from the content."""
        head = message.head
        own = derived_id("test message", encode(message))
        return msgspec.structs.replace(message, head=Head(own, head.caused_by, head.occurred_at, own))

    def _advance(self, message: Message) -> None:
        standing = self._standings.get(message.key()) or Standing()
        moment, session = (message.moment, message.session) if isinstance(message, Watermark) else (standing.moment, standing.session)
        self._standings[message.key()] = Standing(standing.seq + 1, message.head.message_id, moment, session)
