"""The report of a migration as plain JSON: rows by table, figures before and after, what was decided, what forbids to finish."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from quantmatrix.common.names import Side
from quantmatrix.common.values import plain
from quantmatrix.operations.legacy.comparing import AccountComparison, Comparison, Figures
from quantmatrix.operations.legacy.found import Found, Where
from quantmatrix.operations.legacy.reading import Choices
from quantmatrix.operations.legacy.source import Snapshot

SHOWN_MAX = 20
Report = dict[str, Any]
"""JSON; its shape is written down in the how-to."""


def report_of(
    source: str,
    snapshot: Snapshot,
    found: Found,
    choices: Choices,
    openings: Mapping[Where, Decimal],
    comparisons: Sequence[Comparison],
    accounts: Sequence[AccountComparison],
    refused: Sequence[str],
    doubts: Sequence[tuple[str, int]],
) -> Report:
    """Everything that is known; the same for a dry run. Rows are named by table and id, never by what stands in them."""
    known = snapshot.recognised
    return {
        "source": source,
        "kind": known.layout.kind.value,
        "tables": tables_of(snapshot, found),
        "missing_tables": list(known.missing),
        "unknown_tables": list(known.strange),
        "trades": len(found.trades),
        "triggered_by": dict(sorted(Counter(trade.triggered_by for trade in found.trades).items())),
        "orders_without_fills": len(found.unfilled),
        "dividends": len(found.income),
        "bots": len(found.engines),
        "instruments": [_comparison(one) for one in comparisons],
        "accounts": [_account(one) for one in accounts],
        "openings": [
            {"account": where[0], "symbol": found.instruments[where].symbol, "quantity": plain(quantity), "basis": None}
            for where, quantity in sorted(openings.items())
        ],
        "held_otherwise": [_held(one) for one in comparisons if found.stored is not None and one.before.quantity != one.after.quantity],
        "kept": dict(sorted(Counter(one.reason for one in found.kept).items())),
        "notes": _notes(found),
        "times": {
            "without_zone": found.assumed_zone,
            "taken_as": str(choices.unsaid_zone),
            "away_from_the_exchange": [{"by": hours, "orders": count} for hours, count in doubts],
        },
        "refused": list(refused),
    }


def tables_of(snapshot: Snapshot, found: Found) -> list[dict[str, Any]]:
    """Rows of each table: read = migrated + kept, unless something is blocked."""
    taken = Counter(row.table for row in found.taken_rows())
    kept = Counter(one.row.table for one in found.kept)
    blocked = Counter(row.table for row in {one.row for one in found.blocked})
    told: list[dict[str, Any]] = [
        {"table": name, "rows": snapshot.counts[name], "migrated": taken[name], "kept": kept[name], "blocked": blocked[name]}
        for name in snapshot.recognised.read
    ]
    for name in snapshot.recognised.kept:
        reason = snapshot.recognised.layout.kept[name]
        count = snapshot.counts[name]
        told.append({"table": name, "rows": count, "migrated": 0, "kept": count, "blocked": 0, "why": reason})
    return told


def _comparison(one: Comparison) -> dict[str, Any]:
    position = one.position
    return {
        "account": one.where[0],
        "symbol": one.instrument.symbol,
        "currency": one.instrument.currency,
        "before": _figures(one.before),
        "after": _figures(one.after),
        "differences": [{"cause": cause.value, **_figures(step)} for cause, step in one.differences.items()],
        "pending": {"quantity": plain(position.pending), "proceeds": plain(position.pending_proceeds)},
        "held_at_unknown_cost": plain(position.unknown),
    }


def _held(one: Comparison) -> dict[str, str]:
    """What the older system says it holds and the trades do not give: a split, a transfer, an expiry, or rows told twice without ids."""
    return {
        "account": one.where[0],
        "symbol": one.instrument.symbol,
        "there": plain(one.before.quantity),
        "here": plain(one.after.quantity),
    }


def _figures(figures: Figures) -> dict[str, str]:
    return {"quantity": plain(figures.quantity), "realised": plain(figures.realised), "open_cost": plain(figures.open_cost)}


def _account(one: AccountComparison) -> dict[str, str]:
    return {
        "account": one.account,
        "currency": one.currency,
        "stored": plain(one.stored),
        "own_rows": plain(one.own_rows),
        "stored_against_own_rows": plain(one.own_rows - one.stored),
        "after": plain(one.after),
    }


def _notes(found: Found) -> list[dict[str, Any]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for note in found.notes:
        grouped[note.what].append(f"{note.row}" + (f" ({note.detail})" if note.detail else ""))
    return [{"what": what, "count": len(rows), "rows": rows[:SHOWN_MAX]} for what, rows in sorted(grouped.items())]


def orders_of(found: Found) -> list[dict[str, Any]]:
    """Every order that was taken over, filled or not, in the shape that orders have here, one for each."""
    told: dict[tuple[str, str], dict[str, Any]] = {}
    for trade in found.trades:
        order = told.setdefault(
            (trade.account, trade.order_id or trade.key),
            {
                "order_id": trade.order_id, "account": trade.account, "symbol": trade.instrument.symbol, "side": trade.side.value,
                "status": "filled", "triggered_by": trade.triggered_by, "signal_context": trade.context, "filled_at": trade.at.isoformat(),
                "trades": [],
            },
        )  # fmt: skip
        order["trades"].append(
            {"id": trade.key, "quantity": str(trade.quantity), "price": str(trade.price), "value": plain(trade.value.amount),
             "commission": plain(trade.fee.amount)}
        )  # fmt: skip
    for one in found.unfilled:
        told[one.account, one.key] = {
            "order_id": one.key, "account": one.account, "symbol": one.symbol, "side": one.side if one.side in set(Side) else None,
            "status": one.status, "triggered_by": one.triggered_by, "signal_context": one.context, "trades": [],
            "size": None if one.size is None else plain(one.size), "price": None if one.price is None else plain(one.price),
            "created_at": one.created_at.isoformat() if one.created_at else None,
        }  # fmt: skip
    return list(told.values())
