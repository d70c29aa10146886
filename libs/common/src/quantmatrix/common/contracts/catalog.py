"""Every message there is, once: the table from which codecs, documents and tests are made."""

from quantmatrix.common.contracts import commands, fills, notifications, orders, parked, portfolio, prices, signals
from quantmatrix.common.contracts.message import Message

MESSAGES: tuple[type[Message], ...] = (
    prices.InstrumentListed,
    prices.CorporateActionAnnounced,
    prices.BarsClosed,
    prices.QuoteChanged,
    prices.SessionPhaseChanged,
    prices.DataQualityAlerted,
    prices.PricesWatermark,
    signals.SignalRaised,
    signals.SignalsWatermark,
    signals.RunStarted,
    signals.RunRefused,
    signals.RunChanged,
    signals.CycleCompleted,
    orders.AccountOpened,
    orders.TradingStateChanged,
    orders.OrderSubmitted,
    orders.OrderDenied,
    orders.OrderAccepted,
    orders.OrderRejected,
    orders.OrderUnknown,
    orders.OrderCancelling,
    orders.OrderCancelled,
    orders.OrderExpired,
    orders.OrderAdjusted,
    orders.BreakFound,
    orders.BreakResolved,
    fills.OrderFilled,
    fills.FillCorrected,
    fills.MatchedWatermark,
    fills.SettledWatermark,
    portfolio.LotOpened,
    portfolio.LotClosed,
    portfolio.LotAdjusted,
    portfolio.LotChoiceFailed,
    portfolio.PositionChanged,
    portfolio.PortfolioSnapshotTaken,
    portfolio.LedgerWatermark,
    notifications.NotificationRaised,
    notifications.NotificationDelivered,
    notifications.NotificationFailed,
    commands.PlaceOrder,
    commands.CancelOrder,
    commands.SetTradingState,
    commands.StartRun,
    commands.ChangeRun,
    commands.ResolveBreak,
    parked.MessageParked,
)

BY_TYPE: dict[str, type[Message]] = {message.__name__: message for message in MESSAGES}
EPHEMERAL: frozenset[type[Message]] = frozenset({prices.QuoteChanged})
"""Said on the bus only: never stored, never numbered."""
