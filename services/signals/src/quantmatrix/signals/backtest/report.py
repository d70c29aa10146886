"""A result as one page of HTML: figures, plots, months, trades, assumptions and digests. Nothing is fetched from anywhere."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import polars as pl

from quantmatrix.common.contracts.asking.backtests import Drawing
from quantmatrix.signals.backtest.doubt import SHARES, Method, Spread
from quantmatrix.signals.backtest.markup import (
    TRADES_SHOWN_MAX,
    assumed,
    coloured,
    definitions,
    drawings,
    headline,
    money,
    number,
    page,
    percent,
    refusals_of_page,
    table,
    to_repeat,
    trades_of_page,
)
from quantmatrix.signals.backtest.plots import bands, heat_map, svg
from quantmatrix.signals.backtest.record import Record

_CHANGE = ("where", "known_then", "known_later")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def report(record: Record) -> str:
    """The whole page of a run, a sweep, a walk forward or a look-ahead check."""
    pages = {"sweep": _sweep_page, "walk_forward": _walk_page, "lookahead": _check_page}
    return pages.get(record.figures.get("kind", "run"), _run_page)(record)


def _run_page(record: Record) -> str:
    """The page of a single run."""
    told, curve = record.figures, record.tables["curve"]
    soft = (
        f"{told['first']} to {told['last']}, {told['sessions']} sessions, opening capital {money(told['opening_cash'])} {told['currency']}"
    )
    return page(
        record.title,
        soft,
        [
            headline(told),
            *drawings(record.title, curve),
            "<h2>Months</h2>" + _months(told["months"]),
            "<h2>Instruments</h2>" + _symbols(told["per_symbol"]),
            "<h2>Trades</h2>" + trades_of_page(record.tables["trades"]),
            assumed(told),
            refusals_of_page(record.tables["refusals"]),
            to_repeat(told),
        ],
    )


def _months(months: Sequence[Mapping[str, Any]]) -> str:
    rows = [[str(one["year"]), *(_share(value) for value in (*one["months"], one["total"]))] for one in months]
    return table(("Percent", *MONTHS, "Year"), rows)


def _share(value: float | None) -> str:
    return "–" if value is None else coloured(value, f"{100 * value:.2f}")


def _symbols(symbols: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            escape(one["symbol"]),
            str(one["trades"]),
            str(one["won"]),
            coloured(float(one["profit"]), money(one["profit"])),
            money(one["fees"]),
            one["held"],
            money(one["value"]),
            percent(one["price_change"], signed=True),
        ]
        for one in symbols
    ]
    return table(("Symbol", "Trades", "Won", "Profit", "Costs", "Still held", "Its value", "Price"), rows)


def _sweep_page(record: Record) -> str:
    told, tried = record.figures, record.tables["tried"]
    soft = f"{told['first']} to {told['last']}, {told['combinations']} combinations, opening capital {money(told['opening_cash'])}"
    names = [name for name in tried.columns if name.startswith("parameter ")]
    rows = [
        [
            *(escape(one[name]) for name in names),
            number(one["sharpe"]),
            percent(one["deflated_sharpe"]),
            percent(one["total_return"], signed=True),
            percent(one["max_drawdown"]),
            str(one["trades"]),
        ]
        for one in tried.head(TRADES_SHOWN_MAX).iter_rows(named=True)
    ]
    heads = [*(escape(name.removeprefix("parameter ")) for name in names), "Sharpe", "Deflated", "Return", "Largest drawdown", "Trades"]
    said = "Deflated: the probability that the true ratio is above what the best of so many tries shows by luck alone."
    return page(
        f"Sweep of {record.title}",
        soft,
        [
            *(f"<h2>{escape(one.title)}</h2>{svg(one)}" for one in heat(tried, names)),
            "<h2>Every combination</h2>",
            f'<p class="soft">{said}</p>',
            table(heads, rows),
            assumed(told),
            to_repeat(told),
        ],
    )


def _walk_page(record: Record) -> str:
    told = record.figures
    windows = told["windows"]
    kind = "anchored" if windows["anchored"] else "rolling"
    soft = f"{kind}, chosen on {windows['inside']} sessions and run on the {windows['outside']} after them, {len(told['steps'])} times"
    figures = [
        ("Return", percent(told["curve"]["total_return"], signed=True)),
        ("CAGR", percent(told["curve"]["cagr"])),
        ("Efficiency", percent(told["efficiency"])),
        ("Sharpe", number(told["curve"]["sharpe"])),
        ("Largest drawdown", percent(told["curve"]["max_drawdown"])),
        ("Trades closed", str(told["closed_trades"]["trades"])),
    ]
    said = "Efficiency: the yearly return of these later parts over the mean yearly return that the parameters were chosen by."
    trades = "<h2>Trades</h2>" + trades_of_page(record.tables["trades"])
    parts = [definitions(figures), f'<p class="soft">{said}</p>', *drawings(record.title, record.tables["curve"])]
    return page(f"Walk forward of {record.title}", soft, [*parts, _steps(told["steps"]), trades, assumed(told), to_repeat(told)])


def _steps(steps: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            f"{one['chosen_from']} – {one['chosen_to']}",
            f'<td class="words">{escape(", ".join(f"{name}={value}" for name, value in one["chosen"].items()))}</td>',
            percent(one["inside_return"], signed=True),
            number(one["inside_sharpe"]),
            f"{one['run_from']} – {one['run_to']}",
            percent(one["outside_return"], signed=True),
            number(one["outside_sharpe"]),
            str(one["trades"]),
        ]
        for one in steps
    ]
    heads = ("Chosen on", "Parameters", "Return", "Sharpe", "Run on", "Return", "Sharpe", "Trades")
    return "<h2>Windows</h2>" + table(heads, rows)


def _check_page(record: Record) -> str:
    told = record.figures
    said = "nothing changed" if told["clean"] else f"{told['changed']} things changed: it looks ahead"
    soft = f"{told['first']} to {told['last']}, {told['cuts']} histories cut, decisions at {told['decided']} of them, {said}"
    looked = [[escape(one["symbol"]), *(str(one[name]) for name in ("bars", "cuts", "decided", "changed"))] for one in told["looked"]]
    changes = [
        [escape(one["symbol"]), str(one["session"]), *(f'<td class="words">{escape(one[name])}</td>' for name in _CHANGE)]
        for one in record.tables["changes"].head(TRADES_SHOWN_MAX).iter_rows(named=True)
    ]
    heads = ("Symbol", "Session", *(f'<th class="words">{name}</th>' for name in ("Where", "Known then", "Known later")))
    found = ["<h2>What changed</h2>" + table(heads, changes)] if changes else []
    parts = [
        *found,
        "<h2>Instruments</h2>" + table(("Symbol", "Bars", "Cut", "Decided", "Changed"), looked),
        assumed(told),
        to_repeat(told),
    ]
    return page(f"Look-ahead check of {record.title}", soft, parts)


def heat(tried: pl.DataFrame, names: Sequence[str]) -> list[Drawing]:
    """The Sharpe ratio by the first two parameters of a sweep, the best of all others; nothing when one was swept."""
    if len(names) < 2:
        return []
    across, down = names[0], names[1]
    best: dict[tuple[str, str], float] = {}
    for one in tried.drop_nulls("sharpe").iter_rows(named=True):
        place = (one[down], one[across])
        best[place] = max(best.get(place, one["sharpe"]), one["sharpe"])
    ordered = tried.sort("number")
    columns, rows = (list(dict.fromkeys(ordered[name].to_list())) for name in (across, down))
    title = f"Sharpe ratio by {across.removeprefix('parameter ')} (across) and {down.removeprefix('parameter ')} (down)"
    return [heat_map(title, columns, rows, [[best.get((row, column)) for column in columns] for row in rows])]


def luck_page(record: Record, spread: Spread) -> str:
    """The page of a run's trades drawn anew."""
    said = "each once, in another order" if spread.method is Method.SHUFFLE else "with replacement"
    soft = f"{spread.trades} closed trades drawn {spread.runs} times, {said}, seed {spread.seed}; {spread.ruined:.1%} of the runs lost half"
    names = [f"{share:.0%}" for share in SHARES]
    rows = [
        [name, *(percent(one, signed=True) for one in values)]
        for name, values in (("Return at the end", spread.final), ("Largest drawdown", spread.drawdown))
    ]
    drawn = svg(bands("Return after so many trades", spread.after, spread.bands, names))
    return page(f"Luck of {record.title}", soft, ["<h2>Return after so many trades</h2>", drawn, table(("Of the runs", *names), rows)])
