"""A hundred pairs of averages on the same bars, each with its figures: `sweeping.py ENGINE FOLDER REPEATS` prints one line of JSON.

This file is read by the environments of the peers, too, and imports an engine only where it is run.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FASTS, SLOWS = tuple(range(5, 55, 5)), tuple(range(60, 160, 10))
UNITS, FEE, CASH, DIGITS = 1_000, 0.001, 10_000_000, 8
Found = list[tuple[int, float, float, float]]
"""Of every pair, the fast averages first: closed trades, final equity, total return, largest drawdown."""


def columns(folder: Path) -> Callable[[], Found]:
    """The product's sweep with all figures, ranks and digests, on two threads."""
    from decimal import Decimal

    import polars as pl

    from quantmatrix.common.names import InstrumentId
    from quantmatrix.common.values import Money, Price, Quantity
    from quantmatrix.signals.backtest.packed import PackedBars, PackedHistory
    from quantmatrix.signals.backtest.rules import Commission, FillRules
    from quantmatrix.signals.backtest.run import Job
    from quantmatrix.signals.backtest.sweep import sweep
    from quantmatrix.signals.strategies.moving_average_cross import STRATEGY

    frame, one, nothing = pl.read_parquet(folder / "bars.parquet").rechunk(), Quantity(1), Decimal(0)
    job = Job({"units": UNITS}, Money(CASH, "USD"), FillRules(Commission(nothing, nothing, nothing, Decimal("0.1"))))

    def run() -> Found:
        history = PackedHistory(InstrumentId("ID-WALK"), "WALK", "USD", Price.parse("0.01"), one, one, PackedBars(frame, DIGITS), ())
        tried = sweep(STRATEGY, [history], job, {"fast": FASTS, "slow": SLOWS}, workers=2)
        told = [one.figures for one in sorted(tried, key=lambda one: one.number)]
        return [_pair(one) for one in told]

    return run


def _pair(told: Any) -> tuple[int, float, float, float]:
    curve = told["curve"]
    return told["closed_trades"]["trades"], float(told["equity"]), curve["total_return"], curve["max_drawdown"]


def vectorbt(folder: Path) -> Callable[[], Found]:
    """All pairs as columns of one portfolio, with the figures that it is asked for."""
    import numpy as np
    import pandas as pd
    import vectorbt as vbt

    index = pd.date_range("2010-01-04", periods=len(np.load(folder / "open.npy")), freq="min")
    opened = pd.Series(np.load(folder / "open.npy") / 10**DIGITS, index)
    close = pd.Series(np.load(folder / "close.npy") / 10**DIGITS, index)
    pairs = [(fast, slow) for fast in FASTS for slow in SLOWS]

    def run() -> Found:
        averages = vbt.MA.run(close, window=[*FASTS, *SLOWS]).ma.to_numpy()
        place = {length: at for at, length in enumerate([*FASTS, *SLOWS])}
        fast = averages[:, [place[one] for one, _ in pairs]]
        slow = averages[:, [place[one] for _, one in pairs]]
        above, below = fast > slow, fast < slow
        enter, leave = np.zeros_like(above), np.zeros_like(below)
        enter[2:] = above[1:-1] & (fast[:-2] <= slow[:-2])
        leave[1:] = below[:-1]
        held = vbt.Portfolio.from_signals(
            close,
            pd.DataFrame(enter, index),
            pd.DataFrame(leave, index),
            price=opened,
            size=UNITS,
            fees=FEE,
            init_cash=CASH,
            direction="longonly",
        )
        trades = held.trades.closed
        held.sharpe_ratio(), trades.win_rate(), trades.profit_factor()
        found = (trades.count(), held.final_value(), held.total_return(), held.max_drawdown())
        return [(int(a), float(b), float(c), float(d)) for a, b, c, d in zip(*found, strict=True)]

    return run


def compiled(folder: Path) -> Callable[[], Found]:
    """The limit: a compiled loop a pair over both cores, amounts as doubles, nothing kept but three figures."""
    import numpy as np
    from numba import njit, prange

    @njit(parallel=True)
    def loop(opened, close, fasts, slows):
        found = np.zeros((len(fasts), 3))
        for pair in prange(len(fasts)):
            short, long, cash, held, trades, fast, slow = fasts[pair], slows[pair], float(CASH), 0, 0, 0.0, 0.0
            before, peak, deepest = False, float(CASH), 0.0
            for at in range(len(close)):
                fast += close[at]
                slow += close[at]
                if at >= short:
                    fast -= close[at - short]
                if at >= long:
                    slow -= close[at - long]
                equity = cash + held * close[at]
                peak = max(peak, equity)
                deepest = min(deepest, equity / peak - 1.0)
                above = at >= long - 1 and fast * long > slow * short
                if at >= long - 1 and at + 1 < len(close):
                    if held and not above:
                        cash += UNITS * opened[at + 1] * (1 - FEE)
                        held, trades = 0, trades + 1
                    elif not held and above and not before and at >= long:
                        cash -= UNITS * opened[at + 1] * (1 + FEE)
                        held = UNITS
                before = above
            found[pair, 0], found[pair, 1], found[pair, 2] = trades, cash + held * close[-1], deepest
        return found

    opened, close = np.load(folder / "open.npy") / 10**DIGITS, np.load(folder / "close.npy") / 10**DIGITS
    fasts, slows = (np.array(one) for one in zip(*((fast, slow) for fast in FASTS for slow in SLOWS), strict=True))
    return lambda: [(int(a), b, b / CASH - 1.0, c) for a, b, c in loop(opened, close, fasts, slows).tolist()]


ENGINES = {one.__name__: one for one in (columns, vectorbt, compiled)}


def _peak_mib() -> float:
    """Of this program alone; what the system counts as a process's peak begins with the one that started it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> None:
    """Time the first run and the quickest of all, by the wall and by the processor; memory is the largest of the process."""
    engine, folder, repeats = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    run = ENGINES[engine](folder)
    walls, processors, found = [], [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        found = run()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    told = {
        "pairs": [(trades, round(equity, 2), round(grown, 9), round(fall, 9)) for trades, equity, grown, fall in found],
        "first_s": walls[0],
        "warm_s": min(walls),
        "processor_s": min(processors),
        "peak_mib": _peak_mib(),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
