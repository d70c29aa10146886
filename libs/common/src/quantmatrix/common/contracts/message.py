"""What every message has: a head, a type, a version, a subject and a key, each declared by its class."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec

from quantmatrix.common.names import TOKEN, AccountId

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment in UTC, with its zone; naive times are refused."""

Token = Annotated[str, msgspec.Meta(pattern=TOKEN)]
"""Text that may stand as one token of a subject."""

NO_ID = UUID(int=0)


class Head(msgspec.Struct, frozen=True):
    """Where a message comes from.

    message_id: derived from its cause, so a replay says the same thing under the same id.
    caused_by: the message that led to this one, or null at the start of a chain.
    occurred_at: event time, UTC. Never the wall clock of whoever passes it on.
    trace: the message id at the start of the chain, from a decision to the last notification.
    """

    message_id: UUID
    caused_by: UUID | None
    occurred_at: Instant
    trace: UUID


UNSAID = Head(NO_ID, None, datetime(1970, 1, 1, tzinfo=UTC), NO_ID)
"""The head of a message that nobody has said yet; the page replaces it."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """One fact or command on the bus.

    SUBJECT and KEY are templates over the message's own fields; nobody writes a subject anywhere else. Messages of one
    KEY are numbered without gaps by their owner and are heard in that order. OWNER is the only service allowed to say it.
    VERSION rises when a field changes its meaning; a new field does not need a new version, readers ignore what they
    do not know.
    """

    OWNER: ClassVar[str]
    FAMILY: ClassVar[str]
    SUBJECT: ClassVar[str]
    KEY: ClassVar[str]
    VERSION: ClassVar[int] = 1

    head: Head = UNSAID
    version: int = 1

    def subject(self) -> str:
        return self.SUBJECT.format(m=self)

    def key(self) -> str:
        return f"{self.OWNER}/{self.KEY.format(m=self)}"


class Watermark(Message, frozen=True, kw_only=True):
    """Everything this stage had to say about one moment has been said.

    covers: the last number said under each key since the stage's previous watermark; a reader that has not heard up
    to there waits. session: the exchange's date; moment: the instant the bars of this moment closed (UTC).
    """

    calendar: Token
    timeframe: Token
    session: date
    moment: Instant
    covers: dict[str, int] = {}

    @classmethod
    def key_for(cls, calendar: str) -> str:
        """The key under which this stage's watermarks of a calendar are said."""
        return f"{cls.OWNER}/{cls.KEY.format(m=SimpleNamespace(calendar=calendar))}"


AccountToken = Annotated[AccountId, msgspec.Meta(pattern=TOKEN)]
