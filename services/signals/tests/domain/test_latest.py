"""Expressions on the latest bar alone against Polars on whole columns: the same bits, or left to Polars."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quantmatrix.signals.domain.indicators import position_in_range, true_range
from quantmatrix.signals.domain.latest import UnsureError, on_latest

ROWS = 8
figures = st.one_of(
    st.none(), st.floats(min_value=1e-6, max_value=1e9), st.integers(0, 3).map(float), st.sampled_from([math.nan, math.inf])
)
columns = st.fixed_dictionaries({name: st.lists(figures, min_size=ROWS, max_size=ROWS) for name in ("a", "b", "c")})
leaves = st.one_of(
    st.tuples(st.just("column"), st.sampled_from(["a", "b", "c"])),
    st.tuples(st.just("number"), st.one_of(st.floats(-5, 5), st.integers(-3, 3))),
    st.tuples(st.sampled_from(["highest", "lowest"]), st.sampled_from(["a", "b", "c"]), st.integers(1, 3)),
)
BUILT: Mapping[str, Callable[..., pl.Expr]] = {
    "column": lambda name: pl.col(name),
    "number": lambda value: pl.lit(value),
    "highest": lambda name, length: pl.col(name).rolling_max(length),
    "lowest": lambda name, length: pl.col(name).rolling_min(length),
    "plus": lambda one, other: one + other,
    "minus": lambda one, other: one - other,
    "times": lambda one, other: one * other,
    "over": lambda one, other: one / other,
    "larger": lambda one, other: pl.max_horizontal(one, other),
    "smaller": lambda one, other: pl.min_horizontal(one, other),
    "above": lambda one, other, then: pl.when(one > other).then(then),
    "at most": lambda one, other, then: pl.when(one <= other).then(then).otherwise(one),
    "before": lambda one: one.shift(1),
}


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(st.sampled_from(["plus", "minus", "times", "over", "larger", "smaller"]), inner, inner),
        st.tuples(st.sampled_from(["above", "at most"]), inner, inner, inner),
        st.tuples(st.just("before"), inner),
    )


def _built(tree: Any) -> pl.Expr:
    name, *parts = tree
    return BUILT[name](*(_built(part) if isinstance(part, tuple) else part for part in parts))


trees = st.recursive(leaves, _grown, max_leaves=6)


@settings(max_examples=300, deadline=None)
@given(held=columns, tree=trees)
def test_whatever_is_worked_out_has_the_bits_of_polars(held: Mapping[str, list[float | None]], tree: Any) -> None:
    expression = _built(tree)
    how = on_latest(expression)
    assume(how is not None and expression.meta.root_names())
    assert how is not None
    try:
        value = how({name: deque(values) for name, values in held.items()}, 0)
    except UnsureError:
        return

    frame = pl.DataFrame(held, schema=dict.fromkeys(held, pl.Float64)).with_columns(wanted=expression)
    whole = frame["wanted"][-1]
    assert value == whole and (value is None) == (whole is None)


@pytest.mark.parametrize("expression", [true_range(), position_in_range(5), pl.col("close") - pl.col("open").shift(2)])
def test_what_live_runs_look_at_on_every_bar_needs_no_frame(expression: pl.Expr) -> None:
    assert on_latest(expression) is not None


@pytest.mark.parametrize(
    "expression",
    [
        pl.col("close") / 3,
        3 / pl.col("close"),
        pl.col("close").rolling_mean(3),
        pl.col("close").rolling_max(3, min_samples=2),
        pl.col("close").rolling_max(3, center=True),
        pl.col("close") / (pl.lit(1.0) + pl.lit(2.0)),
        pl.lit(1.0).shift(1),
        (pl.col("close") - 1.0).rolling_max(3),
        pl.col("close").shift(-1),
        pl.col("close") ** 2,
        pl.when(pl.col("close") > 1.0).then(pl.lit("high")),
    ],
)
def test_what_polars_does_in_a_way_of_its_own_is_left_to_it(expression: pl.Expr) -> None:
    assert on_latest(expression) is None


@pytest.mark.parametrize(
    ("expression", "held"),
    [
        (pl.col("a") / pl.col("b"), {"a": [1.0], "b": [0.0]}),
        (pl.col("a").shift(1), {"a": [1.0]}),
        (pl.col("a").rolling_min(2), {"a": [1.0]}),
        (pl.when(pl.col("a") > 1.0).then(2.0).otherwise(3.0), {"a": [math.nan]}),
        (pl.col("a").rolling_max(2), {"a": [1.0, math.nan]}),
        (pl.max_horizontal(pl.col("a") - pl.col("b"), pl.lit(1.0)), {"a": [math.inf], "b": [math.inf]}),
    ],
)
def test_what_one_row_does_not_tell_is_not_guessed(expression: pl.Expr, held: dict[str, list[float]]) -> None:
    how = on_latest(expression)
    assert how is not None

    with pytest.raises(UnsureError):
        how(held, 0)
