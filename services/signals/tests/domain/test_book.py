"""A run's own state by its own fills."""

from hypothesis import given, settings
from hypothesis import strategies as st

from quantmatrix.common.names import Side
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.book import RunFill, after_split, cash_after, holding_after
from quantmatrix.signals.domain.decisions import FLAT, Holding


def fill(side: Side, quantity: int, price: str = "100", fee: str = "1") -> RunFill:
    return RunFill(side, Quantity(quantity), Price.parse(price), Money.parse(fee, "USD"), Quantity(1))


def test_a_purchase_takes_value_and_fee_from_the_envelope_and_a_sale_brings_value_less_fee() -> None:
    assert cash_after(Money(10_000, "USD"), fill(Side.BUY, 40)) == Money(5_999, "USD")
    assert cash_after(Money(5_999, "USD"), fill(Side.SELL, 40, "110")) == Money(10_398, "USD")


def test_a_purchase_remembers_what_it_started_with_and_where_its_stop_lies() -> None:
    assert holding_after(FLAT, fill(Side.BUY, 44), 106.0) == Holding(Quantity(44), Quantity(44), 106.0, cost=Money(4_401, "USD"))


def test_selling_a_part_keeps_the_initial_quantity_and_the_levels_done() -> None:
    held = Holding(Quantity(44), Quantity(44), 106.0, frozenset({7}), Money(4_400, "USD"))

    assert holding_after(held, fill(Side.SELL, 11), None) == Holding(Quantity(33), Quantity(44), 106.0, frozenset({7}), Money(3_300, "USD"))


def test_going_flat_ends_the_episode() -> None:
    held = Holding(Quantity(33), Quantity(44), 106.0, frozenset({7, 8}))

    assert holding_after(held, fill(Side.SELL, 33), None) == FLAT


def test_a_second_partial_fill_keeps_the_stop_of_the_first() -> None:
    first = holding_after(FLAT, fill(Side.BUY, 20), 106.0)

    assert holding_after(first, fill(Side.BUY, 24), None) == Holding(Quantity(44), Quantity(44), 106.0, cost=Money(4_402, "USD"))


def test_a_split_changes_quantities_and_no_level() -> None:
    held = Holding(Quantity(33), Quantity(44), 106.0, frozenset({7}))

    assert after_split(held, 2, 1) == Holding(Quantity(66), Quantity(88), 106.0, frozenset({7}))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(Side)), st.integers(1, 500), st.integers(1, 9_999)), max_size=30))
def test_cash_and_holding_follow_every_sequence_of_fills_exactly(moves: list[tuple[Side, int, int]]) -> None:
    cash, holding = Money(0, "USD"), FLAT
    for side, quantity, cents in moves:
        one = RunFill(side, Quantity(quantity), Price.parse(f"{cents / 100:.2f}"), Money.parse("0.35", "USD"), Quantity(1))
        cash, holding = cash_after(cash, one), holding_after(holding, one, None)

    assert holding.quantity.value == sum(quantity * side.sign for side, quantity, _ in moves)
    cents_moved = sum(-quantity * side.sign * cents - 35 for side, quantity, cents in moves)
    assert cash.amount * 100 == cents_moved
