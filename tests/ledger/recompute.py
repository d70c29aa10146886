"""The ledger computed a second time, from the venue's executions alone, in plain fractions. Imports nothing of the product.

What is known beforehand are facts of the market: the splits of the five stocks, and the closing prices of the data file.
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from importlib.resources import files

SPLITS = {
    ("AAPL", date(2000, 6, 21)): Fraction(2),
    ("MSFT", date(2003, 2, 18)): Fraction(2),
    ("AAPL", date(2005, 2, 28)): Fraction(2),
}
START = Fraction(100_000)
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Execution:
    """One row of the venue: side is BUY or SELL, quantity above zero, fee in USD."""

    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    session: date


@dataclass
class Lot:
    symbol: str
    opened_on: date
    quantity: Fraction
    basis: Fraction


@dataclass(frozen=True)
class Closing:
    symbol: str
    opened_on: date
    closed_on: date
    quantity: Fraction
    proceeds: Fraction
    basis: Fraction


@dataclass
class Ledger:
    """FIFO lots of a long-only USD account, oldest first; everything exact."""

    cash: Fraction = START
    lots: dict[str, list[Lot]] = field(default_factory=lambda: defaultdict(list))
    closings: list[Closing] = field(default_factory=list)

    def buy(self, one: Execution) -> None:
        cost = Fraction(one.price) * Fraction(one.quantity) + Fraction(one.fee)
        self.cash -= cost
        self.lots[one.symbol].append(Lot(one.symbol, one.session, Fraction(one.quantity), cost))

    def sell(self, one: Execution) -> None:
        left = Fraction(one.quantity)
        per_unit = Fraction(one.price) - Fraction(one.fee) / left
        self.cash += per_unit * left
        while left:
            lot = self.lots[one.symbol][0]
            taken = min(left, lot.quantity)
            basis = lot.basis * taken / lot.quantity
            self.closings.append(Closing(one.symbol, lot.opened_on, one.session, taken, per_unit * taken, basis))
            lot.quantity, lot.basis, left = lot.quantity - taken, lot.basis - basis, left - taken
            if not lot.quantity:
                self.lots[one.symbol].pop(0)

    def split(self, symbol: str, ratio: Fraction) -> None:
        for lot in self.lots[symbol]:
            lot.quantity *= ratio

    @property
    def realised(self) -> Fraction:
        return sum((one.proceeds - one.basis for one in self.closings), Fraction(0))

    def equity(self, closes: dict[str, Decimal]) -> Fraction:
        return self.cash + sum(lot.quantity * Fraction(closes[symbol]) for symbol, lots in self.lots.items() for lot in lots)


def recompute(executions: Iterable[Execution]) -> Ledger:
    """Book executions in the venue's order; a split comes before anything executed on its day."""
    ledger = Ledger()
    splits = sorted(SPLITS.items(), key=lambda item: item[0][1])
    for one in executions:
        while splits and splits[0][0][1] <= one.session:
            (symbol, _), ratio = splits.pop(0)
            ledger.split(symbol, ratio)
        (ledger.buy if one.side == "BUY" else ledger.sell)(one)
    for (symbol, _), ratio in splits:
        ledger.split(symbol, ratio)
    return ledger


def last_closes(until: date) -> dict[str, Decimal]:
    """The raw close of every stock on its last day up to `until`, read from the data file itself."""
    found: dict[str, tuple[date, Decimal]] = {}
    for symbol, day, close in _closes():
        if day <= until and (symbol not in found or found[symbol][0] < day):
            found[symbol] = (day, close)
    return {symbol: price for symbol, (_, price) in found.items()}


def bars_until(until: date) -> int:
    """How many daily bars the data file has up to a day."""
    return sum(day <= until for _, day, _ in _closes())


def _closes() -> Iterator[tuple[str, date, Decimal]]:
    path = files("bokeh_sampledata").joinpath("_data", "stocks.csv.gz")
    with path.open("rb") as raw, gzip.open(raw, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            yield row["Ticker"], date.fromisoformat(row["Date"]), Decimal(row["Close"])


def cents(amount: Fraction | Decimal) -> Decimal:
    """To the cent, half to even."""
    exact = Fraction(amount)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(CENT, ROUND_HALF_EVEN)
