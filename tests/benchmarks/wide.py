"""ATR Matrix over many symbols as a process of its own: `wide.py FOLDER` reads bars.parquet and prints one line of JSON."""

import json
import sys
import time
from pathlib import Path

import polars as pl

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.backtest.packed import PackedBars, PackedHistory
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.strategies.atr_matrix import STRATEGY

ENVELOPE = Money(10_000_000, "USD")
PARAMETERS = {"max_position_pct": 0.2}


def main() -> None:
    bars = pl.read_parquet(Path(sys.argv[1]) / "wide.parquet").partition_by("symbol", include_key=False, maintain_order=True)
    cent, one = Price.parse("0.01"), Quantity(1)
    histories = [
        PackedHistory(InstrumentId(f"ID-{number:04}"), f"S{number:04}", "USD", cent, one, one, PackedBars(frame, 2), ())
        for number, frame in enumerate(bars)
    ]
    result = backtest(STRATEGY, histories, Job(PARAMETERS, ENVELOPE))
    told = {"symbols": len(histories), "fills": len(result.outcome.fills), "digest": result.digest[:12], "processor_s": time.process_time()}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
