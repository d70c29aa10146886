"""The moving-average cross: it buys on the bar of the cross, sells below, and sizes by equity."""

import pytest
from pydantic import ValidationError

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.decisions import FLAT, Holding, Situation
from quantmatrix.signals.strategies.moving_average_cross import MovingAverageCross, MovingAverageCrossParameters
from quantmatrix.signals.testing import US_STOCK_DOOR

CROSSING = {"fast": 101.0, "slow": 100.0, "fast_before": 99.0, "slow_before": 99.5}
HELD = Holding(Quantity(40), Quantity(40))


def decide(
    row: dict[str, float | None], holding: Holding = FLAT, *, pending: bool = False, equity: int = 100_000
) -> list[tuple[object, ...]]:
    strategy = MovingAverageCross(MovingAverageCrossParameters())
    shown = Situation(row, Price(50), holding, pending, Money(equity, "USD"), US_STOCK_DOOR)
    return [(one.kind, one.side, one.quantity, one.reasons[0].code) for one in strategy.decide(shown)]


def test_it_buys_a_fifth_of_equity_on_the_bar_of_the_cross() -> None:
    assert decide(CROSSING) == [(SignalKind.ENTRY, Side.BUY, Quantity(400), "CROSSED_UP")]


@pytest.mark.parametrize("change", [{"fast_before": 99.6}, {"fast": 100.0}, {"fast_before": None}, {"slow": None}])
def test_it_does_not_buy_without_a_fresh_cross(change: dict[str, float | None]) -> None:
    assert decide(CROSSING | change) == []


def test_a_cross_out_of_equality_is_one() -> None:
    assert decide(CROSSING | {"fast_before": 99.5})


def test_it_sells_everything_below_and_holds_at_equality() -> None:
    assert decide({"fast": 99.0, "slow": 100.0}, HELD) == [(SignalKind.EXIT, Side.SELL, Quantity(40), "CROSSED_DOWN")]
    assert decide({"fast": 100.0, "slow": 100.0}, HELD) == []


def test_it_waits_while_an_order_is_under_way_and_when_equity_covers_nothing() -> None:
    assert decide(CROSSING, pending=True) == []
    assert decide(CROSSING, equity=249) == []


@pytest.mark.parametrize(
    "given", [{"fast": 50, "slow": 50}, {"fast": 0}, {"slow": 1_001}, {"position_pct": float("nan")}, {"average": "hull"}, {"unknown": 1}]
)
def test_parameters_out_of_bounds_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(given)) if "slow" not in given or "fast" not in given else "fewer bars"):
        MovingAverageCrossParameters.model_validate(given)
