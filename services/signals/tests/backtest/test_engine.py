"""The loop: when orders fill, what cash and splits do to them, and where a failing strategy failed."""

import random
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.signals.tests.backtest.making import FREE, USD, Script, bar, day, flat_bar, history, split

from quantmatrix.common.names import Side
from quantmatrix.common.values import Money, Quantity, plain
from quantmatrix.signals.backtest.history import BacktestError, History
from quantmatrix.signals.backtest.result import Result
from quantmatrix.signals.backtest.rules import FillRules, Slippage
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.domain.decisions import Situation

RISING = [bar(number, str(9 + number), str(12 + number), str(8 + number), str(10 + number)) for number in range(1, 11)]


def run(*histories: History, at: dict[int, int], rules: FillRules = FREE, cash: Money = USD, **more: Any) -> Result:
    bounds = {name: more.pop(name) for name in ("first", "last") if name in more}
    return backtest(Script, histories, Job({"at": at, **more}, cash, rules, **bounds))


def fills(result: Result) -> list[tuple[Any, ...]]:
    return [(one.session, one.side, one.quantity.value, str(one.price)) for one in result.outcome.fills]


def refusals(result: Result) -> list[tuple[date, str]]:
    return [(one.session, one.code) for one in result.outcome.refusals]


def test_a_decision_on_a_close_fills_at_the_next_open() -> None:
    result = run(history(*RISING), at={2: 100, 5: -100})

    assert fills(result) == [(day(3), Side.BUY, 100, "12"), (day(6), Side.SELL, 100, "15")]
    assert [one.decided_on for one in result.outcome.fills] == [day(2), day(5)]
    assert result.outcome.fills[0].reasons == ("SCRIPT: bar 2",)
    assert result.outcome.curve[-1].equity == Money(100_300, "USD")


def test_equity_follows_the_close_and_costs_are_paid() -> None:
    result = run(history(*RISING), at={2: 100, 5: -100}, rules=FillRules())

    assert [plain(point.equity.amount) for point in result.outcome.curve][1:4] == ["100000", "100099", "100199"]
    assert result.fees == Money(2, "USD")
    assert result.outcome.curve[-1].equity == Money(100_298, "USD")


def test_a_decision_on_the_last_bar_fills_nowhere() -> None:
    assert fills(run(history(*RISING), at={10: 100})) == []


def test_an_order_expires_when_its_instrument_does_not_trade_in_the_next_session() -> None:
    other = history(*(flat_bar(number, "50") for number in range(1, 11)), symbol="BBB")
    halted = history(*(one for one in RISING if one.session != day(4)))

    result = run(halted, other, at={3: 10})

    assert fills(result) == [(day(4), Side.BUY, 10, "50")]
    assert refusals(result) == [(day(4), "EXPIRED")]


def test_earlier_bars_are_history_only() -> None:
    result = run(history(*RISING), at={2: 100, 5: 10}, first=day(4), last=day(8))

    assert fills(result) == [(day(6), Side.BUY, 10, "15")]
    assert [point.session for point in result.outcome.curve] == [day(number) for number in range(4, 9)]


def test_purchases_wait_for_no_cash_that_is_not_there() -> None:
    """1,000 dollars pay for 83 at 12 when they were decided on at 12, and for nothing more on the same close."""
    result = run(history(*RISING), history(*RISING, symbol="BBB"), at={2: 83}, cash=Money(1_000, "USD"))

    assert fills(result) == [(day(3), Side.BUY, 83, "12")]
    assert refusals(result) == [(day(2), "BUYING_POWER")]


def test_a_gap_up_buys_only_what_the_cash_pays() -> None:
    jump = history(flat_bar(1, "10"), flat_bar(2, "20"), flat_bar(3, "20"))

    result = run(jump, at={1: 100}, cash=Money(1_001, "USD"), rules=FillRules())

    assert fills(result) == [(day(2), Side.BUY, 50, "20")]
    assert refusals(result) == [(day(2), "CASH")]
    assert result.outcome.curve[-1].cash == Money(0, "USD")


