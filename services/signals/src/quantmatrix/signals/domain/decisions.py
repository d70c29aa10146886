"""What a strategy is shown, and what it may decide: plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from quantmatrix.common.names import InstrumentId, Side, SignalKind, TradingState
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.memory import NOTHING_KEPT, Memory
from quantmatrix.signals.domain.options.choosing import OptionQuote


@dataclass(frozen=True, slots=True)
class Holding:
    """What a run holds of one instrument since it was last flat. stop_level is on the forward-adjusted series.

    quantity: below zero what was sold without being held. cost: what was paid for what is left, fees of the purchases included; of
    what was sold what it brought, below zero; None for nothing.
    """

    quantity: Quantity
    initial: Quantity
    stop_level: float | None = None
    levels_done: frozenset[int] = frozenset()
    cost: Money | None = None


FLAT = Holding(Quantity(0), Quantity(0))


@dataclass(frozen=True, slots=True)
class Portfolio:
    """All of a run, for strategies that spread capital over instruments: the symbol at hand, what the others are worth.

    base: the capital the run was given; values and prices by symbol, at the latest raw closes, of all that has one.
    """

    symbol: str
    base: Money
    cash: Money
    values: Mapping[str, Money]
    prices: Mapping[str, Price]


@dataclass(frozen=True, slots=True)
class Leg:
    """An option on the instrument at hand that the run holds or has ordered. quote: its market today, None without one."""

    instrument_id: InstrumentId
    symbol: str
    multiplier: Quantity
    holding: Holding
    pending: bool
    quote: OptionQuote | None


@dataclass(frozen=True, slots=True)
class Options:
    """The options on the instrument at hand: all that are quoted in this session, and those that the run is concerned with."""

    session: date
    chain: Sequence[OptionQuote]
    legs: Sequence[Leg]


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a decision may depend on: this bar's columns and the run's own state. No clock, no other instrument.

    row: the strategy's columns on the latest bar, null where history is too short. close: today's raw price.
    pending: whether an order of this run for this instrument is under way. portfolio: only for strategies whose catalogue
    entry says that they see it. options: only for strategies that trade them. at: when the bar closed (UTC), and memory: what
    the strategy kept of this instrument; both only for strategies that remember. filled_at: the latest fill of the run in any
    instrument, as memory counts it, for them too. trading: what the account may do; in a backtest everything.
    """

    row: Mapping[str, float | None]
    close: Price
    holding: Holding
    pending: bool
    equity: Money
    door: Door
    portfolio: Portfolio | None = None
    at: datetime | None = None
    memory: Memory = NOTHING_KEPT
    options: Options | None = None
    filled_at: datetime | None = None
    trading: TradingState = TradingState.ACTIVE


class Because(NamedTuple):
    """One condition that was looked at, and whether it held."""

    code: str
    met: bool
    text: str
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing to do or to tell. Prices are today's raw prices; stop_level is kept for the series.

    instrument: what to trade, None for the one whose bar is decided on. limit: the worst price to fill at, None for any.
    """

    kind: SignalKind
    strength: float
    confidence: float
    valid_for: timedelta
    reasons: tuple[Because, ...]
    side: Side | None = None
    quantity: Quantity | None = None
    stop: Price | None = None
    stop_level: float | None = None
    targets: tuple[Price, ...] = ()
    risk_reward: float | None = None
    horizon_days: int | None = None
    level: int | None = None
    instrument: InstrumentId | None = None
    limit: Price | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def trades(self) -> bool:
        return self.side is not None and self.quantity is not None
