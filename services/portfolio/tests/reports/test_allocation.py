"""Every way to cut a portfolio sums to the same whole."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.values import Money
from quantmatrix.portfolio.reports.allocation import By, Worth, allocation

names = st.sampled_from(["a", "b", "c"])
worths = st.builds(
    Worth, names, names, names, names, st.builds(Money, st.decimals(-1_000_000, 1_000_000, places=2), st.sampled_from(["USD", "EUR"]))
)


def test_two_positions_and_a_debt_by_hand() -> None:
    held = [
        Worth("stock", "Energy", "A", "X", Money(600, "USD")),
        Worth("stock", "Energy", "B", "X", Money(300, "USD")),
        Worth("cash", "cash", "A", "cash", Money(-100, "USD")),
    ]

    found = {(one.by, one.name): (one.value.amount, one.share) for one in allocation(held)}

    assert found[By.CLASS, "stock"] == (Decimal(900), 1.125) and found[By.CLASS, "cash"] == (Decimal(-100), -0.125)
    assert found[By.ACCOUNT, "A"] == (Decimal(500), 0.625) and found[By.SYMBOL, "X"] == (Decimal(900), 1.125)


def test_what_is_worth_nothing_together_has_no_shares() -> None:
    assert [one.share for one in allocation([Worth("a", "a", "a", "a", Money(0, "USD"))])] == [None] * len(By)


@given(st.lists(worths, max_size=30))
def test_every_cut_sums_to_the_whole_of_its_currency(held: list[Worth]) -> None:
    for currency in ("USD", "EUR"):
        whole = sum((one.value for one in held if one.value.currency == currency), Money.zero(currency))
        for by in By:
            own = [one for one in allocation(held) if one.by is by and one.value.currency == currency]
            assert sum((one.value for one in own), Money.zero(currency)) == whole
            assert [one.value.amount for one in own] == sorted((one.value.amount for one in own), reverse=True)