def test_nothing_is_sold_that_is_not_held() -> None:
    result = run(history(*RISING), at={2: 10, 5: -11})

    assert fills(result) == [(day(3), Side.BUY, 10, "12")]
    assert refusals(result) == [(day(5), "POSITION_SHORT")]


def test_volume_limits_a_fill_and_the_rest_expires() -> None:
    thin = history(*(flat_bar(number, "10", 1_000) for number in range(1, 5)))

    result = run(thin, at={1: 500}, rules=FillRules(FREE.commission, volume_pct=Decimal(10)))

    assert fills(result) == [(day(2), Side.BUY, 100, "10")]
    assert refusals(result) == [(day(2), "VOLUME")]


def test_slippage_makes_both_sides_worse() -> None:
    result = run(history(*RISING), at={2: 10, 5: -10}, rules=FillRules(FREE.commission, Slippage(Decimal(100))))

    assert [str(one.price) for one in result.outcome.fills] == ["12.12", "14.85"]


def test_a_split_changes_holdings_orders_and_no_money() -> None:
    """The order of the eve of a 2 for 1 split fills as 20 at half the price; what is held doubles."""
    bars = [flat_bar(1, "100"), flat_bar(2, "100"), flat_bar(3, "50"), flat_bar(4, "50"), flat_bar(5, "50")]

    held = run(history(*bars, splits=[split(3, 2)]), at={1: 10, 4: -20})
    ordered = run(history(*bars, splits=[split(3, 2)]), at={2: 10})

    assert fills(held) == [(day(2), Side.BUY, 10, "100"), (day(5), Side.SELL, 20, "50")]
    assert {point.equity for point in held.outcome.curve} == {USD}
    assert fills(ordered) == [(day(3), Side.BUY, 20, "50")]


def test_a_stop_in_the_market_follows_a_split() -> None:
    bars = [flat_bar(1, "100"), flat_bar(2, "100"), bar(3, "50", "51", "47", "50"), bar(4, "50", "50", "44", "46")]
    resting = FillRules(FREE.commission, inside_bar=True)

    result = run(history(*bars, splits=[split(3, 2)]), at={1: 10}, rules=resting, stop=90.0)

    assert fills(result)[1:] == [(day(4), Side.SELL, 20, "45")]


def test_stops_and_targets_rest_from_the_open_of_the_entry_on() -> None:
    bars = [flat_bar(1, "100"), bar(2, "100", "112", "94", "101"), flat_bar(3, "101")]
    resting = FillRules(FREE.commission, inside_bar=True)

    result = run(history(*bars), at={1: 10}, rules=resting, stop=95.0, target="110")

    assert fills(result) == [(day(2), Side.BUY, 10, "100"), (day(2), Side.SELL, 10, "95")]
    assert result.outcome.both_reached == 1
    assert fills(run(history(*bars), at={1: 10}, stop=95.0, target="110")) == [(day(2), Side.BUY, 10, "100")]


def test_trades_go_from_flat_to_flat_and_an_open_one_is_told_apart() -> None:
    result = run(history(*RISING), at={1: 10, 2: 10, 3: -5, 4: -15, 6: 10}, rules=FillRules())

    closed, still = result.trades
    assert (closed.opened_on, closed.closed_on, closed.sessions, closed.bought) == (day(2), day(5), 3, Quantity(20))
    assert (closed.cost, closed.proceeds, closed.fees) == (Money(230, "USD"), Money(275, "USD"), Money.parse("3.65", "USD"))
    assert closed.profit == Money.parse("41.35", "USD")
    assert still.is_open and (result.closed.trades, result.closed.won) == (1, 1)
    assert result.outcome.held == {"AAA": Quantity(10)}


