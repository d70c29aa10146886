"""Trailing exit: a policy that any strategy can use to leave a long position. The stop is ours, not the exchange's.

Breakeven first: once the price was 0.5 % above the entry the stop stands 0.2 % above it. Then the stop trails the highest
price by a distance and never comes down. Exits in order: stop, take-profit tiers, weakness while losing, time, thin volume.
The high is compared before it is raised by the same bar: a stop moved by a bar's high counts from the next bar on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

TRAIL_LEAST_PCT, TRAIL_MOST_PCT = 0.4, 6.0


class ExitReason(StrEnum):
    """Why a position is left."""

    STOP = "STOP"
    TAKE_PROFIT = "TAKE_PROFIT"
    WEAK = "WEAK"
    TIME = "TIME"
    THIN = "THIN"


@dataclass(frozen=True, slots=True)
class TrailingRules:
    """Percentages of the price. tiers: gains at which profit is taken, `tier_share_pct` of the initial quantity at each."""

    breakeven_after_pct: float = 0.5
    breakeven_at_pct: float = 0.2
    trail_pct: float = 0.8
    tiers: tuple[float, ...] = (5.0, 12.0, 25.0, 50.0)
    tier_share_pct: float = 25.0
    rsi_below: float = 45.0
    held_max: timedelta = timedelta(hours=4)
    volume_ratio_min: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.trail_pct <= 100 or self.breakeven_at_pct > self.breakeven_after_pct or list(self.tiers) != sorted(set(self.tiers)):
            raise ValueError(f"a trail is above zero, a breakeven stop not above what starts it, tiers rise: {self}")


@dataclass(frozen=True, slots=True)
class Trail:
    """What is kept of an open position: entry, highest price so far, stop, tiers that were taken."""

    entry: float
    opened_at: datetime
    high: float
    stop: float | None = None
    tiers_done: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """One bar or tick. factors scale the trail; rsi and volume_ratio are None where they are not known."""

    at: datetime
    high: float
    low: float
    close: float
    rsi: float | None = None
    volume_ratio: float | None = None
    factors: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave share_pct of the initial quantity at about this price."""

    reason: ExitReason
    price: float
    share_pct: float


def opened(price: float, at: datetime) -> Trail:
    """A position as it begins."""
    return Trail(entry=price, opened_at=at, high=price)


def trail_distance(rules: TrailingRules, factors: Sequence[float]) -> float:
    """The trail in percent: the rule's times volatility, volume and momentum factors, between 0.4 and 6."""
    distance = rules.trail_pct
    for factor in factors:
        distance *= factor
    return min(max(distance, TRAIL_LEAST_PCT), TRAIL_MOST_PCT)


def advance(trail: Trail, look: Look, rules: TrailingRules) -> tuple[Trail, Leave | None]:
    """Look at the next bar: the exit by what was known before it, and the trail as it stands after it."""
    leave = _exit(trail, look, rules)
    high = max(trail.high, look.high)
    after = replace(trail, high=high, stop=_raised(trail, high, look.factors, rules))
    if leave is not None and leave.reason is ExitReason.TAKE_PROFIT:
        after = replace(after, tiers_done=trail.tiers_done + 1)
    return after, leave


def _raised(trail: Trail, high: float, factors: Sequence[float], rules: TrailingRules) -> float | None:
    if high < trail.entry * (1 + rules.breakeven_after_pct / 100):
        return trail.stop
    breakeven = trail.entry * (1 + rules.breakeven_at_pct / 100)
    trailing = high * (1 - trail_distance(rules, factors) / 100)
    return max(breakeven, trailing, trail.stop or 0.0)


def _exit(trail: Trail, look: Look, rules: TrailingRules) -> Leave | None:
    if trail.stop is not None and look.low <= trail.stop:
        return Leave(ExitReason.STOP, min(trail.stop, look.high), 100.0)
    if trail.tiers_done < len(rules.tiers):
        tier = trail.entry * (1 + rules.tiers[trail.tiers_done] / 100)
        if look.high >= tier:
            return Leave(ExitReason.TAKE_PROFIT, max(tier, look.low), rules.tier_share_pct)
    if look.rsi is not None and look.rsi < rules.rsi_below and look.close < trail.entry:
        return Leave(ExitReason.WEAK, look.close, 100.0)
    if look.at - trail.opened_at >= rules.held_max:
        return Leave(ExitReason.TIME, look.close, 100.0)
    if look.volume_ratio is not None and look.volume_ratio < rules.volume_ratio_min:
        return Leave(ExitReason.THIN, look.close, 100.0)
    return None
