"""Commission against the worked examples of Interactive Brokers' page on stocks, fixed pricing."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.common.values import Money
from quantmatrix.execution.domain.commission import CommissionSchedule

FIXED = CommissionSchedule(per_unit=Decimal("0.005"), minimum=Decimal("1.00"), maximum_pct=Decimal(1))


def value(quantity: int, price: str) -> Money:
    return Money(Decimal(price) * quantity, "USD")


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [(100, "25", "1.00"), (1_000, "25", "5.00"), (1_000, "0.25", "2.50"), (10, "0.25", "0.025"), (200, "50", "1.00"), (201, "50", "1.005")],
)
def test_the_worked_examples(quantity: int, price: str, expected: str) -> None:
    """100 at 25: the minimum; 1,000 at 25: 0.005 each; 1,000 at 0.25: at most one percent of the value."""
    assert FIXED.of_order(Decimal(quantity), value(quantity, price)) == Money(Decimal(expected), "USD")


def test_a_sale_costs_as_much_as_a_purchase() -> None:
    assert FIXED.of_order(Decimal(1_000), value(-1_000, "25")) == FIXED.of_order(Decimal(1_000), value(1_000, "25"))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=8), st.decimals("0.05", "300", places=2))
def test_an_order_filled_in_parts_costs_as_much_as_in_one(parts: list[int], price: Decimal) -> None:
    """The minimum is charged once per order, not once per fill."""
    charged, quantity = Money.zero("USD"), 0
    for part in parts:
        quantity += part
        charged += FIXED.of_fill(charged, Decimal(quantity), value(quantity, str(price)))

    assert charged == FIXED.of_order(Decimal(quantity), value(quantity, str(price)))
