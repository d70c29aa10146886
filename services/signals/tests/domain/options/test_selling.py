"""Which put is sold, how many, and at what limit; or why none. The strikes are those of the worked example: P = 180, ATR = 3.6."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.options import OptionTerms
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.options.choosing import Choice, EntrySignal, OptionQuote, Skipped
from quantmatrix.signals.domain.options.leaving import Leaving, LeavingRules, reason_to_leave
from quantmatrix.signals.domain.options.selling import SaleRules, choose_put, secured_contracts

TODAY = date(2024, 3, 5)
RULES = SaleRules()
UP = EntrySignal(TODAY, Price(180), Price(190), horizon_days=18, confidence=0.8)
ATR = 3.6
CAPITAL = Money(40_000, "USD")


def put(strike: str = "175", dte: int = 45, bid: str = "3.00", ask: str = "3.20", delta: float | None = -0.35, **more: Any) -> OptionQuote:
    terms = OptionTerms("ABC", TODAY + timedelta(days=dte), "put", Price.parse(strike))
    made = OptionQuote(terms.symbol, "put", terms.expires, terms.strike, Price.parse(bid), Price.parse(ask), 500, delta)
    return replace(made, **more)


def chosen(
    *chain: OptionQuote, signal: EntrySignal = UP, rules: SaleRules = RULES, capital: Money = CAPITAL, **more: Any
) -> Choice | Skipped:
    return choose_put(chain, signal, ATR, capital, rules, **more)


@pytest.mark.parametrize(
    ("listed", "strike"),
    [(("170", "175", "180"), "175"), (("172.5", "174", "176"), "174"), (("170", "172.5"), "172.5"), (("174.2", "175"), "174.2"), (("174.1", "175.1"), "174.1")],
)  # fmt: skip
def test_the_worked_example_sells_at_174_60_on_the_nearest_listed_strike(listed: tuple[str, ...], strike: str) -> None:
    """180 - 1.5 x 3.6 = 174.60; of two strikes that lie equally near the lower one."""
    found = chosen(*(put(one) for one in listed))

    assert isinstance(found, Choice) and found.candidate.quote.strike == Price.parse(strike)


def test_the_expiration_nearest_to_45_days_is_taken_and_none_that_would_be_left_at_once() -> None:
    chain = [put(dte=days) for days in (14, 21, 22, 39, 52, 61)]

    found = chosen(*chain)
    early = chosen(*chain[:3])
    none = chosen(*chain[:2], chain[-1])

    assert isinstance(found, Choice) and found.candidate.quote == chain[3]
    assert isinstance(early, Choice) and early.candidate.quote == chain[2]
    assert isinstance(none, Skipped) and none.code == "NO_EXPIRATION"


def test_the_limit_is_a_quarter_of_the_spread_below_the_middle_and_at_least_the_bid() -> None:
    wide, narrow = chosen(put(bid="3.00", ask="3.20")), chosen(put(bid="3.00", ask="3.01"))

    assert isinstance(wide, Choice) and wide.limit == Price.parse("3.05")
    assert isinstance(narrow, Choice) and narrow.limit == Price.parse("3.00")


@pytest.mark.parametrize(
    "change",
    [{"bid": Price(0)}, {"open_interest": 99}, {"ask": Price.parse("3.40")}, {"delta": -0.51}, {"ask": Price.parse("2.99")},
     {"contract": "ABC1  240419P00175000"}],
)  # fmt: skip
def test_a_put_that_fails_a_test_is_not_sold_and_the_next_expiration_is_looked_at(change: dict[str, Any]) -> None:
    bad, other = replace(put(), **change), put(dte=52)

    assert isinstance(chosen(bad), Skipped)
    found = chosen(bad, other)
    assert isinstance(found, Choice) and found.candidate.quote == other


@pytest.mark.parametrize(
    ("capital", "pct", "times", "contracts"),
    [(40_000, 100, 1.0, 2), (35_000, 100, 1.0, 2), (34_999, 100, 1.0, 1), (17_499, 100, 1.0, 0), (40_000, 50, 1.0, 1), (40_000, 100, 0.5, 1),
     (35_000, 100, 1.25, 2), (40_000, 40, 1.25, 1)],
)  # fmt: skip
def test_the_strikes_come_to_the_allowed_share_of_the_capital_and_never_to_more_than_all(
    capital: int, pct: float, times: float, contracts: int
) -> None:
    found = secured_contracts(Money(capital, "USD"), Price(175), replace(RULES, secured_max_pct=pct), times)

    assert found == Quantity(contracts)


def test_no_contract_is_a_reason_with_its_figures() -> None:
    found = chosen(put(), capital=Money(17_499, "USD"))

    assert found == Skipped("TOO_DEAR", "one put at 175 binds 17500 USD, 100 % of 17499 USD may be bound")


@pytest.mark.parametrize(
    ("signal", "code"),
    [(replace(UP, target=Price(170)), "NOT_BULLISH"), (replace(UP, target=Price(182)), "MOVE_SMALL"), (replace(UP, confidence=0.5), "CONFIDENCE_LOW")],
)  # fmt: skip
def test_only_a_bullish_signal_that_is_good_enough_sells(signal: EntrySignal, code: str) -> None:
    found = chosen(put(), signal=signal)

    assert isinstance(found, Skipped) and found.code == code


def test_calls_and_puts_in_the_money_are_never_sold() -> None:
    call = replace(put(), kind="call")

    assert isinstance(chosen(call, put("181")), Skipped)


@given(st.integers(0, 10**7), st.integers(1, 5_000), st.floats(1, 100), st.sampled_from([0.5, 0.75, 1.0, 1.25]))
def test_what_is_sold_is_always_secured(capital: int, strike: int, pct: float, times: float) -> None:
    money = Money(capital, "USD")

    assert secured_contracts(money, Price(strike), replace(RULES, secured_max_pct=pct), times).value * strike * 100 <= money.amount


@pytest.mark.parametrize(
    ("now", "days", "left", "reason"),
    [("1.00", 30, False, Leaving.PROFIT_TARGET), ("1.01", 30, False, None), ("6.00", 30, False, Leaving.STOP_LOSS), ("5.99", 30, False, None),
     ("2.00", 21, False, None), ("2.00", 20, False, Leaving.EXPIRATION), ("2.00", 30, True, Leaving.UNDERLYING_EXIT)],
)  # fmt: skip
def test_a_put_sold_at_two_dollars_is_left_at_half_of_it_at_a_loss_of_twice_in_time_or_with_the_stock(
    now: str, days: int, left: bool, reason: Leaving | None
) -> None:
    rules = LeavingRules(profit_target_pct=50, stop_loss_pct=200, dte_min=21)

    found = reason_to_leave(Price(2), Price.parse(now), TODAY + timedelta(days=days), TODAY, rules, underlying_left=left, short=True)

    assert (found[0] if found else None) is reason
