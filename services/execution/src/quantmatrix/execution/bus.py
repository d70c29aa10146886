"""Execution's face towards NATS. What it says stands in `contracts/orders.py` and `contracts/fills.py`."""

from collections.abc import Callable, Coroutine
from typing import Any

from quantmatrix.common.contracts.asking.assignments import AssignmentBookingAsked
from quantmatrix.common.contracts.asking.days import OrdersBehindAsked
from quantmatrix.common.contracts.asking.execution import AccountsAsked, BooksAsked, BreaksAsked, FillsAsked, OrderPreviewAsked, OrdersAsked
from quantmatrix.common.contracts.asking.ledger import LedgerDigestAsked
from quantmatrix.common.contracts.commands import CancelOrder, PlaceOrder, ResolveBreak, SetTradingState
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.contracts.signals import SignalRaised, SignalsWatermark, SignalWithdrawn
from quantmatrix.common.runtime import hearing
from quantmatrix.common.runtime.hearing import Bus, Does, Hears
from quantmatrix.execution.answers import Answers
from quantmatrix.execution.assigning import Assigning
from quantmatrix.execution.handlers import Handlers


def bus(handlers: Handlers, answers: Answers, assigning: Assigning, background: tuple[Callable[[], Coroutine[Any, Any, None]], ...]) -> Bus:
    """The table of contents."""
    return Bus(
        hears=(
            Hears(InstrumentListed, handlers.instrument_listed),
            Hears(CorporateActionAnnounced, handlers.action_announced, when=handlers.may_apply),
            Hears(BarsClosed, handlers.bars_closed, patience_s=handlers.patience_with_bars),
            Hears(PricesWatermark, handlers.prices_reached, patience_s=handlers.patience_with_watermark),
            Hears(SignalRaised, handlers.signal_raised, when=handlers.may_act_on),
            Hears(SignalWithdrawn, handlers.signal_withdrawn),
            Hears(SignalsWatermark, handlers.decisions_reached, when=handlers.may_settle),
            Hears(PlaceOrder, handlers.place_order),
            Hears(CancelOrder, handlers.cancel_order),
            Hears(SetTradingState, handlers.set_trading_state),
            Hears(ResolveBreak, handlers.resolve_break),
        ),
        answers=(
            hearing.Answers(AccountsAsked, answers.accounts),
            hearing.Answers(OrdersAsked, answers.orders),
            hearing.Answers(FillsAsked, answers.fills),
            hearing.Answers(OrdersBehindAsked, answers.orders_behind),
            hearing.Answers(BooksAsked, answers.books),
            hearing.Answers(BreaksAsked, answers.breaks),
            hearing.Answers(OrderPreviewAsked, answers.preview),
            hearing.Answers(LedgerDigestAsked, answers.ledger_digest),
        ),
        does=(Does(AssignmentBookingAsked, assigning.book),),
        background=background,
    )
