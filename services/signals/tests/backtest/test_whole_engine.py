"""The loop in whole numbers against the general engine: the same fills with their reasons, refusals, curve, warnings and trades."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.signals.tests.backtest.making import FREE, day, split

from quantmatrix.common.names import InstrumentId, Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.backtest.engine import Engine
from quantmatrix.signals.backtest.history import BacktestError, calendars
from quantmatrix.signals.backtest.packed import PackedBars, PackedHistory
from quantmatrix.signals.backtest.rules import Commission, FillRules, Slippage
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.backtest.trades import tally_of
from quantmatrix.signals.backtest.whole_engine import WholeEngine, plans_in_whole_numbers
from quantmatrix.signals.backtest.whole_fills import WholeFills
from quantmatrix.signals.domain.planning import Plan, Standing, WholeDoor
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix

SHARE = FillRules(Commission(Decimal(0), Decimal(0), Decimal(0), Decimal("0.1")))
EAGER = {"quality_min": 0.0, "risk_reward_min": 0.5, "atr_pct_min": 0.5}


def walk(seed: int, count: int, lot: int = 1, multiplier: int = 1, digits: int = 2) -> PackedHistory:
    """Bars that rise more often than they fall, on days some of which are left out."""
    draw, unit, rows = random.Random(seed), 10**digits, []
    close = 40 * unit
    for number in range(1, count + 1):
        opened = max(unit, close + draw.randint(-unit // 2, unit // 2))
        close = max(unit, opened + draw.randint(-unit, int(1.15 * unit)))
        high, low = max(opened, close) + draw.randint(0, unit // 2), max(1, min(opened, close) - draw.randint(0, unit // 2))
        if draw.random() > 0.03 or number == 1:
            rows.append((day(number), opened, high, low, close, 1_000))
    schema = {"session": pl.Date, **dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Int64)}
    bars = PackedBars(pl.DataFrame(rows, schema=schema, orient="row"), digits)
    name = f"S{seed}"
    return PackedHistory(InstrumentId(f"ID-{name}"), name, "USD", Price.parse("0.01"), Quantity(lot), Quantity(multiplier), bars, ())


def matrix(**parameters: Any) -> AtrMatrix:
    return AtrMatrix(AtrMatrix.parameters.model_validate({**EAGER, **parameters}))  # type: ignore[arg-type]  # its own parameters


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(110, 260),
    lot=st.sampled_from([1, 10]),
    multiplier=st.sampled_from([1, 100]),
    digits=st.sampled_from([0, 2, 4]),
    parameters=st.fixed_dictionaries(
        {
            "preset": st.sampled_from(["v1", "v2"]),
            "scale_out_levels": st.sampled_from([(7, 8, 9, 10), (2, 3), ()]),
            "scale_out_pct": st.sampled_from([25.0, 33.3, 100.0]),
            "extended_at": st.sampled_from([5.0, 12.0]),
            "max_position_pct": st.sampled_from([5.0, 60.0]),
            "risk_pct": st.sampled_from([1.0, 10.0]),
        }
    ),
    rules=st.sampled_from([FREE, SHARE, FillRules()]),
    cash=st.sampled_from(["1000000", "20000.000000000001", "977.13"]),
    bounds=st.tuples(st.integers(1, 60), st.integers(100, 260)),
)
def test_whole_numbers_make_what_the_general_engine_makes(
    seed: int,
    count: int,
    lot: int,
    multiplier: int,
    digits: int,
    parameters: Any,
    rules: FillRules,
    cash: str,
    bounds: tuple[int, int],
) -> None:
    past, strategy, envelope = (
        [walk(seed + n, count, lot, multiplier, digits) for n in range(4)],
        matrix(**parameters),
        Money.parse(cash, "USD"),
    )
    first, last = day(bounds[0]), day(min(bounds[1], count - 5))

    general = Engine(strategy, past, envelope, rules).run(first, last)
    whole = WholeEngine(strategy, past, envelope, rules).run(first, last)

    assert whole == general


def busy(count: int = 6) -> tuple[list[PackedHistory], AtrMatrix]:
    return [walk(n, 400) for n in range(count)], matrix(scale_out_levels=(2, 3, 4), extended_at=5.0, max_position_pct=100.0, risk_pct=10.0)


def test_drawn_bars_bring_everything_that_can_happen() -> None:
    past, strategy = busy()

    found = WholeEngine(strategy, past, Money(30_000, "USD"), FillRules()).run()

    assert {one.kind for one in found.fills} == {SignalKind.ENTRY, SignalKind.EXIT, SignalKind.STOP_LOSS, SignalKind.SCALE_OUT}
    assert {one.code for one in found.refusals} == {"BUYING_POWER", "CASH", "EXPIRED"}
    assert found.warnings and found.held


def test_sums_and_lines_are_those_of_the_objects() -> None:
    past, strategy = busy()
    fills = WholeEngine(strategy, past, Money(3_000_000, "USD"), FillRules()).run().fills
    assert isinstance(fills, WholeFills)
    known = {one.symbol: calendar.at for one, calendar in zip(past, calendars(past), strict=True)}

    objects = tally_of(list(fills), {one.symbol: one.multiplier for one in past}, known, "USD")

    assert fills.tally("USD") == objects and len(objects.profits) > 10


def test_the_digest_is_that_of_the_objects() -> None:
    result = backtest(AtrMatrix, [walk(n, 400) for n in range(3)], Job(EAGER, Money(3_000_000, "USD")))

    objects = replace(result, outcome=replace(result.outcome, fills=list(result.outcome.fills)))

    assert len(objects.outcome.fills) > 20
    assert result.digest == objects.digest


def test_a_backtest_takes_this_way_and_tells_how_far_it_is() -> None:
    past, told = [walk(n, 300) for n in range(3)], list[tuple[int, int]]()

    result = backtest(AtrMatrix, past, Job(EAGER, Money(50_000, "USD")), lambda done, of: told.append((done, of)))

    assert isinstance(result.outcome.fills, WholeFills) and told[-1] == (300, 300)
    assert len(result.trades) == len(list(result.trades)) and result.closed.trades > 5


@pytest.mark.parametrize("rules", [FillRules(slippage=Slippage(ticks=1)), FillRules(inside_bar=True), FillRules(volume_pct=Decimal(1))])
def test_other_rules_and_splits_go_the_general_way(rules: FillRules) -> None:
    past = walk(1, 200)

    assert plans_in_whole_numbers(matrix(), [past], FillRules())
    assert not plans_in_whole_numbers(matrix(), [past], rules)
    assert not plans_in_whole_numbers(matrix(), [replace(past, splits=(split(20, 2),))], FillRules())


class Halves(AtrMatrix):
    """Wants half a unit more than it should."""

    def plans(self, row: Mapping[str, float | None], standing: Standing, door: WholeDoor) -> Sequence[Plan]:
        return [one._replace(quantity=one.quantity + 5 * 10**11) for one in super().plans(row, standing, door) if one.side is Side.BUY]


class Breaks(AtrMatrix):
    """Raises on a bar."""

    def plans(self, row: Mapping[str, float | None], standing: Standing, door: WholeDoor) -> Sequence[Plan]:
        raise ZeroDivisionError("by zero")


def test_parts_of_units_are_left_to_the_general_engine() -> None:
    result = backtest(Halves, [walk(1, 300)], Job(EAGER, Money(50_000, "USD")))

    assert not isinstance(result.outcome.fills, WholeFills)
    assert {str(one.quantity)[-2:] for one in result.outcome.fills} == {".5"}


def test_a_strategy_that_raises_is_told_with_its_place() -> None:
    with pytest.raises(BacktestError, match=r"atr_matrix raised ZeroDivisionError on S1, bar \d+ of \d+ \(2010-\d\d-\d\d\): by zero"):
        backtest(Breaks, [walk(1, 300)], Job(EAGER, Money(50_000, "USD")))
