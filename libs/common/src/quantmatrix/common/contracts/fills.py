"""The `fills` family, said by execution: executions at a broker, their corrections, and execution's watermarks."""

from datetime import date

import msgspec

from quantmatrix.common.contracts.lots import NamedLotPart, nothing
from quantmatrix.common.contracts.message import AccountToken, Instant, Message, Watermark
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import ContractEnding, FillId, OrderId, Side, UserId
from quantmatrix.common.values import Money, Price, Quantity


class _Fill(Message, frozen=True, kw_only=True):
    """session: the exchange date the execution belongs to; executed_at: its instant (UTC); quantity is above zero.

    fee_in_kind: units of the instrument itself that went to the venue. lots: all that were named with the order.
    """

    OWNER = "execution"
    FAMILY = "fills"
    KEY = "fills.{m.account_id}"

    fill_id: FillId
    execution_id: str
    order_id: OrderId
    client_ref: str
    user_id: UserId
    account_id: AccountToken
    instrument: Instrument
    side: Side
    quantity: Quantity
    price: Price
    fee: Money
    session: date
    executed_at: Instant
    triggered_by: str
    fee_in_kind: Quantity = msgspec.field(default_factory=nothing)
    lots: tuple[NamedLotPart, ...] = msgspec.field(default_factory=tuple)


class OrderFilled(_Fill, frozen=True, kw_only=True, tag="OrderFilled"):
    """One execution at the broker. `leaves` is what is left of the order after it."""

    SUBJECT = "fills.filled.{m.account_id}"

    leaves: Quantity


class FillCorrected(_Fill, frozen=True, kw_only=True, tag="FillCorrected"):
    """The broker replaced execution `corrects` by this one; a quantity of zero means it was busted."""

    SUBJECT = "fills.corrected.{m.account_id}"

    corrects: FillId
    leaves: Quantity


class OptionEnded(Message, frozen=True, kw_only=True, tag="OptionEnded"):
    """Option contracts were exercised, assigned or settled at the broker, or they expired; nobody ordered it.

    contracts is above zero; side: of the trade that would have closed them, at `price` each (zero but for a settlement). shares of the
    underlying, zero for none, change hands on share_side for `paid` in all, a hundred times the strike for each contract. fee: what the
    broker took. triggered_by: who opened the contracts last.
    """

    OWNER = "execution"
    FAMILY = "fills"
    SUBJECT = "fills.ended.{m.account_id}"
    KEY = "fills.{m.account_id}"

    end_id: FillId
    execution_id: str
    user_id: UserId
    account_id: AccountToken
    how: ContractEnding
    option: Instrument
    underlying: Instrument
    contracts: Quantity
    side: Side
    price: Price
    shares: Quantity
    share_side: Side
    strike: Price
    paid: Money
    fee: Money
    session: date
    ended_at: Instant
    triggered_by: str


class _ExecutionWatermark(Watermark, frozen=True, kw_only=True):
    OWNER = "execution"
    FAMILY = "fills"
    KEY = "fills.watermark.{m.calendar}"


class MatchedWatermark(_ExecutionWatermark, frozen=True, kw_only=True, tag="MatchedWatermark"):
    """What brokers filled on this moment's prices has been said. Left out where the moment is settled on the same page."""

    SUBJECT = "fills.watermark.{m.calendar}.matched"


class SettledWatermark(_ExecutionWatermark, frozen=True, kw_only=True, tag="SettledWatermark"):
    """The orders decided on this moment are at their brokers, and every answer has been said."""

    SUBJECT = "fills.watermark.{m.calendar}.settled"
