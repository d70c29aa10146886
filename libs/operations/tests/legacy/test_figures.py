"""Profit before and after: each difference has a name, and the amounts add up. Expected numbers are worked out by hand."""

from decimal import Decimal

import pytest
from libs.operations.tests.legacy.making import crypto, execution, fill, instrument, order, report, steps, stocks

ROUNDING = "float rounding of the older system"
TWICE = "rows that the older system counted twice"
UNITS = "size read as dollars, coins or contracts"
FILLS = "the exchange's fills instead of the order's row"
OPENING = "missing opening balance"
METHOD = "old average cost against FIFO"
FEES = "missing fees"


def free(number: int, side: str, size: float, price: float, **cells: object) -> dict[str, object]:
    """An order without a fee."""
    return order(number, side=side, size=size, price=price, commission=0.0, **cells)


def test_average_cost_against_fifo() -> None:
    """100 at 10, 100 at 14, 100 at 12; 150 sold at 15: 450 by average, 550 first in first out (portfolio rules, L4)."""
    told = report(crypto(free(1, "buy", 100, 10), free(2, "buy", 100, 14), free(3, "buy", 100, 12), free(4, "sell", 150, 15)))
    found = instrument(told, "BTC-USD")

    assert (found["before"]["realised"], found["after"]["realised"]) == ("450", "550")
    assert (found["before"]["open_cost"], found["after"]["open_cost"]) == ("1800", "1900")
    assert steps(told, "BTC-USD") == {METHOD: "100"}


def test_an_average_never_counts_what_was_sold() -> None:
    """Two bought at 100, one sold: the other one cost 100, not 200 as cost of all purchases over what is left would say."""
    found = instrument(report(crypto(free(1, "buy", 2, 100), free(2, "sell", 1, 100))), "BTC-USD")

    assert found["before"]["open_cost"] == found["after"]["open_cost"] == "100"
    assert found["differences"] == []


def test_fees_that_the_older_system_left_out() -> None:
    """Nine at 209.45 sold at 210 and ten at 204.11 sold at 208.01, one of fee each: 43.95 gross, 39.95 net (R9)."""
    told = report(
        crypto(
            order(1, size=9, price=209.45, commission=1.0),
            order(2, size=9, price=210, commission=1.0, side="sell"),
            order(3, size=10, price=204.11, commission=1.0),
            order(4, size=10, price=208.01, commission=1.0, side="sell"),
        )
    )
    found = instrument(told, "BTC-USD")

    assert found["after"]["realised"] == "39.95"
    assert steps(told, "BTC-USD")[FEES] == "-4"
    assert Decimal(found["before"]["realised"]) == pytest.approx(Decimal("43.95"), abs=Decimal("1e-10"))


def test_two_round_trips_keep_their_gains_apart() -> None:
    """20 at 218 sold at 320 with 32.18 of fees, then 30 at 290 sold at 321 with 32.27: 2,905.55 together (R10)."""
    told = report(
        crypto(
            order(1, size=20, price=218, commission=16.0),
            order(2, size=20, price=320, commission=16.18, side="sell"),
            order(3, size=30, price=290, commission=16.0),
            order(4, size=30, price=321, commission=16.27, side="sell"),
        )
    )

    assert instrument(told, "BTC-USD")["after"]["realised"] == "2905.55"
    assert steps(told, "BTC-USD") == {FEES: "-64.45"}


def test_three_for_ten_keeps_every_cent() -> None:
    """Three units for 10.00 sold at 4 each: a gain of 2.00, not 2.00000001 (L16)."""
    told = report(crypto(free(1, "buy", 10.0, 10 / 3, size_in_quote=True), free(2, "sell", 12.0, 4.0, size_in_quote=True)))

    assert instrument(told, "BTC-USD")["after"]["realised"] == "2"


def test_the_rounding_of_floats_has_its_own_line() -> None:
    told = report(crypto(free(1, "buy", 1e6 / 3, 1234567.891), free(2, "sell", 1e6 / 3, 1234567.911)))

    assert set(steps(told, "BTC-USD")) == {ROUNDING}
    assert instrument(told, "BTC-USD")["after"]["realised"] == "6666.66666666666"


