"""One message as it arrived, and the order in which several are taken."""

from collections.abc import Awaitable, Callable
from enum import Enum, auto

from quantmatrix.common.contracts.codec import MalformedMessageError, decode
from quantmatrix.common.contracts.message import Message


class Verdict(Enum):
    """What becomes of a delivery: settled (acknowledge it), later (give it back), held (it waits for others here)."""

    SETTLED = auto()
    LATER = auto()
    HELD = auto()


class Delivery:
    """A message of a stream, or one fetched from its owner's outbox (then nobody waits for the verdict).

    message is None when the bytes are not one of ours; `fault` then says why.
    """

    __slots__ = ("_on_verdict", "body", "fault", "held_since", "key", "message", "seq", "subject")

    def __init__(
        self, subject: str, body: bytes, key: str | None, seq: int, on_verdict: Callable[[Verdict], Awaitable[None]] | None = None
    ) -> None:
        self.subject = subject
        self.body = body
        self.key = key
        self.seq = seq
        self.held_since: float | None = None
        self.message: Message | None = None
        self.fault = ""
        self._on_verdict = on_verdict
        try:
            self.message = decode(body)
        except MalformedMessageError as error:
            self.fault = str(error)

    async def settle(self, verdict: Verdict) -> None:
        """Tell whoever waits, once."""
        if self._on_verdict is not None:
            told, self._on_verdict = self._on_verdict, None
            await told(verdict)


def in_order(fresh: list[Delivery]) -> list[Delivery]:
    """Keep the order of arrival between keys, and the order of numbers within each key."""
    slots: dict[str | None, list[Delivery]] = {}
    for delivery in fresh:
        slots.setdefault(delivery.key, []).append(delivery)
    for waiting in slots.values():
        waiting.sort(key=lambda delivery: -delivery.seq)
    return [slots[delivery.key].pop() for delivery in fresh]
