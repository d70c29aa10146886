"""Every strategy that lies in the slot passes the contract of strategies."""

import csv
from datetime import date
from pathlib import Path

import pytest

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import ActionId
from quantmatrix.signals.app import strategies_in_slot
from quantmatrix.signals.domain.series import RawBar, Split, series_from
from quantmatrix.signals.testing import BuyOneLot, NoParameters, StrategyContract, situation_at

_FILE = Path(__file__).parents[1] / "reference" / "aapl_2000_talib.csv"
with _FILE.open(encoding="utf-8", newline="") as _rows:
    BARS = tuple(
        RawBar(date.fromisoformat(row["session"]), *(float(row[name]) for name in ("open", "high", "low", "close", "volume")))
        for row in csv.DictReader(_rows)
    )
SPLITS = (Split(ActionId(derived_id("AAPL 2000")), date(2000, 6, 21), 2, 1),)


ALONE = sorted(name for name, strategy in strategies_in_slot().items() if not strategy.catalogue.sees_portfolio)


@pytest.mark.parametrize("name", ALONE)
class TestEveryStrategyInTheSlot(StrategyContract):
    bars = BARS
    splits = SPLITS

    @pytest.fixture(autouse=True)
    def _take(self, name: str) -> None:
        type(self).strategy = strategies_in_slot()[name]


def test_being_in_the_folder_is_being_registered() -> None:
    assert "atr_matrix" in strategies_in_slot()


def test_the_smallest_strategy_buys_once() -> None:
    strategy = BuyOneLot(NoParameters())
    series = series_from(BARS, SPLITS)

    (bought,) = strategy.decide(situation_at(strategy, series))
    assert bought.quantity == situation_at(strategy, series).door.lot_size
    assert not strategy.decide(situation_at(strategy, series, pending=True))
