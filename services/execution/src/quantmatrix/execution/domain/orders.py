"""Intents and orders as values."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from quantmatrix.common.ids import derived_id, short_token
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, FillId, InstrumentId, LotId, OrderId, OrderState, OrderType, Side, TimeInForce, UserId
from quantmatrix.common.option_ends import ContractEnd
from quantmatrix.common.values import Money, Price, Quantity

CLIENT_REF_LENGTH = 20
NamedLots = tuple[tuple[LotId, Quantity], ...]
"""Lots of the portfolio that a person picked for an order, with units above zero: they travel with it to its fills."""


@dataclass(frozen=True, slots=True)
class Intent:
    """Somebody's wish to trade, before risk has looked at it. wanted_at: event time; price: what the wish was based on."""

    intent_id: UUID
    order_id: OrderId
    user_id: UserId
    account_id: AccountId
    instrument: Instrument
    side: Side
    quantity: Quantity
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Price | None
    stop_price: Price | None
    price: Price | None
    triggered_by: str
    wanted_at: datetime
    expires_at: datetime | None
    session: date
    lots: NamedLots = ()


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is stored. last_event: the message that told of its latest change. cancel_asked_at: event time of a wish to
    cancel that the broker has not refused; it outlives the state, so that an order in doubt is cancelled once it is found.
    """

    order_id: OrderId
    account_id: AccountId
    user_id: UserId
    client_ref: str
    intent_id: UUID
    broker_order_id: str
    instrument: Instrument
    side: Side
    quantity: Quantity
    filled: Quantity
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Price | None
    stop_price: Price | None
    reference_price: Price | None
    state: OrderState
    code: str | None
    detail: str | None
    triggered_by: str
    session: date
    created_at: datetime
    last_event: UUID | None
    trace: UUID | None
    version: int
    cancel_asked_at: datetime | None = None
    lots: NamedLots = ()

    @property
    def leaves(self) -> Quantity:
        """What is not filled yet; never below zero, also when the broker filled too much."""
        return max(self.quantity - self.filled, Quantity(0))

    @classmethod
    def made_of(cls, intent: Intent, state: OrderState, trace: UUID, *, reference_price: Price | None = None) -> "Order":
        """A new order that nobody has been told of yet: its version counts its events and is 0."""
        return cls(
            order_id=intent.order_id,
            account_id=intent.account_id,
            user_id=intent.user_id,
            client_ref=client_ref_of(intent.order_id),
            intent_id=intent.intent_id,
            broker_order_id="",
            instrument=intent.instrument,
            side=intent.side,
            quantity=intent.quantity,
            filled=Quantity(0),
            order_type=intent.order_type,
            time_in_force=intent.time_in_force,
            limit_price=intent.limit_price,
            stop_price=intent.stop_price,
            reference_price=reference_price,
            state=state,
            code=None,
            detail=None,
            triggered_by=intent.triggered_by,
            session=intent.session,
            created_at=intent.wanted_at,
            last_event=None,
            trace=trace,
            version=0,
            lots=intent.lots,
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """What option contracts that ended were, and what became of them. A broker reports it among the executions, without an order."""

    option: InstrumentId
    underlying: InstrumentId
    strike: Price
    end: ContractEnd


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution as a broker reports it; `execution_id` is the broker's, unique within the account.

    ended: of contracts that ended: side, quantity and price are then those of the trade that would have closed them.
    """

    execution_id: str
    client_ref: str
    broker_order_id: str
    side: Side
    quantity: Quantity
    price: Price
    fee: Money
    session: date
    executed_at: datetime
    corrects: str | None = None
    ended: Ended | None = None


def client_ref_of(order_id: OrderId) -> str:
    """The reference every broker can carry: 20 characters of 0-9 and A-Z, the same for every sending of this order."""
    return short_token("client-ref", order_id, length=CLIENT_REF_LENGTH)


def fill_of(account_id: AccountId, execution_id: str) -> FillId:
    """The id of a broker's execution, the same however often it is reported."""
    return FillId(derived_id("fill", account_id, execution_id))
