"""The book of a run on one instrument in whole numbers: cash, what is held, fills and refusals, and the equity of every bar."""

from math import gcd
from typing import cast

import polars as pl

from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price
from quantmatrix.signals.backtest.column_run import Walked, exact
from quantmatrix.signals.backtest.engine import Refusal
from quantmatrix.signals.backtest.history import BacktestError, History
from quantmatrix.signals.backtest.rules import FillRules, WholeCommission

INT64_MAX = 2**63 - 1


class NotInColumnsError(BacktestError):
    """This run cannot go by whole numbers; the general engine takes it."""


def goes_in_whole_numbers(history: History, rules: FillRules) -> bool:
    """Whether amounts stay whole and fills are those of the next open, all at once."""
    whole = (history.lot_size.value, history.multiplier.value)
    return (
        not history.splits
        and not rules.inside_bar
        and rules.volume_pct is None
        and rules.slippage.is_none
        and WholeCommission.fits(rules.commission)
        and all(one == one.to_integral_value() for one in whole)
    )


class WholeBook:
    """Money in 10^-12, which Python's integers hold whatever it comes to. It refuses and cuts orders as the general engine does."""

    def __init__(self, history: History, cash: Money, rules: FillRules) -> None:
        if history.currency != cash.currency:
            raise BacktestError(f"the envelope is in {cash.currency}, some instruments are in {history.currency}")
        self._history, self._currency = history, cash.currency
        self.cash: int = int(cash.amount.scaleb(FRACTION_DIGITS_MAX))
        self.opening = self.cash
        self.unit: int = int(history.multiplier.value) * 10 ** (FRACTION_DIGITS_MAX - history.digits)
        self.lot = int(history.lot_size.value)
        self.held = 0
        self._fees = WholeCommission(rules.commission)
        self._fills: list[tuple[int, ...]] = []
        self._refusals: list[Refusal] = []

    def may_buy(self, bar: int, close: int, wanted: int) -> bool:
        """Whether the cash covers a purchase at the close on which it is decided."""
        needed: int = close * self.unit * wanted
        if needed > self.cash:
            self._refuse(bar, "BUYING_POWER", f"needed {self._money(needed)}, free {self._money(self.cash)}")
        return needed <= self.cash

    def may_sell(self, bar: int, wanted: int) -> bool:
        """Whether as much is held."""
        if wanted > self.held:
            self._refuse(bar, "POSITION_SHORT", f"held {self.held}, selling {wanted}")
        return wanted <= self.held

    def buy(self, bar: int, opened: int, wanted: int) -> int:
        """Fill at the open after the bar of the decision as many whole lots as the cash pays; how many."""
        quantity, value, fee = self._affordable(wanted, opened)
        if quantity < wanted:
            price = Price(exact(opened, self._history.digits))
            self._refuse(bar + 1, "CASH", f"{wanted} wanted at {price}, {self._money(self.cash)} pays for {quantity}")
        if quantity:
            self.held, self.cash = self.held + quantity, self.cash - value - fee
            self._fills.append((bar, wanted, quantity, self.held, opened, fee, self.cash))
        return quantity

    def sell(self, bar: int, opened: int, quantity: int) -> None:
        """Fill at the open after the bar of the decision."""
        value = opened * self.unit * quantity
        fee = self._fees.of(quantity, value)
        self.held, self.cash = self.held - quantity, self.cash + value - fee
        self._fills.append((bar, quantity, quantity, self.held, opened, fee, self.cash))

    def _affordable(self, wanted: int, opened: int) -> tuple[int, int, int]:
        """As many whole lots as the free cash pays, commission included, with their value and commission."""
        quantity, price = wanted, opened * self.unit
        while quantity:
            value = price * quantity
            fee = self._fees.of(quantity, value)
            if value + fee <= self.cash:
                return quantity, value, fee
            fits = (self.cash - fee) // price // self.lot * self.lot
            quantity = max(min(fits, quantity - self.lot), 0)
        return 0, 0, 0

    @property
    def walked(self) -> Walked:
        """Everything that was filled and refused so far."""
        columns = [list(column) for column in zip(*self._fills, strict=True)] or [[] for _ in range(7)]
        decided, wanted, quantity, held, price, fee, cash = columns
        return Walked(decided, wanted, quantity, held, price, fee, cash, self._refusals)

    def _refuse(self, bar: int, code: str, detail: str) -> None:
        self._refusals.append(Refusal(self._history.columns["session"][bar], self._history.symbol, code, detail))

    def _money(self, units: int) -> Money:
        return Money(exact(units, FRACTION_DIGITS_MAX), self._currency)

    def curve(self, start: int, end: int) -> tuple[pl.DataFrame, int]:
        """session, equity and cash of the bars from `start` to before `end` in 10^-digits of money, and the digits.

        They are as few as hold every amount exactly. Raises NotInColumnsError when an amount may need more than 64 bits.
        """
        walked = self.walked
        steps, digits = [self.opening, *walked.cash], FRACTION_DIGITS_MAX
        common = gcd(self.unit, *steps)
        while digits and common % 10 == 0:
            common, digits = common // 10, digits - 1
        scale = 10 ** (FRACTION_DIGITS_MAX - digits)
        closes = self._history.units("close").slice(start, end - start)
        weights = [held * self.unit // scale for held in (0, *walked.held)]
        steps = [one // scale for one in steps]
        most = max(steps) + max(weights) * cast(int, closes.max())
        if most > INT64_MAX:
            raise NotInColumnsError(f"amounts up to {exact(most, digits)} {self._currency} do not fit into 64 bits at {digits} digits")
        filled = pl.zeros(end - start, pl.Int64, eager=True).scatter([bar + 1 - start for bar in walked.decided], 1).cum_sum()
        left = pl.Series("cash", steps, pl.Int64).gather(filled)
        equity = (left + pl.Series(weights, dtype=pl.Int64).gather(filled) * closes).alias("equity")
        return pl.DataFrame([self._history.columns["session"].slice(start, end - start), equity, left]), digits
