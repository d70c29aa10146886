"""One instrument's way through a backtest: its bars, the strategy's columns on every bar, and what the run holds of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from quantmatrix.common.values import Money, Price, Quantity, notional
from quantmatrix.signals.backtest.history import BacktestError, History, PastBar
from quantmatrix.signals.domain.book import after_split
from quantmatrix.signals.domain.decisions import FLAT, Decision, Holding
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.memory import NOTHING_KEPT, Memory
from quantmatrix.signals.ports import Strategy

Row = Mapping[str, float | None]


@dataclass(slots=True)
class Working:
    """An order on its way to the next open. quantity follows splits."""

    number: int
    decision: Decision
    quantity: Quantity
    decided_on: date


class Lane:
    """The columns are computed once over the whole history; each looks backwards only, which `lookahead.py` verifies."""

    def __init__(self, history: History, strategy: Strategy) -> None:
        frame = history.frame
        self.history = history
        self.at = {bar.session: index for index, bar in enumerate(history.bars)}
        self._factors = history.factors()
        self._screen = _columns(frame, strategy.screen_columns(), strategy, history)
        self._rows = _columns(frame, strategy.columns(), strategy, history)
        self._splits = sorted(history.splits, key=lambda split: split.effective)
        self.index: int | None = None
        self.holding: Holding = FLAT
        self.memory: Memory = NOTHING_KEPT
        self.working: list[Working] = []
        self.stop_level: float | None = None
        self.target_level: float | None = None

    @property
    def bar(self) -> PastBar:
        """The latest bar that was reached."""
        if self.index is None:
            raise BacktestError(f"{self.history.symbol} has no bar yet")
        return self.history.bars[self.index]

    def reach(self, session: date) -> bool:
        """Go on to a session; False when the instrument has no bar in it."""
        index = self.at.get(session)
        if index is not None:
            self.index = index
        return index is not None

    def split_before(self, session: date) -> None:
        """Splits that have become effective since the last session change what is held and what is ordered."""
        while self._splits and self._splits[0].effective <= session:
            split = self._splits.pop(0)
            self.holding = after_split(self.holding, split.numerator, split.denominator)
            for order in self.working:
                order.quantity = order.quantity.scaled(split.numerator, split.denominator)

    def screen(self) -> Row:
        return _row(self._screen, self.index)

    def row(self) -> Row:
        return _row(self._rows, self.index)

    def door(self) -> Door:
        return Door(self.history.tick_size, self.history.lot_size, self.history.multiplier, self.factor)

    @property
    def factor(self) -> float:
        return self._factors[self.index or 0]

    def value(self) -> Money:
        """What is held, at the latest raw close."""
        if not self.holding.quantity:
            return Money.zero(self.history.currency)
        return self.worth(self.bar.close, self.holding.quantity)

    def worth(self, price: Price, quantity: Quantity) -> Money:
        return notional(price, quantity, self.history.multiplier, self.history.currency)

    def place(self) -> str:
        """Where one is, for a person."""
        return f"{self.history.symbol}, bar {(self.index or 0) + 1} of {len(self.history.bars)} ({self.bar.session})"


def _columns(
    frame: pl.DataFrame, expressions: Mapping[str, pl.Expr], strategy: Strategy, history: History
) -> dict[str, list[float | None]]:
    try:
        return frame.select(**expressions).to_dict(as_series=False)
    except pl.exceptions.PolarsError as error:
        raise BacktestError(f"a column of {strategy.name} cannot be computed on {history.symbol}: {error}") from error


def _row(columns: Mapping[str, list[float | None]], index: int | None) -> Row:
    at = index or 0
    return {name: values[at] for name, values in columns.items()}
