"""Parameters that cannot be are refused with their name, before anything runs with them."""

from typing import Any

import pytest

from quantmatrix.signals.app import strategies_in_slot
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.run import made

MANY = {f"S{number}": 0.001 for number in range(1_000)}


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("atr_matrix", {"scale_out_levels": [10, 7, 8]}, "scale_out_levels rise, each once, got 10, 7, 8"),
        ("atr_matrix", {"scale_out_levels": [7, 7]}, "scale_out_levels rise, each once"),
        ("atr_matrix", {"scale_out_levels": [-1, 7]}, "scale_out_levels.0: Input should be greater than or equal to 1"),
        ("atr_matrix", {"scale_out_levels": list(range(1, 30))}, "scale_out_levels: Tuple should have at most 20 items"),
        ("atr_matrix", {"target_levels": [12, 10, 7]}, "target_levels rise, each once, got 12, 10, 7"),
        ("atr_matrix", {"target_levels": [-5, 7, 9]}, "target_levels.0: Input should be greater than 0"),
        ("atr_matrix", {"target_levels": [7, 10, 1e300]}, "target_levels.2: Input should be less than or equal to 100"),
        ("atr_matrix", {"target_levels": [float("nan"), 7, 9]}, "target_levels.0: Input should be a finite number"),
        ("atr_matrix", {"exits": {"tiers": [12, 5]}}, "exits: Value error, tiers rise, each once, got 12, 5"),
        ("atr_matrix", {"exits": {"tiers": [-5]}}, "exits.tiers.0: Input should be greater than 0"),
        (
            "atr_matrix",
            {"exits": {"trail_pct": 1, "breakeven_after_pct": 0.1, "breakeven_at_pct": 0.3}},
            "breakeven_at_pct is at most breakeven_after_pct (0.1), got 0.3",
        ),
        ("dca_conservative", {"weights": {"": 1.0}}, "String should match pattern"),
        ("dca_conservative", {"weights": {"vti": 1.0}}, "weights.vti.[key]: String should match pattern"),
        ("dca_conservative", {"weights": MANY}, "weights: Dictionary should have at most 100 items"),
        ("dca_aggressive", {"contribution": 1e30}, "contribution: Input should be less than or equal to 1000000000000"),
        ("signal_bot", {"order_min": 1e300}, "order_min: Input should be less than or equal to 1000000000000"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(name: str, parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(BacktestError) as refused:
        made(strategies_in_slot()[name], parameters)

    assert says in str(refused.value)
