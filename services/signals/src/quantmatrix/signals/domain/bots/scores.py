"""Scores of a bot's signals, from -1 to +1; positive means buy. What cannot be computed drops out and is told."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

CROSS_SCORE, CROSS_CONFIDENCE = 0.8, 0.9
CONFIDENCE_MIN = 0.20
ACTION_AT = 0.30
REGIME_ACTION_AT = {"STRONG_TRENDING": 0.12, "TRENDING": 0.08, "RANGING": 0.05, "CHOPPY": 0.03}


class Action(StrEnum):
    """What a score asks for."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class Temperature(StrEnum):
    """How strong a score is, whichever way it points; from cold to hot."""

    FROZEN = "FROZEN"
    COOL = "COOL"
    WARM = "WARM"
    HOT = "HOT"


TEMPERATURES = {
    "production": ((0.30, Temperature.HOT), (0.15, Temperature.WARM), (0.05, Temperature.COOL)),
    "sensitive": ((0.08, Temperature.HOT), (0.03, Temperature.WARM), (0.005, Temperature.COOL)),
}


@dataclass(frozen=True, slots=True)
class Score:
    """One signal's opinion. confidence is its strength, except that a fresh cross is surer than it is far."""

    value: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """All signals together. failed names those that could not be computed, and is_empty says
    that none could; distance: how much is missing to act; agreement: the share of those that could which point the score's way."""

    score: float
    confidence: float
    temperature: Temperature
    action: Action
    distance_to_action: float
    failed: tuple[str, ...]
    is_empty: bool = False
    agreement: float = 0.0


def rsi_score(rsi: float, oversold: float = 30.0, overbought: float = 70.0) -> Score:
    """From +1 at an RSI of 0 over +0.5 at `oversold` to -0.5 at `overbought` and -1 at 100, in straight lines."""
    if rsi <= oversold:
        value = 0.5 + 0.5 * (oversold - rsi) / oversold
    elif rsi >= overbought:
        value = -0.5 - 0.5 * (rsi - overbought) / (100.0 - overbought)
    else:
        value = 0.5 - (rsi - oversold) / (overbought - oversold)
    return Score(value, abs(value))


def average_score(fast: float, slow: float, fast_before: float | None, slow_before: float | None) -> Score:
    """±0.8 on the bar of a cross of two averages, else tanh(0.1 × their distance in percent of the slow one)."""
    if fast_before is not None and slow_before is not None:
        if fast > slow and fast_before <= slow_before:
            return Score(CROSS_SCORE, CROSS_CONFIDENCE)
        if fast < slow and fast_before >= slow_before:
            return Score(-CROSS_SCORE, CROSS_CONFIDENCE)
    value = math.tanh(0.1 * 100.0 * (fast - slow) / slow)
    return Score(value, abs(value))


def macd_score(macd: float, signal: float, histogram_change: float, atr: float) -> Score:
    """0.4 × sign(macd - signal) + 0.3 × sign(macd) + 0.3 × tanh(change of the histogram / (0.1 × ATR)): the same at any price level."""
    value = 0.4 * _sign(macd - signal) + 0.3 * _sign(macd) + 0.3 * math.tanh(histogram_change / (0.1 * atr))
    return Score(value, abs(value))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def check_weights(weights: Mapping[str, float]) -> None:
    """Raises ValueError unless every weight lies between 0 and 1 and they sum to more than 0 and at most 1."""
    wrong = {name: weight for name, weight in weights.items() if not 0 <= weight <= 1}
    total = sum(weights.values())
    if wrong or not 0 < total <= 1 + 1e-9:
        raise ValueError(f"weights lie between 0 and 1 and sum to at most 1, got {dict(weights)} with the sum {total:g}")


def combined(
    scores: Mapping[str, Score | None],
    weights: Mapping[str, float],
    *,
    buy_at: float = ACTION_AT,
    sell_at: float = -ACTION_AT,
    preset: str = "production",
) -> Opinion:
    """The weighted mean of the signals that could be computed, and what it asks for; HOLD below a confidence of 0.20."""
    check_weights(weights)
    enabled = {name: score for name, score in scores.items() if weights.get(name, 0.0) > 0}
    known = {name: score for name, score in enabled.items() if score is not None}
    failed = tuple(sorted(set(enabled) - set(known)))
    if not known:
        return Opinion(0.0, 0.0, Temperature.FROZEN, Action.HOLD, min(buy_at, -sell_at), failed, is_empty=True)
    weight = sum(weights[name] for name in known)
    score = sum(weights[name] * one.value for name, one in known.items()) / weight
    confidence = sum(one.confidence for one in known.values()) / len(known)
    threshold = buy_at if score >= 0 else -sell_at
    return Opinion(
        score=score,
        confidence=confidence,
        temperature=temperature_of(score, preset),
        action=action_of(score, confidence, buy_at, sell_at),
        distance_to_action=max(0.0, threshold - abs(score)),
        failed=failed,
        agreement=sum(_sign(one.value) == _sign(score) for one in known.values()) / len(known),
    )


def temperature_of(score: float, preset: str = "production") -> Temperature:
    """HOT, WARM, COOL or FROZEN by the size of the score."""
    return next((name for limit, name in TEMPERATURES[preset] if abs(score) >= limit), Temperature.FROZEN)


def action_of(score: float, confidence: float, buy_at: float = ACTION_AT, sell_at: float = -ACTION_AT) -> Action:
    """BUY from `buy_at` up, SELL from `sell_at` down, HOLD between and whenever the signals are not sure."""
    if confidence < CONFIDENCE_MIN:
        return Action.HOLD
    if score >= buy_at:
        return Action.BUY
    return Action.SELL if score <= sell_at else Action.HOLD
