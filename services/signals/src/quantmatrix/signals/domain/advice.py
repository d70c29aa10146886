"""Advice on one holding by four named rules: buy more, take profit, or leave it. Advisory only; nobody trades on it by itself.

The rules are inspired by what is told of Graham, Buffett, Lynch and Dalio, and carry plain names.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from quantmatrix.common.calendars import TradingCalendar

BILLION = 1_000_000_000
LARGE_PERCENT, HIGH = 10.0, "HIGH"


class Style(StrEnum):
    """Which rule advises."""

    CONSERVATIVE = "conservative"
    STANDARD = "standard"
    AGGRESSIVE = "aggressive"
    BALANCED = "balanced"


class Action(StrEnum):
    """What is advised."""

    BUY = "BUY"
    REDUCE = "REDUCE"
    SELL = "SELL"
    HOLD = "HOLD"


@dataclass(frozen=True, slots=True)
class Kept:
    """A holding as the rules see it. unrealised_pct: gain on its cost, in percent; market_cap in dollars."""

    market_cap: float
    unrealised_pct: float
    is_growth_sector: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """percent is of the position; confidence and urgency None where the rule gives none. reason has the figures."""

    style: Style
    action: Action
    percent: float
    confidence: float | None
    reason: str
    urgency: str | None = None


def advise(style: Style, kept: Kept) -> Advice:
    """What a rule says about a holding. Limits are exceeded, not reached."""
    action, percent, confidence, why = _RULES[style](kept)
    text = f"{why}; unrealised {kept.unrealised_pct:+.1f} %, market value {kept.market_cap / BILLION:.1f} bn"
    return Advice(style, action, percent, confidence, text, _urgency(style, action, percent))


def _urgency(style: Style, action: Action, percent: float) -> str | None:
    """Of all that is advised the conservative purchase of what is large is urgent."""
    return HIGH if (style, action, percent) == (Style.CONSERVATIVE, Action.BUY, LARGE_PERCENT) else None


class Frequency(StrEnum):
    """How often an advice is looked at."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


def within(advice: Advice, gain_pct: float, *, increase_max_pct: float, profit_from_pct: float) -> Advice:
    """The advice within what its reader allows: purchases of at most so many percent, and no profit taken below a gain of so many."""
    match advice.action:
        case Action.BUY if advice.percent > increase_max_pct:
            return replace(advice, percent=increase_max_pct, reason=f"{advice.reason}; cut from {advice.percent:g} % of the position")
        case Action.REDUCE | Action.SELL if gain_pct < profit_from_pct:
            return Advice(advice.style, Action.HOLD, 0.0, None, f"{advice.reason}; profit is taken from {profit_from_pct:g} % on")
        case Action.BUY | Action.REDUCE | Action.SELL | Action.HOLD:
            return advice


def looked_at_next(frequency: Frequency, after: date) -> date:
    """The first session after a day on which an advice is looked at: the next one, or the first of the next week or month."""
    calendar = TradingCalendar()
    session = calendar.next_session(after).day
    while not _begins(frequency, after, session):
        session = calendar.next_session(session).day
    return session


def _begins(frequency: Frequency, after: date, session: date) -> bool:
    match frequency:
        case Frequency.DAILY:
            return True
        case Frequency.WEEKLY:
            return session.isocalendar()[:2] != after.isocalendar()[:2]
        case Frequency.MONTHLY:
            return (session.year, session.month) != (after.year, after.month)


_Found = tuple[Action, float, float | None, str]
_HOLD: _Found = (Action.HOLD, 0.0, None, "within its limits")


def _conservative(kept: Kept) -> _Found:
    gain = kept.unrealised_pct
    if kept.market_cap > 50 * BILLION:
        if gain < -15:
            return Action.BUY, LARGE_PERCENT, 0.85, "large and fallen by more than 15 %"
        return (Action.REDUCE, 25.0, None, "up more than 50 %") if gain > 50 else _HOLD
    if kept.market_cap >= 2 * BILLION:
        if gain < -25:
            return Action.BUY, 5.0, 0.70, "middle-sized and fallen by more than 25 %"
        return (Action.REDUCE, 30.0, None, "up more than 75 %") if gain > 75 else _HOLD
    return (Action.SELL, 50.0, None, "small and more than doubled") if gain > 100 else _HOLD


def _standard(kept: Kept) -> _Found:
    if kept.market_cap > 10 * BILLION:
        return (Action.BUY, 15.0, 0.80, "large and fallen by more than 20 %") if kept.unrealised_pct < -20 else _HOLD
    if kept.unrealised_pct < -30:
        return (Action.BUY, 10.0, None, "fallen by more than 30 %")
    return (Action.REDUCE, 20.0, None, "more than tripled") if kept.unrealised_pct > 200 else _HOLD


def _aggressive(kept: Kept) -> _Found:
    if kept.is_growth_sector and kept.unrealised_pct < -15:
        return (Action.BUY, 20.0, 0.85, "growth sector and fallen by more than 15 %")
    if kept.market_cap < 2 * BILLION and kept.unrealised_pct < -25:
        return (Action.BUY, 15.0, None, "small and fallen by more than 25 %")
    if kept.is_growth_sector and kept.unrealised_pct > 300:
        return (Action.REDUCE, 30.0, None, "growth sector and more than quadrupled")
    return _HOLD


def _balanced(kept: Kept) -> _Found:
    if kept.unrealised_pct < -20:
        return (Action.BUY, 10.0, 0.75, "fallen by more than 20 %")
    return (Action.REDUCE, 15.0, 0.80, "up more than 40 %") if kept.unrealised_pct > 40 else _HOLD


_RULES: dict[Style, Callable[[Kept], _Found]] = {
    Style.CONSERVATIVE: _conservative,
    Style.STANDARD: _standard,
    Style.AGGRESSIVE: _aggressive,
    Style.BALANCED: _balanced,
}
