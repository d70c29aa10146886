"""What commands of `qm backtest` print of a record."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quantmatrix.operations.commands.backtest_options import rounded
from quantmatrix.operations.output import Exit, fail, out, tell_json, tell_table
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.report import report
from quantmatrix.signals.backtest.tables import save


@contextmanager
def writing(place: Path, *, as_json: bool) -> Iterator[None]:
    """A place that cannot be written becomes a sentence with exit code 4; what was stored is stored."""
    try:
        yield
    except OSError as error:
        fail(Exit.CONFIGURATION, f"{place} cannot be written: {error.strerror or error}", as_json=as_json)


def hand_over(record: Record, backtest_id: int | None, page: Path | None, folder: Path | None, kind: str, *, as_json: bool) -> None:
    """Write what was asked for, then tell the figures; with the number under which it is stored."""
    if page is not None:
        with writing(page, as_json=as_json):
            page.write_text(report(record), encoding="utf-8")
    if folder is not None:
        with writing(folder, as_json=as_json):
            save(record.tables, folder, "parquet" if kind == "parquet" else "csv")
    if as_json:
        tried = {"tried": [_combination(one) for one in record.tables["tried"].iter_rows(named=True)]} if "tried" in record.tables else {}
        tell_json({**record.figures, **tried, "id": backtest_id})
        return
    tell_record(record)
    if page is not None:
        out.print(f"The page with plots: {page}", highlight=False)
    if backtest_id is not None:
        out.print(f"Stored as {backtest_id}: qm backtest show {backtest_id}, qm backtest repeat {backtest_id}", highlight=False)


def tell_record(record: Record) -> None:
    """Figures, instruments and assumptions as tables; of a sweep its combinations."""
    told = record.figures
    if "tried" in record.tables:
        tried = record.tables["tried"].drop("number", "digest")
        names = [name.removeprefix("parameter ") for name in tried.columns]
        tell_table(
            f"{told['strategy']}: {told['combinations']} combinations", names, [[rounded(one) for one in row] for row in tried.rows()]
        )
        out.print(f"digest {told['digest']}", highlight=False)
        return
    if told.get("kind") == "walk_forward":
        _tell_walk(record)
        return
    if told.get("kind") == "lookahead":
        _tell_check(record)
        return
    rows = [(name, value) for name, value in told.items() if not isinstance(value, dict | list)]
    rows += [(name.replace("_", " "), rounded(value)) for part in ("curve", "closed_trades") for name, value in told[part].items()]
    tell_table(record.title, ("", "value"), rows, right=("value",))
    columns = ("symbol", "trades", "won", "profit", "fees", "held", "value")
    tell_table("Instruments", columns, [[one[name] for name in columns] for one in told["per_symbol"]], right=columns[1:])
    for line in told["assumptions"]:
        out.print(f"· {line}", highlight=False)


def _tell_walk(record: Record) -> None:
    told = record.figures
    columns = ("run_from", "run_to", "chosen", "inside_sharpe", "outside_sharpe", "inside_return", "outside_return", "trades")
    rows = [
        [", ".join(f"{key}={value}" for key, value in one[name].items()) if name == "chosen" else rounded(one[name]) for name in columns]
        for one in told["steps"]
    ]
    tell_table(f"{record.title}, {len(rows)} windows", columns, rows, right=columns[3:])
    figures = {
        "efficiency": told["efficiency"],
        **told["curve"],
        **told["closed_trades"],
        "equity": told["equity"],
        "digest": told["digest"],
    }
    tell_table(
        "Put together", ("", "value"), [(name.replace("_", " "), rounded(value)) for name, value in figures.items()], right=("value",)
    )


def _tell_check(record: Record) -> None:
    told = record.figures
    columns = ("symbol", "bars", "cuts", "decided", "changed")
    rows = [[one[name] for name in columns] for one in told["looked"]]
    tell_table(f"Look-ahead check of {record.title}", columns, rows, right=columns[1:])
    said = f"{told['cuts']} histories cut, decisions at {told['decided']} of them, {told['changed']} things changed"
    out.print(f"{told['strategy']}: {said}", highlight=False)
    if not told["decided"]:
        out.print("· nothing was decided, so only columns were compared: try other symbols or parameters", highlight=False)
    for line in told["findings"]:
        out.print(f"· {line}", highlight=False)
    out.print(f"digest {told['digest']}", highlight=False)


def _combination(row: dict[str, Any]) -> dict[str, Any]:
    chosen = {name.removeprefix("parameter "): json.loads(value) for name, value in row.items() if name.startswith("parameter ")}
    return chosen | {name: value for name, value in row.items() if not name.startswith("parameter ")}
