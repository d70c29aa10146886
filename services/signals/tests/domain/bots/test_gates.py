"""Confirmation on event time, and every gate in its order with its reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.values import Money, Price
from quantmatrix.signals.domain.bots.confirmation import Confirmed, Confirming, confirm
from quantmatrix.signals.domain.bots.gates import BotLimits, BotStanding, Readiness, through_the_gates
from quantmatrix.signals.domain.bots.scores import Action, Opinion, Score, combined

NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)
FIVE = timedelta(minutes=5)
BUYING = combined({"rsi": Score(0.85, 0.85)}, {"rsi": 1.0})
SELLING = combined({"rsi": Score(-0.85, 0.85)}, {"rsi": 1.0})
SURE = Confirmed(Confirming(Action.BUY, NOON, NOON), is_confirmed=True, progress=1.0)
STANDING = BotStanding(NOON, True, 0, Price(100), Money(50, "USD"), Money(1_000, "USD"), Money(1, "USD"))


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def walk(*seen: tuple[float, Action], required: timedelta = FIVE) -> list[tuple[bool, float]]:
    state, found = None, []
    for at, action in seen:
        now = confirm(state, action, minutes(at), required)
        state = now.state
        found.append((now.is_confirmed, round(now.progress, 2)))
    return found


BUY, SELL, HOLD = Action.BUY, Action.SELL, Action.HOLD


def test_an_action_is_confirmed_when_it_held_for_the_required_time() -> None:
    assert walk((0, BUY), (2, BUY), (4, BUY), (5, BUY)) == [(False, 0.0), (False, 0.4), (False, 0.8), (True, 1.0)]


def test_zero_means_at_once_and_not_the_default() -> None:
    assert walk((0, BUY), required=timedelta(0)) == [(True, 1.0)]


def test_another_action_starts_over_and_hold_clears() -> None:
    assert walk((0, BUY), (2, SELL), (4, SELL), (6, SELL), (7, SELL))[1:] == [(False, 0.0), (False, 0.4), (False, 0.8), (True, 1.0)]
    assert walk((0, BUY), (2, HOLD), (4, BUY), (5, BUY)) == [(False, 0.0), (False, 0.0), (False, 0.0), (False, 0.2)]
    assert confirm(Confirming(BUY, NOON, NOON), HOLD, minutes(1), FIVE).state is None


def test_a_gap_of_more_than_half_the_time_starts_over() -> None:
    assert walk((0, BUY), (2.5, BUY), (5, BUY))[-1] == (True, 1.0)
    assert walk((0, BUY), (2.6, BUY), (5, BUY))[-1] == (False, 0.48)


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="comes after"):
        confirm(Confirming(BUY, NOON, minutes(1)), BUY, NOON, FIVE)


@given(st.lists(st.tuples(st.integers(1, 200), st.sampled_from(list(Action))), min_size=1, max_size=40), st.integers(0, 39))
def test_a_restart_from_the_stored_state_comes_to_the_same(steps: list[tuple[int, Action]], stop: int) -> None:
    """The state is all there is: going on from a stored one equals never having stopped."""
    at, state, states = NOON, None, []
    for seconds, action in steps:
        at += timedelta(seconds=seconds)
        state = confirm(state, action, at, FIVE).state
        states.append((at, state))

    cut = min(stop, len(steps) - 1)
    at, again = states[cut]
    for seconds, action in steps[cut + 1 :]:
        at += timedelta(seconds=seconds)
        again = confirm(again, action, at, FIVE).state

    assert again == state


def gates(opinion: Opinion = BUYING, confirmed: Confirmed = SURE, **changed: Any) -> tuple[Readiness, str]:
    verdict = through_the_gates(opinion, confirmed, replace(STANDING, **changed), BotLimits())
    return verdict.readiness, verdict.code


def test_an_order_may_go_out_when_every_gate_is_open() -> None:
    verdict = through_the_gates(BUYING, SURE, STANDING, BotLimits())

    assert verdict.is_open and verdict.code == ""


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("BOT_NOT_RUNNING", {"is_running": False}, "blocked"),
    ("OPEN_ORDER", {"open_orders": 1}, "blocked"),
    ("TOO_COLD", {"opinion": combined({"rsi": Score(0.149, 0.9)}, {"rsi": 1.0})}, "no_signal"),
    ("NO_ACTION", {"opinion": combined({"rsi": Score(0.2, 0.9)}, {"rsi": 1.0})}, "no_signal"),
    ("NOT_CONFIRMED", {"confirmed": Confirmed(Confirming(Action.BUY, NOON, NOON), is_confirmed=False, progress=0.4)}, "confirming"),
    ("COOLING_DOWN", {"last_fill_at": NOON - timedelta(minutes=14, seconds=59)}, "cooling_down"),
    ("PRICE_STEP", {"last_price": Price.parse("101.9")}, "blocked"),
    ("SIZE_SMALL", {"size": Money.parse("9.99", "USD")}, "blocked"),
    ("SIZE_LARGE", {"size": Money.parse("10000.01", "USD")}, "blocked"),
    ("BALANCE", {"balance": Money.parse("49.99", "USD")}, "blocked"),
    ("TRADES_TODAY", {"trades_today": 10}, "blocked"),
    ("LOSS_TODAY", {"realised_today": Decimal(-100)}, "blocked"),
    ("LOSSES_IN_A_ROW", {"losses_in_a_row": 3}, "blocked"),
    ("EMERGENCY_STOP", {"emergency_stop": True}, "blocked"),
]


@pytest.mark.parametrize(("code", "wrong", "readiness"), WRONG, ids=[code for code, _, _ in WRONG])
def test_a_gate_that_is_shut_says_so(code: str, wrong: dict[str, Any], readiness: str) -> None:
    assert gates(**wrong) == (readiness, code)


# Two ways for the same gate to be shut cannot be wrong at once: cold and without action, too small and too large.
@pytest.mark.parametrize("first", [number for number, (code, _, _) in enumerate(WRONG) if code not in ("NO_ACTION", "SIZE_LARGE")])
def test_the_first_gate_that_is_shut_is_the_answer(first: int) -> None:
    everything: dict[str, Any] = {}
    for code, wrong, _ in reversed(WRONG[first:]):
        if code not in ("NO_ACTION", "SIZE_LARGE", "TOO_COLD") or code == WRONG[first][0]:
            everything |= wrong

    assert gates(**everything)[1] == WRONG[first][0]


def test_what_is_just_enough_passes() -> None:
    just = {
        "last_fill_at": NOON - timedelta(minutes=15), "last_price": Price.parse("102.04"), "size": Money(10, "USD"), "balance": Money(10, "USD"),
        "trades_today": 9, "realised_today": Decimal("-99.99"), "losses_in_a_row": 2,
    }  # fmt: skip

    assert gates(**just | {"last_price": Price.parse("98")}) == ("ready", "")
    assert gates(**just | {"last_price": Price.parse("102.05")}) == ("ready", "")
    assert gates(**just)[1] == "PRICE_STEP"


def test_a_products_own_least_order_counts_too() -> None:
    assert gates(product_min=Money(51, "USD"))[1] == "SIZE_SMALL"


def test_sales_need_no_price_step_and_no_balance() -> None:
    sure = Confirmed(Confirming(Action.SELL, NOON, NOON), is_confirmed=True, progress=1.0)

    assert gates(SELLING, sure, last_price=Price(100), balance=Money(0, "USD")) == ("ready", "")
    assert gates(SELLING, SURE)[1] == "NOT_CONFIRMED"
