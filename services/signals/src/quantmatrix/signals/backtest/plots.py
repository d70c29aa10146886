"""Plots as SVG inside a page: a line over sessions, an area below zero. No script, no other file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

WIDTH, HEIGHT = 960, 280
LEFT, RIGHT, TOP, BOTTOM = 72, 12, 12, 28
POINTS_MAX = 1_200
TICKS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its name in the legend, its class in the page's style, one value per session."""

    name: str
    css: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to heights: the lowest and highest that are drawn, and the values that get a line of the grid."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def y(self, value: float) -> float:
        low, high, at = (math.log(max(one, 1e-300)) if self.logarithmic else one for one in (self.low, self.high, value))
        return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (at - low) / (high - low))


def plot(
    title: str, sessions: Sequence[date], lines: Sequence[Line], *, percent: bool = False, area: bool = False, logarithmic: bool = False
) -> str:
    """An SVG with axes, grid and legend. area: fill between the first line and zero; logarithmic: of values above zero."""
    kept = _kept(len(sessions))
    days = [sessions[index] for index in kept]
    shown = [Line(line.name, line.css, [line.values[index] for index in kept]) for line in lines]
    low, high = min(min(line.values) for line in shown), max(max(line.values) for line in shown)
    low, high = (min(low, 0.0), max(high, 0.0)) if area else (low, high)
    scale = _doubling(low, high) if logarithmic else _round(low, high)
    parts = [*_opened(title, HEIGHT), *_value_axis(scale, percent=percent), *_day_axis(days)]
    for number, line in enumerate(shown):
        points = " ".join(f"{_x(index, len(days)):.1f},{scale.y(value):.1f}" for index, value in enumerate(line.values))
        if area and number == 0:
            zero = scale.y(0.0)
            parts.append(
                f'<polygon class="{line.css}-area" points="{_x(0, len(days)):.1f},{zero:.1f} {points} {WIDTH - RIGHT},{zero:.1f}"/>'
            )
        parts.append(f'<polyline class="{line.css}" points="{points}"/>')
        if len(shown) > 1:
            parts.append(f'<text class="legend {line.css}-text" x="{LEFT + 8 + 150 * number}" y="{TOP + 14}">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>"])


def bands(title: str, after: Sequence[int], rows: Sequence[Sequence[float]], names: Sequence[str]) -> str:
    """An SVG of five rows, lowest first, over a count: the outer two and the inner two as areas, the middle one as a line."""
    scale = _round(min(min(row) for row in rows), max(max(row) for row in rows))
    spots = [[f"{_x(index, len(after)):.1f},{scale.y(value):.1f}" for index, value in enumerate(row)] for row in rows]
    parts = [*_opened(title, HEIGHT), *_value_axis(scale, percent=True), *_count_axis(after)]
    for lower, upper in ((0, -1), (1, -2)):
        parts.append(f'<polygon class="one-area" points="{" ".join([*spots[lower], *reversed(spots[upper])])}"/>')
    parts.append(f'<polyline class="one" points="{" ".join(spots[len(rows) // 2])}"/>')
    parts.append(f'<text class="legend one-text" x="{LEFT + 8}" y="{TOP + 14}">{escape(", ".join(names))}</text>')
    return "\n".join([*parts, "</svg>"])


def heat_map(title: str, across: Sequence[str], down: Sequence[str], cells: Sequence[Sequence[float | None]]) -> str:
    """An SVG of one figure by two parameters: rows by `down`, columns by `across`; the highest is the darkest, none is empty."""
    found = [value for row in cells for value in row if value is not None]
    low, high = min(found, default=0.0), max(found, default=0.0)
    width, height = (WIDTH - LEFT - RIGHT) / len(across), 34
    tall = TOP + height * len(down) + BOTTOM
    parts = _opened(title, tall)
    for row, (name, values) in enumerate(zip(down, cells, strict=True)):
        y = TOP + row * height
        parts.append(f'<text class="tick" text-anchor="end" x="{LEFT - 6}" y="{y + height / 2 + 4:.1f}">{escape(name)}</text>')
        for column, value in enumerate(values):
            parts += _cell(
                LEFT + column * width, y, width, height, value, (value - low) / (high - low or 1.0) if value is not None else None
            )
    for column, name in enumerate(across):
        parts.append(
            f'<text class="tick" text-anchor="middle" x="{LEFT + (column + 0.5) * width:.1f}" y="{tall - 8}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def _cell(x: float, y: float, width: float, height: float, value: float | None, share: float | None) -> list[str]:
    place = f'x="{x + 1:.1f}" y="{y + 1:.1f}" width="{width - 2:.1f}" height="{height - 2}"'
    if value is None or share is None:
        return [f'<rect class="empty" {place}/>']
    text = f'<text class="heat-text" text-anchor="middle" x="{x + width / 2:.1f}" y="{y + height / 2 + 4:.1f}">{value:.2f}</text>'
    return [f'<rect class="heat" fill-opacity="{0.08 + 0.72 * share:.2f}" {place}/>', text]


def _count_axis(after: Sequence[int]) -> list[str]:
    wanted = sorted({round(number * (len(after) - 1) / TICKS) for number in range(TICKS + 1)})
    return [f'<text class="tick" text-anchor="middle" x="{_x(one, len(after)):.1f}" y="{HEIGHT - 8}">{after[one]}</text>' for one in wanted]


def _kept(count: int) -> list[int]:
    """Which points are drawn: evenly spread, the last one always."""
    step = max(1, -(-count // POINTS_MAX))
    kept = list(range(0, count, step))
    return kept if kept[-1] == count - 1 else [*kept, count - 1]


def _x(index: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * index / max(1, count - 1)


def _opened(title: str, height: float) -> list[str]:
    head = f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return [head, f"<title>{escape(title)}</title>"]


def _round(low: float, high: float) -> _Scale:
    """Ticks at 1, 2 or 5 times a power of ten, a handful of them; the scale ends on ticks."""
    span = high - low or max(abs(high), 1.0)
    raw = span / TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(one * power for one in (1.0, 2.0, 5.0, 10.0) if one * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil((low + span) / step - 1e-9)
    ticks = tuple(number * step for number in range(first, last + 1))
    return _Scale(ticks[0], ticks[-1], ticks)


def _doubling(low: float, high: float) -> _Scale:
    """Ticks at each doubling, or each fourfold and so on, of a round number; at most eight."""
    start = 10.0 ** math.floor(math.log10(low))
    first = next(one * start for one in (5.0, 2.0, 1.0) if one * start <= low)
    factor = 2.0
    while math.log(high / first) / math.log(factor) > 7:
        factor *= 2.0
    ticks = [first]
    while ticks[-1] < high:
        ticks.append(ticks[-1] * factor)
    return _Scale(ticks[0], ticks[-1], tuple(ticks), logarithmic=True)


def _value_axis(scale: _Scale, *, percent: bool) -> list[str]:
    parts = []
    fine = 2 if percent and scale.high - scale.low < 0.05 else 0
    for value in scale.ticks:
        y = scale.y(value)
        label = f"{100 * value:.{fine}f} %" if percent else f"{value:,.{0 if scale.high >= 10 else 2}f}"
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" text-anchor="end" x="{LEFT - 6}" y="{y + 4:.1f}">{label}</text>')
    return parts


def _day_axis(days: Sequence[date]) -> list[str]:
    wanted = sorted({round(number * (len(days) - 1) / TICKS) for number in range(TICKS + 1)})
    parts = []
    for index in wanted:
        anchor = "start" if index == 0 else "end" if index == len(days) - 1 else "middle"
        parts.append(f'<text class="tick" text-anchor="{anchor}" x="{_x(index, len(days)):.1f}" y="{HEIGHT - 8}">{days[index]}</text>')
    return parts
