"""A Polars expression worked out on the latest bar alone, from the last values of its columns: the same operations on one row.

The expression stays the one formula. What is not among the operations below, or not sure to come to the same bits, is left to Polars,
which takes a third of a millisecond for a frame, however small.
"""

import json
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import polars as pl

Held = Mapping[str, Sequence[float | None]]
Value = float | bool | None
Worked = Callable[[Held, int], Value]
"""From columns' last values, oldest first, to the value so many bars before the latest."""


class UnsureError(ArithmeticError):
    """Here Polars has rules of its own: for what divides by zero, is no number, or lies before the first value held."""


class _UnknownError(Exception):
    """An operation that is left to Polars."""


def on_latest(expression: pl.Expr) -> Worked | None:
    """How to work an expression out; None where it is left to Polars. What is returned raises UnsureError where only Polars knows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tree = json.loads(expression.meta.serialize(format="json"))
    try:
        return _made(tree)
    except _UnknownError:
        return None


def _made(tree: Any) -> Worked:
    if not isinstance(tree, dict) or len(tree) != 1:
        raise _UnknownError
    ((kind, told),) = tree.items()
    make = _KINDS.get(kind)
    if make is None:
        raise _UnknownError
    return make(told)


def _reads(tree: Any) -> bool:
    """Whether there is any column in it; without one it is a single number to Polars."""
    if isinstance(tree, dict):
        return "Column" in tree or any(_reads(one) for one in tree.values())
    return isinstance(tree, list) and any(_reads(one) for one in tree)


def _sure(value: Value) -> Value:
    """What is no number is larger than every number to Polars, and smaller than none."""
    if value != value:
        raise UnsureError
    return value


def _column(name: str) -> Worked:
    def worked(held: Held, back: int) -> Value:
        values = held[name]
        if back >= len(values):
            raise UnsureError
        return _sure(values[-1 - back])

    return worked


def _literal(told: Any) -> Worked:
    """Numbers as floats: what they meet are float columns. Of other literals, null alone."""
    if told == {"Scalar": {"Null": "Null"}}:
        return lambda held, back: None
    number = float(_number(told))
    return lambda held, back: number


def _number(told: Any) -> float | int:
    match told:
        case {"Dyn": {"Int": int() as number}} | {"Dyn": {"Float": float() as number}}:
            return number
    raise _UnknownError


def _divided(dividend: Any, divisor: Any) -> Any:
    if not divisor:
        raise UnsureError
    return dividend / divisor


_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "Plus": operator.add,
    "Minus": operator.sub,
    "Multiply": operator.mul,
    "TrueDivide": _divided,
    "Gt": operator.gt,
    "GtEq": operator.ge,
    "Lt": operator.lt,
    "LtEq": operator.le,
}


def _binary(told: Any) -> Worked:
    if told["op"] not in _OPERATIONS:
        raise _UnknownError
    if told["op"] == "TrueDivide" and not (_reads(told["left"]) and _reads(told["right"])):
        raise _UnknownError  # Polars multiplies by the reciprocal of a number
    does, left, right = _OPERATIONS[told["op"]], _made(told["left"]), _made(told["right"])

    def worked(held: Held, back: int) -> Value:
        one, other = left(held, back), right(held, back)
        return None if one is None or other is None else _sure(does(one, other))

    return worked


def _ternary(told: Any) -> Worked:
    predicate, truthy, falsy = _made(told["predicate"]), _made(told["truthy"]), _made(told["falsy"])
    return lambda held, back: truthy(held, back) if predicate(held, back) else falsy(held, back)


def _function(told: Any) -> Worked:
    match told["function"]:
        case "Shift":
            return _shifted(*told["input"])
        case "MaxHorizontal":
            return _across(max, told["input"])
        case "MinHorizontal":
            return _across(min, told["input"])
        case {"RollingExpr": {"function": "Max", "options": options}}:
            return _rolling(max, told["input"], options)
        case {"RollingExpr": {"function": "Min", "options": options}}:
            return _rolling(min, told["input"], options)
    raise _UnknownError


def _shifted(values: Any, by: Any) -> Worked:
    inner = _made(values)
    bars = _number(by.get("Literal"))
    if not isinstance(bars, int) or bars < 0 or not _reads(values):
        raise _UnknownError
    return lambda held, back: inner(held, back + bars)


def _across(of: Callable[[Any], Any], inputs: Sequence[Any]) -> Worked:
    """What is null does not count."""
    inner = [_made(one) for one in inputs]

    def worked(held: Held, back: int) -> Value:
        found = [one(held, back) for one in inner]
        known = [one for one in found if one is not None]
        value: Value = of(known) if known else None
        return value

    return worked


def _rolling(of: Callable[[Any], Any], inputs: Sequence[Any], options: Mapping[str, Any]) -> Worked:
    """Of a whole window of one column; null while anything in it is."""
    length = options["window_size"]
    expected = {"window_size": length, "min_periods": length, "weights": None, "center": False, "fn_params": None}
    if options != expected or len(inputs) != 1 or list(inputs[0]) != ["Column"]:
        raise _UnknownError
    name = inputs[0]["Column"]

    def worked(held: Held, back: int) -> Value:
        values = held[name]
        end = len(values) - back
        if end < length:
            raise UnsureError
        window = [_sure(value) for value in islice(values, end - length, end)]
        value: Value = None if None in window else of(window)
        return value

    return worked


_KINDS: Mapping[str, Callable[[Any], Worked]] = {
    "Column": _column,
    "Literal": _literal,
    "BinaryExpr": _binary,
    "Ternary": _ternary,
    "Function": _function,
}
