"""A moment of a live run as a process of its own: `moment.py FOLDER` reads wide.parquet and prints one line of JSON.

Every symbol gets one new bar, all its indicators are computed, and ATR Matrix decides on each: nothing is held, so that it is asked
as often as it ever is. The same decisions are made with columns over all bars on the last moment, and must be the same.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Price
from quantmatrix.signals.domain.decisions import FLAT, Decision, Situation
from quantmatrix.signals.domain.series import RawBar, Series, series_from
from quantmatrix.signals.engines import Columns, Made, made_of
from quantmatrix.signals.strategies.atr_matrix import STRATEGY
from quantmatrix.signals.testing import EQUITY, US_STOCK_DOOR

MOMENTS, FEW = 30, 5
Row = Mapping[str, float | None]


def main() -> None:
    frames = pl.read_parquet(Path(sys.argv[1]) / "wide.parquet").partition_by("symbol", include_key=False, maintain_order=True)
    told = {"symbols": len(frames), "few": FEW}
    for name, chosen in (("all", frames), ("few", frames[:FEW])):
        moments, started = _run([_bars(frame) for frame in chosen])
        told |= {f"{name}_ms": min(moments), f"{name}_usual_ms": sorted(moments)[len(moments) // 2], f"{name}_first_ms": started}
    sys.stdout.write(json.dumps(told) + "\n")


def _bars(frame: pl.DataFrame) -> list[RawBar]:
    return [RawBar(row[0], *(cents / 100 for cents in row[1:5]), float(row[5])) for row in frame.iter_rows()]


def _run(bars: Sequence[Sequence[RawBar]]) -> tuple[list[float], float]:
    made = made_of(STRATEGY(STRATEGY.parameters()))
    series = {InstrumentId(f"ID-{number:04}"): series_from(one[:-MOMENTS], ()) for number, one in enumerate(bars)}
    began = time.perf_counter()
    if made.tails is not None:
        made.tails.advance(series)
    started, moments = (time.perf_counter() - began) * 1e3, []
    for number in range(-MOMENTS, 0):
        fresh = {instrument: one[number] for instrument, one in zip(series, bars, strict=True)}
        closes = {instrument: Price.parse(f"{bar.close:.2f}") for instrument, bar in fresh.items()}
        began = time.perf_counter()
        decided = _moment(made, series, fresh, closes)
        moments.append((time.perf_counter() - began) * 1e3)
    for instrument, one in series.items():
        row = one.latest(made.columns[Columns.FLAT])
        if decided[instrument] != _decided(made, row, closes[instrument]):
            raise SystemExit(f"{instrument}: another decision from its last bars than from all of them")
    return moments, started


def _moment(
    made: Made, series: Mapping[InstrumentId, Series], fresh: Mapping[InstrumentId, RawBar], closes: Mapping[InstrumentId, Price]
) -> dict[InstrumentId, Sequence[Decision]]:
    """What `deciding.py` does with a moment, without the tables."""
    for instrument, bar in fresh.items():
        series[instrument].append(bar)
    if made.tails is not None:
        made.tails.advance(series)
    decided: dict[InstrumentId, Sequence[Decision]] = dict.fromkeys(series, ())
    for instrument, one in series.items():
        if not made.strategy.nothing_can_happen(made.row(Columns.SCREEN, instrument, one), FLAT):
            decided[instrument] = _decided(made, made.row(Columns.FLAT, instrument, one), closes[instrument])
    return decided


def _decided(made: Made, row: Row, close: Price) -> Sequence[Decision]:
    return made.strategy.decide(Situation(row, close, FLAT, False, EQUITY, US_STOCK_DOOR))


if __name__ == "__main__":
    main()
