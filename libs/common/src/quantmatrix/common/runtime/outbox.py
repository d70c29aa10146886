"""The outbox: what a transaction says is stored with it, numbered without gaps under each key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.message import Message, Watermark
from quantmatrix.common.runtime.streams import BY_NAME

KEY_HEADER = "Qm-Key"
SEQ_HEADER = "Qm-Seq"


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One stored message, ready for the bus."""

    row_id: int
    key: str
    seq: int
    family: str
    subject: str
    message_id: UUID
    payload: bytes

    @property
    def stream(self) -> str:
        return BY_NAME[self.family].stream

    def headers(self) -> dict[str, str]:
        return {"Nats-Msg-Id": str(self.message_id), KEY_HEADER: self.key, SEQ_HEADER: str(self.seq)}


@dataclass(frozen=True, slots=True)
class Counter:
    """How far a key has been said, and up to which number a watermark has covered it."""

    seq: int = 0
    covered: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """A message with its number, encoded."""

    key: str
    seq: int
    message: Message
    payload: bytes


@dataclass(slots=True)
class Numbered:
    """Messages in the order they were said, and where their keys stand afterwards."""

    drafts: list[Draft] = field(default_factory=list)
    counters: dict[str, Counter] = field(default_factory=dict)


def number(said: Sequence[Message], known: Mapping[str, Counter]) -> Numbered:
    """Give every message the next number under its key, and let each watermark name what was said since the one before it."""
    result = Numbered()
    for message in said:
        key = message.key()
        counter = result.counters.get(key) or known.get(key) or Counter()
        seq = counter.seq + 1
        result.counters[key] = Counter(seq, counter.covered)
        whole = _covering(message, key, known, result.counters) if isinstance(message, Watermark) else message
        result.drafts.append(Draft(key, seq, whole, encode(whole)))
    return result


def _covering(message: Watermark, own_key: str, known: Mapping[str, Counter], moved: dict[str, Counter]) -> Watermark:
    covers = {}
    for key, counter in (dict(known) | moved).items():
        if counter.seq > counter.covered:
            if key != own_key:
                covers[key] = counter.seq
            moved[key] = Counter(counter.seq, counter.seq)
    return msgspec.structs.replace(message, covers=covers)
