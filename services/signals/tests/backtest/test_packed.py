"""Packed bars against the same bars as objects: equal values, digests, refusals and backtests."""

import random
from typing import Any

import polars as pl
import pytest
from services.signals.tests.backtest.making import USD, Script, bar, day, history, split

from quantmatrix.common.values import Price, Quantity
from quantmatrix.signals.app import strategies_in_slot
from quantmatrix.signals.backtest.history import BacktestError, History, check, digest_of
from quantmatrix.signals.backtest.packed import PackedBars, PackedHistory
from quantmatrix.signals.backtest.run import Job, backtest

COLUMNS = ("open", "high", "low", "close")


def both(seed: int, count: int = 400, **more: Any) -> tuple[History, PackedHistory]:
    """A seeded walk in cents, once as objects and once packed."""
    draw, close, rows = random.Random(seed), 5_000, []
    for number in range(1, count + 1):
        opened = max(100, close + draw.randint(-60, 60))
        close = max(100, opened + draw.randint(-150, 155))
        high, low = max(opened, close) + draw.randint(0, 90), min(opened, close) - draw.randint(0, 90)
        rows.append((day(number), opened, high, max(low, 1), close, draw.randint(1, 10**6)))
    objects = history(*(bar(n, *(f"{cents / 100:.2f}" for cents in row[1:5]), row[5]) for n, row in enumerate(rows, 1)), **more)
    frame = pl.DataFrame(rows, schema={"session": pl.Date, **dict.fromkeys((*COLUMNS, "volume"), pl.Int64)}, orient="row")
    packed = PackedHistory(
        objects.instrument_id,
        objects.symbol,
        objects.currency,
        Price.parse("0.01"),
        Quantity(1),
        Quantity(1),
        PackedBars(frame, 2),
        objects.splits,
    )
    return objects, packed


def test_packed_bars_are_the_same_bars() -> None:
    objects, packed = both(1, splits=[split(200, 2)])

    assert list(packed.bars) == list(objects.bars)
    assert (packed.bars[-1], packed.bars[3:5]) == (objects.bars[-1], list(objects.bars[3:5]))
    assert packed.frame.equals(objects.frame)
    assert packed.factors() == objects.factors()
    assert digest_of([packed]) == digest_of([objects])
    assert (packed.open_at(7), packed.close_at(7)) == (objects.bars[7].open, objects.bars[7].close)
    assert (packed.digits, packed.opens, packed.closes) == (2, objects.opens, objects.closes)
    assert packed.units("open").equals(objects.units("open"))


@pytest.mark.parametrize("name", ["atr_matrix", "moving_average_cross", "signal_bot"])
def test_packed_bars_make_the_same_backtest(name: str) -> None:
    one, other = both(2), both(3, symbol="BBB", splits=[split(150, 3, 2)])
    chosen = strategies_in_slot()[name]

    objects = backtest(chosen, [one[0], other[0]], Job({}, USD))
    packed = backtest(chosen, [one[1], other[1]], Job({}, USD))

    assert objects.outcome.fills
    assert packed.digest == objects.digest
    assert packed.symbols == objects.symbols


def test_what_is_wrong_with_packed_bars_is_named_like_that_of_others() -> None:
    _, packed = both(4, 5)
    broken = packed.bars.frame.with_columns(pl.when(pl.col("session") == day(3)).then(pl.lit(1)).otherwise(pl.col("high")).alias("high"))
    wrong = PackedHistory(**{**vars(packed), "bars": PackedBars(broken, 2)})

    with pytest.raises(BacktestError, match=rf"AAA, bar 3 \({day(3)}\): open .* do not lie between low .* and high 0.01"):
        check([wrong], 1)


@pytest.mark.parametrize(
    ("columns", "digits", "says"),
    [
        ([pl.col("close").cast(pl.Float64)], 2, "wrong: close"),
        ([pl.col("close") + 2**53], 2, "no number beyond 9007199254740992"),
        ([pl.lit(None, dtype=pl.Int64).alias("low")], 2, "no gaps"),
        ([], 13, "wrong: 13"),
    ],
)
def test_columns_that_cannot_be_exact_are_refused(columns: list[pl.Expr], digits: int, says: str) -> None:
    _, packed = both(5, 5)

    with pytest.raises(BacktestError, match=says):
        PackedBars(packed.bars.frame.with_columns(columns), digits)


def test_a_strategy_without_a_screen_runs_on_packed_bars() -> None:
    objects, packed = both(6, 20)

    assert (
        backtest(Script, [packed], Job({"at": {3: 10, 9: -10}}, USD)).digest
        == backtest(Script, [objects], Job({"at": {3: 10, 9: -10}}, USD)).digest
    )
