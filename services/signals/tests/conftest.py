"""Bars of signals' tests: real ones with a second library's figures beside them, and made ones."""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import ActionId
from quantmatrix.signals.domain.series import RawBar, Split

pytest.register_assert_rewrite("quantmatrix.signals.testing")


@dataclass(frozen=True, slots=True)
class Reference:
    """Raw AAPL bars of March 2000 to June 2001, and what TA-Lib 0.8.1 computed of the same raw columns."""

    bars: tuple[RawBar, ...]
    figures: dict[str, tuple[float | None, ...]]
    splits: tuple[Split, ...]


@pytest.fixture(scope="session")
def reference() -> Reference:
    with (Path(__file__).parent / "reference" / "aapl_2000_talib.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    bars = tuple(
        RawBar(date.fromisoformat(row["session"]), *(float(row[name]) for name in ("open", "high", "low", "close", "volume")))
        for row in rows
    )
    figures = {
        name: tuple(float(row[name]) if row[name] else None for row in rows)
        for name in ("talib_trange", "talib_atr14", "talib_ema10", "talib_sma50")
    }
    return Reference(bars, figures, (Split(ActionId(derived_id("AAPL 2000")), date(2000, 6, 21), 2, 1),))
