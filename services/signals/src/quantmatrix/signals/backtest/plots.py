"""Plots as SVG inside a page: a line over sessions, an area below zero. No script, no other file."""

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


def plot(title: str, sessions: Sequence[date], lines: Sequence[Line], *, percent: bool = False, area: bool = False) -> str:
    """An SVG with axes, grid and legend. area: fill between the first line and zero."""
    kept = _kept(len(sessions))
    days = [sessions[index] for index in kept]
    shown = [Line(line.name, line.css, [line.values[index] for index in kept]) for line in lines]
    low = min(min(line.values) for line in shown)
    high = max(max(line.values) for line in shown)
    low, high = (min(low, 0.0), max(high, 0.0)) if area else (low, high)
    span = high - low or max(abs(high), 1.0)
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        *_value_axis(low, span, percent=percent),
        *_day_axis(days),
    ]
    for number, line in enumerate(shown):
        points = " ".join(f"{_x(index, len(days)):.1f},{_y(value, low, span):.1f}" for index, value in enumerate(line.values))
        if area and number == 0:
            zero = _y(0.0, low, span)
            parts.append(
                f'<polygon class="{line.css}-area" points="{_x(0, len(days)):.1f},{zero:.1f} {points} {WIDTH - RIGHT},{zero:.1f}"/>'
            )
        parts.append(f'<polyline class="{line.css}" points="{points}"/>')
        parts.append(f'<text class="legend {line.css}-text" x="{LEFT + 8 + 150 * number}" y="{TOP + 14}">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>"])


def bands(title: str, after: Sequence[int], rows: Sequence[Sequence[float]], names: Sequence[str]) -> str:
    """An SVG of five rows, lowest first, over a count: the outer two and the inner two as areas, the middle one as a line."""
    low, high = min(min(row) for row in rows), max(max(row) for row in rows)
    span = high - low or max(abs(high), 1.0)
    spots = [[f"{_x(index, len(after)):.1f},{_y(value, low, span):.1f}" for index, value in enumerate(row)] for row in rows]
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        *_value_axis(low, span, percent=True),
        *_count_axis(after),
    ]
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
    parts = [f'<svg class="plot" viewBox="0 0 {WIDTH} {tall}" role="img" aria-label="{escape(title)}">', f"<title>{escape(title)}</title>"]
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


def _y(value: float, low: float, span: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (value - low) / span)


def _value_axis(low: float, span: float, *, percent: bool) -> list[str]:
    parts = []
    for number in range(TICKS + 1):
        value = low + span * number / TICKS
        y = _y(value, low, span)
        label = f"{100 * value:.1f} %" if percent else f"{value:,.0f}"
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
