"""One transaction of a service: what it heard, what it changed and what it says, all or nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.message import Head, Message
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.register import Standing, View
from quantmatrix.common.runtime.writing import Write, Writing

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
    _gathered: dict[Callable[[Sequence[Any]], Write], list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given: Any = self.connection
        if not isinstance(given, Writing):
            self.connection = cast(Connection, Writing(given))

    @property
    def writing(self) -> Writing:
        """The same connection, for whoever ends the page."""
        return cast(Writing, self.connection)

    @property
    def reading(self) -> Connection:
        """The connection for a statement that only looks, and locks nothing: alone it needs no transaction."""
        return cast(Connection, self.writing.reading)

    @property
    def alone(self) -> bool:
        """Whether nothing was changed on this page yet, and no transaction holds it together."""
        return self.writing.alone and not self.writing.writes

    def write(self, write: Write) -> None:
        """Have this made with the page; any statement after it sees it."""
        self.writing.writes.append(write)

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

    def take_back(self, said: Message) -> None:
        """Say something not after all: it has no number yet, and nobody has heard it."""
        self.said.remove(said)

    def says(self, kind: type[Message]) -> bool:
        """Whether a message of this kind is among what is said."""
        return any(isinstance(message, kind) for message in self.said)

    def reached(self, key: str) -> Standing:
        """How far a key was heard, the last watermark's moment and session included."""
        return self.view.of(key)

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this once the transaction is committed; never when it is not. It must not fail and not wait."""
        self.afterwards.append(call)

    def gather(self, change: Callable[[Sequence[_Row]], Write], row: _Row) -> None:
        """Have this row written with the page, in one change with all that the page gathers for the same function."""
        self._gathered.setdefault(change, []).append(row)

    def gathered(self, change: Callable[[Sequence[_Row]], Write]) -> Sequence[_Row]:
        """What the page has gathered for a function and not handed in yet: no statement sees it."""
        return self._gathered.get(change, ())

    def write_gathered(self) -> None:
        """Hand in what was gathered."""
        for change, rows in self._gathered.items():
            self.write(change(rows))
        self._gathered.clear()

    async def finish(self) -> None:
        """Have everything made that was handed in or gathered, in the transaction that is open around the page."""
        self.write_gathered()
        await self.writing.open()

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
