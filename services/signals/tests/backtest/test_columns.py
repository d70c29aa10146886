"""The column path against the general engine and against a plain loop in decimals: the same fills, refusals, trades and equity."""

import random
from dataclasses import replace
from datetime import date
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.signals.tests.backtest.making import FREE, Script, day, split

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.backtest.column_run import NotInColumnsError
from quantmatrix.signals.backtest.columns import crossed, run_in_columns, runs_in_columns
from quantmatrix.signals.backtest.engine import Engine
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.packed import PackedBars, PackedHistory
from quantmatrix.signals.backtest.rules import Commission, FillRules, Slippage, WholeCommission
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.backtest.trades import trades_of
from quantmatrix.signals.strategies.moving_average_cross import STRATEGY

USD = Money(100_000, "USD")
TENTH = FillRules(Commission(Decimal(0), Decimal(0), Decimal(0), Decimal("0.1")))


def walk(seed: int, count: int, digits: int = 2, lot: int = 1, multiplier: int = 1) -> PackedHistory:
    draw, unit, rows = random.Random(seed), 10**digits, []
    close = 50 * unit
    for number in range(1, count + 1):
        opened = max(unit, close + draw.randint(-unit // 4, unit // 4))
        close = max(unit, opened + draw.randint(-unit, unit))
        rows.append((day(number), opened, max(opened, close), min(opened, close), close, 1_000))
    schema = {"session": pl.Date, **dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Int64)}
    bars = PackedBars(pl.DataFrame(rows, schema=schema, orient="row"), digits)
    return PackedHistory(InstrumentId("ID-AAA"), "AAA", "USD", Price.parse("0.01"), Quantity(lot), Quantity(multiplier), bars, ())


def cross(**given_parameters: Any) -> STRATEGY:
    return STRATEGY(STRATEGY.parameters.model_validate({"fast": 3, "slow": 8, **given_parameters}))


def both(
    strategy: STRATEGY, past: PackedHistory, cash: Money, rules: FillRules, first: date | None = None, last: date | None = None
) -> Any:
    return Engine(strategy, [past], cash, rules).run(first, last), run_in_columns(strategy, past, cash, rules, first, last)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(51, 160),
    digits=st.integers(0, 4),
    lot=st.sampled_from([1, 10]),
    multiplier=st.sampled_from([1, 100]),
    sizing=st.sampled_from([{"position_pct": 20.0}, {"position_pct": 100.0}, {"position_pct": 33.3}, {"units": 7}, {"units": 1_900}]),
    rules=st.sampled_from([FREE, TENTH, FillRules()]),
    cash=st.sampled_from(["100000", "977.13", "5000.000000000001"]),
    bounds=st.tuples(st.integers(1, 51), st.integers(51, 160)),
)
def test_columns_make_what_the_general_engine_makes(
    seed: int, count: int, digits: int, lot: int, multiplier: int, sizing: Any, rules: FillRules, cash: str, bounds: tuple[int, int]
) -> None:
    past, envelope = walk(seed, count, digits, lot, multiplier), Money.parse(cash, "USD")
    engine, columns = both(cross(**sizing), past, envelope, rules, day(bounds[0]), day(bounds[1]))

    assert columns.outcome() == engine


LEVELS = st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=20, max_size=40)


