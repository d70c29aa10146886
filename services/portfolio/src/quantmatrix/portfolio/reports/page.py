"""The performance of accounts as one printable page: HTML that needs no other file and asks no host."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from quantmatrix.common.values import Money
from quantmatrix.portfolio.performance.course import Course
from quantmatrix.portfolio.performance.figures import Risk, deepest, drawdown_curve, drawdowns, longest, monthly, risk_of
from quantmatrix.portfolio.performance.returns import annualised, linked, links_of, money_weighted, over_period, simple
from quantmatrix.portfolio.performance.strategies import StrategyResult
from quantmatrix.portfolio.reports.disposals import RealisedYear
from quantmatrix.portfolio.reports.plots import curve, heat_map

MINUS = "\u2212"
STYLE = """
:root { color-scheme: light; }
body { font: 13px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; color: #16202c; background: #fff; }
body { margin: 32px auto; max-width: 960px; padding: 0 20px; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 15px; margin: 26px 0 8px; } p { margin: 4px 0; } .quiet { color: #556274; }
table { border-collapse: collapse; width: 100%; } th, td { padding: 5px 8px; border-top: 1px solid #dfe4eb; text-align: left; }
thead th { color: #556274; font-weight: 500; border-top: 0; } .r { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.figures { display: grid; grid-template-columns: repeat(4, 1fr); gap: 10px; margin-top: 16px; }
.figures div { border: 1px solid #dfe4eb; border-radius: 8px; padding: 9px 12px; } .figures b { display: block; font-size: 18px; }
.up { color: #0a7350; } .down { color: #b8322b; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 11px; fill: #556274; } svg .cell, svg .year { fill: #16202c; }
svg .grid { stroke: #dfe4eb; } svg .line { fill: none; stroke-width: 1.6; } svg .area { fill-opacity: .14; stroke: none; }
svg .line.equity { stroke: #1d57c9; } svg .area.equity { fill: #1d57c9; } svg .line.fall { stroke: #b8322b; } svg .area.fall { fill: #b8322b; }
svg .heat.up { fill: #0a7350; } svg .heat.down { fill: #b8322b; } svg .heat.flat { fill: #556274; }
@media print { body { margin: 0; max-width: none; } section { break-inside: avoid; } }
"""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the page is made of. title: whose accounts; attribution: lines of economic profit that sum to the gain; by_year: year, gain and lines."""

    title: str
    course: Course
    attribution: Sequence[tuple[str, Money]] = ()
    by_year: Sequence[tuple[int, Money, Sequence[tuple[str, Money]]]] = ()
    realised: Sequence[RealisedYear] = ()
    strategies: Sequence[StrategyResult] = ()
    notes: Sequence[str] = ()


def page_of(contents: Contents) -> str:
    """The whole page. Every text in it is escaped."""
    course = contents.course
    links = links_of(course)
    title = escape(contents.title)
    body = [
        f"<header><h1>{title}</h1><p class='quiet'>{course.start.on.isoformat()} to {course.end.on.isoformat()}, in {course.currency}</p></header>",
        _figures(course),
        _section("Equity", curve([(mark.on, float(mark.value.amount)) for mark in course.marks], "Equity by day", "equity")),
        _section(
            "Drawdown",
            curve(
                [(link.on, below) for link, below in zip(links, drawdown_curve(links), strict=True)],
                "Distance from the highest value before, without flows",
                "fall",
                percent=True,
            ),
        ),
        _section("Monthly returns, time-weighted, in percent", heat_map(monthly(links))),
        _section("Where the profit comes from", _attribution(contents.attribution, course.gain)),
        _section("Profit by year", _by_year(contents.by_year)),
        _section("Realised by year", _realised(contents.realised)),
        _section("By strategy", _strategies(contents.strategies)),
        "".join(f"<p class='quiet'>{escape(note)}</p>" for note in contents.notes),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>'


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>" if inside else ""


def _figures(course: Course) -> str:
    links = links_of(course)
    total = linked(links)
    first, last = course.start.on, course.end.on
    yearly, money = annualised(total, first, last), money_weighted(course)
    falls = drawdowns(first, links)
    deep, long = deepest(falls), longest(falls)
    risk: Risk = risk_of(links)
    rows = [
        ("Value at the end", money_text(course.end.value), ""),
        (
            "Economic profit",
            money_text(course.gain, sign=True),
            f"paid in {money_text(course.came_in)}, paid out {money_text(course.went_out)}",
        ),
        ("Time-weighted return", percent(total), f"{percent(yearly)} a year" if yearly is not None else "less than a year"),
        ("Money-weighted return", percent(over_period(money, first, last)), f"{percent(money)} a year (XIRR)"),
        ("Simple return", percent(simple(course)), "gain over all that was put in"),
        (
            "Deepest drawdown",
            percent(deep.depth if deep else 0.0),
            f"{deep.peak_on.isoformat()} to {deep.trough_on.isoformat()}" if deep else "",
        ),
        ("Longest drawdown", f"{long.days} days" if long else "none", "still going on" if long and long.recovered_on is None else ""),
        (
            "Volatility, Sharpe ratio",
            f"{percent(risk.volatility, sign=False)}, {ratio(risk.sharpe)}",
            "a year of 252 sessions, no riskless return",
        ),
    ]
    return (
        "<div class='figures'>"
        + "".join(f"<div>{name}<b>{figure}</b><span class='quiet'>{more}</span></div>" for name, figure, more in rows)
        + "</div>"
    )


def _attribution(lines: Sequence[tuple[str, Money]], gain: Money) -> str:
    if not lines:
        return ""
    return _table(
        ("Line", "Amount"),
        [*((name, money_text(amount, sign=True)) for name, amount in lines), ("Economic profit", money_text(gain, sign=True))],
    )


def _by_year(years: Sequence[tuple[int, Money, Sequence[tuple[str, Money]]]]) -> str:
    """A column for each line that some year has, and what they leave."""
    names = list(dict.fromkeys(name for _, _, lines in years for name, _ in lines))
    rows = []
    for year, gain, lines in years:
        known = dict(lines)
        left = gain - sum(known.values(), Money.zero(gain.currency))
        told = [money_text(known[name], sign=True) if name in known else "" for name in names]
        rows.append((str(year), *told, money_text(left, sign=True) if left else "", money_text(gain, sign=True)))
    return _table(("Year", *names, "unexplained", "Economic profit"), rows) if rows else ""


def _realised(years: Sequence[RealisedYear]) -> str:
    rows = [
        (
            str(one.year), str(one.treatment), money_text(one.short.gain, sign=True), money_text(one.long.gain, sign=True),
            money_text(one.unknown.gain, sign=True), money_text(one.disallowed), money_text(one.gain, sign=True), str(one.pending),
        )
        for one in years
    ]  # fmt: skip
    return _table(("Year", "Treatment", "Short-term", "Long-term", "Term unknown", "Disallowed", "Gain", "Pending"), rows) if rows else ""


def _strategies(results: Sequence[StrategyResult]) -> str:
    rows = [
        (
            one.triggered_by, money_text(one.realised, sign=True), money_text(one.unrealised, sign=True), money_text(one.gain, sign=True),
            percent(one.simple), percent(one.yearly), f"{one.won} / {one.lost}", str(one.open_lots),
        )
        for one in results
    ]  # fmt: skip
    header = ("Opened by", "Realised", "Unrealised", "Gain", "On cost", "XIRR", "Won / lost", "Open lots")
    return _table(header, rows) if rows else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}{' class=r' if place else ''}>{escape(cell)}</{tag}>" for place, cell in enumerate(cells)) + "</tr>"

    return f"<table><thead>{line(header, 'th')}</thead><tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"


def money_text(value: Money, *, sign: bool = False) -> str:
    """`1,234.50 USD`; stored exactly, shown with cents."""
    shown = value.rounded(2).amount
    before = MINUS if shown < 0 else "+" if sign and shown > 0 else ""
    return f"{before}{abs(shown):,.2f} {value.currency}"


def percent(value: float | None, *, sign: bool = True) -> str:
    if value is None:
        return "\u2013"
    figures = f"{abs(value) * 100:,.2f}"
    before = "" if not sign or float(figures.replace(",", "")) == 0 else "+" if value > 0 else MINUS
    return f"{before}{figures} %"


def ratio(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:.2f}".replace("-", MINUS)
