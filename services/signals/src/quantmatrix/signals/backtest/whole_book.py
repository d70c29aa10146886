"""The book of a run on one instrument in whole numbers: cash, what is held, fills and refusals, and the equity of every bar."""

from math import gcd

import numpy as np

from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price
from quantmatrix.signals.backtest.column_run import INT64_MAX, Ints, NotInColumnsError, Walked
from quantmatrix.signals.backtest.history import BacktestError, History
from quantmatrix.signals.backtest.outcome import Refusal
from quantmatrix.signals.backtest.rules import FillRules, WholeCommission
from quantmatrix.signals.domain.planning import exact


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


def affordable(fees: WholeCommission, cash: int, price: int, wanted: int, lot: int) -> tuple[int, int, int]:
    """As many whole lots as the cash pays at this price of a unit, commission included, with their value and commission."""
    quantity = wanted
    while quantity:
        value = price * quantity
        fee = fees.of(quantity, value)
        if value + fee <= cash:
            return quantity, value, fee
        fits = (cash - fee) // price // lot * lot
        quantity = max(min(fits, quantity - lot), 0)
    return 0, 0, 0


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
        quantity, value, fee = affordable(self._fees, self.cash, opened * self.unit, wanted, self.lot)
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

    @property
    def walked(self) -> Walked:
        """Everything that was filled and refused so far, in as few digits as hold every amount exactly.

        Raises NotInColumnsError when an amount needs more than 64 bits.
        """
        columns = [list(column) for column in zip(*self._fills, strict=True)] or [[] for _ in range(7)]
        decided, wanted, quantity, held, price, fees, cash = columns
        common, digits = gcd(self.unit, self.opening, *cash), FRACTION_DIGITS_MAX
        while digits and common % 10 == 0:
            common, digits = common // 10, digits - 1
        scale = 10 ** (FRACTION_DIGITS_MAX - digits)
        most = max(0, self.opening, *cash, *fees, *(amount * scale for amount in (*wanted, *price)))
        if most // scale > INT64_MAX:
            raise NotInColumnsError(f"amounts up to {exact(most, FRACTION_DIGITS_MAX)} do not fit into 64 bits at {digits} digits")
        return Walked(
            decided=_whole(decided),
            wanted=_whole(wanted),
            quantity=_whole(quantity),
            held=_whole(held),
            price=_whole(price),
            fee=_whole(fees, scale),
            cash=_whole(cash, scale),
            opening=self.opening // scale,
            digits=digits,
            refusals=self._refusals,
        )

    def _refuse(self, bar: int, code: str, detail: str) -> None:
        self._refusals.append(Refusal(self._history.columns["session"][bar], self._history.symbol, code, detail))

    def _money(self, units: int) -> Money:
        return Money(exact(units, FRACTION_DIGITS_MAX), self._currency)


def _whole(numbers: list[int], scale: int = 1) -> Ints:
    return np.array([one // scale for one in numbers], np.int64)
