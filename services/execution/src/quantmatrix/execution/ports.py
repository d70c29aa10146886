"""What execution needs from the outside: brokers, and the outcomes a call to one may have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, runtime_checkable
from uuid import UUID

from quantmatrix.common.contracts.prices import Bar, CorporateActionAnnounced
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, InstrumentId, OrderType, Side, TimeInForce
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.domain.orders import Execution


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What is sent to a broker. client_ref is the same for every sending of one order; at: event time."""

    account_id: AccountId
    client_ref: str
    instrument: Instrument
    side: Side
    quantity: Quantity
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Price | None
    stop_price: Price | None
    reference_price: Price | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker works the order under this id. executions: all that happened so far, or None when the answer does not say."""

    broker_order_id: str
    executions: "tuple[Execution, ...] | None" = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The broker refused the order."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Bytes left and no answer came back. Never sent again without asking first."""

    detail: str


SubmitOutcome = Accepted | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order in the broker's book. status: working, filled, cancelled, expired or rejected. changed_at: event time, UTC."""

    broker_order_id: str
    client_ref: str
    status: str
    quantity: Quantity
    filled: Quantity
    limit_price: Price | None
    stop_price: Price | None
    reason: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Absent:
    """The broker has never heard of this reference."""


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    instrument_id: InstrumentId
    quantity: Quantity


class Broker(Protocol):
    """One broker, as one order model. Adapters raise TryLater, Refused or OutcomeUnknown and nothing else."""

    @property
    def name(self) -> str:
        """How accounts name it."""

    async def start(self) -> None:
        """Connect. Raises TryLater when the broker cannot be reached, NotLetIn when it refuses our name and password, as every call may."""

    async def stop(self) -> None:
        """Disconnect."""

    async def submit(self, request: OrderRequest) -> SubmitOutcome:
        """Send an order once."""

    async def cancel(self, account_id: AccountId, client_ref: str, at: datetime) -> SubmitOutcome:
        """Ask to cancel what is left of an order; at: event time."""

    async def find(self, account_id: AccountId, client_ref: str) -> BrokerOrder | Absent:
        """Look for an order by our reference. Raises TryLater when the broker cannot tell."""

    async def changed_since(self, account_id: AccountId, since: datetime) -> tuple[Sequence[BrokerOrder], Sequence[Execution]]:
        """Orders that changed and executions that happened at or after an instant (event time), in the broker's order."""

    async def positions(self, account_id: AccountId) -> Sequence[BrokerPosition]:
        """What the broker says the account holds."""

    async def cash(self, account_id: AccountId) -> Money:
        """What the broker says the account has."""


@dataclass(frozen=True, slots=True)
class Close:
    """What an instrument closed at."""

    instrument_id: InstrumentId
    price: Price


@dataclass(frozen=True, slots=True)
class Moment:
    """The session that bars belong to. last: no more of it come. closes: by symbol, of its bars that came before these."""

    session: date
    opened_at: datetime
    closed_at: datetime
    last: bool = True
    closes: Mapping[str, Close] = field(default_factory=dict)


@runtime_checkable
class PriceDriven(Protocol):
    """A broker that lives on our prices: it fills on them, and corporate actions must be brought to it."""

    @property
    def at_rest(self) -> bool:
        """Whether nothing in its book waits for prices, as far as it remembers. It saves time and decides nothing."""

    async def open_account(self, account_id: AccountId, cash: Money) -> None:
        """Open an account with this cash; again with the same name changes nothing."""

    async def bars_closed(self, moment: Moment, bars: Sequence[Bar]) -> bool:
        """Fill what these bars of a session fill, and end the contracts whose last day it was; returns whether the book changed on them.

        Hearing them again changes nothing.
        """

    async def action_effective(self, action: CorporateActionAnnounced) -> None:
        """Split positions and working orders. Hearing it again changes nothing."""

    async def assign(
        self, account_id: AccountId, option: InstrumentId, underlying: InstrumentId, contracts: Quantity, at: datetime, told_as: str
    ) -> None:
        """Let somebody exercise contracts that an account has sold, before their end; told again under the same id it changes nothing.

        told_as: the id that its execution gets. Raises ValueError where the account has sold fewer.
        """

    async def actions_applied(self) -> frozenset[UUID]:
        """Which corporate actions its book has followed."""

    async def book(self) -> "VenueBook":
        """Everything the venue remembers, for checks."""


@dataclass(frozen=True, slots=True)
class VenueBook:
    """Counts of a venue's own book: the independent side of every check."""

    orders: int
    duplicate_orders: int
    executions: int
