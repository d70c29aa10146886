"""A result as one page of HTML: figures, plots, months, trades, assumptions and digests. Nothing is fetched from anywhere."""

from collections.abc import Sequence
from html import escape

from quantmatrix.common.statistics import falls_of
from quantmatrix.common.values import Money
from quantmatrix.signals.backtest.plots import Line, plot
from quantmatrix.signals.backtest.result import Result
from quantmatrix.signals.backtest.trades import Trade

TRADES_SHOWN_MAX = 500
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --paper: #fff; --soft: #66717f; --rule: #d9dee5;
  --one: #1f6feb; --two: #9a6700; --bad: #c0362c; --good: #1a7f4b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --paper: #12171e; --soft: #9aa6b5; --rule: #2c3643;
  --one: #6cb0ff; --two: #e3b341; --bad: #ff8078; --good: #4cc38a; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
p.soft, .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th:first-child, td:first-child, td.words { text-align: left; }
td.words { white-space: normal; min-width: 14rem; }
th { color: var(--soft); font-weight: 600; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .75rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; font-size: 1.15rem; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.plot { width: 100%; height: auto; }
.grid { stroke: var(--rule); }
.tick { fill: var(--soft); font-size: 12px; }
polyline { fill: none; stroke-width: 1.6; }
.one { stroke: var(--one); }
.two { stroke: var(--two); }
.fall { stroke: var(--bad); }
.fall-area { fill: var(--bad); opacity: .18; }
.legend { font-size: 13px; }
.one-text { fill: var(--one); }
.two-text { fill: var(--two); }
.fall-text { fill: var(--bad); }
code { font-size: .85rem; overflow-wrap: anywhere; }
"""


def report(result: Result) -> str:
    """The whole page."""
    asked = result.asked
    sessions = [point.session for point in result.outcome.curve]
    equity = [float(point.equity.amount) for point in result.outcome.curve]
    curves = [Line("this run", "one", equity)]
    if result.benchmark_equity:
        curves.append(Line("bought and held", "two", result.benchmark_equity))
    falls = [Line("drawdown", "fall", falls_of(float(asked.cash.amount), equity))]
    title = f"{asked.strategy} on {', '.join(asked.symbols)}"
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body><main>',
            f"<h1>{escape(title)}</h1>",
            f'<p class="soft">{asked.first} to {asked.last}, {len(sessions)} sessions, opening capital {_money(asked.cash)}</p>',
            _headline(result),
            "<h2>Equity</h2>",
            plot(f"Equity of {title}", sessions, curves),
            "<h2>Drawdown</h2>",
            plot(f"Drawdown of {title}", sessions, falls, percent=True, area=True),
            "<h2>Months</h2>",
            _months(result),
            "<h2>Instruments</h2>",
            _symbols(result),
            f"<h2>Trades</h2>{_trades(result.trades)}",
            "<h2>What was assumed</h2>",
            "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in asked.assumptions) + "</ul>",
            _refusals(result),
            _repeat(result),
            "</main></body></html>",
        ]
    )


def _headline(result: Result) -> str:
    curve, closed, held = result.curve, result.closed, result.benchmark
    figures = [
        ("Return", _percent(curve.total_return)),
        ("Bought and held", _percent(held.total_return) if held else "–"),
        ("CAGR", _percent(curve.cagr)),
        ("Largest drawdown", _percent(curve.max_drawdown)),
        ("Longest drawdown", f"{curve.max_drawdown_sessions} sessions"),
        ("Volatility a year", _percent(curve.volatility)),
        ("Sharpe", _number(curve.sharpe)),
        ("Sortino", _number(curve.sortino)),
        ("Calmar", _number(curve.calmar)),
        ("Trades closed", str(closed.trades)),
        ("Win rate", _percent(closed.win_rate)),
        ("Profit factor", _number(closed.profit_factor)),
        ("Expectancy a trade", _number(closed.expectancy)),
        ("Exposure", _percent(result.exposure)),
        ("Turnover a year", _number(result.turnover)),
        ("Costs", _money(result.fees)),
    ]
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures) + "</dl>"


def _months(result: Result) -> str:
    rows = [[str(one.year), *(_percent(value, signed=True) for value in (*one.months, one.total))] for one in result.months]
    return _table(("Year", *MONTHS, "Year"), rows)


def _symbols(result: Result) -> str:
    rows = [
        [
            escape(one.symbol),
            str(one.trades),
            str(one.won),
            _money(one.profit),
            _money(one.fees),
            one.held,
            _money(one.value),
            _percent(one.price_change),
        ]
        for one in result.symbols
    ]
    return _table(("Symbol", "Trades", "Won", "Profit", "Costs", "Still held", "Its value", "Price"), rows)


def _trades(trades: Sequence[Trade]) -> str:
    rows = [
        [
            escape(one.symbol),
            str(one.opened_on),
            f"{one.closed_on}{' (open)' if one.is_open else ''}",
            str(one.bought),
            "–" if one.is_open else _signed(float(one.profit.amount), _money(one.profit)),
            "–" if one.is_open else _percent(float(one.gain_pct) / 100, signed=True),
            str(one.sessions),
            escape(one.closed_by),
            f'<td class="words">{escape("; ".join(one.opened_because))}</td>',
        ]
        for one in trades[:TRADES_SHOWN_MAX]
    ]
    more = f'<p class="soft">{len(trades) - TRADES_SHOWN_MAX} more are not shown.</p>' if len(trades) > TRADES_SHOWN_MAX else ""
    heads = ("Symbol", "Opened", "Closed", "Bought", "Profit", "Gain", "Sessions", "Last sale", "Why it was opened")
    return _table(heads, rows) + more if rows else "<p>Nothing was traded.</p>"


def _refusals(result: Result) -> str:
    if not result.outcome.refusals:
        return ""
    rows = [[str(one.session), escape(one.symbol), one.code, escape(one.detail)] for one in result.outcome.refusals[:TRADES_SHOWN_MAX]]
    return "<h2>Orders that were not filled, or not whole</h2>" + _table(("Session", "Symbol", "Code", "Why"), rows)


def _repeat(result: Result) -> str:
    asked = result.asked
    rows = [
        ["parameters", f"<code>{escape(repr(dict(asked.parameters)))}</code>"],
        ["seed", str(asked.seed)],
        *(
            [name, f"<code>{digest}</code>"]
            for name, digest in (("code", asked.code_digest), ("data", asked.data_digest), ("result", result.digest))
        ),
    ]
    body = "".join(f'<tr><td>{name}</td><td class="words">{value}</td></tr>' for name, value in rows)
    return f'<h2>To repeat it</h2><div class="wide"><table>{body}</table></div>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{one}</th>" for one in heads)
    body = "".join("<tr>" + "".join(one if one.startswith("<td") else f"<td>{one}</td>" for one in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _percent(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return "–"
    return _signed(value, f"{100 * value:.2f} %") if signed else f"{100 * value:.2f} %"


def _signed(value: float, text: str) -> str:
    return f'<span class="{"bad" if value < 0 else "good" if value > 0 else "soft"}">{text}</span>'


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}"


def _money(value: Money) -> str:
    return f"{float(value.amount):,.2f}"
