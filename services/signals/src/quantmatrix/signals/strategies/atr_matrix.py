"""ATR Matrix: buy close to a rising base, measured in average true ranges from the 50-day average; sell into strength.

The measure is Jeff Sun's "ATR% multiple from the 50-MA" (TradingView, 27 June 2023), used here as a distance, so that
targets invert exactly: price = SMA50 + k × ATR.
"""

import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import ClassVar

import polars as pl
from pydantic import BaseModel

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.decisions import Because, Decision, Holding, Situation
from quantmatrix.signals.domain.indicators import atr, bars_so_far, ema, position_in_range, sma
from quantmatrix.signals.strategies._atr_matrix_parameters import AtrMatrixParameters

BARS_FOR_ANYTHING = 50
BARS_FOR_ALIGNMENT = 200
ATR_LENGTH, RANGE_LENGTH = 14, 20
ENTRY_WEIGHTS = {"v1": (0.30, 0.20, 0.25, 0.15, 0.10), "v2": (0.35, 0.25, 0.20, 0.10, 0.10)}
STRENGTH_MIN = {"v1": 0.50, "v2": 0.60}
CHAINS = {"ema10": "EMA10 ≥ SMA20", "ema21": "EMA21 ≥ SMA21"}
RATIO_SLACK = 1e-9
HORIZONS = ((2.0, 18), (3.0, 10), (4.0, 2))


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
        self._position, self._risk = (Decimal(str(percent)) / 100 for percent in (parameters.max_position_pct, parameters.risk_pct))

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
        figures = _figures(situation.row)
        if figures is None or situation.pending:
            return ()
        if situation.holding.quantity:
            return self._manage(situation, figures)
        entry = self._entry(situation, figures)
        return (entry,) if entry else ()

    def _entry(self, situation: Situation, f: Mapping[str, float]) -> Decision | None:
        p = self._p
        reasons = self._conditions(situation.row, f)
        strength = round(sum(reason.weight for reason in reasons if reason.met), 3)
        hard = reasons[0].met and reasons[1].met
        stop_level = max(f["close"] - p.stop_atr * f["atr"], f["close"] * p.stop_floor_pct / 100)
        risk = f["close"] - stop_level
        targets = [f["sma50"] + level * f["atr"] for level in p.target_levels]
        risk_reward = (targets[0] - f["close"]) / risk if risk > 0 else 0.0
        if not hard or strength < STRENGTH_MIN[p.preset] or risk_reward < p.risk_reward_min or f["quality"] < p.quality_min:
            return None
        stop = situation.door.price(stop_level)
        quantity = self._size(situation, stop)
        if not quantity:
            return None
        reasons += (
            Because(
                "RISK_REWARD",
                True,
                f"first target over stop distance {risk_reward:.2f}, at least {p.risk_reward_min:g}",
            ),
            Because("SIZE", True, f"{quantity} units: at most {p.max_position_pct:g} % of equity, {p.risk_pct:g} % at risk"),
        )
        return Decision(
            kind=SignalKind.ENTRY,
            strength=strength,
            confidence=round(strength * f["quality"], 3),
            valid_for=timedelta(hours=24),
            reasons=reasons,
            side=Side.BUY,
            quantity=quantity,
            stop=stop,
            stop_level=stop_level,
            targets=tuple(situation.door.price(level) for level in targets),
            risk_reward=round(risk_reward, 3),
            horizon_days=next((days for limit, days in HORIZONS if f["distance"] <= limit), HORIZONS[-1][1]),
            metrics=_told(f),
        )

    def _conditions(self, row: Mapping[str, float | None], f: Mapping[str, float]) -> tuple[Because, ...]:
        weights = ENTRY_WEIGHTS[self._p.preset]
        p, position = self._p, row["position"]
        average = row["sma20"] or float("inf")
        return (
            Because(
                "NEAR_BASE",
                0 <= f["distance"] <= p.distance_max,
                f"{f['distance']:.2f} ATR above the 50-day average, 0 to {p.distance_max:g}",
                weights[0],
            ),
            Because(
                "ABOVE_AVERAGE",
                f["close"] > average,
                f"close above the {20 if p.preset == 'v1' else 21}-day average",
                weights[1],
            ),
            Because("ALIGNED", is_aligned(row), f"{CHAINS[p.alignment]} ≥ SMA50 ≥ SMA100 ≥ SMA200", weights[2]),
            Because(
                "UPPER_RANGE",
                position is not None and position > p.position_min,
                f"20-day position {position or 0:.0f} %, above {p.position_min:g}",
                weights[3],
            ),
            Because(
                "MOVES_ENOUGH",
                f["atr_pct"] >= p.atr_pct_min,
                f"ATR {f['atr_pct']:.2f} % of the price, at least {p.atr_pct_min:g}",
                weights[4],
            ),
        )

    def _size(self, situation: Situation, stop: Price) -> Quantity:
        """Turtle sizing: what the largest position allows, and what the risk between entry and stop allows; the smaller."""
        door, equity, close = situation.door, situation.equity, situation.close
        by_position = door.lots(equity.times(self._position), close)
        by_risk = door.lots(equity.times(self._risk), close - stop)
        return min(by_position, by_risk)

    def _manage(self, situation: Situation, f: Mapping[str, float]) -> Sequence[Decision]:
        holding = situation.holding
        if f["close"] < f["sma50"]:
            return (
                _sell(
                    SignalKind.EXIT,
                    holding.quantity,
                    0.90,
                    12,
                    f,
                    Because("BELOW_BASE", True, "close below the 50-day average"),
                ),
            )
        if holding.stop_level is not None and f["close"] <= holding.stop_level:
            text = f"close at or below the stop of {situation.door.price(holding.stop_level)}"
            return (_sell(SignalKind.STOP_LOSS, holding.quantity, 0.90, 12, f, Because("STOP", True, text)),)
        decisions = self._scale_out(situation, f)
        if f["distance"] > self._p.extended_at and int(self._p.extended_at) not in holding.levels_done:
            decisions.append(_warn(f, self._p.extended_at))
        return decisions

    def _scale_out(self, situation: Situation, f: Mapping[str, float]) -> list[Decision]:
        """A part of the initial quantity at every level reached for the first time since the run was flat."""
        holding, left = situation.holding, situation.holding.quantity
        decisions = []
        for level in self._p.scale_out_levels:
            if level in holding.levels_done or f["distance"] < level:
                continue
            part = Quantity(holding.initial.value * Decimal(str(self._p.scale_out_pct)) / 100).floored_to(situation.door.lot_size)
            part = min(part, left)
            if not part:
                continue
            left -= part
            strength = round(0.70 + min(0.05 * (f["distance"] - level), 0.25), 3)
            because = Because("LEVEL_REACHED", True, f"{f['distance']:.2f} ATR above the 50-day average, level {level}")
            decisions.append(_sell(SignalKind.SCALE_OUT, part, strength, 6, f, because, level=level))
        return decisions


