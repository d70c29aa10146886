"""ATR Matrix: buy close to a rising base, measured in average true ranges from the 50-day average; sell into strength.

The measure is Jeff Sun's "ATR% multiple from the 50-MA" (TradingView, 27 June 2023), used here as a distance, so that
targets invert exactly: price = SMA50 + k × ATR.
"""

import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, ClassVar

import polars as pl
from pydantic import BaseModel

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Money
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.decisions import Because, Decision, Holding, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.indicators import atr, bars_so_far, ema, position_in_range, sma
from quantmatrix.signals.domain.planning import Plan, Standing, WholeDoor, quantity_of, rounded_division, standing_of
from quantmatrix.signals.strategies._atr_matrix_parameters import AtrMatrixParameters
from quantmatrix.signals.strategies._atr_matrix_words import why_else, why_entry, why_size

BARS_FOR_ANYTHING = 50
BARS_FOR_ALIGNMENT = 200
ATR_LENGTH, RANGE_LENGTH = 14, 20
ENTRY_WEIGHTS = {"v1": (0.30, 0.20, 0.25, 0.15, 0.10), "v2": (0.35, 0.25, 0.20, 0.10, 0.10)}
STRENGTH_MIN = {"v1": 0.50, "v2": 0.60}
RATIO_SLACK = 1e-9
_CHAIN = itemgetter("shortest", "short", "sma50", "sma100", "sma200")
HORIZONS = ((2.0, 18), (3.0, 10), (4.0, 2))
HOURS = {
    SignalKind.ENTRY: 24,
    SignalKind.EXIT: 12,
    SignalKind.STOP_LOSS: 12,
    SignalKind.SCALE_OUT: 6,
    SignalKind.RISK_WARNING: 24,
}
"""How long each decision holds."""


