"""Plots: lines over sessions, areas, bands, heat maps; worked out as drawings, and written as SVG without script or other file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

from quantmatrix.common.contracts.asking.backtests import Drawing, DrawnShape, DrawnText

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
) -> Drawing:
    """Lines over sessions with axes, grid and legend. area: fill between the first one and zero; logarithmic: of values above zero."""
    kept = _kept(len(sessions))
    days = [sessions[index] for index in kept]
    shown = [Line(line.name, line.css, [line.values[index] for index in kept]) for line in lines]
    low, high = min(min(line.values) for line in shown), max(max(line.values) for line in shown)
    low, high = (min(low, 0.0), max(high, 0.0)) if area else (low, high)
    scale = _doubling(low, high) if logarithmic else _round(low, high)
    shapes, texts = _grid(scale), [*_value_axis(scale, percent=percent), *_day_axis(days)]
    for number, line in enumerate(shown):
        points = " ".join(f"{_x(index, len(days)):.1f},{scale.y(value):.1f}" for index, value in enumerate(line.values))
        if area and number == 0:
            zero = scale.y(0.0)
            whole = f"{_x(0, len(days)):.1f},{zero:.1f} {points} {WIDTH - RIGHT},{zero:.1f}"
            shapes.append(DrawnShape(whole, f"{line.css}-area", closed=True))
        shapes.append(DrawnShape(points, line.css))
        if len(shown) > 1:
            texts.append(DrawnText(LEFT + 8 + 150 * number, TOP + 14, line.name, f"legend {line.css}-text"))
    return Drawing(title, WIDTH, HEIGHT, tuple(shapes), tuple(texts))


def bands(title: str, after: Sequence[int], rows: Sequence[Sequence[float]], names: Sequence[str]) -> Drawing:
    """Five rows over a count, lowest first: the outer two and the inner two as areas, the middle one as a line."""
    scale = _round(min(min(row) for row in rows), max(max(row) for row in rows))
    spots = [[f"{_x(index, len(after)):.1f},{scale.y(value):.1f}" for index, value in enumerate(row)] for row in rows]
    shapes, texts = _grid(scale), [*_value_axis(scale, percent=True), *_count_axis(after)]
    shapes += [DrawnShape(" ".join([*spots[low], *reversed(spots[high])]), "one-area", closed=True) for low, high in ((0, -1), (1, -2))]
    shapes.append(DrawnShape(" ".join(spots[len(rows) // 2]), "one"))
    texts.append(DrawnText(LEFT + 8, TOP + 14, ", ".join(names), "legend one-text"))
    return Drawing(title, WIDTH, HEIGHT, tuple(shapes), tuple(texts))


def heat_map(title: str, across: Sequence[str], down: Sequence[str], cells: Sequence[Sequence[float | None]]) -> Drawing:
    """One figure by two parameters: rows by `down`, columns by `across`; the highest is the darkest, none is empty."""
    found = [value for row in cells for value in row if value is not None]
    low, high = min(found, default=0.0), max(found, default=0.0)
    width, height = (WIDTH - LEFT - RIGHT) / len(across), 34
    tall = TOP + height * len(down) + BOTTOM
    shapes: list[DrawnShape] = []
    texts = [DrawnText(LEFT + (at + 0.5) * width, tall - 8, name, "tick", "middle") for at, name in enumerate(across)]
    for row, (name, values) in enumerate(zip(down, cells, strict=True)):
        top = TOP + row * height
        texts.append(DrawnText(LEFT - 6, top + height / 2 + 4, name, "tick", "end"))
        for column, value in enumerate(values):
            left = LEFT + column * width
            share = (value - low) / (high - low or 1.0) if value is not None else None
            shapes.append(_cell(left, top, width, height, share))
            if value is not None:
                texts.append(DrawnText(left + width / 2, top + height / 2 + 4, f"{value:.2f}", "heat-text", "middle"))
    return Drawing(title, WIDTH, tall, tuple(shapes), tuple(texts))


def svg(drawn: Drawing) -> str:
    """A drawing as SVG inside a page."""
    parts = [f'<svg class="plot" viewBox="0 0 {drawn.width:g} {drawn.height:g}" role="img" aria-label="{escape(drawn.title)}">']
    parts.append(f"<title>{escape(drawn.title)}</title>")
    for one in drawn.shapes:
        opacity = "" if one.opacity is None else f' fill-opacity="{one.opacity:.2f}"'
        parts.append(f'<{"polygon" if one.closed else "polyline"} class="{one.css}"{opacity} points="{one.points}"/>')
    for text in drawn.texts:
        place = f'x="{text.x:.1f}" y="{text.y:.1f}" text-anchor="{text.anchor}"'
        parts.append(f'<text class="{text.css}" {place}>{escape(text.text)}</text>')
    return "\n".join([*parts, "</svg>"])


def _cell(left: float, top: float, width: float, height: float, share: float | None) -> DrawnShape:
    right, low = left + width - 1, top + height - 1
    points = f"{left + 1:.1f},{top + 1:.1f} {right:.1f},{top + 1:.1f} {right:.1f},{low:.1f} {left + 1:.1f},{low:.1f}"
    if share is None:
        return DrawnShape(points, "empty", closed=True)
    return DrawnShape(points, "heat", closed=True, opacity=round(0.08 + 0.72 * share, 2))


def _count_axis(after: Sequence[int]) -> list[DrawnText]:
    wanted = sorted({round(number * (len(after) - 1) / TICKS) for number in range(TICKS + 1)})
    return [DrawnText(_x(one, len(after)), HEIGHT - 8, str(after[one]), "tick", "middle") for one in wanted]


def _kept(count: int) -> list[int]:
    """Which points are drawn: evenly spread, the last one always."""
    step = max(1, -(-count // POINTS_MAX))
    kept = list(range(0, count, step))
    return kept if kept[-1] == count - 1 else [*kept, count - 1]


def _x(index: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * index / max(1, count - 1)


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


def _grid(scale: _Scale) -> list[DrawnShape]:
    return [DrawnShape(f"{LEFT},{scale.y(one):.1f} {WIDTH - RIGHT},{scale.y(one):.1f}", "grid") for one in scale.ticks]


def _value_axis(scale: _Scale, *, percent: bool) -> list[DrawnText]:
    fine = 2 if percent and scale.high - scale.low < 0.05 else 0
    plain = 0 if scale.high >= 10 else 2
    labels = [f"{100 * one:.{fine}f} %" if percent else f"{one:,.{plain}f}" for one in scale.ticks]
    return [DrawnText(LEFT - 6, scale.y(one) + 4, label, "tick", "end") for one, label in zip(scale.ticks, labels, strict=True)]


def _day_axis(days: Sequence[date]) -> list[DrawnText]:
    wanted = sorted({round(number * (len(days) - 1) / TICKS) for number in range(TICKS + 1)})
    anchors = {0: "start", len(days) - 1: "end"}
    return [DrawnText(_x(one, len(days)), HEIGHT - 8, str(days[one]), "tick", anchors.get(one, "middle")) for one in wanted]
