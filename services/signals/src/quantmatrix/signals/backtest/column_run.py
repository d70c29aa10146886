"""A run of the column path: its fills, trades and curve as frames of whole numbers, or as the objects of the general engine."""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity
from quantmatrix.signals.backtest.engine import Fill, Outcome, Point, Refusal
from quantmatrix.signals.backtest.history import History
from quantmatrix.signals.ports import ColumnStrategy


def exact(units: int, digits: int) -> Decimal:
    """A whole number of 10^-digits."""
    return Decimal(units).scaleb(-digits)


@dataclass(slots=True)
class Walked:
    """What was filled, in order: purchases at even places, sales at odd ones. Money in 10^-12, prices in the history's units.

    decided: the number of the bar of each decision; it was filled on the next one. wanted: what was decided,
    quantity: what was filled; cash: what was left after it.
    """

    decided: list[int]
    wanted: list[int]
    quantity: list[int]
    price: list[int]
    fee: list[int]
    cash: list[int]
    refusals: list[Refusal]


@dataclass(frozen=True)
class ColumnRun:
    """A finished run. figures: the strategy's columns on the bar of each decision. curve: session, equity and cash of every bar, in 10^-digits of money."""

    history: History
    strategy: ColumnStrategy
    opening: Money
    first: int
    walked: Walked
    figures: pl.DataFrame
    curve: pl.DataFrame
    digits: int

    def fills(self) -> pl.DataFrame:
        """number, session, decided_on, side, quantity, price, fee, cash: prices in the history's units, money in 10^-digits; reasons as text."""
        walked, count = self.walked, len(self.walked.decided)
        sessions = self.history.columns["session"]
        return pl.DataFrame(
            {
                "number": range(1, count + 1),
                "session": sessions.gather([bar + 1 for bar in walked.decided]),
                "decided_on": sessions.gather(walked.decided),
                "side": [("BUY", "SELL")[number % 2] for number in range(count)],
                "quantity": walked.quantity,
                "price": walked.price,
                "fee": self._scaled(walked.fee),
                "cash": self._scaled(walked.cash),
                "reasons": [" | ".join(one) for one in self.reasons()],
            },
            schema_overrides=dict.fromkeys(("number", "quantity", "price", "fee", "cash"), pl.Int64),
        )

    def trades(self) -> pl.DataFrame:
        """From purchase to sale: opened, closed (numbers of the bars of the fills), quantity, fees and profit in 10^-digits of money. An open one is left out."""
        w, closed = self.walked, len(self.walked.decided) // 2 * 2
        after = w.cash[1:closed:2]
        before = [int(self.opening.amount.scaleb(FRACTION_DIGITS_MAX)), *after]
        columns = {
            "opened": [bar + 1 for bar in w.decided[:closed:2]],
            "closed": [bar + 1 for bar in w.decided[1:closed:2]],
            "quantity": w.quantity[:closed:2],
            "fees": self._scaled([bought + sold for bought, sold in zip(w.fee[:closed:2], w.fee[1:closed:2], strict=True)]),
            "profit": self._scaled([end - start for start, end in zip(before, after, strict=False)]),
        }
        return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64))

    def _scaled(self, amounts: list[int]) -> list[int]:
        """From 10^-12 to the run's digits, which hold every amount of the run exactly."""
        scale = 10 ** (FRACTION_DIGITS_MAX - self.digits)
        return [amount // scale for amount in amounts]

    def reasons(self) -> list[tuple[str, ...]]:
        """Of each fill, as the general engine writes them."""
        rows = self.figures.iter_rows(named=True)
        found = []
        for number, (row, quantity) in enumerate(zip(rows, self.walked.wanted, strict=True)):
            because = self.strategy.why_leave(row) if number % 2 else self.strategy.why_enter(row, Quantity(quantity))
            found.append(tuple(f"{one.code}: {one.text}" for one in because if one.met))
        return found

    def outcome(self) -> Outcome:
        """The same as the objects of the general engine."""
        found = Outcome(refusals=self.walked.refusals)
        sessions, digits = self.history.sessions, self.history.digits
        w = self.walked
        for number, because in enumerate(self.reasons()):
            buys, quantity = number % 2 == 0, Quantity(w.quantity[number])
            found.fills.append(
                Fill(
                    number=number + 1,
                    session=sessions[w.decided[number] + 1],
                    decided_on=sessions[w.decided[number]],
                    symbol=self.history.symbol,
                    side=Side.BUY if buys else Side.SELL,
                    kind=SignalKind.ENTRY if buys else SignalKind.EXIT,
                    quantity=quantity,
                    price=Price(exact(w.price[number], digits)),
                    fee=self._money(w.fee[number], FRACTION_DIGITS_MAX),
                    held_after=quantity if buys else Quantity(0),
                    reasons=because,
                    strength=1.0,
                )
            )
        points = zip(sessions[self.first :], self.curve["equity"].to_list(), self.curve["cash"].to_list(), strict=False)
        found.curve = [Point(day, self._money(equity, self.digits), self._money(cash, self.digits)) for day, equity, cash in points]
        if len(w.quantity) % 2:
            found.held = {self.history.symbol: Quantity(w.quantity[-1])}
        return found

    def _money(self, units: int, digits: int) -> Money:
        return Money(exact(units, digits), self.opening.currency)
