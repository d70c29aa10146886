"""Columns that are carried from bar to bar: a value that depends on every bar before it is advanced by one step, to the same last bit.

The expressions of `indicators` are the one calculator. Those that reach back to the first bar (averages, smoothing, counting) are
made through `carried`: usually that hands back the expression over all bars; inside `carry` it hands back the name of a column
that `tails.py` keeps up to date by the rule that stands beside the expression.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

Columns = Mapping[str, pl.Expr]
Values = Sequence[float | None]


class State(Protocol):
    """How far one column of one instrument has come."""

    def step(self, value: float) -> float:
        """The column's value on the next bar, on which its input has this value."""


class Rule(Protocol):
    """How a column goes on."""

    def start(self, values: Values, whole: Values) -> State | None:
        """From the input and the column on every bar so far; None while it cannot be advanced."""


@dataclass(slots=True)
class _Smoothed:
    alpha: float
    last: float

    def step(self, value: float) -> float:
        self.last += self.alpha * (value - self.last)
        return self.last


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Exponential smoothing, in the operations of Polars' `ewm_mean(adjust=False)`."""

    alpha: float

    def start(self, values: Values, whole: Values) -> State | None:
        last = whole[-1] if whole else None
        return _Smoothed(self.alpha, last) if last is not None else None


@dataclass(slots=True)
class _Window:
    """A sum with Kahan's correction (Communications of the ACM 8, 1965), one for what enters and one for what leaves, which goes first."""

    held: deque[float]
    sum: float = 0.0
    entered: float = 0.0
    left: float = 0.0

    def step(self, value: float) -> float:
        return self.means((value,))[0]

    def means(self, values: Sequence[float]) -> list[float]:
        """The mean after each of these values."""
        held, total, entered, left, found = self.held, self.sum, self.entered, self.left, []
        for value in values:
            if len(held) == held.maxlen:
                corrected = -held[0] - left
                before, total = total, total + corrected
                left = (total - before) - corrected
            held.append(value)
            corrected = value - entered
            before, total = total, total + corrected
            entered = (total - before) - corrected
            found.append(total / len(held))
        self.sum, self.entered, self.left = total, entered, left
        return found


@dataclass(frozen=True, slots=True)
class Averaging:
    """The mean of a window, in the operations of Polars' `rolling_mean`."""

    length: int

    def start(self, values: Values, whole: Values) -> State | None:
        """Goes through all bars, because the sum's last bits depend on them; None unless it comes to the same column."""
        known = [value for value in values if value is not None]
        if len(known) < max(len(values), self.length):
            return None
        window = _Window(deque(maxlen=self.length))
        return window if window.means(known)[self.length - 1 :] == list(whole[self.length - 1 :]) else None


@dataclass(slots=True)
class _Count:
    count: float

    def step(self, value: float) -> float:  # a count does not look at what it counts
        self.count += 1
        return self.count


@dataclass(frozen=True, slots=True)
class Counting:
    """How many bars there are."""

    def start(self, values: Values, whole: Values) -> State | None:
        return _Count(len(values)) if whole else None


@dataclass(frozen=True, slots=True)
class Carried:
    """One carried column: its rule, its input and itself over all bars, and its input over bars that have the carried columns before it."""

    name: str
    rule: Rule
    values: pl.Expr
    whole: pl.Expr
    from_tail: pl.Expr


@dataclass(slots=True)
class _Notes:
    """What `carried` was asked for: first over all bars, then again, in the same order, over carried columns."""

    found: list[tuple[Rule, pl.Expr, pl.Expr]] = field(default_factory=list)
    carried: list[Carried] = field(default_factory=list)
    again: int | None = None

    def take(self, rule: Rule, values: pl.Expr, whole: pl.Expr) -> pl.Expr:
        if self.again is None:
            self.found.append((rule, values, whole))
            return whole
        _, over_all, own = self.found[self.again]
        self.again += 1
        same = next((one for one in self.carried if one.whole.meta.eq(own)), None)
        if same is None:
            same = Carried(f"carried {len(self.carried)}", rule, over_all, own, values)
            self.carried.append(same)
        return pl.col(same.name)


_NOTES: ContextVar[_Notes | None] = ContextVar("carried columns", default=None)


def carried(rule: Rule, values: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """A column over all bars that goes on by a rule from its input. The rule must come to the expression's values, bit for bit."""
    notes = _NOTES.get()
    return whole if notes is None else notes.take(rule, values, whole)


def carry(makers: Sequence[Callable[[], Columns]]) -> tuple[list[Carried], list[Columns]]:
    """The carried columns of some sets of columns, those that others need first, and the sets over these."""
    notes = _Notes()
    token = _NOTES.set(notes)
    try:
        for make in makers:
            make()
        notes.again = 0
        made = [make() for make in makers]
    finally:
        _NOTES.reset(token)
    return notes.carried, made
