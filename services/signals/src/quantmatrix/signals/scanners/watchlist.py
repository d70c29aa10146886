"""The watchlist score: where each symbol stands among the others in volume, volatility, momentum, sentiment and volume momentum."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from quantmatrix.signals.domain.indicators import bars_so_far
from quantmatrix.signals.domain.patterns import performance
from quantmatrix.signals.domain.volatility import atr_pct
from quantmatrix.signals.scanners.reading import TooShortError
from quantmatrix.signals.scanners.scan import Bars, Unread, batches

WEIGHTS = {"volume": 30.0, "volatility": 25.0, "momentum": 20.0, "sentiment": 15.0, "volume_momentum": 10.0}
TOP = 50


@dataclass(frozen=True, slots=True)
class Watched:
    """score from 0 to 100 of the components that are known; missing names the others, whose weight the known ones share."""

    symbol: str
    score: float
    missing: tuple[str, ...]
    points: Mapping[str, float]
    """What each known component gives of the score; together they are the score."""


@dataclass(frozen=True, slots=True)
class Watchlist:
    """The best first. figures and sessions: of every symbol that was read, its components and the session of its last bar."""

    watched: tuple[Watched, ...]
    unread: tuple[Unread, ...]
    figures: Mapping[str, Mapping[str, float | None]]
    sessions: Mapping[str, date]


def watch(symbols: Iterable[str], bars: Bars, sentiments: Mapping[str, float] | None = None, top: int = TOP) -> Watchlist:
    """Read every symbol and rank them all. A symbol without one component of its bars is unread, and stops nothing.

    bars: gives the series of a batch; a symbol that it leaves out has none. sentiments: of the symbols where one is known.
    """
    figures: dict[str, Mapping[str, float | None]] = {}
    sessions: dict[str, date] = {}
    unread = []
    for batch in batches(symbols):
        found = bars(batch)
        for symbol in batch:
            try:
                read = _read(found.get(symbol), (sentiments or {}).get(symbol))
            except (ValueError, pl.exceptions.PolarsError) as error:
                unread.append(Unread(symbol, str(error).splitlines()[0]))
                continue
            figures[symbol], sessions[symbol] = read
    return Watchlist(tuple(watchlist(figures, top)), tuple(unread), figures, sessions)


def components(bars: pl.DataFrame, sentiment: float | None = None) -> dict[str, float | None]:
    """The raw figures of one symbol: money traded a day, ATR percent, 20-day performance, volume of 5 days over that of 20."""
    row = bars.select(
        bars=bars_so_far(),
        volume=(pl.col("volume") * pl.col("close")).rolling_mean(20),
        volatility=atr_pct(14),
        momentum=performance(20),
        volume_momentum=pl.col("volume").rolling_mean(5) / pl.col("volume").rolling_mean(20),
    ).row(-1, named=True)
    return {name: row[name] if name != "sentiment" else sentiment for name in WEIGHTS}


def watchlist(universe: Mapping[str, Mapping[str, float | None]], top: int = TOP) -> list[Watched]:
    """Scores by rank: the best of a component has all of its weight, the worst none, equal ones the same. Best first.

    A symbol without any component is left out.
    """
    ranks = {name: _ranks({symbol: figures.get(name) for symbol, figures in universe.items()}) for name in WEIGHTS}
    found = []
    for symbol in universe:
        known = [name for name in WEIGHTS if symbol in ranks[name]]
        weight = sum(WEIGHTS[name] for name in known)
        if weight:
            points = {name: 100.0 * WEIGHTS[name] * ranks[name][symbol] / weight for name in known}
            missing = tuple(name for name in WEIGHTS if name not in known)
            found.append(Watched(symbol, math.fsum(points.values()), missing, points))
    return sorted(found, key=lambda one: (-one.score, one.symbol))[:top]


def _read(bars: pl.DataFrame | None, sentiment: float | None) -> tuple[dict[str, float | None], date]:
    if bars is None or bars.is_empty():
        raise TooShortError("there are no bars")
    found = components(bars, sentiment)
    if all(figure is None or not math.isfinite(figure) for name, figure in found.items() if name != "sentiment"):
        raise TooShortError(f"{bars.height} bars, of which no component can be told")
    return found, bars["session"][-1]


def _ranks(values: Mapping[str, float | None]) -> dict[str, float]:
    """Each known value's place from 0 to 1; with a single value it is 1."""
    known = {symbol: value for symbol, value in values.items() if value is not None and math.isfinite(value)}
    ordered: Sequence[float] = sorted(set(known.values()))
    places = {value: place / (len(ordered) - 1) if len(ordered) > 1 else 1.0 for place, value in enumerate(ordered)}
    return {symbol: places[value] for symbol, value in known.items()}
