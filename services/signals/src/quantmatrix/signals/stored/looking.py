"""What signals answers about look-ahead checks: what came of one, and the latest of each strategy."""

from collections.abc import Mapping

import polars as pl

from quantmatrix.common.contracts.asking.checks import BacktestChange, BacktestCheck, BacktestLooked
from quantmatrix.signals.backtest.record import Record

CHANGES_MAX = 100


def check_of(record: Record) -> BacktestCheck | None:
    """What came of it; None for a record of another kind."""
    told, tables = record.figures, record.tables
    if "looked" not in told:
        return None
    looked = tuple(BacktestLooked(**one) for one in told["looked"])
    return BacktestCheck(told["cuts"], told["decided"], told["changed"], looked, _changes(tables))


def _changes(tables: Mapping[str, pl.DataFrame]) -> tuple[BacktestChange, ...]:
    rows = tables["changes"].head(CHANGES_MAX).iter_rows(named=True) if "changes" in tables else ()
    return tuple(BacktestChange(**row) for row in rows)
