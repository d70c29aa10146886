"""When a bought option is left: the first of profit target, stop loss, expiration and the underlying's own exit."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from quantmatrix.common.values import Price


class Leaving(StrEnum):
    """Why an option is sold."""

    PROFIT_TARGET = "PROFIT_TARGET"
    STOP_LOSS = "STOP_LOSS"
    EXPIRATION = "EXPIRATION"
    UNDERLYING_EXIT = "UNDERLYING_EXIT"


@dataclass(frozen=True, slots=True)
class LeavingRules:
    """Percent of the premium; dte_min: below so many days to expiration it is sold."""

    profit_target_pct: float = 20.0
    stop_loss_pct: float = 50.0
    dte_min: int = 7


def gain_pct(paid: Price, now: Price, *, short: bool = False) -> float:
    """Gain in percent of the premium; of a sold option, how much of it has been earned."""
    gain = float((now.value - paid.value) / paid.value * 100)
    return -gain if short else gain


def reason_to_leave(
    paid: Price, now: Price, expires: date, session: date, rules: LeavingRules, *, underlying_left: bool, short: bool = False
) -> tuple[Leaving, str] | None:
    """The first reason that applies, with its figures; None to keep it. `paid` is the premium, received when short."""
    gain, days = gain_pct(paid, now, short=short), (expires - session).days
    if taken := _profit(gain, rules):
        return taken
    if gain <= -rules.stop_loss_pct:
        return Leaving.STOP_LOSS, f"premium {gain:+.1f} %, stop {-rules.stop_loss_pct:g} %"
    if days < rules.dte_min:
        return Leaving.EXPIRATION, f"{days} days to expiration, at least {rules.dte_min}"
    return (Leaving.UNDERLYING_EXIT, "the underlying's strategy has left") if underlying_left else None


def profit_taken(paid: Price, now: Price, rules: LeavingRules) -> tuple[Leaving, str] | None:
    """The profit target of a sold option, which is all that the wheel looks at."""
    return _profit(gain_pct(paid, now, short=True), rules)


def _profit(gain: float, rules: LeavingRules) -> tuple[Leaving, str] | None:
    reached = gain >= rules.profit_target_pct
    return (Leaving.PROFIT_TARGET, f"premium {gain:+.1f} %, target {rules.profit_target_pct:g} %") if reached else None
