"""The words for each message that people are told of: its topic, how urgent it is, a title and a sentence or two."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quantmatrix.common.contracts.fills import FillCorrected, OptionEnded, OrderFilled
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.orders import (
    BreakFound,
    BreakResolved,
    OrderDenied,
    OrderRejected,
    OrderUnknown,
    TradingStateChanged,
)
from quantmatrix.common.contracts.parked import MessageParked
from quantmatrix.common.contracts.portfolio import LotChoiceFailed
from quantmatrix.common.contracts.signals import CycleCompleted, RunChanged, RunFunded, RunRefused, SignalRaised
from quantmatrix.common.names import ContractEnding, Priority, Side, SignalKind, TradingState
from quantmatrix.common.values import notional
from quantmatrix.notify.domain.telling import Room, Tone
from quantmatrix.notify.signal_fields import fields_of, room_of, tone_of

ERROR_LENGTH_MAX = 400
_DONE = {Side.BUY: "Bought", Side.SELL: "Sold"}
_DO = {Side.BUY: "buy", Side.SELL: "sell"}
_ENDINGS = {
    ContractEnding.EXERCISE: "Exercised",
    ContractEnding.ASSIGNMENT: "Assigned",
    ContractEnding.EXPIRY: "Expired",
    ContractEnding.SETTLEMENT: "Settled",
}
_SIGNAL_WORDS = {
    SignalKind.ENTRY: "Entry",
    SignalKind.SCALE_OUT: "Scale-out",
    SignalKind.EXIT: "Exit",
    SignalKind.STOP_LOSS: "Stop",
    SignalKind.TAKE_PROFIT: "Take profit",
    SignalKind.ALERT: "Alert",
    SignalKind.RISK_WARNING: "Risk warning",
}
_URGENT = (SignalKind.EXIT, SignalKind.STOP_LOSS, SignalKind.RISK_WARNING)


@dataclass(frozen=True, slots=True)
class Words:
    """What stands in a notification, and in which room it belongs."""

    topic: str
    priority: Priority
    title: str
    body: str
    room: Room
    tone: Tone | None = None
    fields: tuple[tuple[str, str], ...] = ()


def _signal_raised(signal: SignalRaised) -> Words:
    size = f" {_DO[signal.side]} {signal.quantity}" if signal.side and signal.quantity else ""
    price = f" at {signal.price}" if signal.price else ""
    reasons = "; ".join(reason.text for reason in signal.reasons if reason.met)
    stop = f" Stop {signal.stop}." if signal.stop else ""
    targets = f" Targets {', '.join(map(str, signal.targets))}." if signal.targets else ""
    return Words(
        "signal",
        Priority.HIGH if signal.kind in _URGENT else Priority.NORMAL,
        f"{_SIGNAL_WORDS[signal.kind]} {signal.instrument.symbol}:{size}{price}",
        f"{signal.strategy}, strength {signal.strength:g}. {reasons}.{stop}{targets}",
        room_of(signal.kind),
        tone_of(signal),
        (("Symbol", signal.instrument.symbol), *fields_of(signal)),
    )


def _run_refused(refused: RunRefused) -> Words:
    title, nothing = f"No run of {refused.strategy}", "Nothing was started"
    if refused.what == "capital":
        title, nothing = f"The capital of {refused.strategy} stays as it is", "Nothing was moved"
    return Words(
        "run", Priority.HIGH, title, f"{refused.code}: {refused.detail}. {nothing} on account {refused.account_id}.", Room.SYSTEM_STATUS
    )


def _run_changed(changed: RunChanged) -> Words:
    title = f"The run of {changed.strategy} is {changed.state}"
    return Words("run", Priority.NORMAL, title, f"{changed.reason}. Account {changed.account_id}.", Room.SYSTEM_STATUS)


def _run_funded(funded: RunFunded) -> Words:
    body = f"{funded.amount}: {funded.reason}. Its capital is {funded.base}. Account {funded.account_id}."
    return Words("run", Priority.NORMAL, f"The capital of {funded.strategy} was changed", body, Room.PORTFOLIO_DIGEST)


def _cycle_completed(done: CycleCompleted) -> Words:
    moved = f"{done.reinvested} join the capital, {done.reserved} are put aside"
    body = f"Profit {done.profit}: {moved}. Capital {done.base}, put aside {done.reserve}. Account {done.account_id}."
    return Words("run", Priority.NORMAL, f"Cycle {done.cycle} of {done.strategy} is complete", body, Room.PORTFOLIO_DIGEST)


def _order_filled(fill: OrderFilled) -> Words:
    rest = f", {fill.leaves} left" if fill.leaves else ""
    return Words(
        "fill",
        Priority.NORMAL,
        f"{_DONE[fill.side]} {fill.quantity} {fill.instrument.symbol} at {fill.price}",
        f"{fill.session}, fee {fill.fee}{rest}. Account {fill.account_id}, triggered by {fill.triggered_by}.",
        Room.PORTFOLIO_DIGEST,
        fields=(
            ("Side", str(fill.side)),
            ("Quantity", str(fill.quantity)),
            ("Price", str(fill.price)),
            ("Total", str(notional(fill.price, fill.quantity, fill.instrument.multiplier, fill.instrument.currency))),
            ("Strategy", fill.triggered_by),
        ),
    )


def _fill_corrected(fill: FillCorrected) -> Words:
    what = f"now {fill.quantity} at {fill.price}" if fill.quantity else "taken back"
    return Words(
        "fill",
        Priority.HIGH,
        f"Execution of {fill.instrument.symbol} corrected: {what}",
        f"{fill.session}, account {fill.account_id}. Lots and cash were booked again.",
        Room.PORTFOLIO_DIGEST,
    )


def _option_ended(ended: OptionEnded) -> Words:
    words = _ENDINGS[ended.how]
    what = f"{ended.contracts} {ended.option.symbol}"
    if not ended.shares:
        price = f" at {ended.price}" if ended.price else ""
        title, more = f"{words}: {what}{price}", f"fee {ended.fee}"
    else:
        plain = notional(ended.strike, ended.shares, ended.underlying.multiplier, ended.paid.currency) == ended.paid
        price = f"at {ended.strike}" if plain else f"for {ended.paid}"  # of an adjusted contract the strike is not what a share costs
        title = f"{words}: {ended.shares} shares of {ended.underlying.symbol} {_DONE[ended.share_side].lower()} {price}"
        more = f"{what}, {ended.paid} in all, fee {ended.fee}"
    urgent = Priority.NORMAL if ended.how is ContractEnding.EXPIRY else Priority.HIGH
    return Words(
        "fill",
        urgent,
        title,
        f"{ended.session}, {more}. Account {ended.account_id}, opened by {ended.triggered_by}.",
        Room.PORTFOLIO_DIGEST,
    )


def _order_refused(order: OrderDenied | OrderRejected) -> Words:
    who = "Denied" if isinstance(order, OrderDenied) else "Rejected by the broker"
    return Words(
        "order",
        Priority.HIGH,
        f"{who}: {_DO[order.side]} {order.quantity} {order.instrument.symbol}",
        f"{order.code}: {order.detail}. Triggered by {order.triggered_by}.",
        Room.ALERTS,
    )


def _order_unknown(order: OrderUnknown) -> Words:
    return Words(
        "order",
        Priority.CRITICAL,
        f"No answer: {_DO[order.side]} {order.quantity} {order.instrument.symbol}",
        f"The broker has not said whether it took the order {order.client_ref}. It is being asked; nothing is sent again meanwhile.",
        Room.ALERTS,
    )


def _lot_choice_failed(failed: LotChoiceFailed) -> Words:
    return Words(
        "fill",
        Priority.HIGH,
        f"Other lots of {failed.instrument.symbol} than named",
        f"{failed.reason}. The account's own method chose instead; see the closings of {failed.account_id}.",
        Room.PORTFOLIO_DIGEST,
    )


def _break_found(found: BreakFound) -> Words:
    return Words(
        "order",
        Priority.CRITICAL,
        f"Books differ: {found.subject_of_break}",
        f"Ours {found.ours}, the broker's {found.theirs}. Account {found.account_id} opens no new risk until this is settled.",
        Room.SYSTEM_STATUS,
    )


def _break_resolved(resolved: BreakResolved) -> Words:
    return Words(
        "order",
        Priority.NORMAL,
        f"{'Difference accepted' if resolved.accepted else 'Books agree again'}: {resolved.subject_of_break}",
        f"{resolved.resolution}. Account {resolved.account_id}.",
        Room.SYSTEM_STATUS,
    )


def _trading_state_changed(changed: TradingStateChanged) -> Words:
    priority = Priority.NORMAL if changed.state is TradingState.ACTIVE else Priority.CRITICAL
    return Words("system", priority, f"Account {changed.account_id} is {changed.state}", changed.reason, Room.ALERTS)


def _message_parked(parked: MessageParked) -> Words:
    stands = f"{parked.stopped_key} stands still until somebody decides." if parked.stopped_key else "Everything else goes on."
    return Words(
        "system",
        Priority.CRITICAL,
        f"{parked.service} put a message aside",
        f"{parked.subject_of_message}: {parked.error[:ERROR_LENGTH_MAX]}. {stands} See 'qm parked'.",
        Room.SYSTEM_STATUS,
    )


WORDS: Mapping[type[Message], Callable[[Any], Words]] = {
    SignalRaised: _signal_raised,
    RunRefused: _run_refused,
    RunChanged: _run_changed,
    RunFunded: _run_funded,
    CycleCompleted: _cycle_completed,
    OrderFilled: _order_filled,
    FillCorrected: _fill_corrected,
    OptionEnded: _option_ended,
    OrderDenied: _order_refused,
    OrderRejected: _order_refused,
    OrderUnknown: _order_unknown,
    LotChoiceFailed: _lot_choice_failed,
    BreakFound: _break_found,
    BreakResolved: _break_resolved,
    TradingStateChanged: _trading_state_changed,
    MessageParked: _message_parked,
}
"""Every message that people are told of."""
