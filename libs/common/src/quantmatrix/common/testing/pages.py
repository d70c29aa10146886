"""Lets a service's handlers work on real pages without a bus: one transaction per message, in the order a test says them."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.message import Head, Message
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
        return await self.hear_together(message)

    async def hear_together(self, *messages: Message) -> list[Message]:
        """Handle these messages, in this order, on one page. Raises as `hear` does."""
        headed = [self._headed(message) for message in messages]
        page = self._page(headed[0].head)
        async with self.connection.transaction():
            for message in headed:
                await self._handle(message, page)
                page.view.advance(message.key(), page.view.of(message.key()).seq + 1, message)
            await page.finish()
        for call in page.afterwards:
            call()
        self._standings |= page.view.moved
        self.said += page.said
        return page.said

    async def _handle(self, message: Message, page: Page) -> None:
        spec = self._hears.get(type(message))
        if spec is None:
            return
        page.because_of(message.head)
        if spec.when is not None and not await spec.when(message, page):
            raise NotYetError(f"{type(message).__name__} waits for something that was not heard")
        await spec.handler(message, page)

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
