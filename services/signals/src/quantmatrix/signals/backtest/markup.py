"""Markup of a page that stands alone: its frame, plots, tables and figures, and how each figure is spelled."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import Any

import polars as pl

from quantmatrix.common.contracts.asking.backtests import Drawing
from quantmatrix.signals.backtest.plots import Line, plot, svg

TRADES_SHOWN_MAX = 500
STEEP = 4.0
"""From this ratio of the highest to the lowest value on, equity is drawn on a logarithmic scale."""
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --paper: #fff; --soft: #66717f; --rule: #d9dee5;
  --one: #1f6feb; --two: #9a6700; --bad: #c0362c; --good: #1a7f4b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --paper: #12171e; --soft: #9aa6b5; --rule: #2c3643;
  --one: #6cb0ff; --two: #e3b341; --bad: #ff8078; --good: #4cc38a; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1120px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
p.soft, .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th:first-child, td:first-child, td.words, th.words { text-align: left; }
td.words { white-space: normal; min-width: 14rem; }
th { color: var(--soft); font-weight: 600; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .75rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.15rem; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.plot { width: 100%; height: auto; }
.tick { fill: var(--soft); font-size: 12px; }
polyline { fill: none; stroke-width: 1.6; }
.grid { stroke: var(--rule); stroke-width: 1; }
.one { stroke: var(--one); }
.two { stroke: var(--two); }
.fall { stroke: var(--bad); }
.one-area { fill: var(--one); opacity: .16; }
.heat { fill: var(--one); }
.empty { fill: none; stroke: var(--rule); }
.heat-text { fill: var(--ink); font-size: 12px; }
.fall-area { fill: var(--bad); opacity: .18; }
.legend { font-size: 13px; }
.one-text { fill: var(--one); }
.two-text { fill: var(--two); }
.fall-text { fill: var(--bad); }
code { font-size: .85rem; overflow-wrap: anywhere; }
"""


def page(title: str, soft: str, parts: Sequence[str]) -> str:
    """A page of HTML that needs no other file; title and soft are text, parts are markup."""
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body><main>',
            f"<h1>{escape(title)}</h1>",
            f'<p class="soft">{escape(soft)}</p>',
            *parts,
            "</main></body></html>",
        ]
    )


def drawings(title: str, curve: pl.DataFrame) -> list[str]:
    """The drawings of a curve as SVG under their headings."""
    return [f"<h2>{escape(name)}</h2>{svg(drawn)}" for name, drawn in drawn_curves(title, curve).items()]


def drawn_curves(title: str, curve: pl.DataFrame) -> dict[str, Drawing]:
    """By heading: equity beside what buying and holding would be worth, and the drawdown."""
    sessions: list[date] = curve["session"].to_list()
    lines = [Line("this run", "one", curve["equity"].cast(pl.Float64).to_list())]
    if not curve["benchmark"].has_nulls():
        lines.append(Line("bought and held", "two", curve["benchmark"].to_list()))
    falls = [Line("drawdown", "fall", curve["drawdown"].to_list())]
    values = [value for line in lines for value in line.values]
    steep = min(values) > 0 and max(values) > STEEP * min(values)
    return {
        "Equity (logarithmic)" if steep else "Equity": plot(f"Equity of {title}", sessions, lines, logarithmic=steep),
        "Drawdown": plot(f"Drawdown of {title}", sessions, falls, percent=True, area=True),
    }


def headline(told: Mapping[str, Any]) -> str:
    """The figures that people ask for first, as a list of definitions."""
    curve, closed, held = told["curve"], told["closed_trades"], told["benchmark"]
    figures = [
        ("Return", percent(curve["total_return"], signed=True)),
        ("Bought and held", percent(held["total_return"] if held else None, signed=True)),
        ("CAGR", percent(curve["cagr"])),
        ("Largest drawdown", percent(curve["max_drawdown"])),
        ("Longest drawdown", f"{curve['max_drawdown_sessions']} sessions"),
        ("Volatility a year", percent(curve["volatility"])),
        ("Sharpe", number(curve["sharpe"])),
        ("Sortino", number(curve["sortino"])),
        ("Calmar", number(curve["calmar"])),
        ("Trades closed", str(closed["trades"])),
        ("Win rate", percent(closed["win_rate"])),
        ("Profit factor", number(closed["profit_factor"])),
        ("Expectancy a trade", number(closed["expectancy"])),
        ("Exposure", percent(told["exposure"])),
        ("Turnover a year", number(told["turnover"])),
        ("Costs", money(told["fees"])),
    ]
    return definitions(figures)


