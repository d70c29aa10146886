"""Scans: a universe in batches, filters and presets, the best first, and every symbol that could not be read with its reason."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from quantmatrix.signals.scanners.reading import Reading, TooShortError, read_instrument

BATCH = 50
NOTIFY_TOP, FULL_SIGNALS = 5, 3


class Filter(BaseModel):
    """What a scan keeps; what is left out is not looked at. A reading without a figure that is looked at is not kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    min_atr_distance: float | None = Field(None, title="Distance from", description="ATRs above the 50-day average, at least.")
    max_atr_distance: float | None = Field(None, title="Distance to", description="ATRs above the 50-day average, at most.")
    min_atr_pct: float | None = Field(None, ge=0, title="Movement from", description="ATR in percent of the price, at least.")
    max_atr_pct: float | None = Field(None, ge=0, title="Movement to", description="ATR in percent of the price, at most.")
    require_ma_alignment: bool = Field(False, title="Aligned", description="Shorter averages stand above longer ones.")
    min_price_position_20d: float | None = Field(None, ge=0, le=100, title="20-day position", description="Percent of the range, at least.")
    min_price: float | None = Field(None, ge=0, title="Price from", description="Close, at least.")
    max_price: float | None = Field(None, ge=0, title="Price to", description="Close, at most.")
    min_volume: float | None = Field(None, ge=0, title="Volume", description="Of the last bar, at least.")
    min_confidence: float | None = Field(
        None, ge=0, le=1, title="Confidence", description="Of the entry, at least; without an entry it is 0."
    )
    sectors: tuple[str, ...] = Field((), title="Sectors", description="Only these.")
    include_symbols: tuple[str, ...] = Field((), title="Symbols", description="Only these.")
    exclude_symbols: tuple[str, ...] = Field((), title="Without", description="Not these.")

    def keeps(self, one: Reading) -> bool:
        """Whether a reading fits."""
        named = (not self.include_symbols or one.symbol in self.include_symbols) and one.symbol not in self.exclude_symbols
        placed = (not self.sectors or one.sector in self.sectors) and (one.aligned is True or not self.require_ma_alignment)
        return named and placed and all(_within(value, low, high) for value, low, high in self._bounds(one))

    def _bounds(self, one: Reading) -> Iterator[tuple[float | None, float | None, float | None]]:
        yield one.atr_distance, self.min_atr_distance, self.max_atr_distance
        yield one.atr_pct, self.min_atr_pct, self.max_atr_pct
        yield one.position_20d, self.min_price_position_20d, None
        yield one.close, self.min_price, self.max_price
        yield one.volume, self.min_volume, None
        yield one.confidence, self.min_confidence, None


def filter_of(preset: Filter, given: Mapping[str, Any]) -> Filter:
    """A preset with filters in place of its own and beside them. Raises ValidationError for what is unknown or out of bounds."""
    return Filter.model_validate({**preset.model_dump(exclude_defaults=True), **given})


def _within(value: float | None, low: float | None, high: float | None) -> bool:
    if low is None and high is None:
        return True
    if value is None or math.isnan(value):
        return False
    return (low is None or value >= low) and (high is None or value <= high)


PRESETS: Mapping[str, Filter] = {
    name: Filter.model_validate(fields)
    for name, fields in {
        "entry_setup": {"max_atr_distance": 4, "require_ma_alignment": True, "min_atr_pct": 3, "min_price_position_20d": 60},
        "breakout_candidates": {"min_atr_distance": 6, "max_atr_distance": 8, "min_atr_pct": 4},
        "value": {"max_atr_distance": 0, "min_atr_pct": 2},
        "momentum": {"min_atr_distance": 8, "require_ma_alignment": True, "min_atr_pct": 5, "min_price_position_20d": 80},
        "atr_matrix": {"min_confidence": 0.6},
        "all": {},
    }.items()
}
"""Named scans; atr_matrix is the one of the schedule, 09:15 and 15:15 in New York; all keeps whatever no filter of its own keeps out."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A symbol that could not be read, and why."""

    symbol: str
    why: str


@dataclass(frozen=True, slots=True)
class Scan:
    """hits by distance, nearest to the base first. scanned counts what was read, kept or not."""

    hits: tuple[Reading, ...]
    unread: tuple[Unread, ...]
    scanned: int

    @property
    def top(self) -> tuple[Reading, ...]:
        """What is told to people."""
        return self.hits[:NOTIFY_TOP]


Bars = Callable[[Sequence[str]], Mapping[str, pl.DataFrame]]


def scan(symbols: Iterable[str], bars: Bars, wanted: Filter, sectors: Mapping[str, str] | None = None) -> Scan:
    """Read every symbol and keep what fits. bars: gives the series of a batch; a symbol that it leaves out has none."""
    hits, unread, scanned = [], [], 0
    for batch in batches(symbols):
        found = bars(batch)
        for symbol in batch:
            one = _read(symbol, found.get(symbol), (sectors or {}).get(symbol))
            if isinstance(one, Unread):
                unread.append(one)
                continue
            scanned += 1
            if wanted.keeps(one):
                hits.append(one)
    return Scan(tuple(sorted(hits, key=lambda one: (one.atr_distance, one.symbol))), tuple(unread), scanned)


def _read(symbol: str, bars: pl.DataFrame | None, sector: str | None) -> Reading | Unread:
    if bars is None:
        return Unread(symbol, "there are no bars")
    try:
        return read_instrument(symbol, bars, sector)
    except (TooShortError, ValueError, pl.exceptions.PolarsError) as error:
        return Unread(symbol, str(error).splitlines()[0])


def batches(symbols: Iterable[str]) -> Iterator[list[str]]:
    """Every symbol once, in the order given, fifty at a time."""
    waiting = iter(dict.fromkeys(symbols))
    while batch := list(itertools.islice(waiting, BATCH)):
        yield batch
