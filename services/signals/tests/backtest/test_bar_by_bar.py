"""The column path against a run that knows one bar more each day, as the service does: the same trades, for every strategy."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from services.signals.tests.backtest.making import history

from quantmatrix.common.names import Side
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.app import strategies_in_slot
from quantmatrix.signals.backtest.history import History, PastBar
from quantmatrix.signals.backtest.rules import Commission
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.domain.decisions import FLAT, Decision, Holding, Portfolio, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.memory import NOTHING_KEPT, Memory, Track
from quantmatrix.signals.domain.series import RawBar, Series
from quantmatrix.signals.ports import Remembers, Strategy
from quantmatrix.signals.strategies._exits import make_strategy

CASH = Money(100_000, "USD")
EXITS: dict[str, dict[str, Any]] = {
    "moving_average_cross": {"fast": 5, "slow": 20, "exits": {"trail_pct": 6, "breakeven_after_pct": 4, "tiers": [3], "days_max": 30}},
    "atr_matrix": {"exits": {"stop_loss_pct": 3, "take_profit_pct": 6}},
    "signal_bot": {
        "exits": {"trail_pct": 5, "weak_rsi": 40},
        "confirmation_min": 2_880,
        "cooldown_min": 10_000,
        "buy_at": 0.16,
        "sell_at": -0.16,
    },
}
"""Exits of the run, and a bot that confirms over bars and cools down over days."""
PARAMETERS: dict[str, dict[str, Any]] = {
    "dca_conservative": {"weights": {"AAPL": 1.0}},
    "dca_aggressive": {"weights": {"AAPL": 1.0}, "frequency": "weekly"},
    "moving_average_cross": {"fast": 5, "slow": 20},
}


@pytest.fixture(scope="module")
def apple(reference: Any) -> History:
    bars = []
    for one in reference.bars:
        prices = [Price.parse(f"{getattr(one, name):.2f}") for name in ("open", "high", "low", "close")]
        bars.append(PastBar(one.session, *prices, Quantity(int(one.volume))))
    return history(*bars, symbol="AAPL", splits=reference.splits)


@dataclass
class Live:
    """A run written plainly: one instrument, market orders at the next open, the paper venue's commission."""

    strategy: Strategy
    past: History
    cash: Decimal = CASH.amount
    held: Decimal = Decimal(0)
    initial: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    holding: Holding = FLAT
    memory: Memory = NOTHING_KEPT
    orders: list[Decision] = field(default_factory=list)
    fills: list[tuple[Any, ...]] = field(default_factory=list)

    def run(self) -> list[tuple[Any, ...]]:
        series = Series()
        for bar in self.past.bars:
            for split in self.past.splits:
                if split.effective == bar.session:
                    series.apply(split)
                    self._split(Decimal(split.numerator) / split.denominator)
            self._open(bar)
            series.append(RawBar(bar.session, *(float(getattr(bar, name).value) for name in ("open", "high", "low", "close", "volume"))))
            self._decide(series, bar)
        return self.fills

    def _split(self, ratio: Decimal) -> None:
        self.held *= ratio
        self.initial *= ratio
        self.holding = replace(self.holding, quantity=Quantity(self.held), initial=Quantity(self.initial))
        self.orders = [replace(one, quantity=Quantity(one.quantity.value * ratio)) for one in self.orders if one.quantity is not None]

    def _open(self, bar: PastBar) -> None:
        for order in self.orders:
            assert order.side is not None and order.quantity is not None
            quantity, price = order.quantity.value, bar.open.value
            fee = Commission().of(order.quantity, Money(quantity * price, "USD")).amount
            self.cash -= order.side.sign * quantity * price + fee
            part = self.cost * quantity / self.held if order.side is Side.SELL else -(quantity * price + fee)
            gained = None if order.side is Side.BUY else Money(round(quantity * price - fee - part, 8), "USD")
            self.held += order.side.sign * quantity
            self.cost = round(self.cost - part, 12) if self.held else Decimal(0)
            self.memory = self._traded(bar, gained)
            self.initial = (self.initial + quantity if order.side is Side.BUY else self.initial) if self.held else Decimal(0)
            stop = (order.stop_level or self.holding.stop_level) if order.side is Side.BUY else self.holding.stop_level
            done = self.holding.levels_done
            paid = Money(self.cost, "USD")
            self.holding = Holding(Quantity(self.held), Quantity(self.initial), stop, done, paid) if self.held else FLAT
            self.fills.append((bar.session, order.side, quantity, price, fee))
        self.orders = []

    def _traded(self, bar: PastBar, gained: Money | None) -> Memory:
        """The track of trades, counted plainly."""
        track, opened = self.memory.track, datetime.combine(bar.session, time(), UTC)
        count = track.trades if track.day == bar.session else 0
        losses = track.losses_in_a_row
        if gained is not None:
            losses = losses + 1 if gained.amount < 0 else 0
        realised = track.realised if track.day == bar.session else None
        if gained is not None:
            realised = gained if realised is None else realised + gained
        now = Track(opened, bar.open, bar.session, count + 1, realised, losses)
        return replace(self.memory, track=now, trail=self.memory.trail if self.held else None)

    def _decide(self, series: Series, bar: PastBar) -> None:
        value = self.held * bar.close.value
        whole = Portfolio("AAPL", CASH, Money(self.cash, "USD"), {"AAPL": Money(value, "USD")}, {"AAPL": bar.close})
        door = Door(self.past.tick_size, self.past.lot_size, self.past.multiplier, series.factor)
        row = series.latest(self.strategy.columns())
        closed = datetime.combine(bar.session + timedelta(days=1), time(), UTC)
        equity = Money(self.cash + value, "USD")
        shown = Situation(row, bar.close, self.holding, False, equity, door, whole, closed, self.memory)
        decided = self.strategy.decide(shown)
        if isinstance(self.strategy, Remembers):
            self.memory = self.strategy.remember(shown)
        for decision in decided:
            if decision.level is not None:
                self.holding = replace(self.holding, levels_done=self.holding.levels_done | {decision.level})
            if decision.trades:
                self.orders.append(decision)


@pytest.mark.parametrize(
    ("name", "parameters"), [(name, PARAMETERS.get(name, {})) for name in sorted(strategies_in_slot())] + list(EXITS.items())
)
def test_knowing_one_bar_more_each_day_makes_the_trades_of_the_backtest(apple: History, name: str, parameters: dict[str, Any]) -> None:
    chosen = strategies_in_slot()[name]
    live = Live(make_strategy(chosen, parameters), apple)

    result = backtest(chosen, [apple], Job(parameters, CASH))

    expected = [(one.session, one.side, one.quantity.value, one.price.value, one.fee.amount) for one in result.outcome.fills]
    assert live.run() == expected
    assert live.cash == result.outcome.curve[-1].cash.amount
    assert expected or name == "atr_options", "nothing was traded: the test shows nothing"
