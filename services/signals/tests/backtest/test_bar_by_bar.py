"""The column path against a run that knows one bar more each day, as the service does: the same trades, for every strategy."""

from dataclasses import dataclass, field, replace
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
from quantmatrix.signals.domain.series import RawBar, Series
from quantmatrix.signals.ports import Strategy

CASH = Money(100_000, "USD")
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
    holding: Holding = FLAT
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
            self.held += order.side.sign * quantity
            self.initial = (self.initial + quantity if order.side is Side.BUY else self.initial) if self.held else Decimal(0)
            stop = (order.stop_level or self.holding.stop_level) if order.side is Side.BUY else self.holding.stop_level
            done = self.holding.levels_done
            self.holding = Holding(Quantity(self.held), Quantity(self.initial), stop, done) if self.held else FLAT
            self.fills.append((bar.session, order.side, quantity, price, fee))
        self.orders = []

    def _decide(self, series: Series, bar: PastBar) -> None:
        value = self.held * bar.close.value
        whole = Portfolio("AAPL", CASH, Money(self.cash, "USD"), {"AAPL": Money(value, "USD")}, {"AAPL": bar.close})
        door = Door(self.past.tick_size, self.past.lot_size, self.past.multiplier, series.factor)
        row = series.latest(self.strategy.columns())
        shown = Situation(row, bar.close, self.holding, pending=False, equity=Money(self.cash + value, "USD"), door=door, portfolio=whole)
        for decision in self.strategy.decide(shown):
            if decision.level is not None:
                self.holding = replace(self.holding, levels_done=self.holding.levels_done | {decision.level})
            if decision.trades:
                self.orders.append(decision)


@pytest.mark.parametrize("name", sorted(strategies_in_slot()))
def test_knowing_one_bar_more_each_day_makes_the_trades_of_the_backtest(apple: History, name: str) -> None:
    chosen, parameters = strategies_in_slot()[name], PARAMETERS.get(name, {})
    live = Live(chosen(chosen.parameters.model_validate(parameters)), apple)  # type: ignore[call-arg]  # made from its own parameters

    result = backtest(chosen, [apple], Job(parameters, CASH))

    expected = [(one.session, one.side, one.quantity.value, one.price.value, one.fee.amount) for one in result.outcome.fills]
    assert live.run() == expected
    assert live.cash == result.outcome.curve[-1].cash.amount
    assert expected or name == "atr_options", "nothing was traded: the test shows nothing"
