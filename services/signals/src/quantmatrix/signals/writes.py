"""What is written of a raised signal with the page that raises it."""

from datetime import timedelta

from quantmatrix.common.contracts.codec import encode
from quantmatrix.common.contracts.signals import SignalRaised
from quantmatrix.common.runtime.writing import Write
from quantmatrix.signals.store import WorkingOrder

FOLLOWED_DAYS = 30
"""How long a signal without a horizon is followed, in calendar days."""
_RAISED = """signal_raised as (insert into signal (signal_id, run_id, user_id, account_id, instrument_id, kind, session, decided_at, expires_at,
    strength, body) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11))"""
_WORKING = """order_working as (insert into working (order_id, signal_id, run_id, instrument_id, kind, side, quantity, stop_level)
    select $12::uuid, $1, $2, $5, $6, $13, $14, $15 where $12::uuid is not null)"""
_FOLLOWED = """signal_followed as (insert into follow_up (signal_id, instrument_id, session, entry, stop, targets, scale, until)
    values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing)"""


def raised(signal: SignalRaised, order: WorkingOrder | None) -> Write:
    """What was raised, with the order that will come of it."""
    arguments = (
        signal.signal_id, signal.run_id, signal.user_id, signal.account_id, signal.instrument.instrument_id, signal.kind,
        signal.session, signal.decided_at, signal.expires_at, signal.strength, encode(signal).decode(),
        order and order.order_id, order and order.side, order and order.quantity.value, order and order.stop_level,
    )  # fmt: skip
    return Write((_RAISED, _WORKING), arguments)


def followed(signal: SignalRaised, scale: float) -> Write:
    """From the next bar on, look what becomes of a signal. scale: how many of the series' units one of the signal's day is."""
    levels = [float(one.value) * scale for one in signal.targets]
    arguments = (
        signal.signal_id, signal.instrument.instrument_id, signal.session, float(signal.price.value) * scale if signal.price else 0.0,
        float(signal.stop.value) * scale if signal.stop else None, levels, scale,
        signal.session + timedelta(days=signal.horizon_days or FOLLOWED_DAYS),
    )  # fmt: skip
    return Write((_FOLLOWED,), arguments)