def definitions(figures: Sequence[tuple[str, str]]) -> str:
    """Names and figures, large, side by side; figures are markup."""
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures) + "</dl>"


def trades_of_page(trades: pl.DataFrame) -> str:
    """Trades with the reasons of their opening, as a table."""
    rows = [_trade(one) for one in trades.head(TRADES_SHOWN_MAX).iter_rows(named=True)]
    more = f'<p class="soft">{trades.height - TRADES_SHOWN_MAX} more are not shown.</p>' if trades.height > TRADES_SHOWN_MAX else ""
    heads = ("Symbol", "Opened", "Closed", "Bought", "Profit", "Gain", "Sessions", "Last sale", '<th class="words">Why it was opened</th>')
    return table(heads, rows) + more if rows else "<p>Nothing was traded.</p>"


def _trade(one: Mapping[str, Any]) -> list[str]:
    profit, staked = float(one["profit"]), float(one["proceeds"] if one["bought"].startswith("-") else one["cost"])
    return [
        escape(one["symbol"]),
        str(one["opened_on"]),
        f"{one['closed_on']}{' (open)' if one['is_open'] else ''}",
        one["bought"],
        "–" if one["is_open"] else coloured(profit, money(one["profit"])),
        "–" if one["is_open"] or not staked else percent(profit / staked, signed=True),
        str(one["sessions"]),
        escape(one["closed_by"]),
        f'<td class="words">{escape(one["opened_because"].replace(" | ", "; "))}</td>',
    ]


def refusals_of_page(refusals: pl.DataFrame) -> str:
    """Orders that were not filled, under their heading; nothing where all were."""
    if not refusals.height:
        return ""
    shown = refusals.head(TRADES_SHOWN_MAX).iter_rows(named=True)
    rows = [[str(one["session"]), escape(one["symbol"]), one["code"], f'<td class="words">{escape(one["detail"])}</td>'] for one in shown]
    return "<h2>Orders that were not filled, or not whole</h2>" + table(("Session", "Symbol", "Code", "Why"), rows)


def to_repeat(told: Mapping[str, Any]) -> str:
    """What decides the outcome, and its digest."""
    rows = [
        *(
            [name, f"<code>{escape(json.dumps(told[name]))}</code>"]
            for name in ("parameters", "grid", "windows", "cuts_max")
            if name in told
        ),
        ["seed", str(told["seed"])],
        *([name, f"<code>{told[key]}</code>"] for name, key in (("code", "code_digest"), ("data", "data_digest"), ("result", "digest"))),
    ]
    body = "".join(f'<tr><td>{name}</td><td class="words">{value}</td></tr>' for name, value in rows)
    return f'<h2>To repeat it</h2><div class="wide"><table>{body}</table></div>'


def assumed(told: Mapping[str, Any]) -> str:
    """The assumptions as a list under their heading."""
    return "<h2>What was assumed</h2><ul>" + "".join(f"<li>{escape(line)}</li>" for line in told["assumptions"]) + "</ul>"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls by itself; cells are markup, one that begins with <td or <th stands as it is."""
    head = "".join(one if one.startswith("<th") else f"<th>{one}</th>" for one in heads)
    body = "".join("<tr>" + "".join(one if one.startswith("<td") else f"<td>{one}</td>" for one in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def percent(value: float | None, *, signed: bool = False) -> str:
    """A fraction as percent; signed ones are coloured."""
    if value is None:
        return "–"
    return coloured(value, f"{100 * value:.2f} %") if signed else f"{100 * value:.2f} %"


def number(value: float | None) -> str:
    """Two digits, or a dash."""
    return "–" if value is None else f"{value:,.2f}"


def money(amount: str) -> str:
    """An amount with cents."""
    return f"{float(amount):,.2f}"


def coloured(value: float, text: str) -> str:
    """Text coloured by the sign of its value."""
    return f'<span class="{"bad" if value < 0 else "good" if value > 0 else "soft"}">{text}</span>'
