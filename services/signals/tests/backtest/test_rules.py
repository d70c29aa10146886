"""What one bar does to an order: costs, slippage, volume, and the worse of stop and target."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.signals.tests.backtest.making import bar

from quantmatrix.common.names import Side
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.backtest.rules import Commission, FillRules, Slippage, Touched, touched

TICK = Price.parse("0.01")


@pytest.mark.parametrize(
    ("quantity", "value", "fee"),
    [(44, "4928", "1"), (1_000, "50000", "5"), (10, "20", "0.2"), (201, "10000", "1.005")],
)
def test_the_default_commission_is_per_share_with_a_least_and_a_most(quantity: int, value: str, fee: str) -> None:
    assert Commission().of(Quantity(quantity), Money.parse(value, "USD")) == Money.parse(fee, "USD")


def test_a_commission_can_be_a_share_of_the_value() -> None:
    tenth = Commission(Decimal(0), Decimal(0), Decimal(0), Decimal("0.1"))

    assert tenth.of(Quantity(10), Money(5_000, "USD")) == Money(5, "USD")


@pytest.mark.parametrize(
    ("side", "slippage", "price"),
    [
        (Side.BUY, Slippage(), "100.005"),
        (Side.BUY, Slippage(Decimal(5)), "100.06"),
        (Side.SELL, Slippage(Decimal(5)), "99.95"),
        (Side.BUY, Slippage(ticks=2), "100.03"),
        (Side.SELL, Slippage(ticks=2), "99.98"),
    ],
)
def test_slippage_is_against_us_and_on_a_tick(side: Side, slippage: Slippage, price: str) -> None:
    assert slippage.worse(side, Price.parse("100.005"), TICK) == Price.parse(price)


@given(st.integers(1, 100_000), st.integers(0, 500), st.integers(0, 5), st.sampled_from(list(Side)))
def test_slippage_never_helps(cents: int, bps: int, ticks: int, side: Side) -> None:
    price = Price(Decimal(cents) / 100)

    worse = Slippage(Decimal(bps), ticks).worse(side, price, TICK)

    assert worse >= price if side is Side.BUY else (worse <= price or worse == TICK)
    assert worse == worse.snapped_to(TICK)


def test_volume_allows_whole_lots_only() -> None:
    rules = FillRules(volume_pct=Decimal(10))

    assert rules.most(bar(1, "10", "10", "10", "10", 1_239), Quantity(1)) == Quantity(123)
    assert rules.most(bar(1, "10", "10", "10", "10", 1_239), Quantity(100)) == Quantity(100)
    assert FillRules().most(bar(1, "10", "10", "10", "10", 1), Quantity(1)) is None


STOP, TARGET = Price(95), Price(110)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (("100", "105", "96", "101"), None),
        (("100", "105", "95", "101"), Touched(True, STOP, both=False)),
        (("100", "110", "96", "101"), Touched(False, TARGET, both=False)),
        (("100", "112", "94", "101"), Touched(True, STOP, both=True)),
        (("93", "97", "92", "96"), Touched(True, Price(93), both=False)),
        (("93", "115", "92", "96"), Touched(True, Price(93), both=False)),
        (("112", "115", "90", "96"), Touched(False, Price(112), both=False)),
    ],
    ids=["neither", "stop", "target", "both take the stop", "gap below the stop", "gap below, then up", "gap above the target"],
)
def test_inside_a_bar_the_worse_order_is_taken_and_gaps_fill_at_the_open(
    prices: tuple[str, str, str, str], expected: Touched | None
) -> None:
    assert touched(bar(1, *prices), STOP, TARGET) == expected


def test_a_side_that_does_not_rest_is_never_reached() -> None:
    wide = bar(1, "100", "112", "94", "101")

    assert touched(wide, None, TARGET) == Touched(False, TARGET, both=False)
    assert touched(wide, STOP, None) == Touched(True, STOP, both=False)
    assert touched(wide, None, None) is None


def test_every_assumption_is_told() -> None:
    text = " ".join(FillRules(slippage=Slippage(Decimal(3)), volume_pct=Decimal(5), inside_bar=True).assumptions())

    for word in ("next bar's open", "0.005", "3 basis points", "5 %", "the stop fills"):
        assert word in text
