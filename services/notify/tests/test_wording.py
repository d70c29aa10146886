"""Where each message is told and with which figures: entries with their levels, exits with urgency and action."""

from typing import Any

import pytest

from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.orders import BreakFound, OrderUnknown, TradingStateChanged
from quantmatrix.common.contracts.parked import MessageParked
from quantmatrix.common.contracts.signals import CycleCompleted, Reason, SignalRaised
from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.testing.examples import like
from quantmatrix.common.values import Price, Quantity
from quantmatrix.notify.domain.telling import Room, Tone
from quantmatrix.notify.wording import WORDS, Words

ENTRY = like(
    SignalRaised,
    price=Price.parse("112"),
    stop=Price.parse("106"),
    targets=tuple(Price.parse(one) for one in ("128", "140", "148")),
    confidence=0.85,
    risk_reward=2.667,
    horizon_days=10,
    quantity=Quantity(44),
    reasons=tuple(Reason("ALIGNED" if number == 2 else f"C{number}", True, f"condition {number}", 0.2) for number in range(7)),
    metrics={"atr": 4.0, "atr_pct": 3.571, "atr_distance": 3.0},
)


def words(message: Any) -> Words:
    return WORDS[type(message)](message)


def test_an_entry_has_the_figures_of_its_levels_and_at_most_five_conditions() -> None:
    """The worked entry: 112 with a stop of 106 and targets of 128, 140 and 148."""
    told = words(ENTRY)

    assert (told.room, told.tone) == (Room.SIGNALS, Tone.GREEN)
    assert dict(told.fields) == {
        "Symbol": "ABC",
        "Price": "112",
        "ATR distance": "3.00",
        "Confidence": "85 %",
        "ATR": "4.00 (3.57 %)",
        "Aligned": "yes",
        "Stop": "106 (-5.4 %)",
        "T1": "128 (+14.3 %)",
        "T2": "140 (+25.0 %)",
        "T3": "148 (+32.1 %)",
        "R:R": "2.67",
        "Horizon": "10 days",
        "Met": "condition 0\ncondition 1\ncondition 2\ncondition 3\ncondition 4",
    }


def test_a_scale_out_has_its_level_the_position_and_its_profit() -> None:
    figures = {"atr_distance": 7.5, "level": 7.0, "position_value": 5_720.0, "gain_pct": 16.07}
    reasons = (Reason("LEVEL_REACHED", True, "7.50 ATR above the 50-day average, level 7"),)
    told = words(
        like(
            SignalRaised,
            kind=SignalKind.SCALE_OUT,
            side=Side.SELL,
            price=Price(130),
            quantity=Quantity(11),
            metrics=figures,
            reasons=reasons,
        )
    )

    assert dict(told.fields) == {
        "Symbol": "ABC",
        "Price": "130",
        "ATR distance": "7.50",
        "Level": "7",
        "Position": "5720.00 USD",
        "Profit": "+16.1 %",
        "Sell": "11",
        "Reason": "7.50 ATR above the 50-day average, level 7",
    }


@pytest.mark.parametrize(("confidence", "tone"), [(0.8, Tone.GREEN), (0.79, Tone.YELLOW), (0.6, Tone.YELLOW), (0.59, Tone.ORANGE)])
def test_the_colour_of_an_entry_is_how_sure_it_is(confidence: float, tone: Tone) -> None:
    assert words(like(SignalRaised, confidence=confidence)).tone is tone


@pytest.mark.parametrize(
    ("kind", "side", "urgency", "action"),
    [
        (SignalKind.EXIT, Side.SELL, "HIGH", "sell 44"),
        (SignalKind.STOP_LOSS, Side.SELL, "HIGH", "sell 44"),
        (SignalKind.RISK_WARNING, None, "MEDIUM", "look at the position; nothing is traded"),
    ],
)
def test_exits_and_warnings_are_alerts_with_reason_urgency_and_action(
    kind: SignalKind, side: Side | None, urgency: str, action: str
) -> None:
    told = words(
        like(SignalRaised, kind=kind, side=side, quantity=Quantity(44), reasons=(Reason("BELOW_BASE", True, "close below its average"),))
    )

    assert told.room is Room.ALERTS and kind.urgency == urgency
    found = dict(told.fields)
    assert (found["Urgency"], found["Action"], found["Reason"]) == (urgency, action, "close below its average")


def test_an_execution_is_told_with_its_total() -> None:
    told = words(like(OrderFilled))

    assert told.room is Room.PORTFOLIO_DIGEST
    assert dict(told.fields) == {"Side": "BUY", "Quantity": "40", "Price": "10.2", "Total": "408 USD", "Strategy": "atr_matrix"}


@pytest.mark.parametrize(
    ("message", "room"),
    [
        (like(SignalRaised, kind=SignalKind.SCALE_OUT, side=Side.SELL), Room.SIGNALS),
        (like(OrderUnknown), Room.ALERTS),
        (like(TradingStateChanged), Room.ALERTS),
        (like(CycleCompleted), Room.PORTFOLIO_DIGEST),
        (like(BreakFound), Room.SYSTEM_STATUS),
        (like(MessageParked), Room.SYSTEM_STATUS),
    ],
)
def test_every_message_has_its_room(message: Any, room: Room) -> None:
    assert words(message).room is room
