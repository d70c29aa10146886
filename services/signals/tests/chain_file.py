"""A small deterministic file of option chains, made of real bars by Black's closed form: what parity tests of options trade on.

Calls and puts on each stock, Fridays two weeks apart, strikes a whole dollar apart around the close, a constant volatility, and a
spread of two to four percent. Whether the model is right does not matter here: backtest, replay and live days see the same file.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from quantmatrix.market.feeds._chains import COLUMNS
from quantmatrix.signals.domain.options.pricing import DAYS_A_YEAR, Kind, black76

VOLATILITY = 0.45
FIRST_FRIDAY = date(2003, 1, 3)
KINDS: tuple[Kind, ...] = ("call", "put")
CENT = Decimal("0.01")


def rows_on(symbol: str, session: date, close: float) -> Iterator[tuple[object, ...]]:
    """The chain of one stock at one close."""
    ahead = (session - FIRST_FRIDAY).days // 14
    expirations = [FIRST_FRIDAY + timedelta(days=14 * (ahead + number)) for number in range(3)]
    middle = round(close)
    for expires in expirations:
        days = (expires - session).days
        for strike in range(max(1, middle - 4), middle + 5):
            for kind in KINDS:
                if days >= 0:
                    yield _row(symbol, session, close, expires, days, strike, kind)


def _row(symbol: str, session: date, close: float, expires: date, days: int, strike: int, kind: Kind) -> tuple[object, ...]:
    years = max(days, 0.25) / DAYS_A_YEAR
    price = Decimal(repr(black76(kind, close, float(strike), years, VOLATILITY).price)).quantize(CENT)
    half = max(CENT, (price * Decimal("0.015")).quantize(CENT))
    bid, ask = max(price - half, Decimal(0)), price + half
    return symbol, session, expires, kind, strike, bid, ask, VOLATILITY, 500 + 10 * strike, 40


def write_chains(path: Path, closes: Iterable[tuple[str, date, float]]) -> Path:
    """Write the chains of all these closes, in order."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for symbol, session, close in closes:
            writer.writerows(rows_on(symbol, session, close))
    return path
