"""One instrument's way through a backtest: its bars, the strategy's columns on every bar, and what the run holds of it."""

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity, notional
from quantmatrix.signals.backtest.history import BacktestError, Calendar, History, PastBar, calendars, computed, flag
from quantmatrix.signals.domain.book import after_split
from quantmatrix.signals.domain.decisions import FLAT, Decision, Holding
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.memory import NOTHING_KEPT, Memory
from quantmatrix.signals.domain.series import Split
from quantmatrix.signals.ports import ScreeningStrategy, Strategy

_ENTER, _LEAVE = "may enter", "may leave"
_YES = b"\x01"
Row = Mapping[str, float | None]


@dataclass(slots=True)
class Working:
    """An order on its way to the next open. quantity follows splits."""

    number: int
    decision: Decision
    quantity: Quantity
    decided_on: date


def closes_on(history: History, calendar: Calendar, sessions: Sequence[date]) -> Sequence[int]:
    """The raw close of these sessions in whole units, the one before where there is no bar, 0 before the first."""
    closes, own = history.closes, calendar.sessions
    start = bisect_left(own, sessions[0])
    if own[start : start + len(sessions)] == sessions:
        return closes[start : start + len(sessions)]
    known, found, at = closes[start - 1] if start else 0, [], calendar.at
    for session in sessions:
        index = at.get(session)
        if index is not None:
            known = closes[index]
        found.append(known)
    return found


class Lane:
    """The columns are computed once over the whole history; each looks backwards only, which `lookahead.py` verifies."""

    def __init__(self, number: int, history: History, strategy: Strategy, calendar: Calendar | None = None) -> None:
        self.weight: int | None = 0
        self.number = number
        self.history = history
        self.calendar = calendar or calendars([history])[0]
        self._factors = history.factors() if history.splits else None
        self._strategy = strategy
        self._screen = Screen(Screening.of(strategy), history) if isinstance(strategy, ScreeningStrategy) else None
        screened = self._screen is not None
        self._looked_at = {} if screened else computed(strategy, history, strategy.screen_columns()).to_dict(as_series=False)
        self._rows = {} if screened else computed(strategy, history, strategy.columns()).to_dict(as_series=False)
        self._splits = sorted(history.splits, key=lambda split: split.effective)
        self._door = Door(history.tick_size, history.lot_size, history.multiplier, 1.0)
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
        return self.calendar.sessions[self.index or 0]

    @property
    def open(self) -> Price:
        """The latest raw open."""
        return self.history.open_at(self.index or 0)

    @property
    def close(self) -> Price:
        """The latest raw close."""
        return self.history.close_at(self.index or 0)

    def sleeps_until(self) -> date | None:
        """The day of the next bar on which the screen may say yes, or of a split of what is held; None for never. Only for screened lanes."""
        if self._screen is None:
            return self.calendar.sessions[0]
        index = self._screen.next_look(
            -1 if self.index is None else self.index, held=bool(self.holding.quantity), level=self.holding.stop_level
        )
        day = self.calendar.sessions[index] if index is not None else None
        if self._splits and self.holding.quantity:
            split = self._splits[0].effective
            return split if day is None else min(split, day)
        return day

    def start_before(self, session: date) -> None:
        """Stand on the last bar before a session."""
        before = bisect_left(self.calendar.sessions, session)
        self.index = before - 1 if before else None

    def reach(self, session: date) -> bool:
        """Go on to a session; False when the instrument has no bar in it."""
        index = self.calendar.at.get(session)
        if index is not None:
            self.index = index
        return index is not None

    def split_before(self, session: date) -> Sequence[Split]:
        """Splits that have become effective since the last session change what is held and what is ordered; these splits."""
        due = sum(split.effective <= session for split in self._splits) if self._splits else 0
        done, self._splits = self._splits[:due], self._splits[due:]
        for split in done:
            self.hold(after_split(self.holding, split.numerator, split.denominator))
            for order in self.working:
                order.quantity = order.quantity.scaled(split.numerator, split.denominator)
        return done

    def is_quiet(self) -> bool:
        """Whether the strategy would certainly decide nothing on this bar."""
        index = self.index or 0
        if self._screen is not None:
            return self._screen.is_quiet(index, held=bool(self.holding.quantity), level=self.holding.stop_level)
        return self._strategy.nothing_can_happen(_row(self._looked_at, index), self.holding)

    def row(self) -> Row:
        index = self.index or 0
        return self._screen.row(index) if self._screen is not None else _row(self._rows, index)

    def door(self) -> Door:
        """The door between figures and prices on the latest bar."""
        if self._door.factor != self.factor:
            self._door = replace(self._door, factor=self.factor)
        return self._door

    @property
    def factor(self) -> float:
        return self._factors[self.index or 0] if self._factors is not None else 1.0

    def hold(self, holding: Holding) -> None:
        """What is held from now on. Its weight is what one unit of the close's last digit makes of it, in 10^-12 of money."""
        self.holding = holding
        self.weight = 0
        if holding.quantity:
            exact = (holding.quantity.value * self.history.multiplier.value).scaleb(FRACTION_DIGITS_MAX - self.history.digits)
            self.weight = int(exact) if exact == exact.to_integral_value() else None

    def value(self) -> Money:
        """What is held, at the latest raw close."""
        if not self.holding.quantity:
            return Money.zero(self.history.currency)
        return self.worth(self.close, self.holding.quantity)

    def value_units(self) -> int:
        """The same in 10^-12 of money."""
        if self.weight is None:
            return int(self.value().amount.scaleb(FRACTION_DIGITS_MAX))
        return self.history.closes[self.index or 0] * self.weight

    def worth(self, price: Price, quantity: Quantity) -> Money:
        return notional(price, quantity, self.history.multiplier, self.history.currency)

    def place(self) -> str:
        """Where one is, for a person."""
        return f"{self.history.symbol}, bar {(self.index or 0) + 1} of {len(self.history.bars)} ({self.session})"


