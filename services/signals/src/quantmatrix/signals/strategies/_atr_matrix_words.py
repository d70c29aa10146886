"""Why ATR Matrix decided as it did, in words, from the figures of the bar and the plan that was made of them."""

from collections.abc import Mapping, Sequence

from quantmatrix.common.names import SignalKind
from quantmatrix.common.values import FRACTION_DIGITS_MAX
from quantmatrix.signals.domain.decisions import Because
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.planning import Plan, written
from quantmatrix.signals.strategies._atr_matrix_parameters import AtrMatrixParameters

CHAINS = {"ema10": "EMA10 ≥ SMA20", "ema21": "EMA21 ≥ SMA21"}


def why_entry(
    p: AtrMatrixParameters, f: Mapping[str, float], position: float | None, met: Sequence[bool], weights: Sequence[float]
) -> tuple[Because, ...]:
    """The conditions of an entry, met or not. f: the figures of the bar; position: in the 20-day range."""
    near, above, aligned, upper, moves = zip(met, weights, strict=True)
    return (
        Because("NEAR_BASE", near[0], f"{f['distance']:.2f} ATR above the 50-day average, 0 to {p.distance_max:g}", near[1]),
        Because("ABOVE_AVERAGE", above[0], f"close above the {20 if p.preset == 'v1' else 21}-day average", above[1]),
        Because("ALIGNED", aligned[0], f"{CHAINS[p.alignment]} ≥ SMA50 ≥ SMA100 ≥ SMA200", aligned[1]),
        Because("UPPER_RANGE", upper[0], f"20-day position {position or 0:.0f} %, above {p.position_min:g}", upper[1]),
        Because("MOVES_ENOUGH", moves[0], f"ATR {f['atr_pct']:.2f} % of the price, at least {p.atr_pct_min:g}", moves[1]),
    )


def why_size(p: AtrMatrixParameters, risk_reward: float, quantity: int) -> tuple[Because, ...]:
    """What else an entry tells."""
    return (
        Because("RISK_REWARD", True, f"first target over stop distance {risk_reward:.2f}, at least {p.risk_reward_min:g}"),
        Because(
            "SIZE",
            True,
            f"{written(quantity, FRACTION_DIGITS_MAX)} units: at most {p.max_position_pct:g} % of equity, {p.risk_pct:g} % at risk",
        ),
    )


def why_else(p: AtrMatrixParameters, plan: Plan, distance: float, door: Door) -> Because:
    """The one reason of everything that is decided while something is held."""
    match plan.kind:
        case SignalKind.EXIT:
            return Because("BELOW_BASE", True, "close below the 50-day average")
        case SignalKind.STOP_LOSS if plan.stop_level is not None:
            return Because("STOP", True, f"close at or below the stop of {door.price(plan.stop_level)}")
        case SignalKind.SCALE_OUT:
            return Because("LEVEL_REACHED", True, f"{distance:.2f} ATR above the 50-day average, level {plan.level}")
        case SignalKind.RISK_WARNING:
            return Because("EXTENDED", True, f"{distance:.2f} ATR above the 50-day average, beyond {p.extended_at:g}")
        case _:
            raise ValueError(f"ATR Matrix plans no {plan.kind}")
