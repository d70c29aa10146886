"""One instrument's way through a backtest: its bars, the strategy's columns on every bar, and what the run holds of it."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import compress

from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity, notional
from quantmatrix.signals.backtest.history import BacktestError, History, PastBar, computed
from quantmatrix.signals.domain.book import after_split
from quantmatrix.signals.domain.decisions import FLAT, Decision, Holding
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.memory import NOTHING_KEPT, Memory
from quantmatrix.signals.ports import ScreeningStrategy, Strategy

_ENTER, _LEAVE = "may enter", "may leave"
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

    def __init__(self, number: int, history: History, strategy: Strategy) -> None:
        self._weight: int | None = 0
        self.number = number
        self.history = history
        self.at = dict(zip(history.sessions, range(len(history.bars)), strict=True))
        self._factors = history.factors()
        self._strategy = strategy
        self._screen = Screen(strategy, history) if isinstance(strategy, ScreeningStrategy) else None
        screened = self._screen is not None
        self._looked_at = {} if screened else computed(strategy, history, strategy.screen_columns()).to_dict(as_series=False)
        self._rows = {} if screened else computed(strategy, history, strategy.columns()).to_dict(as_series=False)
        self._splits = sorted(history.splits, key=lambda split: split.effective)
        self.index: int | None = None
        self.memory: Memory = NOTHING_KEPT
        self.hold(FLAT)
        self.working: list[Working] = []
        self.stop_level: float | None = None
        self.target_level: float | None = None

    @property
    def bar(self) -> PastBar:
        """The latest bar that was reached."""
        if self.index is None:
            raise BacktestError(f"{self.history.symbol} has no bar yet")
        return self.history.bars[self.index]

    @property
    def session(self) -> date:
        """That of the latest bar."""
        return self.history.sessions[self.index or 0]

    @property
    def open(self) -> Price:
        """The latest raw open."""
        return self.history.open_at(self.index or 0)

    @property
    def close(self) -> Price:
        """The latest raw close."""
        return self.history.close_at(self.index or 0)

    def entries(self) -> list[date] | None:
        """The sessions on which something may be decided while nothing is held; None when every one must be looked at."""
        if self._screen is None:
            return None
        return list(compress(self.history.sessions, self._screen.may_enter))

    def start_before(self, session: date) -> None:
        """Stand on the last bar before a session."""
        before = bisect_left(self.history.sessions, session)
        self.index = before - 1 if before else None

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
            self.hold(after_split(self.holding, split.numerator, split.denominator))
            for order in self.working:
                order.quantity = order.quantity.scaled(split.numerator, split.denominator)

    def is_quiet(self) -> bool:
        """Whether the strategy would certainly decide nothing on this bar."""
        index = self.index or 0
        if self._screen is not None:
            return self._screen.is_quiet(index, self.holding)
        return self._strategy.nothing_can_happen(_row(self._looked_at, index), self.holding)

    def row(self) -> Row:
        index = self.index or 0
        return self._screen.rows.row(index, named=True) if self._screen is not None else _row(self._rows, index)

    def door(self) -> Door:
        return Door(self.history.tick_size, self.history.lot_size, self.history.multiplier, self.factor)

    @property
    def factor(self) -> float:
        return self._factors[self.index or 0]

    def hold(self, holding: Holding) -> None:
        """What is held from now on. Its weight is what one unit of the close's last digit makes of it, in 10^-12 of money."""
        self.holding = holding
        self._weight = 0
        if holding.quantity:
            exact = (holding.quantity.value * self.history.multiplier.value).scaleb(FRACTION_DIGITS_MAX - self.history.digits)
            self._weight = int(exact) if exact == exact.to_integral_value() else None

    def value(self) -> Money:
        """What is held, at the latest raw close."""
        if not self.holding.quantity:
            return Money.zero(self.history.currency)
        return self.worth(self.close, self.holding.quantity)

    def value_units(self) -> int:
        """The same in 10^-12 of money."""
        if self._weight is None:
            return int(self.value().amount.scaleb(FRACTION_DIGITS_MAX))
        return self.history.closes[self.index or 0] * self._weight

    def worth(self, price: Price, quantity: Quantity) -> Money:
        return notional(price, quantity, self.history.multiplier, self.history.currency)

    def place(self) -> str:
        """Where one is, for a person."""
        return f"{self.history.symbol}, bar {(self.index or 0) + 1} of {len(self.history.bars)} ({self.session})"


class Screen:
    """The bars that a strategy screens by columns. rows: its columns, of which few bars are ever read."""

    def __init__(self, strategy: ScreeningStrategy, history: History) -> None:
        masks = {_ENTER: strategy.may_enter().fill_null(False), _LEAVE: strategy.may_leave().fill_null(False)}
        frame = computed(strategy, history, strategy.columns(), masks)
        self.may_enter: list[bool] = frame[_ENTER].to_list()
        self._may_leave: list[bool] = frame[_LEAVE].to_list()
        self.rows = frame.drop(_ENTER, _LEAVE)
        self._closes: list[float] = history.frame["close"].to_list()

    def is_quiet(self, index: int, holding: Holding) -> bool:
        if not holding.quantity:
            return not self.may_enter[index]
        level = holding.stop_level
        return not self._may_leave[index] and (level is None or self._closes[index] > level)


def _row(columns: Mapping[str, list[float | None]], index: int) -> Row:
    return {name: values[index] for name, values in columns.items()}
