"""Follows one thing through the services: every message that led to it, and every message it led to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quantmatrix.common.contracts.asking.messaging import TraceAsked, TracedMessage
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.runtime.streams import SERVICES

ROUNDS_MAX = 12
_STEPS = (
    ("BarsClosed", "bar"),
    ("PricesWatermark", "bar"),
    ("Signal", "signal"),
    ("OrderFilled", "fill"),
    ("Fill", "fill"),
    ("OptionEnded", "fill"),
    ("Order", "order"),
    ("Place", "order"),
    ("Lot", "lot"),
    ("Notification", "notification"),
)
DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Link:
    """One message of the chain. depth: how many causes lie before it. Times are UTC."""

    depth: int
    service: str
    type: str
    message_id: str
    caused_by: str | None
    occurred_at: datetime
    said_at: datetime
    subject: str

    @property
    def step(self) -> str:
        """Where on the way from prices to notifications the message stands."""
        return next((step for start, step in _STEPS if self.type.startswith(start)), self.subject.partition(".")[0])


@dataclass(frozen=True, slots=True)
class Trace:
    """The chain in the order of its causes; `silent` are services that did not answer."""

    links: tuple[Link, ...]
    silent: tuple[str, ...]


async def trace(ask: Ask, wanted: str, services: Iterable[str] = SERVICES) -> Trace:
    """Everything that belongs to a message, an order, a lot, a fill, a signal or a notification, by its id."""
    asking = _Collected(ask, tuple(services))
    await asking.collect(TraceAsked(about=wanted, message_ids=(wanted,) if is_uuid(wanted) else ()))
    for _ in range(ROUNDS_MAX):
        traces = tuple(sorted({message.trace for message in asking.found.values()} - asking.traces_asked))
        causes = tuple(sorted({m.caused_by for m in asking.found.values() if m.caused_by} - set(asking.found) - asking.ids_asked))
        if not traces and not causes:
            break
        asking.traces_asked |= set(traces)
        asking.ids_asked |= set(causes)
        # The trace of a cause is that of its own chain, which may be everything that a bar led to: only the cause is taken.
        if traces:
            await asking.collect(TraceAsked(traces=traces))
        if causes:
            await asking.collect(TraceAsked(message_ids=causes), follow=False)
    return Trace(tuple(_ordered(asking.found)), tuple(sorted(asking.silent)))


class _Collected:
    def __init__(self, ask: Ask, services: tuple[str, ...]) -> None:
        self._ask = ask
        self._services = services
        self.found: dict[str, TracedMessage] = {}
        self.silent: set[str] = set()
        self.traces_asked: set[str] = set()
        self.ids_asked: set[str] = set()

    async def collect(self, question: TraceAsked, *, follow: bool = True) -> None:
        for service in self._services:
            try:
                answer = await self._ask(service, question, deadline_s=DEADLINE_S)
            except ServiceSilent:
                self.silent.add(service)
                continue
            for message in answer.messages:
                self.found.setdefault(message.message_id, message)
                if not follow:
                    self.traces_asked.add(message.trace)


def _ordered(found: dict[str, TracedMessage]) -> list[Link]:
    depths: dict[str, int] = {}

    def depth(message_id: str) -> int:
        if message_id not in depths:
            depths[message_id] = 0
            cause = found[message_id].caused_by
            depths[message_id] = depth(cause) + 1 if cause in found else 0
        return depths[message_id]

    links = [
        Link(depth(one.message_id), one.service, one.type, one.message_id, one.caused_by, one.occurred_at, one.said_at, one.subject)
        for one in found.values()
    ]
    return sorted(links, key=lambda link: (link.occurred_at, link.depth, link.said_at, link.message_id))


def is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
