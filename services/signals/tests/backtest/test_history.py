"""Bars are looked through before anything is computed of them; what is wrong is named with its place."""

from datetime import date
from typing import Any

import polars as pl
import pytest
from services.signals.tests.backtest.making import USD, Script, bar, day, flat_bar, history

from quantmatrix.common.values import Price, Quantity
from quantmatrix.signals.backtest.history import BacktestError, History, PastBar, check, digest_of, past_bar
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix

GOOD = (flat_bar(1, "10"), flat_bar(2, "11"), flat_bar(3, "12"))


@pytest.mark.parametrize(
    ("bars", "says"),
    [
        ((GOOD[1], GOOD[0], GOOD[2]), r"AAA, bar 2 \(2010-01-04\): comes after 2010-01-05"),
        ((GOOD[0], GOOD[1], GOOD[1]), r"AAA, bar 3 \(2010-01-05\): stands there twice"),
        ((GOOD[0], bar(2, "10", "9", "8", "9")), r"bar 2 \(2010-01-05\): open 10 and close 9 do not lie between low 8 and high 9"),
        ((GOOD[0], bar(2, "9", "10", "0", "9")), r"bar 2 \(2010-01-05\): the low is 0, prices are above zero"),
        ((GOOD[0], flat_bar(2, "9", -1)), r"bar 2 \(2010-01-05\): the volume is -1"),
        ((), "AAA has 0 bars, the strategy wants 1"),
    ],
)
def test_bars_that_cannot_be_are_named(bars: tuple[PastBar, ...], says: str) -> None:
    with pytest.raises(BacktestError, match=says):
        check([history(*bars)], 1)


def test_too_little_history_is_told_with_what_is_wanted() -> None:
    with pytest.raises(BacktestError, match="AAA has 3 bars, the strategy wants 50 before it can decide anything"):
        backtest(AtrMatrix, [history(*GOOD)], Job({}, USD))


@pytest.mark.parametrize("histories", [[], [history(*GOOD), history(*GOOD)]])
def test_nothing_or_the_same_twice_is_refused(histories: list[History]) -> None:
    with pytest.raises(BacktestError, match=r"nothing to run on|given twice: AAA"):
        check(histories, 1)


def test_a_flood_of_faults_is_cut_short() -> None:
    with pytest.raises(BacktestError, match="and 80 more"):
        check([history(*(flat_bar(1, "10") for _ in range(101)))], 1)


@pytest.mark.parametrize(
    ("close", "says"),
    [
        (float("nan"), "the close is not a number"),
        (float("inf"), "the close is not a number"),
        ("1e5", "the close is no exact number"),
        (None, "the close is no exact number"),
    ],
)
def test_a_price_that_is_none_is_named_with_its_bar(close: Any, says: str) -> None:
    with pytest.raises(BacktestError, match=rf"AAA, bar 7 \(2010-01-04\): {says}"):
        past_bar("AAA", 7, date(2010, 1, 4), (1.5, 2, "1.25", close), 100)


def test_a_bar_is_read_from_numbers_and_strings_alike() -> None:
    read = past_bar("AAA", 1, day(1), (1.5, 2, "1.25", 1.75), 100)

    assert read == PastBar(day(1), Price.parse("1.5"), Price(2), Price.parse("1.25"), Price.parse("1.75"), Quantity(100))


def test_the_digest_of_data_depends_on_content_and_not_on_order() -> None:
    one, other = history(*GOOD), history(*GOOD, symbol="BBB")

    assert digest_of([one, other]) == digest_of([other, one])
    assert (
        len({digest_of([one]), digest_of([other]), digest_of([history(*GOOD[:2])]), digest_of([history(*GOOD[:2], flat_bar(3, "12", 5))])})
        == 4
    )


def test_a_column_that_cannot_be_computed_is_told() -> None:
    class Wrong(Script):
        name = "wrong"

        def columns(self, *, held: bool = False) -> Any:

            return {"number": pl.col("no_such_column")}

    with pytest.raises(BacktestError, match=r"a column of wrong cannot be computed on AAA: .*no_such_column"):
        backtest(Wrong, [history(*GOOD)], Job({}, USD))