def test_several_causes_at_once_are_taken_apart() -> None:
    """Bought 2 at 100 (the exchange: at 99), 10 dollars at 50 taken for 10 coins; 1 sold at 120. Fee 1 each.

    The older system: 12 bought for 700. Rightly sized 2.2 for 210; by the exchange's fill 2.2 for 208; average 94.545454545455.
    """
    told = report(
        crypto(
            order(1, size=2, price=100, commission=1.0),
            order(2, size=10, price=50, size_usd=10, commission=1.0),
            order(3, size=1, price=120, commission=1.0, side="sell"),
            fills=[fill("F1", 1, size=2, price=99.0, commission=1.0)],
        )
    )
    found = instrument(told, "BTC-USD")

    assert found["before"] == {"quantity": "11", "realised": "61.666666666667", "open_cost": "641.666666666667"}
    assert steps(told, "BTC-USD")[FILLS] == "0.90909090909"
    assert steps(told, "BTC-USD")[METHOD] == "-4.454545454545"
    assert steps(told, "BTC-USD")[FEES] == "-1.5"
    assert found["after"] == {"quantity": "1.2", "realised": "19.5", "open_cost": "110.5"}


def test_a_missing_opening_balance_is_a_line_and_its_gain_is_pending() -> None:
    """One bought at 100, three sold at 110. The older system takes 100 for the cost of all three and shows a gain of 30."""
    told = report(crypto(free(1, "buy", 1, 100), free(2, "sell", 3, 110)))
    found = instrument(told, "BTC-USD")

    assert (found["before"]["realised"], found["after"]["realised"]) == ("30", "10")
    assert steps(told, "BTC-USD") == {OPENING: "-20"}
    assert found["pending"] == {"quantity": "2", "proceeds": "220"}


def test_what_was_there_before_leaves_first() -> None:
    """Without the opening lot in front, first in first out would give the later sale the wrong purchase, without any error."""
    told = report(
        crypto(free(1, "sell", 1, 50), free(2, "buy", 1, 60), free(3, "sell", 1, 80)),
    )

    assert instrument(told, "BTC-USD")["pending"] == {"quantity": "1", "proceeds": "50"}
    assert instrument(told, "BTC-USD")["after"]["realised"] == "20"


def test_a_row_told_twice_is_a_line() -> None:
    told = report(stocks(execution(1), execution(2, execution_id="execution-1", transaction_date="2024-03-01 15:00:00")))

    assert steps(told, "ABC", "quantity") == {TWICE: "-10"}
    assert steps(told, "ABC", "open_cost") == {TWICE: "-200", FEES: "1"}


def test_the_contract_multiplier_is_a_line() -> None:
    told = report(stocks(execution(1, symbol="ABC 240419C00020000", contract_type="OPT", quantity=2.0, price=1.5, commission=0.0)))

    assert steps(told, "ABC 240419C00020000", "open_cost") == {UNITS: "297"}


def test_a_stored_average_that_its_own_rows_do_not_give_is_a_line() -> None:
    holding = {"id": 1, "account_id": 1, "symbol": "ABC", "quantity": 10.0, "average_cost": 21.0, "currency": "USD", "contract_type": "STK"}

    told = report(stocks(execution(1), holdings=[holding]))

    assert instrument(told, "ABC")["before"]["open_cost"] == "210"
    assert steps(told, "ABC", "open_cost") == {"the older system's stored figure differs from its own rows": "-10", FEES: "1"}


def test_every_instrument_adds_up() -> None:
    told = report(crypto(order(1, size=0.3), order(2, size=0.1 + 0.2, side="sell", price=133.7), order(3, product_id="ETH-USD")))

    for found in told["instruments"]:
        for figure in ("quantity", "realised", "open_cost"):
            total = Decimal(found["before"][figure]) + sum(Decimal(step[figure]) for step in found["differences"])
            assert total == Decimal(found["after"][figure])
