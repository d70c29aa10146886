"""One instrument's way through a backtest in whole numbers: its bars, the strategy's columns, and what the run holds of it."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from quantmatrix.common.runtime.canonical import spelled
from quantmatrix.common.values import FRACTION_DIGITS_MAX
from quantmatrix.signals.backtest.history import Calendar, History
from quantmatrix.signals.backtest.lanes import Row, Screen, Screening
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.planning import PICO, Plan, Standing, WholeDoor

_NONE_DONE: frozenset[int] = frozenset()


class Order(NamedTuple):
    """On its way to the next open. bar, row: the number and the figures of the bar on which it was decided; units: how many of the instrument."""

    number: int
    bar: int
    row: Row
    plan: Plan
    units: int


@dataclass(frozen=True, slots=True)
class Way:
    """How an instrument's sessions lie in those of the run: its bar in each (-1 for none), and the place of each bar from `first` on."""

    bars: Sequence[int]
    places: Sequence[int]
    first: int


def ways(calendars: Sequence[Calendar], chosen: Sequence[date]) -> list[Way]:
    """The way of each calendar through the sessions of a run; equal calendars share one."""
    known: dict[int, Way] = {}
    for calendar in calendars:
        if id(calendar) not in known:
            bars = [calendar.at.get(session, -1) for session in chosen]
            places = [place for place, bar in enumerate(bars) if bar >= 0]
            known[id(calendar)] = Way(bars, places, bisect_left(calendar.sessions, chosen[0]))
    return [known[id(calendar)] for calendar in calendars]


class WholeLane:
    """unit: what one unit of a price's last digit is worth of one unit of the instrument, in 10^-12 of money."""

    def __init__(self, number: int, history: History, asked: Screening, calendar: Calendar) -> None:
        self.number, self.history, self.calendar = number, history, calendar
        self.unit: int = int(history.multiplier.value) * 10 ** (FRACTION_DIGITS_MAX - history.digits)
        self._digit: int = 10 ** (FRACTION_DIGITS_MAX - history.digits)
        self.spelled_symbol = spelled(history.symbol)
        self.lot = int(history.lot_size.value)
        self.opens, self.closes = history.opens, history.closes
        self.exact_door = Door(history.tick_size, history.lot_size, history.multiplier, 1.0)
        self.door = WholeDoor.of(self.exact_door)
        self._screen = Screen(asked, history)
        self._figures = Figures(self._screen)
        self.bar = -1
        self.orders: list[Order] = []
        self.held = self.initial = 0
        self.stop_level: float | None = None
        self.levels_done = _NONE_DONE

    @property
    def session(self) -> date:
        """That of the latest bar."""
        return self.calendar.sessions[self.bar]

    def row(self, bar: int) -> Row:
        return self._figures.row(bar)

    def next_look(self) -> int | None:
        """The next bar on which something can happen; None when there is none."""
        return self._screen.next_look(self.bar, held=self.held != 0, level=self.stop_level)

    def is_quiet(self) -> bool:
        """Whether the strategy would certainly decide nothing on this bar."""
        return self._screen.is_quiet(self.bar, held=self.held != 0, level=self.stop_level)

    def standing(self, equity: int) -> Standing:
        """What the strategy is shown besides the columns."""
        close = self.closes[self.bar] * self._digit
        return Standing(self.held * PICO, self.initial * PICO, self.stop_level, self.levels_done, equity, close)

    def hold_after(self, plan: Plan, bought: int) -> None:
        """Move what is held by a fill; sold is below zero. Nothing left ends the episode."""
        self.held += bought
        if bought > 0:
            self.initial, self.stop_level = self.initial + bought, plan.stop_level or self.stop_level
        elif not self.held:
            self.initial, self.stop_level, self.levels_done = 0, None, _NONE_DONE

    def place(self) -> str:
        """Where one is, for a person."""
        return f"{self.history.symbol}, bar {self.bar + 1} of {len(self.history.bars)} ({self.session})"


class Figures:
    """The columns of a strategy, of which single rows are read: doubles row by row, where a gap is not a number."""

    def __init__(self, screen: Screen) -> None:
        import numpy as np  # noqa: PLC0415 - loaded where it computes, not by idle services

        self._screen, self._names = screen, screen.figures.columns
        self._cells = screen.figures.to_numpy()
        self._gaps = np.isnan(self._cells).any(axis=1).tobytes()

    def row(self, bar: int) -> Mapping[str, float | None]:
        """One row; None where a column has no value yet."""
        if self._gaps[bar]:
            return self._screen.row(bar)
        return dict(zip(self._names, self._cells[bar].tolist(), strict=True))