@settings(max_examples=150, deadline=None)
@given(fast=LEVELS, slow=LEVELS, missing=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_arrays_find_the_bars_of_a_crossing_that_expressions_find(fast: list[float], slow: list[float], missing: tuple[int, int]) -> None:
    count, columns = min(len(fast), len(slow)), {"fast": fast, "slow": slow}
    figures = pl.DataFrame(
        {name: [None] * gone + columns[name][gone:count] for name, gone in zip(columns, missing, strict=True)},
        schema=dict.fromkeys(columns, pl.Float64),
    )
    crossing = cross().crossing
    enter, leave = (figures.select(one.fill_null(False)).to_series() for one in (crossing.enters(), crossing.leaves()))

    entries, leaves = crossed(crossing, figures)  # type: ignore[misc]  # there are no gaps

    assert entries.tolist() == [bar for bar in range(count) if enter[bar]]
    assert leaves.tolist() == [bar for bar in range(count) if leave[bar] and not (bar and leave[bar - 1])]


def test_a_crossing_of_columns_with_gaps_is_left_to_expressions() -> None:
    figures = pl.DataFrame({"fast": [1.0, None, 3.0], "slow": [2.0, 2.0, 2.0]})

    assert crossed(cross().crossing, figures) is None


def plainly(past: PackedHistory, units: Decimal, cash: Decimal, fast: int, slow: int) -> tuple[list[Any], Decimal]:
    """Nothing of ours but the closes: averages of whole numbers, decide on the close, fill at the next open, 0.1 %."""
    closes, opens = past.closes, past.opens
    fills: list[Any] = []
    held = Decimal(0)
    scale = Decimal(10) ** past.digits

    def above(index: int) -> int:
        """Fast minus slow, times both lengths, exactly."""
        return slow * sum(closes[index - fast + 1 : index + 1]) - fast * sum(closes[index - slow + 1 : index + 1])

    for index in range(slow - 1, len(closes) - 1):
        price = Decimal(opens[index + 1]) / scale
        fee = (price * units * Decimal("0.001")).quantize(Decimal("1e-12"), rounding=ROUND_HALF_EVEN)
        if held and above(index) < 0:
            cash, held = cash + price * units - fee, Decimal(0)
            fills.append(("SELL", index + 1, price, fee))
        elif not held and index >= slow and above(index) > 0 and above(index - 1) <= 0:
            cash, held = cash - price * units - fee, units
            fills.append(("BUY", index + 1, price, fee))
    return fills, cash + held * Decimal(closes[-1]) / scale


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_columns_make_what_a_plain_loop_in_decimals_makes(seed: int) -> None:
    past, cash = walk(seed, 5_000, digits=6), Money(1_000_000, "USD")

    run = run_in_columns(cross(fast=20, slow=50, units=1_000), past, cash, TENTH)

    outcome = run.outcome()
    found = [(one.side.value, (one.session - day(1)).days, one.price.value, one.fee.amount) for one in outcome.fills]
    expected, equity = plainly(past, Decimal(1_000), cash.amount, 20, 50)
    assert found == expected and len(expected) > 90
    assert outcome.curve[-1].equity.amount == equity


def test_the_frames_tell_the_same_as_the_objects() -> None:
    past = walk(4, 600)
    run = run_in_columns(cross(), past, USD, TENTH)
    outcome, scale = run.outcome(), Decimal(10) ** run.digits

    fills, trades = run.fills(), run.trades()
    objects = [
        one for one in trades_of(outcome.fills, {"AAA": Quantity(1)}, {"AAA": {day(n): n - 1 for n in range(1, 601)}}) if not one.is_open
    ]

    assert fills["session"].to_list() == [one.session for one in outcome.fills]
    assert run.reasons().to_list() == [" | ".join(one.reasons) for one in outcome.fills]
    assert [Decimal(one) / scale for one in fills["fee"]] == [one.fee.amount for one in outcome.fills]
    assert [Decimal(one) / scale for one in trades["profit"]] == [one.profit.amount for one in objects]
    assert [Decimal(one) / scale for one in trades["fees"]] == [one.fees.amount for one in objects]
    assert [(day(a + 1), day(b + 1)) for a, b in trades.select("opened", "closed").rows()] == [
        (one.opened_on, one.closed_on) for one in objects
    ]
    assert run.curve.height == 600 and run.digits == 5


def test_a_backtest_is_the_same_whichever_way_it_went() -> None:
    """The general engine takes two instruments; one alone goes by columns."""
    past = walk(5, 400)
    alone = backtest(STRATEGY, [past], Job({"fast": 5, "slow": 20}, USD))
    told: list[tuple[int, int]] = []

    general = Engine(cross(fast=5, slow=20), [past], USD, FillRules()).run(None, None, lambda done, of: told.append((done, of)))

    assert alone.outcome == general
    assert told[-1] == (400, 400)


def test_amounts_that_do_not_fit_are_left_to_the_general_engine() -> None:
    past, rich = walk(6, 200, digits=6), Money(10**15, "USD")

    with pytest.raises(NotInColumnsError, match="do not fit into 64 bits"):
        run_in_columns(cross(), past, rich, TENTH)
    assert backtest(STRATEGY, [past], Job({"fast": 3, "slow": 8}, rich, TENTH)).outcome == Engine(cross(), [past], rich, TENTH).run()


@pytest.mark.parametrize(
    "rules",
    [
        FillRules(inside_bar=True),
        FillRules(volume_pct=Decimal(5)),
        FillRules(slippage=Slippage(Decimal(1))),
        FillRules(Commission(Decimal("1e-25"))),
    ],
)
def test_what_columns_cannot_do_is_not_tried(rules: FillRules) -> None:
    past = walk(7, 100)

    assert not runs_in_columns(cross(), past, rules)
    with pytest.raises(NotInColumnsError):
        run_in_columns(cross(), past, USD, rules)


def test_only_strategies_of_columns_without_splits_go_by_columns() -> None:
    past = walk(8, 100)

    assert runs_in_columns(cross(), past, FillRules())
    assert not runs_in_columns(cross(), replace(past, splits=(split(50, 2),)), FillRules())
    assert not runs_in_columns(Script(Script.parameters()), past, FillRules())  # type: ignore[arg-type]  # parameters with defaults


def test_a_period_without_bars_and_a_foreign_envelope_are_refused_as_by_the_engine() -> None:
    past = walk(9, 100)

    with pytest.raises(BacktestError, match=f"no bars between {day(200)} and None; the first is of {day(1)}, the last of {day(100)}"):
        run_in_columns(cross(), past, USD, TENTH, first=day(200))
    with pytest.raises(BacktestError, match="the envelope is in EUR, some instruments are in USD"):
        run_in_columns(cross(), past, Money(1, "EUR"), TENTH)


@given(
    quantity=st.integers(1, 10**7),
    price=st.decimals("0.0001", "99999", places=4),
    rates=st.tuples(*(st.decimals(0, 10, places=6) for _ in range(4))),
)
def test_a_commission_in_whole_numbers_is_the_exact_one(quantity: int, price: Decimal, rates: tuple[Decimal, ...]) -> None:
    commission, value = Commission(*rates), price * quantity

    exact = commission.of(Quantity(quantity), Money(value, "USD")).amount

    assert Decimal(WholeCommission(commission).of(quantity, int(value.scaleb(12)))).scaleb(-12) == exact
    assert exact.quantize(Decimal("1e-11"), rounding=ROUND_FLOOR) <= exact
