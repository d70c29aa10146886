"""A run of the column path: its fills, trades and curve as frames of whole numbers, or as the objects of the general engine."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity
from quantmatrix.signals.backtest.engine import Fill, Outcome, Point, Refusal
from quantmatrix.signals.backtest.history import History


def exact(units: int, digits: int) -> Decimal:
    """A whole number of 10^-digits."""
    return Decimal(units).scaleb(-digits)


@dataclass(slots=True)
class Walked:
    """What was filled, in order. Money in 10^-12, prices in the history's units.

    decided: the number of the bar of each decision; it was filled on the next one. wanted: what was decided,
    quantity: what was filled, held and cash: what there was after it.
    """

    decided: list[int]
    wanted: list[int]
    quantity: list[int]
    held: list[int]
    price: list[int]
    fee: list[int]
    cash: list[int]
    refusals: list[Refusal]

    def bought(self) -> list[bool]:
        """Whether each fill was a purchase."""
        return [after > before for before, after in zip([0, *self.held], self.held, strict=False)]


@dataclass(frozen=True)
class ColumnRun:
    """A finished run. why: tells the reasons of all fills. curve: session, equity and cash of every bar, in 10^-digits of money."""

    history: History
    opening: Money
    first: int
    walked: Walked
    why: Callable[[Walked], list[tuple[str, ...]]]
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
                "side": ["BUY" if bought else "SELL" for bought in walked.bought()],
                "quantity": walked.quantity,
                "price": walked.price,
                "fee": self._scaled(walked.fee),
                "cash": self._scaled(walked.cash),
                "reasons": [" | ".join(one) for one in self.why(self.walked)],
            },
            schema_overrides=dict.fromkeys(("number", "quantity", "price", "fee", "cash"), pl.Int64),
        )

    def trades(self) -> pl.DataFrame:
        """From purchase to sale: opened, closed (numbers of the bars of the fills), quantity, fees and profit in 10^-digits of money. An open one is left out."""
        w, before, first = self.walked, int(self.opening.amount.scaleb(FRACTION_DIGITS_MAX)), 0
        rows = []
        for number, held in enumerate(w.held):
            if held:
                continue
            bought = sum(w.quantity[at] for at in range(first, number + 1) if w.held[at] > (w.held[at - 1] if at > first else 0))
            rows.append((w.decided[first] + 1, w.decided[number] + 1, bought, sum(w.fee[first : number + 1]), w.cash[number] - before))
            before, first = w.cash[number], number + 1
        columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], [], []]
        opened, closed, quantity, fees, profit = columns
        found = {"opened": opened, "closed": closed, "quantity": quantity, "fees": self._scaled(fees), "profit": self._scaled(profit)}
        return pl.DataFrame(found, schema=dict.fromkeys(found, pl.Int64))

    def _scaled(self, amounts: list[int]) -> list[int]:
        """From 10^-12 to the run's digits, which hold every amount of the run exactly."""
        scale = 10 ** (FRACTION_DIGITS_MAX - self.digits)
        return [amount // scale for amount in amounts]

    def outcome(self) -> Outcome:
        """The same as the objects of the general engine."""
        found = Outcome(refusals=self.walked.refusals)
        sessions, digits = self.history.sessions, self.history.digits
        w = self.walked
        for number, (because, buys) in enumerate(zip(self.why(w), w.bought(), strict=True)):
            found.fills.append(
                Fill(
                    number=number + 1,
                    session=sessions[w.decided[number] + 1],
                    decided_on=sessions[w.decided[number]],
                    symbol=self.history.symbol,
                    side=Side.BUY if buys else Side.SELL,
                    kind=SignalKind.ENTRY if buys else SignalKind.EXIT,
                    quantity=Quantity(w.quantity[number]),
                    price=Price(exact(w.price[number], digits)),
                    fee=self._money(w.fee[number], FRACTION_DIGITS_MAX),
                    held_after=Quantity(w.held[number]),
                    reasons=because,
                    strength=1.0,
                )
            )
        points = zip(sessions[self.first :], self.curve["equity"].to_list(), self.curve["cash"].to_list(), strict=False)
        found.curve = [Point(day, self._money(equity, self.digits), self._money(cash, self.digits)) for day, equity, cash in points]
        if w.held and w.held[-1]:
            found.held = {self.history.symbol: Quantity(w.held[-1])}
        return found

    def _money(self, units: int, digits: int) -> Money:
        return Money(exact(units, digits), self.opening.currency)
