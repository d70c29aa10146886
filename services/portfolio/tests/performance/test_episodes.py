"""What single holdings brought: examples of Ghostfolio's own tests and of its issues, R7 to R14."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.portfolio.tests.performance.walking import on, usd

from quantmatrix.common.values import Price, Quantity
from quantmatrix.portfolio.performance.episodes import Dealt, Episode, Received, Resized, Step, episodes_of


def dealt(day: str, quantity: str | int, price: str, fee: str = "0") -> Dealt:
    return Dealt(on(day), Quantity(Decimal(quantity)), Price.parse(price), usd(fee))


def one(steps: list[Step], price: str | None = None) -> Episode:
    (found,) = episodes_of(steps, "USD", Price.parse(price) if price else None)
    return found


def test_r7_a_round_trip_at_a_loss() -> None:
    found = one([dealt("2021-11-22", 2, "142.90", "1.55"), dealt("2021-11-30", -2, "136.60", "1.65")])

    assert (found.gross, found.net) == (usd("-12.6"), usd("-15.8"))
    assert found.share_of_put_in(found.gross) == pytest.approx(-0.0440867739678, abs=1e-12)
    assert found.share_of_put_in(found.net) == pytest.approx(-0.0552834149755, abs=1e-12)
    assert found.closed_on == on("2021-11-30") and found.average_price is None


def test_r8_half_of_it_sold() -> None:
    found = one([dealt("2022-03-07", 2, "75.80", "2.95"), dealt("2022-04-08", -1, "85.73", "1.30")], "87.80")

    assert (found.gross, found.net) == (usd("21.93"), usd("17.68"))
    assert (found.average_price, found.investment) == (Price.parse("75.80"), usd("75.80"))


def test_r9_two_round_trips_are_two_episodes() -> None:
    found = episodes_of(
        [
            dealt("2025-12-11", 9, "209.45", "1"), dealt("2025-12-12", -9, "210", "1"),
            dealt("2025-12-18", 10, "204.11", "1"), dealt("2025-12-18", -10, "208.01", "1"),
        ],
        "USD",
    )  # fmt: skip

    assert [(episode.gross, episode.net) for episode in found] == [(usd("4.95"), usd("2.95")), (usd("39.00"), usd("37.00"))]
    assert sum((episode.gross for episode in found), usd(0)) == usd("43.95")
    assert sum((episode.net for episode in found), usd(0)) == usd("39.95")


def test_r10_the_second_round_trip_is_not_poisoned_by_the_first() -> None:
    found = episodes_of(
        [
            dealt("2025-01-02", 20, "218", "16"), dealt("2025-02-03", -20, "320", "16.18"),
            dealt("2025-03-03", 30, "290", "16"), dealt("2025-04-01", -30, "321", "16.27"),
        ],
        "USD",
    )  # fmt: skip

    assert [episode.net for episode in found] == [usd("2007.82"), usd("897.73")]
    assert found[1].share_of_put_in(found[1].net) == pytest.approx(897.73 / 8_700)


def test_r11_the_average_price_of_a_short_holding() -> None:
    found = one([dealt("2021-12-12", -1, "44558.42"), dealt("2021-12-13", -1, "46737.48")], "45647.95")

    assert found.average_price == Price.parse("45647.95")
    assert found.gross == usd(0)


def test_r12_splits_change_units_and_never_the_investment() -> None:
    bought = dealt("2024-01-02", 10, "100")
    doubled = one([bought, Resized(on("2024-02-01"), 2, 1)], "50")
    reversed_ = one([bought, Resized(on("2024-02-01"), 1, 10)], "1000")
    both = one([bought, Resized(on("2024-02-01"), 2, 1), Resized(on("2024-03-01"), 1, 3)], "150")

    assert (doubled.quantity, doubled.average_price) == (Quantity(20), Price(50))
    assert (reversed_.quantity, reversed_.average_price) == (Quantity(1), Price(1_000))
    assert both.quantity == Quantity.parse("6.666666666667") and both.average_price is not None
    assert both.average_price.value == pytest.approx(Decimal(150), abs=Decimal("1e-9"))
    assert doubled.investment == reversed_.investment == both.investment == usd(1_000)
    assert doubled.gross == reversed_.gross == usd(0)


def test_r13_a_dividend_is_in_the_total_and_not_in_gross_or_net() -> None:
    found = one([dealt("2021-09-16", 1, "298.58", "19"), Received(on("2021-11-16"), usd("0.62"))], "331.83")

    assert (found.gross, found.net, found.total) == (usd("33.25"), usd("14.25"), usd("14.87"))


def test_r14_a_split_before_a_sale_shifts_nothing() -> None:
    raw = one([dealt("2024-01-02", 10, "100"), Resized(on("2024-02-01"), 2, 1), dealt("2024-03-01", -20, "55")])
    adjusted = one([dealt("2024-01-02", 20, "50"), dealt("2024-03-01", -20, "55")])

    assert (raw.gross, raw.put_in, raw.net) == (adjusted.gross, adjusted.put_in, adjusted.net) == (usd(100), usd(1_000), usd(100))


def test_cost_is_divided_by_what_was_bought_and_not_by_what_is_left() -> None:
    # Two bought at 100 and one sold leave one that cost 100, and not one that cost 200.
    found = one([dealt("2024-01-02", 2, "100"), dealt("2024-01-03", -1, "100")], "100")
    coins = one(
        [dealt("2024-01-02", "0.01", "40000"), dealt("2024-01-03", "0.01", "50000"), dealt("2024-01-04", "-0.005", "60000")], "60000"
    )

    assert found.average_price == Price(100) and found.gross == usd(0)
    assert (coins.investment, coins.average_price) == (usd(675), Price(45_000))


def test_a_trade_across_zero_ends_one_episode_and_begins_another() -> None:
    long, short = episodes_of([dealt("2024-01-02", 100, "10"), dealt("2024-01-03", -150, "12", "1.50")], "USD", Price(11))

    assert (long.gross, long.fees, long.closed_on) == (usd(200), usd(1), on("2024-01-03"))
    assert (short.quantity, short.fees, short.gross) == (Quantity(-50), usd("0.50"), usd(50))


def test_what_is_held_needs_a_price() -> None:
    with pytest.raises(ValueError, match="what is one worth"):
        one([dealt("2024-01-02", 1, "10")])


@given(st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 500), st.integers(0, 3)), min_size=1, max_size=20))
def test_all_episodes_together_are_the_cash_and_the_value(trades: list[tuple[int, int, int]]) -> None:
    steps = [dealt("2024-01-02", quantity, str(price), str(fee)) for quantity, price, fee in trades]
    held = sum(quantity for quantity, _, _ in trades)
    cash = -sum(quantity * price + fee for quantity, price, fee in trades)

    found = episodes_of(steps, "USD", Price(7))

    assert sum((episode.net for episode in found), usd(0)) == usd(cash + 7 * held)
    assert (found[-1].quantity if found[-1].closed_on is None else Quantity(0)) == Quantity(held)
    assert all(episode.closed_on is not None for episode in found[:-1])
    assert all(not episode.investment for episode in found if episode.closed_on is not None)
