"""Questions that every service answers: about its outbox, its chains of messages, and what it parked."""

import msgspec

from quantmatrix.common.contracts.asking.question import Question
from quantmatrix.common.contracts.message import Instant


class OutboxHeads(msgspec.Struct, frozen=True):
    """The last number said under each key."""

    heads: dict[str, int]


class OutboxHeadsAsked(Question[OutboxHeads], frozen=True, kw_only=True):
    """How far is the owner under the keys that match these patterns (wildcards as in subjects, over the part after the slash)?"""

    VERB = "outbox.heads"
    ANSWER = OutboxHeads

    patterns: tuple[str, ...]


class InboxHeads(msgspec.Struct, frozen=True):
    """The last number heard under each key; keys that stand still for a parked message are named apart."""

    heads: dict[str, int]
    stopped: tuple[str, ...]


class InboxHeadsAsked(Question[InboxHeads], frozen=True, kw_only=True):
    """How far has this service heard?"""

    VERB = "inbox.heads"
    ANSWER = InboxHeads


class StoredMessage(msgspec.Struct, frozen=True):
    key: str
    seq: int
    subject: str
    payload: bytes


class OutboxPage(msgspec.Struct, frozen=True):
    """Stored messages in the order they were said."""

    messages: tuple[StoredMessage, ...]
    more: bool


class OutboxReadAsked(Question[OutboxPage], frozen=True, kw_only=True):
    """The messages after these numbers, by key."""

    VERB = "outbox.read"
    ANSWER = OutboxPage

    after: dict[str, int]


class TracedMessage(msgspec.Struct, frozen=True):
    """One link of a chain, as its service stored it. occurred_at is event time, said_at wall time (both UTC)."""

    message_id: str
    caused_by: str | None
    trace: str
    service: str
    type: str
    subject: str
    occurred_at: Instant
    said_at: Instant
    body: msgspec.Raw


class Traced(msgspec.Struct, frozen=True):
    messages: tuple[TracedMessage, ...]


class TraceAsked(Question[Traced], frozen=True, kw_only=True):
    """What this service said under these message ids, in these traces, or about this thing (an order, a lot, a fill …)."""

    VERB = "trace"
    ANSWER = Traced

    message_ids: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    about: str | None = None


class ParkedMessage(msgspec.Struct, frozen=True):
    parked_id: int
    service: str
    key: str | None
    seq: int | None
    subject: str
    error: str
    parked_at: Instant
    state: str
    excerpt: str


class ParkedMessages(msgspec.Struct, frozen=True):
    messages: tuple[ParkedMessage, ...]


class ParkedAsked(Question[ParkedMessages], frozen=True, kw_only=True):
    """The messages that wait for a decision, or all that ever did."""

    VERB = "parked.list"
    ANSWER = ParkedMessages

    all: bool = False


class ParkedDecided(msgspec.Struct, frozen=True):
    parked_id: int
    state: str
    detail: str


class ParkedDecisionAsked(Question[ParkedDecided], frozen=True, kw_only=True):
    """Hear a parked message again (replay) or go on without it (drop)."""

    VERB = "parked.decide"
    ANSWER = ParkedDecided

    parked_id: int
    decision: str
