"""One example of every message, each field filled in: what golden files are written from, and a start for a test's own messages.

Change what a test is about with `msgspec.structs.replace(EXAMPLES[OrderFilled], quantity=…)`, or `like(OrderFilled, quantity=…)`.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar, cast

import msgspec

from quantmatrix.common.contracts import commands, fills, notifications, orders, parked, portfolio, prices, signals
from quantmatrix.common.contracts.message import Head, Message
from quantmatrix.common.ids import derived_id, short_token
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import (
    AccountId,
    ActionId,
    ActionKind,
    AssetClass,
    ClosingId,
    ContractEnding,
    FillId,
    InstrumentId,
    LotId,
    NotificationId,
    OrderId,
    OrderState,
    OrderType,
    Priority,
    RunAct,
    RunId,
    RunState,
    SessionPhase,
    Side,
    SignalId,
    SignalKind,
    TimeInForce,
    TradingState,
    UserId,
)
from quantmatrix.common.values import Money, Price, Quantity

M = TypeVar("M", bound=Message)

SESSION = date(2024, 3, 5)
OPENED_AT = datetime(2024, 3, 5, 14, 30, tzinfo=UTC)
CLOSED_AT = datetime(2024, 3, 5, 21, 0, tzinfo=UTC)
USER = UserId(derived_id("example", "user"))
ACCOUNT = AccountId("PAPER-1")
INSTRUMENT = Instrument(InstrumentId("XNYS-ABC"), "ABC", AssetClass.STOCK, "USD", Quantity(1))
CALENDAR, TIMEFRAME = "XNYS", "1d"


def an_id(what: str) -> Any:
    """An id for an example, always the same one."""
    return derived_id("example", what)


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def _head(name: str) -> Head:
    return Head(message_id=an_id(name), caused_by=an_id("cause"), occurred_at=CLOSED_AT, trace=an_id("trace"))


def _with_head(message: M) -> M:
    return msgspec.structs.replace(message, head=_head(type(message).__name__))


_ORDER: dict[str, Any] = {
    "user_id": USER,
    "account_id": ACCOUNT,
    "order_id": OrderId(an_id("order")),
    "client_ref": short_token("example", "order"),
    "instrument": INSTRUMENT,
    "side": Side.BUY,
    "quantity": Quantity(100),
    "filled": Quantity(0),
    "order_type": OrderType.LIMIT,
    "time_in_force": TimeInForce.DAY,
    "limit_price": Price(Decimal("10.25")),
    "stop_price": Price(Decimal("9.5")),
    "triggered_by": "atr_matrix",
    "session": SESSION,
    "broker_order_id": "B-17",
}
_FILL: dict[str, Any] = {
    "execution_id": "E-31",
    "order_id": OrderId(an_id("order")),
    "client_ref": short_token("example", "order"),
    "user_id": USER,
    "account_id": ACCOUNT,
    "instrument": INSTRUMENT,
    "side": Side.BUY,
    "price": Price(Decimal("10.2")),
    "fee": usd("1.00"),
    "session": SESSION,
    "executed_at": OPENED_AT,
    "triggered_by": "atr_matrix",
    "leaves": Quantity(60),
}
_WATERMARK: dict[str, Any] = {"calendar": CALENDAR, "timeframe": TIMEFRAME, "session": SESSION, "moment": CLOSED_AT}
_LEDGER: dict[str, Any] = {"user_id": USER, "account_id": ACCOUNT}
_LOT: dict[str, Any] = {**_LEDGER, "lot_id": LotId(an_id("lot")), "instrument": INSTRUMENT}
_COMMAND: dict[str, Any] = {"command_id": an_id("command"), "user_id": USER, "account_id": ACCOUNT}
_RUN: dict[str, Any] = {"run_id": RunId(an_id("run")), "user_id": USER, "account_id": ACCOUNT, "strategy": "atr_matrix"}
_NOTIFICATION: dict[str, Any] = {"notification_id": NotificationId(an_id("notification")), "user_id": USER}

_BAR = prices.Bar(
    instrument_id=INSTRUMENT.instrument_id,
    symbol="ABC",
    currency="USD",
    open=Price(Decimal("10.2")),
    high=Price(Decimal("10.75")),
    low=Price(Decimal("10.01")),
    close=Price(Decimal("10.5")),
    volume=Quantity(1_250_000),
)

_PRICES: tuple[Message, ...] = (
    prices.InstrumentListed(
        instrument=INSTRUMENT,
        name="ABC Corporation",
        calendar=CALENDAR,
        tick_size=Price(Decimal("0.01")),
        lot_size=Quantity(1),
        valid_from=date(2000, 1, 3),
    ),
    prices.CorporateActionAnnounced(
        action_id=ActionId(an_id("action")),
        kind=ActionKind.SPLIT,
        instrument=INSTRUMENT,
        calendar=CALENDAR,
        effective=SESSION,
        numerator=2,
        denominator=1,
        amount=Price(Decimal("0.24")),
        derived=True,
        source="example",
    ),
    prices.BarsClosed(
        calendar=CALENDAR,
        timeframe=TIMEFRAME,
        session=SESSION,
        opened_at=OPENED_AT,
        closed_at=CLOSED_AT,
        part=1,
        parts=1,
        bars=(_BAR,),
    ),
    prices.QuoteChanged(instrument=INSTRUMENT, bid=Price(Decimal("10.49")), ask=Price(Decimal("10.51")), last=Price(Decimal("10.5"))),
    prices.SessionPhaseChanged(
        calendar=CALENDAR,
        phase=SessionPhase.OPEN,
        session=SESSION,
        opens_at=OPENED_AT,
        closes_at=CLOSED_AT,
        early_close=False,
    ),
    prices.DataQualityAlerted(instrument=INSTRUMENT, session=SESSION, code="PRICE_JUMP", detail="10.5 after 102"),
    prices.PricesWatermark(**_WATERMARK, covers={"market/prices.instrument.XNYS-ABC": 1}),
)

_SIGNALS: tuple[Message, ...] = (
    signals.SignalRaised(
        signal_id=SignalId(an_id("signal")),
        run_id=RunId(an_id("run")),
        user_id=USER,
        account_id=ACCOUNT,
        strategy="atr_matrix",
        triggered_by="atr_matrix",
        instrument=INSTRUMENT,
        kind=SignalKind.ENTRY,
        calendar=CALENDAR,
        session=SESSION,
        decided_at=CLOSED_AT,
        expires_at=CLOSED_AT + timedelta(days=1),
        side=Side.BUY,
        quantity=Quantity(100),
        price=Price(Decimal("10.5")),
        limit=Price(Decimal("10.6")),
        stop=Price(Decimal("9.5")),
        targets=(Price(Decimal("11.5")), Price(Decimal("12.5"))),
        strength=0.75,
        confidence=0.5,
        risk_reward=2.0,
        horizon_days=20,
        reasons=(signals.Reason("ABOVE_SMA50", True, "10.5 is above 10.1", 0.5),),
        metrics={"atr": 0.25},
    ),
    signals.SignalWithdrawn(
        signal_id=SignalId(an_id("signal")),
        run_id=RunId(an_id("run")),
        user_id=USER,
        account_id=ACCOUNT,
        reason="the run was stopped: holiday",
    ),
    signals.SignalsWatermark(**_WATERMARK, covers={"signals/signals.raised.PAPER-1": 4}),
    signals.RunStarted(
        **_RUN, triggered_by="run:atr_matrix:1b2c3d4e", base=usd("10000"), sentence="run atr_matrix on paper, $10000, 20% profit"
    ),
    signals.RunRefused(**_RUN, code="ENVELOPE_EXCEEDS_CASH", detail="10000 USD wanted, 2500 USD of PAPER-1 are free"),
    signals.RunChanged(**_RUN, state=RunState.PAUSED, reason="holiday"),
    signals.RunFunded(
        run_id=RunId(an_id("run")),
        user_id=USER,
        account_id=ACCOUNT,
        strategy="atr_matrix",
        amount=usd("500"),
        base=usd("10500"),
        reason="more room",
    ),
    signals.CycleCompleted(
        **_RUN,
        cycle=1,
        profit=usd("2000"),
        reinvested=usd("1600"),
        reserved=usd("400"),
        base=usd("11600"),
        reserve=usd("400"),
    ),
)

_ORDERS: tuple[Message, ...] = (
    orders.AccountOpened(user_id=USER, account_id=ACCOUNT, broker="paper", currency="USD", cash=usd("100000"), paper=True),
    orders.TradingStateChanged(user_id=USER, account_id=ACCOUNT, state=TradingState.HALTED, reason="asked for"),
    orders.OrderSubmitted(**_ORDER, state=OrderState.SUBMITTING),
    orders.OrderDenied(**_ORDER, state=OrderState.DENIED, code="RISK_NOTIONAL", detail="60000 USD, at most 50000 USD"),
    orders.OrderAccepted(**_ORDER, state=OrderState.ACCEPTED),
    orders.OrderRejected(**_ORDER, state=OrderState.REJECTED, code="VENUE_HALTED", detail="trading is halted"),
    orders.OrderUnknown(**_ORDER, state=OrderState.UNKNOWN, detail="no answer within 10 s"),
    orders.OrderCancelling(**_ORDER, state=OrderState.CANCELLING),
    orders.OrderCancelled(**_ORDER, state=OrderState.CANCELLED, detail="by its owner"),
    orders.OrderExpired(**_ORDER, state=OrderState.EXPIRED),
    orders.OrderAdjusted(**_ORDER, state=OrderState.ACCEPTED, reason="split 2 for 1"),
    orders.BreakFound(
        user_id=USER,
        account_id=ACCOUNT,
        subject_of_break="position XNYS-ABC",
        ours="100",
        theirs="90",
        found_at=CLOSED_AT,
    ),
    orders.BreakResolved(
        user_id=USER,
        account_id=ACCOUNT,
        subject_of_break="position XNYS-ABC",
        resolution="ten shares were moved by hand",
        accepted=True,
        cash=usd("25"),
    ),
)

_FILLS: tuple[Message, ...] = (
    fills.OrderFilled(fill_id=FillId(an_id("fill")), quantity=Quantity(40), **_FILL),
    fills.FillCorrected(fill_id=FillId(an_id("correction")), quantity=Quantity(30), corrects=FillId(an_id("fill")), **_FILL),
    fills.OptionEnded(
        end_id=FillId(an_id("end")),
        execution_id="E2",
        user_id=USER,
        account_id=ACCOUNT,
        how=ContractEnding.ASSIGNMENT,
        option=Instrument(InstrumentId("ABC-P33"), "ABC   240308P00033000", AssetClass.OPTION, "USD", Quantity(100)),
        underlying=INSTRUMENT,
        contracts=Quantity(1),
        side=Side.BUY,
        price=Price(0),
        shares=Quantity(100),
        share_side=Side.BUY,
        strike=Price(33),
        paid=usd("3300"),
        fee=usd("0"),
        session=SESSION,
        ended_at=CLOSED_AT,
        triggered_by="atr_options",
    ),
    fills.MatchedWatermark(**_WATERMARK, covers={"execution/fills.PAPER-1": 2}),
    fills.SettledWatermark(**_WATERMARK, covers={"execution/orders.PAPER-1": 3}),
)

_PORTFOLIO: tuple[Message, ...] = (
    portfolio.LotOpened(
        **_LOT,
        fill_id=FillId(an_id("fill")),
        quantity=Quantity(40),
        basis=usd("409"),
        opened_on=SESSION,
        opened_at=OPENED_AT,
        triggered_by="atr_matrix",
    ),
    portfolio.LotClosed(
        **_LOT,
        closing_id=ClosingId(an_id("closing")),
        fill_id=FillId(an_id("fill")),
        quantity=Quantity(10),
        proceeds=usd("109"),
        basis=usd("102.25"),
        realised=usd("6.75"),
        left=Quantity(30),
        opened_on=SESSION,
        closed_on=date(2024, 3, 6),
        triggered_by="manual",
    ),
    portfolio.LotAdjusted(
        **_LOT, action_id=ActionId(an_id("action")), quantity_before=Quantity(30), quantity_after=Quantity(60), basis_after=usd("306.75")
    ),
    portfolio.LotChoiceFailed(
        **_LEDGER, fill_id=FillId(an_id("fill")), instrument=INSTRUMENT, reason="lot 5 of ABC has 10 open, named were 20"
    ),
    portfolio.PositionChanged(
        **_LEDGER,
        instrument=INSTRUMENT,
        quantity=Quantity(30),
        basis=usd("306.75"),
        realised=usd("6.75"),
        last_side=Side.SELL,
        last_price=Price(Decimal(11)),
    ),
    portfolio.PortfolioSnapshotTaken(
        **_LEDGER,
        session=SESSION,
        taken_at=CLOSED_AT,
        cash=usd("99700"),
        market_value=usd("315"),
        equity=usd("100015"),
        realised=usd("6.75"),
        unrealised=usd("8.25"),
        positions=1,
    ),
    portfolio.LedgerWatermark(**_WATERMARK, covers={"portfolio/portfolio.PAPER-1": 5}),
)

_PEOPLE: tuple[Message, ...] = (
    notifications.NotificationRaised(
        **_NOTIFICATION, topic="fill", priority=Priority.NORMAL, title="Bought ABC", body="40 at 10.2", about=an_id("fill")
    ),
    notifications.NotificationDelivered(**_NOTIFICATION, channel="inbox", delivered_at=CLOSED_AT),
    notifications.NotificationFailed(**_NOTIFICATION, channel="discord", error="the channel answered 404"),
    commands.PlaceOrder(
        **_COMMAND,
        instrument=INSTRUMENT,
        side=Side.SELL,
        quantity=Quantity(Decimal("2.5")),
        order_type=OrderType.STOP,
        time_in_force=TimeInForce.GTC,
        limit_price=Price(Decimal("10.25")),
        stop_price=Price(Decimal("9.5")),
        triggered_by="manual",
    ),
    commands.CancelOrder(**_COMMAND, order_id=OrderId(an_id("order"))),
    commands.SetTradingState(**_COMMAND, state=TradingState.REDUCING, reason="holiday", cancel_open=True),
    commands.StartRun(
        **_COMMAND,
        run_id=RunId(an_id("run")),
        strategy="atr_matrix",
        capital=usd("10000"),
        parameters={"preset": '"v2"'},
        profit_target="0.2",
        reinvest="0.8",
        sentence="run atr_matrix on paper, $10000, 20% profit, 80% reinvest",
    ),
    commands.ChangeRun(**_COMMAND, run_id=RunId(an_id("run")), act=RunAct.PAUSE, reason="holiday"),
    commands.FundRun(
        command_id=an_id("fund run"),
        user_id=USER,
        account_id=ACCOUNT,
        run_id=RunId(an_id("run")),
        amount=usd("500"),
        reason="more room",
    ),
    commands.ResolveBreak(**_COMMAND, break_id=derived_id("break"), reason="ten shares were moved by hand"),
    parked.MessageParked(
        service="portfolio",
        parked_id=1,
        subject_of_message="fills.filled.PAPER-1",
        error="malformed: expected a decimal as a string",
        stopped_key="execution/fills.PAPER-1",
    ),
)

EXAMPLES: dict[type[Message], Message] = {
    type(message): _with_head(message) for message in (*_PRICES, *_SIGNALS, *_ORDERS, *_FILLS, *_PORTFOLIO, *_PEOPLE)
}


def like(message: type[M], **changes: Any) -> M:
    """The example of this type with some fields changed."""
    return cast(M, msgspec.structs.replace(EXAMPLES[message], **changes))