STRATEGY = AtrMatrix


def is_aligned(row: Mapping[str, float | None]) -> bool:
    """Whether the two short averages and those of 50, 100 and 200 stand in falling order; false while any of them is missing."""
    chain = [row[name] for name in ("shortest", "short", "sma50", "sma100", "sma200")]
    values = [value for value in chain if value is not None]
    return len(values) == len(chain) and all(left >= right for left, right in itertools.pairwise(values))


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


def _told(f: Mapping[str, float]) -> dict[str, float]:
    return {
        "atr": f["atr"],
        "atr_pct": f["atr_pct"],
        "atr_distance": f["distance"],
        "atr_pct_multiple": f["atr_pct_multiple"],
        "sma50": f["sma50"],
        "quality": f["quality"],
    }


def _sell(
    kind: SignalKind,
    quantity: Quantity,
    strength: float,
    hours: int,
    f: Mapping[str, float],
    because: Because,
    level: int | None = None,
) -> Decision:
    return Decision(
        kind=kind,
        strength=strength,
        confidence=strength,
        valid_for=timedelta(hours=hours),
        reasons=(because,),
        side=Side.SELL,
        quantity=quantity,
        level=level,
        metrics=_told(f),
    )


def _warn(f: Mapping[str, float], limit: float) -> Decision:
    because = Because("EXTENDED", True, f"{f['distance']:.2f} ATR above the 50-day average, beyond {limit:g}")
    return Decision(
        kind=SignalKind.RISK_WARNING,
        strength=0.75,
        confidence=0.75,
        valid_for=timedelta(hours=24),
        reasons=(because,),
        level=int(limit),
        metrics=_told(f),
    )
