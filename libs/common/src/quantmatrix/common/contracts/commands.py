"""The `commands` family, said by the gateway: what people ask services to do. Imperative, idempotent by command id."""

from typing import Annotated
from uuid import UUID

import msgspec

from quantmatrix.common.contracts.lots import NamedLotPart
from quantmatrix.common.contracts.message import AccountToken, Message
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import OrderId, OrderType, RunAct, RunId, Side, TimeInForce, TradingState, UserId
from quantmatrix.common.values import Money, Price, Quantity


class _Command(Message, frozen=True, kw_only=True):
    OWNER = "gateway"
    FAMILY = "commands"

    command_id: UUID
    user_id: UserId


class PlaceOrder(_Command, frozen=True, kw_only=True, tag="PlaceOrder"):
    """Turn this into an order, if risk allows it. lots: those of the portfolio that its fills use up, whole units of it."""

    SUBJECT = "commands.execution.place.{m.account_id}"
    KEY = "commands.execution.{m.account_id}"

    account_id: AccountToken
    instrument: Instrument
    side: Side
    quantity: Quantity
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Price | None = None
    stop_price: Price | None = None
    triggered_by: Annotated[str, msgspec.Meta(max_length=80)] = "manual"
    lots: tuple[NamedLotPart, ...] = msgspec.field(default_factory=tuple)


class CancelOrder(_Command, frozen=True, kw_only=True, tag="CancelOrder"):
    """Ask the broker not to fill the rest of an order."""

    SUBJECT = "commands.execution.cancel.{m.account_id}"
    KEY = "commands.execution.{m.account_id}"

    account_id: AccountToken
    order_id: OrderId


class SetTradingState(_Command, frozen=True, kw_only=True, tag="SetTradingState"):
    """Let an account trade, only reduce, or stop; cancel_open: and ask the broker to cancel whatever is open."""

    SUBJECT = "commands.execution.state.{m.account_id}"
    KEY = "commands.execution.{m.account_id}"

    account_id: AccountToken
    state: TradingState
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
    cancel_open: bool = False


class StartRun(_Command, frozen=True, kw_only=True, tag="StartRun"):
    """Let a strategy decide for an account, with a capital of its own.

    parameters: JSON by name, what is left out as the strategy has it. profit_target and reinvest: fractions as decimals
    (0.2, 0.8); none for a run without cycles. sentence: the words that a person confirmed.
    """

    SUBJECT = "commands.signals.start_run.{m.account_id}"
    KEY = "commands.signals.{m.account_id}"

    account_id: AccountToken
    run_id: RunId
    strategy: Annotated[str, msgspec.Meta(max_length=80)]
    capital: Money
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    profit_target: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    reinvest: Annotated[str, msgspec.Meta(max_length=20)] | None = None
    sentence: Annotated[str, msgspec.Meta(max_length=400)] = ""


class ChangeRun(_Command, frozen=True, kw_only=True, tag="ChangeRun"):
    """Pause, resume or stop a run."""

    SUBJECT = "commands.signals.change_run.{m.account_id}"
    KEY = "commands.signals.{m.account_id}"

    account_id: AccountToken
    run_id: RunId
    act: RunAct
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]


class FundRun(_Command, frozen=True, kw_only=True, tag="FundRun"):
    """Give a run more of the account's free cash, or take free capital back from it (a negative amount)."""

    SUBJECT = "commands.signals.fund_run.{m.account_id}"
    KEY = "commands.signals.{m.account_id}"

    account_id: AccountToken
    run_id: RunId
    amount: Money
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]


class ResolveBreak(_Command, frozen=True, kw_only=True, tag="ResolveBreak"):
    """Accept a difference between the broker's books and ours as it stands: it stops the account no longer, until it changes."""

    SUBJECT = "commands.execution.resolve.{m.account_id}"
    KEY = "commands.execution.{m.account_id}"

    account_id: AccountToken
    break_id: UUID
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
