"""Plots as inline SVG: curves over days, and months as coloured tables. Figures are for looking at; colours also work in print."""

import math
from collections.abc import Sequence
from datetime import date
from html import escape

from quantmatrix.common.statistics import Year

WIDTH, HEIGHT = 920, 240
LEFT, RIGHT, TOP, BOTTOM = 74, 10, 12, 24
POINTS_MAX = 700
FLAT = 1e-9
"""A curve that moves by less than this share of its size is drawn as flat."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def thinned(points: Sequence[tuple[date, float]], most: int = POINTS_MAX) -> list[tuple[date, float]]:
    """At most about `most` points that keep the lowest and the highest of each stretch, and both ends."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(2 * len(points) / most)
    kept = {0, len(points) - 1}
    for begin in range(0, len(points), size):
        stretch = range(begin, min(begin + size, len(points)))
        kept.add(min(stretch, key=lambda place: points[place][1]))
        kept.add(max(stretch, key=lambda place: points[place][1]))
    return [points[place] for place in sorted(kept)]


def curve(points: Sequence[tuple[date, float]], title: str, style: str, *, percent: bool = False) -> str:
    """A filled curve over time; nothing with fewer than two points. style: the CSS class that colours it."""
    if len(points) < 2:
        return ""
    shown = thinned(points)
    first, last = shown[0][0].toordinal(), shown[-1][0].toordinal()
    low, high = min(value for _, value in shown), max(value for _, value in shown)
    if percent:
        low, high = min(low, 0.0), max(high, 0.0)
    ticks = ticks_between(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])

    def x(day: date) -> float:
        return LEFT + (day.toordinal() - first) / max(last - first, 1) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / ((high - low) or 1.0) * (HEIGHT - TOP - BOTTOM)

    line = " ".join(f"{x(day):.1f},{y(value):.1f}" for day, value in shown)
    floor = y(0.0) if percent else y(low)
    area = f"{x(shown[0][0]):.1f},{floor:.1f} {line} {x(shown[-1][0]):.1f},{floor:.1f}"
    grid = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" class="grid"/>'
        f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{_figure(tick, percent)}</text>'
        for tick in ticks
    )
    days = "".join(
        f'<text x="{x(day):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{day:%Y-%m}</text>' for day in _days(shown[0][0], shown[-1][0])
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>{grid}{days}'
        f'<polygon points="{area}" class="area {style}"/><polyline points="{line}" class="line {style}"/></svg>'
    )


def ticks_between(low: float, high: float) -> list[float]:
    """Two to eight round figures that enclose low and high."""
    size = max(abs(low), abs(high), 0.001)
    span = high - low if high - low > size * FLAT else size
    step = 10 ** math.floor(math.log10(span / 3))
    for factor in (1, 2, 5, 10):
        if span / (step * factor) <= 5:
            step *= factor
            break
    first = math.floor(low / step)
    return [number * step for number in range(first, max(math.ceil(high / step), first + 1) + 1)]


def _days(first: date, last: date) -> list[date]:
    """Six days, evenly apart, away from the borders."""
    span = (last - first).days
    return [date.fromordinal(first.toordinal() + span * part // 12) for part in range(1, 12, 2)]


def _figure(value: float, percent: bool) -> str:
    if percent:
        return f"{value * 100:.4g} %"
    return f"{value:,.0f}" if abs(value) >= 100 or not value else f"{value:,.4g}"


def heat_map(years: Sequence[Year]) -> str:
    """Monthly returns as a table of coloured cells, the latest year first; the figure stands in every cell."""
    if not years:
        return ""
    cell, head, row = 62, 24, 26
    width, height = 56 + cell * 13, head + row * len(years)
    largest = max((abs(one) for year in years for one in year.months if one is not None), default=0.0) or 1.0
    parts = [
        f'<text x="{56 + cell * (place + 0.5):.0f}" y="16" text-anchor="middle">{name}</text>'
        for place, name in enumerate((*MONTHS, "Year"))
    ]
    for line, year in enumerate(sorted(years, key=lambda one: -one.year)):
        top = head + row * line
        parts.append(f'<text x="48" y="{top + 17}" text-anchor="end" class="year">{year.year}</text>')
        for place, one in enumerate((*year.months, year.total)):
            if one is not None:
                scale = largest if place < len(MONTHS) else max(largest, abs(one))
                parts.append(_cell(56 + cell * place, top, cell, row, one, scale))
    title = "Monthly returns"
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}"><title>{title}</title>{"".join(parts)}</svg>'


def _cell(left: int, top: int, width: int, height: int, value: float, scale: float) -> str:
    strength = 0.12 + 0.5 * math.sqrt(abs(value) / scale) if value else 0.05
    style = "up" if value > 0 else "down" if value < 0 else "flat"
    return (
        f'<rect x="{left + 1}" y="{top + 1}" width="{width - 2}" height="{height - 2}" rx="3" class="heat {style}" fill-opacity="{strength:.2f}"/>'
        f'<text x="{left + width / 2:.0f}" y="{top + 17}" text-anchor="middle" class="cell">{value * 100:+.1f}</text>'
    )
