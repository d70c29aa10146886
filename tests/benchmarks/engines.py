"""Strategies beside the engines people use: the same work, each engine in a process of its own, in turn, in the same run.

The peers are measured when `make bench-peers` has installed them. No time is asserted anywhere.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from tests.benchmarks.cross import DIGITS

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
OURS, THEIRS = ("columns", "events"), ("compiled", "vectorbt", "backtesting", "freqtrade", "nautilus")
SEED, SIGMA = 7, 0.0005
TIMEOUT_S = 300.0
SLOW = {"freqtrade": 120.0, "nautilus": 90.0}
"""Engines that run once, in one process, and are given up after so many seconds."""
COLUMNS_RATIO_MIN, EVENTS_RATIO_MIN, NAUTILUS_RATIO_MIN = 3.0, 1.0, 10.0
SYMBOLS, YEARS, SESSIONS = 500, 10, 252
WIDE_S_MAX, LIVE_MS_MAX = 5.0, 100.0


@dataclass(frozen=True)
class Timed:
    """Seconds: the first run, the quickest one, its processor time, and the whole process with one run."""

    engine: str
    bars: int
    fills: int
    equity: float
    first_s: float
    warm_s: float
    processor_s: float
    process_s: float


@dataclass(frozen=True)
class Wide:
    """A whole process of ATR Matrix. processor_s: of all its threads together."""

    symbols: int
    bars: int
    fills: int
    digest: str
    process_s: float
    processor_s: float


@dataclass(frozen=True)
class Live:
    """One new bar for every symbol, its indicators and its decision, in milliseconds: the quickest moment, the usual one, the first after a start."""

    symbols: int
    all_ms: float
    all_usual_ms: float
    all_first_ms: float
    few: int
    few_ms: float
    few_usual_ms: float
    few_first_ms: float


def make_minutes(folder: Path, count: int) -> None:
    """A walk of minute bars in whole numbers, from NumPy's default generator."""
    draw = np.random.default_rng(SEED)
    close = 100 * np.exp(np.cumsum(draw.normal(0, SIGMA, count)))
    opened = np.concatenate([[100.0], close[:-1]]) * np.exp(draw.normal(0, SIGMA / 5, count))
    opens, closes = (np.rint(prices * 10**DIGITS).astype(np.int64) for prices in (opened, close))
    np.save(folder / "open.npy", opens)
    np.save(folder / "close.npy", closes)
    minutes = pl.datetime_range(datetime(2010, 1, 4), datetime(2010, 1, 4) + timedelta(minutes=count - 1), "1m", eager=True)  # noqa: DTZ001
    columns = {"open": opens, "high": np.maximum(opens, closes), "low": np.minimum(opens, closes), "close": closes}
    pl.DataFrame({"session": minutes, **columns, "volume": np.full(count, 1_000, np.int64)}).write_parquet(folder / "bars.parquet")


def make_wide(folder: Path, symbols: int = SYMBOLS, sessions: int = YEARS * SESSIONS) -> None:
    """Walks of daily bars in cents, one for each symbol."""
    draw, weekdays = np.random.default_rng(SEED), []
    day = date(2010, 1, 4)
    while len(weekdays) < sessions:
        weekdays += [day] if day.weekday() < 5 else []
        day += timedelta(days=1)
    frames = []
    for symbol in range(symbols):
        sigma = draw.uniform(0.01, 0.03)
        close = draw.uniform(20, 200) * np.exp(np.cumsum(draw.normal(0.0002, sigma, sessions)))
        opened = np.concatenate([close[:1], close[:-1]]) * (1 + draw.normal(0, sigma / 4, sessions))
        high = np.maximum(opened, close) * (1 + np.abs(draw.normal(0, sigma / 3, sessions)))
        low = np.minimum(opened, close) * (1 - np.abs(draw.normal(0, sigma / 3, sessions)))
        prices = {"open": opened, "high": high, "low": low, "close": close}
        cents = {name: np.maximum(np.rint(values * 100), 1).astype(np.int64) for name, values in prices.items()}
        volume = draw.integers(10**5, 10**7, sessions)
        frames.append(pl.DataFrame({"symbol": np.full(sessions, symbol), "session": weekdays, **cents, "volume": volume}))
    pl.concat(frames).write_parquet(folder / "wide.parquet")


def measure_all(folder: Path) -> list[Timed]:
    """250,000 bars through every engine, a million through those that go by columns."""
    return [
        *measure_cross(folder, 250_000, 5),
        *measure_cross(folder, 1_000_000, 3, without=("events", "backtesting", "freqtrade", "nautilus")),
    ]


def measure_cross(folder: Path, count: int, repeats: int, without: Sequence[str] = ()) -> list[Timed]:
    """Every engine that is there, on the same bars. The peers are looked for in their own environment."""
    make_minutes(folder, count)
    there = [*((name, sys.executable) for name in OURS), *((name, str(PEERS)) for name in THEIRS if PEERS.exists())]
    found = [_timed(name, python, folder, count, repeats) for name, python in there if name not in without]
    return [one for one in found if one is not None]


def _timed(name: str, python: str, folder: Path, count: int, repeats: int) -> Timed | None:
    """None for an engine that did not finish in its time."""
    command = [python, str(ROOT / "tests/benchmarks/cross.py"), name, str(folder)]
    try:
        process_s, told = run_process([*command, "1"], SLOW.get(name, TIMEOUT_S))
    except subprocess.TimeoutExpired:
        return None
    if name not in SLOW:
        _, told = run_process([*command, str(repeats)])
    return Timed(name, count, told["fills"], told["equity"], told["first_s"], told["warm_s"], told["processor_s"], process_s)


