"""A finished backtest as plain values: what it is stored as, shown as and drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from quantmatrix.signals.backtest.result import Result
from quantmatrix.signals.backtest.tables import tables


@dataclass(frozen=True, slots=True)
class Record:
    """figures: what `--json` prints (`Result.as_json`); tables: fills, trades, curve and refusals (`tables.tables`)."""

    figures: Mapping[str, Any]
    tables: Mapping[str, pl.DataFrame]

    @property
    def title(self) -> str:
        return f"{self.figures['strategy']} on {', '.join(self.figures['symbols'])}"

    def profits(self) -> list[float]:
        """The profit of each closed trade after costs, in the order of their opening."""
        closed = self.tables["trades"].filter(~pl.col("is_open"))
        return closed["profit"].cast(pl.Float64).to_list()


def record_of(result: Result) -> Record:
    """The record of a result; nothing of it refers back to the result."""
    return Record(result.as_json(), tables(result))
