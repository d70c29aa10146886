"""One transaction of a service: what it heard, what it changed and what it says, all or nothing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.message import Head, Message
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.register import Standing, View

_M = TypeVar("_M", bound=Message)
_Row = TypeVar("_Row")


@dataclass(slots=True)
class Page:
    """What a handler works on: the transaction's connection, the head of what it hears, how far others were heard, and `say`."""

    connection: Connection
    cause: Head
    view: View
    from_message: bool = True
    said: list[Message] = field(default_factory=list)
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    _counts: dict[tuple[UUID, str], int] = field(default_factory=dict)
    _gathered: dict[Callable[[Connection, Sequence[Any]], Awaitable[None]], list[Any]] = field(default_factory=dict)

    def say(self, message: _M, *, identity: object | None = None, occurred_at: datetime | None = None, starts_trace: bool = False) -> _M:
        """Put a message into the outbox of this transaction and return it with its head.

        Its id follows from what it tells of (`identity`: a fill's id, say), or else from its cause, its type and its
        place among the answers to that cause; so a handler that runs again says the same thing under the same id.
        occurred_at: event time, the cause's unless given. starts_trace: a chain begins here.
        """
        name = type(message).__name__
        if identity is None:
            place = self._counts.get((self.cause.message_id, name), 0)
            self._counts[self.cause.message_id, name] = place + 1
            message_id = derived_id(message.OWNER, name, self.cause.message_id, place)
        else:
            message_id = derived_id(message.OWNER, name, identity)
        head = Head(
            message_id=message_id,
            caused_by=self.cause.message_id if self.from_message else None,
            occurred_at=occurred_at or self.cause.occurred_at,
            trace=self.cause.trace if self.from_message and not starts_trace else message_id,
        )
        headed = msgspec.structs.replace(message, head=head)
        self.said.append(headed)
        return headed

    def says(self, kind: type[Message]) -> bool:
        """Whether a message of this kind is among what is said."""
        return any(isinstance(message, kind) for message in self.said)

    def reached(self, key: str) -> Standing:
        """How far a key was heard, the last watermark's moment and session included."""
        return self.view.of(key)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this once the transaction is committed; never when it is not. It must not fail and not wait."""
        self.afterwards.append(call)

    def gather(self, write: Callable[[Connection, Sequence[_Row]], Awaitable[None]], row: _Row) -> None:
        """Have this row written before the commit, in one call with all that the page gathers for the same function."""
        self._gathered.setdefault(write, []).append(row)

    async def write_gathered(self) -> None:
        """Write what was gathered. What fails here fails the page, as a handler does."""
        for write, rows in self._gathered.items():
            await write(self.connection, rows)

    def because_of(self, cause: Head) -> None:
        """From here on, this message is the cause of what is said."""
        self.cause, self.from_message = cause, True

    def starting_from(self, start: Head) -> None:
        """From here on, what is said starts a chain of its own: see `origin`."""
        self.cause, self.from_message = start, False


def origin(*parts: object, occurred_at: datetime) -> Head:
    """Stands in for a cause where a chain starts without a message: a person's request, a feed's bar, a broker's report."""
    started = derived_id(*parts)
    return Head(message_id=started, caused_by=None, occurred_at=occurred_at, trace=started)
