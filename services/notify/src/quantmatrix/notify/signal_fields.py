"""The figures that a signal shows beside its words: where it goes, how sure it is, its levels and what was met."""

from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.names import SignalKind
from quantmatrix.common.values import Price
from quantmatrix.notify.domain.telling import Room, Tone

CONDITIONS_MAX = 5
SURE, FAIR = 0.8, 0.6
_ALERTS = (SignalKind.EXIT, SignalKind.STOP_LOSS, SignalKind.RISK_WARNING, SignalKind.ALERT)


def room_of(kind: SignalKind) -> Room:
    """Entries and profits are signals; what leaves a position or warns is an alert."""
    return Room.ALERTS if kind in _ALERTS else Room.SIGNALS


def tone_of(signal: SignalRaised) -> Tone | None:
    """Of an entry: green from a confidence of 0.8, yellow from 0.6, orange below."""
    if signal.kind is not SignalKind.ENTRY:
        return None
    if signal.confidence >= SURE:
        return Tone.GREEN
    return Tone.YELLOW if signal.confidence >= FAIR else Tone.ORANGE


def fields_of(signal: SignalRaised) -> tuple[tuple[str, str], ...]:
    """Name and figure, in order; what a strategy did not say is left out, nothing is made up."""
    found = [("Price", str(signal.price)) if signal.price is not None else None, _distance(signal)]
    if signal.kind is SignalKind.ENTRY:
        found += _of_entry(signal)
    elif signal.kind in _ALERTS:
        found += [("Urgency", signal.kind.urgency) if signal.kind.urgency else None, ("Action", _action(signal)), _reason(signal)]
    else:
        found += [*_of_position(signal), ("Sell", str(signal.quantity)) if signal.quantity is not None else None, _reason(signal)]
    return tuple(one for one in found if one is not None)


def _of_entry(signal: SignalRaised) -> list[tuple[str, str] | None]:
    figures, met = signal.metrics, [reason.text for reason in signal.reasons if reason.met]
    aligned = next((reason.met for reason in signal.reasons if reason.code == "ALIGNED"), None)
    return [
        ("Confidence", f"{100 * signal.confidence:.0f} %"),
        ("ATR", f"{figures['atr']:.2f} ({figures['atr_pct']:.2f} %)") if {"atr", "atr_pct"} <= figures.keys() else None,
        ("RSI", f"{figures['rsi']:.0f}") if "rsi" in figures else None,
        ("Aligned", "yes" if aligned else "no") if aligned is not None else None,
        ("Stop", _level(signal.stop, signal.price)) if signal.stop is not None else None,
        *((f"T{number}", _level(target, signal.price)) for number, target in enumerate(signal.targets[:4], start=1)),
        ("R:R", f"{signal.risk_reward:.2f}") if signal.risk_reward is not None else None,
        ("Horizon", f"{signal.horizon_days} days") if signal.horizon_days is not None else None,
        ("Met", "\n".join(met[:CONDITIONS_MAX])) if met else None,
    ]


def _of_position(signal: SignalRaised) -> list[tuple[str, str] | None]:
    """The level that was reached, and what is held before the sale."""
    told = signal.metrics
    return [
        ("Level", f"{told['level']:g}") if "level" in told else None,
        ("Position", f"{told['position_value']:.2f} {signal.instrument.currency}") if "position_value" in told else None,
        ("Profit", f"{told['gain_pct']:+.1f} %") if "gain_pct" in told else None,
    ]


def _distance(signal: SignalRaised) -> tuple[str, str] | None:
    return ("ATR distance", f"{signal.metrics['atr_distance']:.2f}") if "atr_distance" in signal.metrics else None


def _reason(signal: SignalRaised) -> tuple[str, str] | None:
    reasons = "; ".join(reason.text for reason in signal.reasons if reason.met)
    return ("Reason", reasons) if reasons else None


def _action(signal: SignalRaised) -> str:
    if signal.side is not None and signal.quantity is not None:
        return f"{signal.side.lower()} {signal.quantity}"
    return "look at the position; nothing is traded"


def _level(level: Price, price: Price | None) -> str:
    """A level with its distance from the price."""
    if price is None or not price:
        return str(level)
    return f"{level} ({100 * (float(level.value) / float(price.value) - 1):+.1f} %)"
