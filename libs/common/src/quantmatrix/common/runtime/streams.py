"""Who says what, where it is kept, and who hears it: the one table behind streams, consumers and permissions."""

from dataclasses import dataclass, field
from typing import Final

SERVICES: Final = ("market", "signals", "execution", "portfolio", "notify", "gateway")
DAY_S: Final = 86_400
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Family:
    """One family of messages: its stream, the services that may publish it, and how long the bus keeps it.

    The bus is disposable; what it keeps is a convenience for readers, the publisher's outbox is the record.
    """

    name: str
    stream: str
    publishers: tuple[str, ...]
    subjects: tuple[str, ...]
    memory: bool = False
    work_queue: bool = False
    max_age_s: int = 30 * DAY_S
    max_mib: int = 256
    keep_new_out_when_full: bool = False


FAMILIES: Final = (
    Family("prices", "PRICES", ("market",), ("prices.>",), memory=True, max_age_s=DAY_S // 24, max_mib=24),
    Family("signals", "SIGNALS", ("signals",), ("signals.>",)),
    Family("orders", "ORDERS", ("execution",), ("orders.>",), max_age_s=90 * DAY_S, keep_new_out_when_full=True),
    Family("fills", "FILLS", ("execution",), ("fills.>",), max_age_s=90 * DAY_S, keep_new_out_when_full=True),
    Family("portfolio", "PORTFOLIO", ("portfolio",), ("portfolio.>",)),
    Family("notifications", "NOTIFICATIONS", ("notify",), ("notifications.>",)),
    Family("commands", "COMMANDS", ("gateway",), ("commands.>",), work_queue=True, max_age_s=7 * DAY_S),
    Family("parked", "PARKED", SERVICES, ("parked.>",), max_age_s=90 * DAY_S),
    Family("work", "WORK", ("signals",), ("work.>",), work_queue=True, max_age_s=DAY_S, max_mib=64),
)
BY_NAME: Final = {family.name: family for family in FAMILIES}


@dataclass(frozen=True, slots=True)
class Hearing:
    """One durable consumer: which subjects of a family a service hears, in order."""

    service: str
    family: str
    subjects: tuple[str, ...]

    @property
    def durable(self) -> str:
        return self.service

    @property
    def stream(self) -> str:
        return BY_NAME[self.family].stream

    @property
    def delivered_to(self) -> str:
        """The subject on which the server hands this consumer its messages."""
        return f"deliver.{self.service}.{self.stream}"


_WHOLE_PRICES: Final = ("prices.instrument.*", "prices.action.*", "prices.bars.*.*", "prices.watermark.*")
_PORTFOLIO_FACTS: Final = tuple(
    f"portfolio.{fact}.*" for fact in ("lot_opened", "lot_closed", "lot_adjusted", "lot_choice", "position", "snapshot")
)
_RUN_FACTS: Final = tuple(
    f"signals.{fact}.*" for fact in ("raised", "withdrawn", "run_started", "run_refused", "run_changed", "run_funded", "cycle_completed")
)
HEARINGS: Final = (
    Hearing("market", "portfolio", ("portfolio.watermark.*",)),
    Hearing("signals", "prices", _WHOLE_PRICES),
    Hearing("signals", "orders", ("orders.>",)),
    Hearing("signals", "fills", ("fills.>",)),
    Hearing("signals", "commands", ("commands.signals.>",)),
    Hearing("execution", "prices", _WHOLE_PRICES),
    Hearing("execution", "signals", ("signals.raised.*", "signals.withdrawn.*", "signals.watermark.*")),
    Hearing("execution", "commands", ("commands.execution.>",)),
    Hearing("portfolio", "prices", _WHOLE_PRICES),
    Hearing("portfolio", "orders", ("orders.>",)),
    Hearing("portfolio", "fills", ("fills.>",)),
    Hearing("notify", "prices", ("prices.phase.*",)),
    Hearing("notify", "signals", _RUN_FACTS),
    Hearing("notify", "orders", ("orders.>",)),
    Hearing("notify", "fills", ("fills.filled.*", "fills.corrected.*", "fills.ended.*")),
    Hearing("notify", "portfolio", ("portfolio.lot_choice.*",)),
    Hearing("notify", "parked", ("parked.>",)),
    Hearing("gateway", "signals", _RUN_FACTS),
    Hearing("gateway", "orders", ("orders.>",)),
    Hearing("gateway", "fills", ("fills.filled.*", "fills.corrected.*", "fills.ended.*")),
    Hearing("gateway", "portfolio", _PORTFOLIO_FACTS),
    Hearing("gateway", "notifications", ("notifications.>",)),
)


@dataclass(frozen=True, slots=True)
class Taking:
    """One durable pull consumer: of all processes under this user, whoever has time takes the next message.

    asks: the questions it may put besides, as service and verb; it hears and asks nothing else. tells: who sees how many are at it.
    """

    user: str
    family: str
    asks: tuple[tuple[str, str], ...]
    tells: tuple[str, ...]

    @property
    def durable(self) -> str:
        return self.user

    @property
    def stream(self) -> str:
        return BY_NAME[self.family].stream


TAKINGS: Final = (Taking("worker", "work", (("signals", "job_beat"), ("signals", "job_data"), ("signals", "job_done")), ("signals",)),)


@dataclass(frozen=True, slots=True)
class Asking:
    """Which services one service may ask by request and reply (besides the owners of what it hears)."""

    service: str
    asked: tuple[str, ...] = field(default=())


ASKINGS: Final = (
    Asking("signals", ("market",)),
    Asking("gateway", SERVICES),
)
PENDING_MAX: Final = 256
"""How many messages of one consumer may be on their way or held at once."""
ACK_WAIT_S: Final = 10.0
DUPLICATE_WINDOW_S: Final = 120


def heard_by(service: str) -> tuple[Hearing, ...]:
    """What a service hears."""
    return tuple(hearing for hearing in HEARINGS if hearing.service == service)


def taken_by(user: str) -> Taking | None:
    """What a user takes; None when it takes nothing."""
    return next((taking for taking in TAKINGS if taking.user == user), None)


def asked_by(service: str) -> tuple[str, ...]:
    """The services whose questions' subjects this service may publish to: for outboxes, and those it asks."""
    owners = {name for hearing in heard_by(service) for name in BY_NAME[hearing.family].publishers}
    extra = {name for asking in ASKINGS if asking.service == service for name in asking.asked}
    return tuple(name for name in SERVICES if name in owners | extra)


def matches(pattern: str, subject: str) -> bool:
    """Whether a subject falls under a pattern with NATS wildcards: `*` is one token, `>` the rest."""
    wanted, given = pattern.split("."), subject.split(".")
    for index, part in enumerate(wanted):
        if part == ">":
            return len(given) > index
        if index >= len(given) or part not in ("*", given[index]):
            return False
    return len(wanted) == len(given)