@dataclass(frozen=True, slots=True)
class Screening:
    """What a strategy computes of an instrument: its columns, and of these whether it may enter or leave. Made once for all instruments."""

    strategy: ScreeningStrategy
    columns: Mapping[str, pl.Expr]
    masks: Mapping[str, pl.Expr]

    @classmethod
    def of(cls, strategy: ScreeningStrategy) -> "Screening":
        return cls(strategy, strategy.columns(), {_ENTER: flag(strategy.may_enter()), _LEAVE: flag(strategy.may_leave())})


class Screen:
    """The bars that a strategy screens by columns. Of the columns themselves few bars are ever read."""

    def __init__(self, asked: Screening, history: History) -> None:
        frame = computed(asked.strategy, history, asked.columns, asked.masks)
        self._may_enter, self._may_leave = (frame[name].to_numpy().tobytes() for name in (_ENTER, _LEAVE))
        self.figures = frame.drop(_ENTER, _LEAVE)
        self._names = self.figures.columns
        self._closes = array("d", history.frame["close"].to_numpy().tobytes())

    def row(self, index: int) -> Row:
        return dict(zip(self._names, self.figures.row(index), strict=True))

    def is_quiet(self, index: int, *, held: bool, level: float | None) -> bool:
        """Whether nothing can happen on a bar. level: the stop of what is held, if it has one."""
        if not held:
            return not self._may_enter[index]
        return not self._may_leave[index] and (level is None or self._closes[index] > level)

    def next_look(self, index: int, *, held: bool, level: float | None) -> int | None:
        """The first bar after this one that is not quiet while that is held; None when there is none."""
        if not held:
            found = self._may_enter.find(_YES, index + 1)
            return found if found >= 0 else None
        found = self._may_leave.find(_YES, index + 1)
        if level is not None:
            for later in range(index + 1, found if found >= 0 else len(self._closes)):
                if self._closes[later] <= level:
                    return later
        return found if found >= 0 else None


def _row(columns: Mapping[str, list[float | None]], index: int) -> Row:
    return {name: values[index] for name, values in columns.items()}
