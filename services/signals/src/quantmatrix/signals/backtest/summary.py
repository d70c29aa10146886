"""What a sweep and a walk forward come to, as records: figures with one digest, and tables."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from quantmatrix.common.runtime.canonical import digest_rows
from quantmatrix.common.values import plain
from quantmatrix.signals.backtest.history import History, digest_of, reads_chains
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.run import Job, code_digest
from quantmatrix.signals.backtest.sweep import Tried
from quantmatrix.signals.ports import Strategy


def record_of_sweep(
    strategy: type[Strategy], histories: Sequence[History], job: Job, grid: Mapping[str, Sequence[Any]], found: Sequence[Tried]
) -> Record:
    """found: in order of rank. The digest covers every combination's own digest, in the order of the grid."""
    figures = {
        **asked_of(strategy, histories, job),
        "kind": "sweep",
        "grid": {name: list(values) for name, values in grid.items()},
        "combinations": len(found),
        "best": dict(found[0].chosen),
        "deflated_sharpe": found[0].deflated,
        **{name: found[0].figures[name] for name in ("curve", "closed_trades", "equity", "fees")},
    }
    rows = [(one.number, json.dumps(one.chosen, sort_keys=True), one.digest) for one in sorted(found, key=lambda one: one.number)]
    return Record({**figures, "digest": digest_of_parts(figures, rows)}, {"tried": table_of(found)})


def asked_of(strategy: type[Strategy], histories: Sequence[History], job: Job) -> dict[str, Any]:
    """What decides the outcome, as plain values: the same names as in the record of a single run."""
    sessions = {one for history in histories for one in history.sessions}
    chosen = [one for one in sessions if (job.first is None or one >= job.first) and (job.last is None or one <= job.last)]
    return {
        "strategy": strategy.name,
        "parameters": dict(job.parameters),
        "symbols": sorted(one.symbol for one in histories),
        "first": str(min(chosen)),
        "last": str(max(chosen)),
        "opening_cash": plain(job.cash.amount),
        "currency": job.cash.currency,
        "assumptions": list(job.rules.assumptions(options=reads_chains(strategy))),
        "seed": job.seed,
        "code_digest": code_digest(),
        "data_digest": digest_of(histories),
    }


def digest_of_parts(asked: Mapping[str, Any], rows: Sequence[tuple[object, ...]]) -> str:
    """SHA-256 over what decides the outcome and over the parts."""
    keys = ("strategy", "parameters", "grid", "windows", "symbols", "first", "last", "opening_cash", "assumptions", "seed", "code_digest")
    told = [(key, json.dumps(asked.get(key), sort_keys=True)) for key in (*keys, "data_digest")]
    return digest_rows({"asked": told, "parts": rows})


def table_of(found: Sequence[Tried]) -> pl.DataFrame:
    """One row a combination, in the given order; values of the grid as JSON text, since they may be of any kind."""
    names = sorted(found[0].chosen)
    rows = [
        (
            one.number, *(json.dumps(one.chosen[name]) for name in names), one.sharpe, one.deflated, one.figures["curve"]["total_return"],
            one.figures["curve"]["max_drawdown"], one.figures["closed_trades"]["trades"], one.figures["equity"], one.digest,
        )
        for one in found
    ]  # fmt: skip
    schema = {"number": pl.Int64, **dict.fromkeys((f"parameter {name}" for name in names), pl.String)}
    schema |= {"sharpe": pl.Float64, "deflated_sharpe": pl.Float64, "total_return": pl.Float64, "max_drawdown": pl.Float64}
    return pl.DataFrame(rows, schema=schema | {"trades": pl.Int64, "equity": pl.String, "digest": pl.String}, orient="row")
