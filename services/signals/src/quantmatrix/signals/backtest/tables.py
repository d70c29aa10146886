"""A result as tables: fills, trades, curve, orders that were not filled. Money as decimal strings, so that nothing is rounded.

The curve's drawdown and benchmark (what buying and holding would be worth) are statistics.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import polars as pl

from quantmatrix.common.statistics import falls_of
from quantmatrix.common.values import plain
from quantmatrix.signals.backtest.result import Result

Format = Literal["csv", "parquet"]


def tables(result: Result) -> dict[str, pl.DataFrame]:
    """One frame each; empty ones keep their columns."""
    outcome = result.outcome
    fills = [
        (
            one.number, one.session, one.decided_on, one.symbol, one.side.value, one.kind.value, str(one.quantity), str(one.price),
            plain(one.fee.amount), str(one.held_after), " | ".join(one.reasons),
        )
        for one in outcome.fills
    ]  # fmt: skip
    trades = [
        (
            one.symbol, one.opened_on, one.closed_on, one.is_open, str(one.bought), plain(one.cost.amount), plain(one.proceeds.amount),
            plain(one.fees.amount), plain(one.profit.amount), one.sessions, one.closed_by, " | ".join(one.opened_because),
        )
        for one in result.trades
    ]  # fmt: skip
    text, day = pl.String, pl.Date
    drawdowns = falls_of(float(result.asked.cash.amount), [float(one.equity.amount) for one in outcome.curve])
    held = result.benchmark_equity or (None,) * len(outcome.curve)
    return {
        "fills": pl.DataFrame(
            fills,
            schema={"number": pl.Int64, "session": day, "decided_on": day}
            | dict.fromkeys(("symbol", "side", "kind", "quantity", "price", "fee", "held_after", "reasons"), text),
            orient="row",
        ),
        "trades": pl.DataFrame(
            trades,
            schema={"symbol": text, "opened_on": day, "closed_on": day, "is_open": pl.Boolean}
            | dict.fromkeys(("bought", "cost", "proceeds", "fees", "profit"), text)
            | {"sessions": pl.Int64, "closed_by": text, "opened_because": text},
            orient="row",
        ),
        "curve": pl.DataFrame(
            [
                (one.session, plain(one.equity.amount), plain(one.cash.amount), drawdown, benchmark)
                for one, drawdown, benchmark in zip(outcome.curve, drawdowns, held, strict=True)
            ],
            schema={"session": day, "equity": text, "cash": text, "drawdown": pl.Float64, "benchmark": pl.Float64},
            orient="row",
        ),
        "refusals": pl.DataFrame(
            [(one.session, one.symbol, one.code, one.detail) for one in outcome.refusals],
            schema={"session": day, "symbol": text, "code": text, "detail": text},
            orient="row",
        ),
    }  # fmt: skip


def save(made: Mapping[str, pl.DataFrame], folder: Path, kind: Format) -> list[Path]:
    """Write every table into a folder, which is made; files of the same name are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in made.items():
        path = folder / f"{name}.{kind}"
        if kind == "csv":
            frame.write_csv(path)
        else:
            frame.write_parquet(path)
        written.append(path)
    return written
