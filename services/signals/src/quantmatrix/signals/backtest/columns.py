"""The way of a backtest whose decisions are columns: from purchase to sale, in whole numbers, with the fills of the general engine.

Polars finds the bars; the few fills are walked through in Python's integers, which do not overflow; the equity of every bar is
a column of 64-bit integers, whose largest possible value is known before it is computed.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date
from math import gcd
from typing import cast

import polars as pl

from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price
from quantmatrix.signals.backtest.column_run import ColumnRun, Walked, exact
from quantmatrix.signals.backtest.engine import Refusal
from quantmatrix.signals.backtest.history import BacktestError, History, check, computed
from quantmatrix.signals.backtest.rules import FillRules, WholeCommission, rounded_division
from quantmatrix.signals.ports import ColumnStrategy, Strategy

INT64_MAX = 2**63 - 1
_ENTER, _LEAVE = "may enter", "next leave"


class NotInColumnsError(BacktestError):
    """This run cannot go by columns; the general engine takes it."""


def runs_in_columns(strategy: Strategy, history: History, rules: FillRules) -> bool:
    """Whether the column path makes exactly what the general engine makes of one instrument."""
    whole = (history.lot_size.value, history.multiplier.value)
    return (
        isinstance(strategy, ColumnStrategy)
        and not history.splits
        and not rules.inside_bar
        and rules.volume_pct is None
        and rules.slippage.is_none
        and WholeCommission.fits(rules.commission)
        and all(one == one.to_integral_value() for one in whole)
    )


def run_in_columns(
    strategy: ColumnStrategy, history: History, cash: Money, rules: FillRules, first: date | None = None, last: date | None = None
) -> ColumnRun:
    """Run over the sessions from `first` to `last`; earlier bars serve as history only.

    Raises BacktestError for bars that cannot be used, NotInColumnsError for amounts beyond 64 bits or what `runs_in_columns` denies.
    """
    check([history], strategy.catalogue.bars_min)
    if history.currency != cash.currency:
        raise BacktestError(f"the envelope is in {cash.currency}, some instruments are in {history.currency}")
    if not runs_in_columns(strategy, history, rules):
        raise NotInColumnsError(f"{strategy.name} on {history.symbol} does not go by columns under these rules")
    start = 0 if first is None else bisect_left(history.sessions, first)
    end = len(history.bars) if last is None else bisect_right(history.sessions, last)
    if start >= end:
        known = history.columns["session"]
        raise BacktestError(f"there are no bars between {first} and {last}; the first is of {known[0]}, the last of {known[-1]}")
    walk = _Walk(strategy, history, cash, rules)
    walked = walk.over(start, end)
    curve, digits = _curve(history, walked, cash, start, end)
    figures = walk.figures[walked.decided]
    return ColumnRun(history, strategy, cash, start, walked, figures, curve, digits)


class _Walk:
    """Goes from purchase to sale. Money in 10^-12."""

    def __init__(self, strategy: ColumnStrategy, history: History, cash: Money, rules: FillRules) -> None:
        self._strategy, self._history = strategy, history
        self._cash = int(cash.amount.scaleb(FRACTION_DIGITS_MAX))
        self._currency = cash.currency
        self._fees = WholeCommission(rules.commission)
        self._unit = int(history.multiplier.value) * 10 ** (FRACTION_DIGITS_MAX - history.digits)
        self._lot = int(history.lot_size.value)
        self._units, share = strategy.sizing.units, strategy.sizing.share
        self._share, self._share_unit = share.as_integer_ratio()
        self.figures = pl.DataFrame()
        self._walked = Walked([], [], [], [], [], [], [])

    def over(self, start: int, end: int) -> Walked:
        """Decide on the closes of the bars from `start` to before `end`, and fill at the opens of those after them."""
        free_from = start
        for bar, close, opened, leave, leave_open in self._events(start, end):
            if bar < free_from:
                continue
            quantity = self._bought(bar, close, opened if bar < end - 1 else None)
            if not quantity:
                continue
            if leave < 0 or leave_open is None:
                break
            self._sold(leave, leave_open, quantity)
            free_from = leave + 1
        return self._walked

    def _events(self, start: int, end: int) -> Iterator[tuple[int, int, int | None, int, int | None]]:
        """Bars on which a purchase may be decided, with the close, the next open, the sale that would follow (-1: none) and its open."""
        strategy, history = self._strategy, self._history
        at = pl.int_range(pl.len())
        leaving = pl.when(strategy.may_leave() & (at < end - 1)).then(at).backward_fill().shift(-1).fill_null(-1)
        masks = {_ENTER: strategy.may_enter(), _LEAVE: leaving}
        found = computed(strategy, history, strategy.columns(held=True), masks)
        self.figures = found.drop(_ENTER, _LEAVE)
        bars = found[_ENTER].slice(start, end - start).arg_true().cast(pl.Int64) + start
        after, leave = history.units("open").shift(-1), found[_LEAVE].gather(bars)
        closes, opens, sold_at = history.units("close").gather(bars), after.gather(bars), after.gather(leave.clip(0))
        return zip(bars.to_list(), closes.to_list(), opens.to_list(), leave.to_list(), sold_at.to_list(), strict=True)

    def _bought(self, bar: int, close: int, opened: int | None) -> int:
        """Decide on a purchase on a close and fill it at the next open; how much it was."""
        wanted = self._wanted(close)
        if not wanted:
            return 0
        if (needed := close * self._unit * wanted) > self._cash:
            self._refuse(bar, "BUYING_POWER", f"needed {self._money(needed)}, free {self._money(self._cash)}")
            return 0
        if opened is None:
            return 0
        quantity, value, fee = self._affordable(wanted, opened)
        if quantity < wanted:
            price = Price(exact(opened, self._history.digits))
            self._refuse(bar + 1, "CASH", f"{wanted} wanted at {price}, {self._money(self._cash)} pays for {quantity}")
        if quantity:
            self._note(bar, wanted, quantity, opened, fee, self._cash - value - fee)
        return quantity

    def _wanted(self, close: int) -> int:
        capital = self._units if self._units is not None else rounded_division(self._cash * self._share, self._share_unit)
        return (capital if self._units is not None else capital // (close * self._unit)) // self._lot * self._lot

    def _affordable(self, wanted: int, opened: int) -> tuple[int, int, int]:
        """As many whole lots as the free cash pays, commission included, with their value and commission."""
        quantity, price = wanted, opened * self._unit
        while quantity:
            value = price * quantity
            fee = self._fees.of(quantity, value)
            if value + fee <= self._cash:
                return quantity, value, fee
            fits = (self._cash - fee) // price // self._lot * self._lot
            quantity = max(min(fits, quantity - self._lot), 0)
        return 0, 0, 0

    def _sold(self, bar: int, opened: int, quantity: int) -> None:
        value = opened * self._unit * quantity
        fee = self._fees.of(quantity, value)
        self._note(bar, quantity, quantity, opened, fee, self._cash + value - fee)

    def _note(self, bar: int, wanted: int, quantity: int, price: int, fee: int, cash: int) -> None:
        self._cash = cash
        w = self._walked
        w.decided.append(bar)
        w.wanted.append(wanted)
        w.quantity.append(quantity)
        w.price.append(price)
        w.fee.append(fee)
        w.cash.append(cash)

    def _refuse(self, bar: int, code: str, detail: str) -> None:
        self._walked.refusals.append(Refusal(self._history.columns["session"][bar], self._history.symbol, code, detail))

    def _money(self, units: int) -> Money:
        return Money(exact(units, FRACTION_DIGITS_MAX), self._currency)


def _curve(history: History, walked: Walked, cash: Money, start: int, end: int) -> tuple[pl.DataFrame, int]:
    """session, equity and cash of every bar in 10^-digits of money, and the digits: as few as hold every amount exactly."""
    unit = int(history.multiplier.value) * 10 ** (FRACTION_DIGITS_MAX - history.digits)
    steps = [int(cash.amount.scaleb(FRACTION_DIGITS_MAX)), *walked.cash]
    common, digits = gcd(unit, *steps), FRACTION_DIGITS_MAX
    while digits and common % 10 == 0:
        common, digits = common // 10, digits - 1
    scale = 10 ** (FRACTION_DIGITS_MAX - digits)
    closes = history.units("close").slice(start, end - start)
    weights = [0, *(quantity * unit // scale * (number % 2 == 0) for number, quantity in enumerate(walked.quantity))]
    steps = [one // scale for one in steps]
    most = max(steps) + max(weights) * cast(int, closes.max())
    if most > INT64_MAX:
        raise NotInColumnsError(f"amounts up to {exact(most, digits)} {cash.currency} do not fit into 64 bits at {digits} digits")
    filled = pl.zeros(end - start, pl.Int64, eager=True).scatter([bar + 1 - start for bar in walked.decided], 1).cum_sum()
    left = pl.Series("cash", steps, pl.Int64).gather(filled)
    equity = (left + pl.Series(weights, dtype=pl.Int64).gather(filled) * closes).alias("equity")
    return pl.DataFrame([history.columns["session"].slice(start, end - start), equity, left]), digits