class AtrMatrix:
    """See the module's text; formulas in docs/how-to/atr-matrix.md."""

    name: ClassVar[str] = "atr_matrix"
    title: ClassVar[str] = "ATR Matrix"
    parameters: ClassVar[type[BaseModel]] = AtrMatrixParameters
    catalogue: ClassVar[CatalogueEntry] = CatalogueEntry(
        category=Category.STOCKS,
        complexity=Complexity.INTERMEDIATE,
        capital_min=Money(10_000, "USD"),
        horizon="2 to 18 sessions",
        needs=("daily bars", "splits"),
        bars_min=BARS_FOR_ANYTHING,
        summary="Buys close to a rising 50-day average, measured in average true ranges, and sells into strength.",
    )

    def __init__(self, parameters: AtrMatrixParameters) -> None:
        self._p = parameters
        percents = (parameters.max_position_pct, parameters.risk_pct, parameters.scale_out_pct)
        # A warning is kept among the levels that are done, beyond all at which something is sold.
        self._warned = max(int(parameters.extended_at), max(parameters.scale_out_levels, default=0) + 1)
        self._position, self._risk, self._part = ((Decimal(str(one)) / 100).as_integer_ratio() for one in percents)

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        always = {"close": pl.col("close"), "bars": bars_so_far(), "atr": atr(ATR_LENGTH), "sma50": sma(50)}
        if held:
            return always
        return always | {
            "sma20": self._average(),
            "sma100": sma(100),
            "sma200": sma(200),
            "shortest": ema(10 if self._p.alignment == "ema10" else 21),
            "short": sma(20 if self._p.alignment == "ema10" else 21),
            "position": position_in_range(RANGE_LENGTH),
        }

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        return {"close": pl.col("close"), "sma50": sma(50), "sma20": self._average()}

    @property
    def looks_back(self) -> int:
        """The 20-day range."""
        return RANGE_LENGTH - 1

    def _average(self) -> pl.Expr:
        return sma(20 if self._p.preset == "v1" else 21)

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        """Without a position only an entry can happen, and no entry lies below the base or not above the short average."""
        close, base, average = row["close"], row["sma50"], row["sma20"]
        return not holding.quantity and (close is None or base is None or average is None or close < base or close <= average)

    def may_enter(self) -> pl.Expr:
        """What no entry does without, on columns. The ratio's bound is a little wider: it may differ in its last bits."""
        p, close, base, true_range = self._p, pl.col("close"), pl.col("sma50"), pl.col("atr")
        risk = close - pl.max_horizontal(close - p.stop_atr * true_range, close * p.stop_floor_pct / 100)
        reward = base + p.target_levels[0] * true_range - close
        return (
            (pl.col("bars") >= max(BARS_FOR_ANYTHING, int(p.quality_min * BARS_FOR_ALIGNMENT)))
            & ((close - base) / true_range).is_between(0, p.distance_max)
            & (close > pl.col("sma20"))
            & ((reward > risk * p.risk_reward_min * (1 - RATIO_SLACK)) | (risk <= 0))
        )

    def may_leave(self) -> pl.Expr:
        """Below the base, at a scale-out level or extended; the stop is looked at on every close."""
        distance = (pl.col("close") - pl.col("sma50")) / pl.col("atr")
        return (distance < 0) | (distance >= min((*self._p.scale_out_levels, self._p.extended_at)))

    def decide(self, situation: Situation) -> Sequence[Decision]:
        if situation.pending:
            return ()
        row, door = situation.row, situation.door
        return tuple(self.told(row, plan, door) for plan in self.plans(row, standing_of(situation), WholeDoor.of(door)))

    def plans(self, row: Mapping[str, float | None], standing: Standing, door: WholeDoor) -> Sequence[Plan]:
        figures = _figures(row)
        if figures is None:
            return ()
        return self._manage(figures, standing, door) if standing.quantity else self._enter(row, figures, standing, door)

    def why(self, row: Mapping[str, float | None], plan: Plan, door: Door) -> tuple[Because, ...]:
        f = _sure(row)
        if plan.kind is not SignalKind.ENTRY:
            return (why_else(self._p, plan, f["distance"], door),)
        conditions = why_entry(self._p, f, row["position"], self._met(row, f), ENTRY_WEIGHTS[self._p.preset])
        return conditions + why_size(self._p, self._risk_reward(f), plan.quantity)

    def told(self, row: Mapping[str, float | None], plan: Plan, door: Door) -> Decision:
        f = _sure(row)
        known: dict[str, Any] = {"reasons": self.why(row, plan, door), "side": plan.side, "level": plan.level, "metrics": _told(f)}
        if plan.side is not None:
            known["quantity"] = quantity_of(plan.quantity)
        confidence = plan.strength
        if plan.kind is SignalKind.ENTRY and plan.stop_level is not None:
            confidence = round(plan.strength * f["quality"], 3)
            known |= {
                "stop": door.price(plan.stop_level),
                "stop_level": plan.stop_level,
                "targets": tuple(door.price(level) for level in self._targets(f)),
                "risk_reward": round(self._risk_reward(f), 3),
                "horizon_days": next((days for limit, days in HORIZONS if f["distance"] <= limit), HORIZONS[-1][1]),
            }
        return Decision(plan.kind, plan.strength, confidence, timedelta(hours=HOURS[plan.kind]), **known)

    def _enter(self, row: Mapping[str, float | None], f: Mapping[str, float], standing: Standing, door: WholeDoor) -> Sequence[Plan]:
        p, met = self._p, self._met(row, f)
        strength = round(sum(itertools.compress(ENTRY_WEIGHTS[p.preset], met)), 3)
        if not (met[0] and met[1]) or strength < STRENGTH_MIN[p.preset] or f["quality"] < p.quality_min:
            return ()
        if self._risk_reward(f) < p.risk_reward_min:
            return ()
        stop_level = self._stop(f)
        quantity = self._size(standing, door.price(stop_level), door)
        return (Plan(SignalKind.ENTRY, Side.BUY, quantity, strength, stop_level=stop_level),) if quantity else ()

    def _met(self, row: Mapping[str, float | None], f: Mapping[str, float]) -> tuple[bool, ...]:
        """Which conditions of an entry hold; the first two are those that no entry does without."""
        p, position = self._p, row["position"]
        return (
            0 <= f["distance"] <= p.distance_max,
            f["close"] > (row["sma20"] or float("inf")),
            is_aligned(row),
            position is not None and position > p.position_min,
            f["atr_pct"] >= p.atr_pct_min,
        )

    def _stop(self, f: Mapping[str, float]) -> float:
        return max(f["close"] - self._p.stop_atr * f["atr"], f["close"] * self._p.stop_floor_pct / 100)

    def _targets(self, f: Mapping[str, float]) -> list[float]:
        return [f["sma50"] + level * f["atr"] for level in self._p.target_levels]

    def _risk_reward(self, f: Mapping[str, float]) -> float:
        """First target over stop distance."""
        risk = f["close"] - self._stop(f)
        return (f["sma50"] + self._p.target_levels[0] * f["atr"] - f["close"]) / risk if risk > 0 else 0.0

    def _size(self, standing: Standing, stop: int, door: WholeDoor) -> int:
        """Turtle sizing: what the largest position allows, and what the risk between entry and stop allows; the smaller."""
        (position, of), (risk, at) = self._position, self._risk
        by_position = door.lots(rounded_division(standing.equity * position, of), standing.close)
        by_risk = door.lots(rounded_division(standing.equity * risk, at), standing.close - stop)
        return min(by_position, by_risk)

    def _manage(self, f: Mapping[str, float], standing: Standing, door: WholeDoor) -> Sequence[Plan]:
        stop = standing.stop_level
        if f["close"] < f["sma50"]:
            return (Plan(SignalKind.EXIT, Side.SELL, standing.quantity, 0.90),)
        if stop is not None and f["close"] <= stop:
            return (Plan(SignalKind.STOP_LOSS, Side.SELL, standing.quantity, 0.90, stop_level=stop),)
        plans = self._scale_out(f["distance"], standing, door.lot_size)
        if f["distance"] > self._p.extended_at and self._warned not in standing.levels_done:
            plans.append(Plan(SignalKind.RISK_WARNING, None, 0, 0.75, self._warned))
        return plans

    def _scale_out(self, distance: float, standing: Standing, lot: int) -> list[Plan]:
        """A part of the initial quantity at every level reached for the first time since the run was flat."""
        left, plans, (share, of) = standing.quantity, [], self._part
        for level in self._p.scale_out_levels:
            if level in standing.levels_done or distance < level:
                continue
            part = min(standing.initial * share // of // lot * lot, left)
            if not part:
                continue
            left -= part
            strength = round(0.70 + min(0.05 * (distance - level), 0.25), 3)
            plans.append(Plan(SignalKind.SCALE_OUT, Side.SELL, part, strength, level))
        return plans


STRATEGY = AtrMatrix


def is_aligned(row: Mapping[str, float | None]) -> bool:
    """Whether the two short averages and those of 50, 100 and 200 stand in falling order; false while any of them is missing."""
    shortest, short, sma50, sma100, sma200 = _CHAIN(row)
    if shortest is None or short is None or sma50 is None or sma100 is None or sma200 is None:
        return False
    in_order: bool = shortest >= short >= sma50 >= sma100 >= sma200
    return in_order


def _figures(row: Mapping[str, float | None]) -> dict[str, float] | None:
    """The figures that every decision needs; None while history is too short or nothing moves."""
    close, average, true_range, bars = row["close"], row["sma50"], row["atr"], row["bars"]
    if close is None or average is None or true_range is None or bars is None or bars < BARS_FOR_ANYTHING or true_range <= 0:
        return None
    distance = (close - average) / true_range
    return {
        "close": close,
        "sma50": average,
        "atr": true_range,
        "distance": distance,
        "atr_pct": 100 * true_range / close,
        "atr_pct_multiple": distance * close / average,
        "quality": min(1.0, bars / BARS_FOR_ALIGNMENT),
    }


def _sure(row: Mapping[str, float | None]) -> dict[str, float]:
    """The figures of a bar on which something was decided."""
    figures = _figures(row)
    if figures is None:
        raise ValueError("nothing is decided on a bar without figures")
    return figures


def _told(f: Mapping[str, float]) -> dict[str, float]:
    return {
        "atr": f["atr"],
        "atr_pct": f["atr_pct"],
        "atr_distance": f["distance"],
        "atr_pct_multiple": f["atr_pct_multiple"],
        "sma50": f["sma50"],
        "quality": f["quality"],
    }