def measure_wide(folder: Path, symbols: int = SYMBOLS) -> Wide:
    make_wide(folder, symbols)
    process_s, told = run_process([sys.executable, str(ROOT / "tests/benchmarks/wide.py"), str(folder)])
    return Wide(told["symbols"], told["symbols"] * YEARS * SESSIONS, told["fills"], told["digest"], process_s, told["processor_s"])


def measure_live(folder: Path) -> Live:
    """On the bars that `measure_wide` has made."""
    _, told = run_process([sys.executable, str(ROOT / "tests/benchmarks/moment.py"), str(folder)])
    return Live(**told)


def run_process(command: Sequence[str], timeout_s: float = TIMEOUT_S) -> tuple[float, dict]:  # type: ignore[type-arg]  # what a process printed
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2_000:]}")
    return time.perf_counter() - began, json.loads(done.stdout.splitlines()[-1])


def disagreements(timed: Sequence[Timed]) -> list[str]:
    """Engines whose fills or final equity, to the cent, are not those of the column path on the same bars."""
    own = {one.bars: (one.fills, one.equity) for one in timed if one.engine == "columns"}
    return [
        f"{one.engine}, {one.bars:,} bars: {one.fills} fills and {one.equity:.2f}"
        for one in timed
        if (one.fills, one.equity) != own[one.bars]
    ]


def show_cross(timed: Sequence[Timed], out: Console) -> None:
    table = Table(
        "engine",
        "bars",
        "fills",
        "equity",
        "first s",
        "warm s",
        "bars/s",
        "processor s",
        "process s",
        "of columns",
        title="Moving-average cross",
    )
    table.title_justify = "left"
    warm = {one.bars: one.warm_s for one in timed if one.engine == "columns"}
    for one in timed:
        figures = (
            f"{one.first_s:.3f}",
            f"{one.warm_s:.4f}",
            f"{one.bars / one.warm_s:,.0f}",
            f"{one.processor_s:.4f}",
            f"{one.process_s:.2f}",
        )
        table.add_row(one.engine, f"{one.bars:,}", f"{one.fills:,}", f"{one.equity:,.2f}", *figures, f"{one.warm_s / warm[one.bars]:.2f}")
    out.print(table)
    if not PEERS.exists():
        out.print("The peers are not installed: `make bench-peers` does it, in an environment of their own.")
    for sentence in verdicts_of_engines(timed):
        out.print(sentence, highlight=False)
    for sentence in disagreements(timed):
        out.print(f"✗ another result: {sentence}", highlight=False)


def verdicts_of_engines(timed: Sequence[Timed]) -> list[str]:
    """What is wanted of the fewest bars, by the clock and by processor time, which other work on the machine disturbs less."""
    count = min(one.bars for one in timed)
    found = {one.engine: one for one in timed if one.bars == count}
    told = [f"  {name}: not finished after {limit_s:g} s" for name, limit_s in SLOW.items() if "vectorbt" in found and name not in found]
    wanted = (
        ("columns", "vectorbt", COLUMNS_RATIO_MIN),
        ("events", "backtesting", EVENTS_RATIO_MIN),
        ("events", "nautilus", NAUTILUS_RATIO_MIN),
    )
    for own, peer, least in wanted:
        if own in found and peer in found:
            ratio = found[peer].warm_s / found[own].warm_s
            worked = found[peer].processor_s / found[own].processor_s
            mark = "✓" if ratio >= least else "✗"
            told.append(f"{mark} {own}: {ratio:.1f} times as fast as {peer}, {worked:.1f} by processor time (wanted: {least:g})")
    return told


def show_wide(wide: Wide, out: Console) -> None:
    mark = "✓" if wide.process_s < WIDE_S_MAX else "✗"
    out.print(
        f"{mark} ATR Matrix, {wide.symbols} symbols, {wide.bars:,} daily bars, {wide.fills:,} fills: the whole process {wide.process_s:.1f} s, "
        f"{wide.processor_s:.1f} s of processor (wanted: under {WIDE_S_MAX:g} s)",
        highlight=False,
    )


def show_live(live: Live, out: Console) -> None:
    for count, quickest, usual, first in (
        (live.symbols, live.all_ms, live.all_usual_ms, live.all_first_ms),
        (live.few, live.few_ms, live.few_usual_ms, live.few_first_ms),
    ):
        wanted = f" (wanted: usually under {LIVE_MS_MAX:g} ms)" if count == SYMBOLS else ""
        mark = ("✓" if usual < LIVE_MS_MAX else "✗") if wanted else " "
        out.print(
            f"{mark} ATR Matrix live, {count} symbols with one new bar each: {quickest:.1f} ms at best, {usual:.1f} ms usually, "
            f"{first:.0f} ms to take up the past{wanted}",
            highlight=False,
        )


def main() -> int:
    """Only this part of `make bench`."""
    out = Console()
    with tempfile.TemporaryDirectory(prefix="qm-bench-") as name:
        folder = Path(name)
        show_cross(measure_all(folder), out)
        show_wide(measure_wide(folder), out)
        show_live(measure_live(folder), out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
