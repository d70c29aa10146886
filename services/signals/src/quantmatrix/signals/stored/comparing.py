"""Finished backtests side by side."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

_ASKED = ("strategy", "symbols", "first", "last", "opening_cash", "currency", "seed")
_PLAIN = ("equity", "fees", "fills", "refusals", "exposure", "turnover")
_CURVE = ("total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown", "max_drawdown_sessions")
_CLOSED = ("trades", "win_rate", "profit_factor", "expectancy", "sessions_held")
_DIGESTS = ("code_digest", "data_digest", "trades_digest", "digest")


def compared(figures: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Any]]]:
    """Rows of a name and one value each: what they were asked, parameters that differ, their figures, their digests."""
    rows = [(name.replace("_", " "), [_text(one.get(name)) for one in figures]) for name in _ASKED]
    rows += _parameters([{**one.get("parameters", {}), **one.get("grid", {})} for one in figures])
    rows += [(name.replace("_", " "), [one.get(name) for one in figures]) for name in _PLAIN]
    for part, names in (("curve", _CURVE), ("closed_trades", _CLOSED)):
        rows += [(name.replace("_", " "), [one.get(part, {}).get(name) for one in figures]) for name in names]
    rows += [(name.replace("_", " "), [(one.get(name) or "")[:12] for one in figures]) for name in _DIGESTS]
    return rows


def _parameters(given: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Any]]]:
    """Those that are not the same in all of them."""
    names = sorted({name for one in given for name in one})
    found = [(name, [_text(one.get(name)) for one in given]) for name in names]
    return [(f"parameter {name}", values) for name, values in found if len({json.dumps(value) for value in values}) > 1]


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value