def test_the_same_run_has_the_same_digest_and_any_other_another() -> None:
    past = history(*RISING)
    first, again = run(past, at={2: 100}), run(past, at={2: 100})
    more = history(*RISING, symbol="BBB")
    others = [
        run(past, at={2: 101}),
        run(past, at={2: 100}, cash=Money(100_001, "USD")),
        run(past, at={2: 100}, rules=FillRules()),
        run(past, at={2: 100}, last=day(9)),
        run(history(*RISING[:-1], flat_bar(10, "19.5")), at={2: 100}),
        run(past, more, at={2: 100}),
        backtest(Script, [past], Job({"at": {2: 100}}, USD, FREE, seed=1)),
    ]

    assert first.digest == again.digest
    assert len({one.digest for one in (first, *others)}) == 8


def test_the_order_of_the_instruments_given_changes_nothing() -> None:
    one, other = history(*RISING), history(*(flat_bar(number, "50") for number in range(1, 11)), symbol="BBB")

    assert run(one, other, at={2: 10}).digest == run(other, one, at={2: 10}).digest


@settings(max_examples=60)
@given(st.dictionaries(st.integers(1, 30), st.integers(-60, 60), max_size=25), st.integers(0, 1_000))
def test_money_is_only_moved_by_fills_and_never_goes_below_zero(script: dict[int, int], seed: int) -> None:
    draw = random.Random(seed)
    bars = []
    for number in range(1, 31):
        low, opened, close, high = sorted(draw.randrange(1_000, 9_000) / 100 for _ in range(4))
        bars.append(bar(number, f"{opened:.2f}", f"{high:.2f}", f"{low:.2f}", f"{close:.2f}"))

    result = run(history(*bars), at=script, rules=FillRules(), cash=Money(2_000, "USD"))

    cash, held = Decimal(2_000), Decimal(0)
    for one in result.outcome.fills:
        cash -= one.quantity.value * one.price.value * one.side.sign + one.fee.amount
        held += one.quantity.value * one.side.sign
        assert held >= 0
        assert one.held_after.value == held
    last = result.outcome.curve[-1]
    assert last.cash.amount == cash
    assert last.equity.amount == cash + held * bars[-1].close.value
    assert min(point.cash.amount for point in result.outcome.curve) >= 0


class Failing(Script):
    name = "failing"

    def decide(self, situation: Situation) -> Any:
        if situation.row["number"] == 5_000:
            raise ZeroDivisionError("by zero")
        return ()


def test_a_strategy_that_fails_on_bar_5000_is_named_with_the_place() -> None:
    long = history(*(flat_bar(number, "10") for number in range(1, 5_101)))

    with pytest.raises(BacktestError, match=rf"failing raised ZeroDivisionError on AAA, bar 5000 of 5100 \({day(5_000)}\): by zero"):
        backtest(Failing, [long], Job({}, USD))


def test_a_period_without_bars_is_told_with_the_one_there_is() -> None:
    with pytest.raises(BacktestError, match="no bars between 2020-01-01 and None; the first is of 2010-01-04, the last of 2010-01-13"):
        run(history(*RISING), at={}, first=date(2020, 1, 1))


@pytest.mark.parametrize(("given_parameters", "says"), [({"unknown": 1}, "unknown: Extra inputs"), ({"at": "x"}, "at: ")])
def test_parameters_that_are_wrong_are_named(given_parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(BacktestError, match=says) as raised:
        backtest(Script, [history(*RISING)], Job(given_parameters, USD))

    assert "its parameters: at, stop, target" in str(raised.value)


def test_an_envelope_in_another_currency_is_refused() -> None:
    with pytest.raises(BacktestError, match="the envelope is in USD, some instruments are in EUR"):
        run(history(*RISING, currency="EUR"), at={})


def test_the_benchmark_is_the_same_capital_bought_and_held() -> None:
    result = run(history(*RISING), history(*(flat_bar(number, "50") for number in range(1, 11)), symbol="BBB"), at={})

    assert result.benchmark is not None
    assert result.benchmark.total_return == pytest.approx((20 / 11 - 1) / 2)
    assert result.symbols[0].price_change == pytest.approx(20 / 11 - 1)
