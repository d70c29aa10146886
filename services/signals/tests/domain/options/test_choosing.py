"""From an entry signal and a chain to a contract, a size and a limit, or to the reason why not; and when it is left."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from quantmatrix.common.options import OptionTerms
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.domain.options.choosing import (
    Choice,
    ChoiceRules,
    EntrySignal,
    OptionQuote,
    Skipped,
    candidate_of,
    choose,
    contracts_for,
    direction_of,
    expirations_of,
    limit_of,
)
from quantmatrix.signals.domain.options.leaving import Leaving, LeavingRules, reason_to_leave
from quantmatrix.signals.domain.options.pricing import black76

TODAY = date(2024, 3, 5)
RULES = ChoiceRules()
CENT = Price.parse("0.01")
UP = EntrySignal(TODAY, Price(100), Price(110), horizon_days=18, confidence=0.8)
TEN_THOUSAND = Money(10_000, "USD")


def quote(strike: str = "100", dte: int = 25, bid: str = "2.00", ask: str = "2.20", delta: float | None = 0.5, **more: Any) -> OptionQuote:
    terms = OptionTerms("ABC", TODAY + timedelta(days=dte), "call", Price.parse(strike))
    made = OptionQuote(
        terms.symbol, "call", TODAY + timedelta(days=dte), Price.parse(strike), Price.parse(bid), Price.parse(ask), 500, delta
    )
    return replace(made, **more)


def chosen(*chain: OptionQuote, signal: EntrySignal = UP, rules: ChoiceRules = RULES, **more: Any) -> Choice | Skipped:
    return choose(chain, signal, TEN_THOUSAND, rules, tick_size=CENT, **more)


@pytest.mark.parametrize(
    ("target", "confidence", "expected"),
    [("110", 0.6, "call"), ("97", 0.6, "put"), ("102", 0.9, "MOVE_SMALL"), ("98", 0.9, "MOVE_SMALL"), ("110", 0.59, "CONFIDENCE_LOW")],
)
def test_the_target_decides_between_call_and_put(target: str, confidence: float, expected: str) -> None:
    found = direction_of(replace(UP, target=Price.parse(target), confidence=confidence), RULES)

    assert (found.code if isinstance(found, Skipped) else found) == expected


def test_the_three_expirations_next_to_a_week_after_the_horizon_are_looked_at() -> None:
    chain = [quote(dte=days) for days in (3, 7, 14, 18, 22, 25, 26, 45)]

    found = [(expires - TODAY).days for expires in expirations_of(chain, UP, RULES)]

    assert found == [25, 22, 18]
    assert [(one - TODAY).days for one in expirations_of(chain, replace(UP, horizon_days=60), RULES)] == [45, 26, 25]


@pytest.mark.parametrize(
    "change",
    [
        {"bid": Price(0)},
        {"ask": Price.parse("1.99")},
        {"open_interest": 99},
        {"bid": Price.parse("1.89"), "ask": Price.parse("2.10")},
        {"delta": 0.29},
        {"delta": 0.71},
        {"delta": None, "bid": Price(200), "ask": Price(201)},
    ],
    ids=["no bid", "crossed", "open interest", "spread", "delta low", "delta high", "no volatility implies the price"],
)
def test_a_contract_that_fails_a_test_is_no_candidate(change: dict[str, Any]) -> None:
    assert candidate_of(quote(), UP, RULES) is not None
    assert candidate_of(replace(quote(), **change), UP, RULES) is None


def test_what_is_just_within_bounds_is_a_candidate() -> None:
    just = quote(bid="1.90", ask="2.10", delta=0.30, open_interest=100)

    assert candidate_of(just, UP, RULES) is not None


def test_a_delta_that_no_broker_gives_is_solved_from_the_price() -> None:
    price = black76("call", 100.0, 102.0, 25 / 365, 0.40).price
    around = quote("102", bid=f"{price - 0.05:.2f}", ask=f"{price + 0.05:.2f}", delta=None)

    found = candidate_of(around, UP, RULES)

    assert found is not None
    assert found.delta == pytest.approx(black76("call", 100.0, 102.0, 25 / 365, 0.40).delta, abs=5e-3)


def test_the_score_weighs_delta_and_distance_and_the_tighter_spread_breaks_a_tie() -> None:
    far = quote("110", delta=0.45)
    found = candidate_of(far, UP, RULES)
    assert found is not None
    assert found.score == pytest.approx(0.7 * 0.9 + 0.3 * 0.9)

    tight, wide = quote(bid="2.05", ask="2.15"), quote(bid="2.01", ask="2.19")
    best = chosen(far, wide, tight)

    assert isinstance(best, Choice) and best.candidate.quote == tight


@pytest.mark.parametrize(("mid", "contracts"), [("2.10", 2), ("6.20", 0), ("5.00", 1), ("5.01", 0)])
def test_five_percent_of_the_capital_buys_whole_contracts(mid: str, contracts: int) -> None:
    assert contracts_for(TEN_THOUSAND, Price.parse(mid), RULES) == Quantity(contracts)


def test_zero_contracts_are_a_reason_and_never_one() -> None:
    found = chosen(quote(bid="6.10", ask="6.30"))

    assert isinstance(found, Skipped)
    assert (found.code, found.detail) == ("TOO_DEAR", "one contract costs 620.00, 5 % of 10000 USD are allowed")


def test_a_volatile_stock_halves_the_position() -> None:
    full, half = chosen(quote(bid="1.00", ask="1.04")), chosen(quote(bid="1.00", ask="1.04"), size_multiplier=0.5)

    assert isinstance(full, Choice) and isinstance(half, Choice)
    assert (full.contracts, half.contracts) == (Quantity(4), Quantity(2))


@pytest.mark.parametrize(
    ("bid", "ask", "limit"), [("2.00", "2.20", "2.15"), ("2.00", "2.00", "2"), ("2.00", "2.01", "2.01"), ("1.00", "1.03", "1.02")]
)
def test_the_limit_is_a_quarter_of_the_spread_above_the_middle_and_at_most_the_ask(bid: str, ask: str, limit: str) -> None:
    assert limit_of(quote(bid=bid, ask=ask), CENT) == Price.parse(limit)


@pytest.mark.parametrize(
    ("chain", "code"),
    [
        ((), "NO_EXPIRATION"),
        ((quote(dte=3),), "NO_EXPIRATION"),
        ((quote(kind="put"),), "NO_CONTRACT"),
        ((quote(delta=0.9),), "NO_CONTRACT"),
    ],
)
def test_a_chain_without_a_fitting_contract_says_why(chain: tuple[OptionQuote, ...], code: str) -> None:
    found = chosen(*chain)

    assert isinstance(found, Skipped) and found.code == code


def test_a_falling_target_buys_a_put() -> None:
    put = quote(kind="put", delta=-0.45)

    found = chosen(put, quote(), signal=replace(UP, target=Price(90)))

    assert isinstance(found, Choice) and found.candidate.quote == put


PAID, FAR = Price(2), TODAY + timedelta(days=30)


@pytest.mark.parametrize(
    ("now", "expires", "left", "reason"),
    [
        ("2.40", 30, False, "PROFIT_TARGET"),
        ("2.39", 30, False, None),
        ("1.00", 30, False, "STOP_LOSS"),
        ("1.01", 30, False, None),
        ("2.00", 6, False, "EXPIRATION"),
        ("2.00", 7, False, None),
        ("2.00", 30, True, "UNDERLYING_EXIT"),
        ("2.40", 6, True, "PROFIT_TARGET"),
        ("1.00", 6, True, "STOP_LOSS"),
        ("2.00", 6, True, "EXPIRATION"),
    ],
)
def test_an_option_is_left_for_the_first_reason_that_applies(now: str, expires: int, left: bool, reason: str | None) -> None:
    found = reason_to_leave(PAID, Price.parse(now), TODAY + timedelta(days=expires), TODAY, LeavingRules(), underlying_left=left)

    assert (found[0] if found else None) == reason


def test_sold_premium_is_left_at_half_or_at_21_days() -> None:
    rules = LeavingRules(50.0, 50.0, 21)

    def reason(now: str, days: int) -> Leaving | None:
        found = reason_to_leave(PAID, Price.parse(now), TODAY + timedelta(days=days), TODAY, rules, underlying_left=False, short=True)
        return found[0] if found else None

    assert (reason("1.00", 40), reason("1.01", 40), reason("3.00", 40), reason("2.00", 20)) == (
        Leaving.PROFIT_TARGET,
        None,
        Leaving.STOP_LOSS,
        Leaving.EXPIRATION,
    )
