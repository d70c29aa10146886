"""A run of the column path: its fills, trades and curve as columns of whole numbers; texts and objects are made when they are looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import FRACTION_DIGITS_MAX, Money, Price, Quantity
from quantmatrix.signals.backtest.history import BacktestError, History
from quantmatrix.signals.backtest.outcome import Fill, Outcome, Point, Refusal
from quantmatrix.signals.domain.planning import exact

Ints = npt.NDArray[np.int64]
INT64_MAX = 2**63 - 1
WHY = "why_"


class NotInColumnsError(BacktestError):
    """This run cannot go by whole numbers; the general engine takes it."""


@dataclass(frozen=True, slots=True)
class Walked:
    """What was filled, in order. Money in 10^-digits, prices in the history's units.

    decided: the number of the bar of each decision; it was filled on the next one. wanted: what was decided,
    quantity: what was filled, held and cash: what there was after it. opening: the cash before the first fill.
    """

    decided: Ints
    wanted: Ints
    quantity: Ints
    held: Ints
    price: Ints
    fee: Ints
    cash: Ints
    opening: int
    digits: int
    refusals: list[Refusal]

    @property
    def bought(self) -> npt.NDArray[np.bool_]:
        """Whether each fill was a purchase."""
        return np.diff(self.held, prepend=0) > 0

    def trades(self) -> dict[str, Ints]:
        """The trades that are closed: see `ColumnRun.trades`."""
        lasts = np.flatnonzero(self.held == 0)
        firsts = np.concatenate([[0], lasts[:-1] + 1]) if len(lasts) else lasts
        return {
            "opened": self.decided[firsts] + 1,
            "closed": self.decided[lasts] + 1,
            "quantity": _sums(np.where(self.bought, self.quantity, 0), firsts, lasts),
            "fees": _sums(self.fee, firsts, lasts),
            "profit": np.diff(self.cash[lasts], prepend=self.opening),
        }

    def unit(self, history: History) -> int:
        """What one unit of a price's last digit is worth, in 10^-digits of money.

        Raises NotInColumnsError when an amount may need more than 64 bits.
        """
        unit: int = (
            int(history.multiplier.value) * 10 ** (FRACTION_DIGITS_MAX - history.digits) // 10 ** (FRACTION_DIGITS_MAX - self.digits)
        )
        most = max(self.opening, int(self.cash.max(initial=0))) + int(self.held.max(initial=0)) * unit * history.largest
        if most > INT64_MAX:
            what = f"{exact(most, self.digits)} {history.currency}"
            raise NotInColumnsError(f"amounts up to {what} do not fit into 64 bits at {self.digits} digits")
        return unit

    def levels(self, history: History, start: int, end: int) -> tuple[Ints, Ints]:
        """Equity and cash of the bars from `start` to before `end`. Raises NotInColumnsError as `unit` does."""
        unit = self.unit(history)
        equity, cash = np.zeros((2, end - start), np.int64)
        filled = self.decided + (1 - start)
        cash[:1] = self.opening
        cash[filled] += np.diff(self.cash, prepend=self.opening)
        equity[filled] = np.diff(self.held, prepend=0) * unit
        np.cumsum(cash, out=cash)
        np.cumsum(equity, out=equity)
        equity *= history.units("close").slice(start, end - start).to_numpy()
        equity += cash
        return equity, cash

    def moving(self, history: History, end: int) -> "Moving":
        """The equity of the bars on which something is held or was filled, up to before `end`; it stands still on all others.

        At most one fill a bar. Raises NotInColumnsError as `unit` does.
        """
        filled, unit, largest = self.decided + 1, self.unit(history), int(self.held.max(initial=0))
        until, is_held = np.diff(filled, append=end), self.held > 0
        spans = np.where(is_held, until, 1)
        moves = np.repeat(np.tile([True, False], len(spans)), np.column_stack([spans, until - spans]).ravel())
        # A column of bits picks from the closes faster than the numbers of the bars would.
        closes = history.units("close")
        moved = closes.slice(end - len(moves), len(moves)).filter(pl.Series(moves)).to_numpy()
        # Where every purchase is as large, one factor does for all bars; what it makes too much of a bar without holding is taken from its cash.
        weight, cash = largest * unit, self.cash
        if (self.held[is_held] == largest).all():
            equity = moved * weight
            cash = np.where(is_held, cash, cash - closes.to_numpy().take(filled) * weight)
        else:
            equity = moved * np.repeat(self.held * unit, spans)
        equity += np.repeat(cash, spans)
        return Moving(equity, np.append(filled, end), np.append(0, np.cumsum(spans)))


@dataclass(frozen=True, slots=True)
class Moving:
    """The equity of the bars that move it, in 10^-digits. filled: the numbers of the bars of fills, and the end; before: how many moving bars come before each."""

    equity: Ints
    filled: Ints
    before: Ints

    def bars(self, places: Ints) -> Ints:
        """The numbers of the moving bars at these places; the end for the place after the last."""
        fill = np.searchsorted(self.before, places, side="right") - 1
        numbers: Ints = self.filled[fill] + places - self.before[fill]
        return numbers


@dataclass(frozen=True)
class ColumnRun:
    """A finished run over the bars from `first` to before `end`; its amounts fit into 64 bits.

    figures: the strategy's columns on all bars. why: tells the reasons of all fills in words.
    """

    history: History
    opening: Money
    first: int
    end: int
    walked: Walked
    figures: pl.DataFrame
    why: Callable[[Walked], list[tuple[str, ...]]]

    @property
    def digits(self) -> int:
        return self.walked.digits

    @cached_property
    def levels(self) -> tuple[Ints, Ints]:
        """Equity and cash of every bar, in 10^-digits of money."""
        return self.walked.levels(self.history, self.first, self.end)

    @cached_property
    def curve(self) -> pl.DataFrame:
        """session, equity and cash of every bar."""
        sessions = self.history.columns["session"].slice(self.first, self.end - self.first)
        equity, cash = self.levels
        return pl.DataFrame([sessions, pl.Series("equity", equity), pl.Series("cash", cash)])

    def fills(self) -> pl.DataFrame:
        """number, session, decided_on, side, quantity, price, fee, cash: prices in the history's units, money in 10^-digits.

        Further columns, from why_ on, are the figures on which each fill was decided.
        """
        walked, sessions = self.walked, self.history.columns["session"]
        side = pl.when(pl.Series(walked.bought)).then(pl.lit(Side.BUY.value)).otherwise(pl.lit(Side.SELL.value))
        known = pl.DataFrame(
            {
                "number": np.arange(1, len(walked.decided) + 1),
                "session": sessions.gather(walked.decided + 1),
                "decided_on": sessions.gather(walked.decided),
                "side": pl.select(side).to_series(),
                "quantity": walked.quantity,
                "price": walked.price,
                "fee": walked.fee,
                "cash": walked.cash,
            }
        )
        because = self.figures.select(pl.all().gather(walked.decided).name.prefix(WHY))
        return known.hstack(because.get_columns())

    def reasons(self) -> pl.Series:
        """The reasons of each fill in words."""
        return pl.Series("reasons", [" | ".join(one) for one in self.why(self.walked)], dtype=pl.String)

    def trades(self) -> pl.DataFrame:
        """From purchase to sale: opened, closed (numbers of the bars of the fills), quantity, fees and profit in 10^-digits of money. An open one is left out."""
        found = self.walked.trades()
        return pl.DataFrame(found, schema=dict.fromkeys(found, pl.Int64))

    def outcome(self) -> Outcome:
        """The same as the objects of the general engine."""
        fills: list[Fill] = []
        sessions, digits = self.history.sessions, self.history.digits
        w = self.walked
        columns = (one.tolist() for one in (w.decided, w.bought, w.quantity, w.price, w.fee, w.held))
        for number, (because, bar, buys, quantity, price, fee, held) in enumerate(zip(self.why(w), *columns, strict=True), start=1):
            fills.append(
                Fill(
                    number=number,
                    session=sessions[bar + 1],
                    decided_on=sessions[bar],
                    symbol=self.history.symbol,
                    side=Side.BUY if buys else Side.SELL,
                    kind=SignalKind.ENTRY if buys else SignalKind.EXIT,
                    quantity=Quantity(quantity),
                    price=Price(exact(price, digits)),
                    fee=self._money(fee),
                    held_after=Quantity(held),
                    reasons=because,
                    strength=1.0,
                )
            )
        equity, cash = self.levels
        points = zip(sessions[self.first : self.end], equity.tolist(), cash.tolist(), strict=True)
        found = Outcome(fills, self.walked.refusals)
        found.curve = [Point(day, self._money(equity), self._money(cash)) for day, equity, cash in points]
        if len(w.held) and w.held[-1]:
            found.held = {self.history.symbol: Quantity(int(w.held[-1]))}
        return found

    def _money(self, units: int) -> Money:
        return Money(exact(units, self.digits), self.opening.currency)


def _sums(amounts: Ints, firsts: Ints, lasts: Ints) -> Ints:
    """The sums of the stretches from each of `firsts` to each of `lasts`; sums of whole numbers may go round and come back."""
    upto = np.concatenate([[0], np.cumsum(amounts)])
    sums: Ints = upto[lasts + 1] - upto[firsts]
    return sums
