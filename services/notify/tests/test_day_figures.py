"""The figures of a session and their words, against the worked example and sums by hand."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from msgspec import structs

from quantmatrix.common.contracts.asking.days import BookedDay, Decided, Exit
from quantmatrix.common.names import AccountId, FillId, Side, SignalId
from quantmatrix.common.testing.examples import usd
from quantmatrix.common.values import Price, Quantity
from quantmatrix.notify.day_figures import figures_of, longest_streak, trades_of
from quantmatrix.notify.day_words import text_of, title_of

DAY = date(2026, 11, 25)
ACCOUNT = AccountId("PAPER-1")
OPENED = datetime(2026, 11, 24, 15, tzinfo=UTC)


def closed(number: int, net: str, opener: str = "run-a", staked: str = "1000") -> Exit:
    """The exit of a minute of the day; its executions are numbered by it."""
    return Exit(
        account_id=ACCOUNT,
        symbol="ABC",
        opening=Side.BUY,
        quantity=Quantity(10),
        opened_at=OPENED,
        closed_at=datetime(2026, 11, 25, 15, number, tzinfo=UTC),
        entry=Price.parse("100"),
        exit=Price.parse("103"),
        fees=usd("2"),
        net=usd(net),
        staked=usd(staked),
        triggered_by=opener,
        opened_by=FillId(UUID(int=1000 + number)),
        closed_by=FillId(UUID(int=number)),
    )


def booked(*exits: Exit, gain: str = "30") -> BookedDay:
    return BookedDay(
        currency="USD",
        accounts=(ACCOUNT,),
        start=usd("9000"),
        flows=usd("1000"),
        end=usd("10000") + usd(gain),
        gain=usd(gain),
        exits=exits,
        exits_left_out=0,
        pending=0,
        positions=(),
        peak_exposure=usd("2500"),
    )


FIVE = tuple(closed(number, net) for number, net in enumerate(("120", "-60", "40", "-100", "30"), start=1))


def test_the_worked_example_of_a_day() -> None:
    found = figures_of(booked(*FIVE), {}, {})

    assert (found.net, found.fees, found.gross) == (usd("30"), usd("10"), usd("40"))
    assert (found.trades, found.won, found.lost) == (5, 3, 2)
    assert found.win_rate == pytest.approx(0.60) and found.profit_factor == pytest.approx(1.1875)
    assert found.expectancy == usd("6.00")
    assert round(-100 * found.drawdown, 4) == 1.1858
    assert found.net_return == found.day_return == pytest.approx(0.003)
    assert found.capital_used == pytest.approx(0.25)


def test_drawdown_and_streak_go_by_time_whatever_order_they_are_told_in() -> None:
    wins = (closed(1, "10"), closed(2, "20"), closed(3, "-5"), closed(4, "1"))

    forward, backward = figures_of(booked(*wins), {}, {}), figures_of(booked(*reversed(wins)), {}, {})

    assert forward == backward and forward.streak == 2
    assert forward.drawdown == pytest.approx(-5 / 10_030)
    assert longest_streak(trades_of(tuple(reversed(FIVE)), {}, {})) == 1


def test_executions_of_one_decision_are_one_trade() -> None:
    decision = SignalId(UUID(int=77))
    parts = (closed(1, "10"), structs.replace(closed(2, "30"), quantity=Quantity(30), exit=Price.parse("107")), closed(3, "-5"))

    found = trades_of(parts, {parts[0].closed_by: decision, parts[1].closed_by: decision}, {})

    assert [(one.net, one.quantity) for one in found] == [(usd("40"), Quantity(40)), (usd("-5"), Quantity(10))]
    assert found[0].exit == Price.parse("106") and found[0].gain == pytest.approx(0.02)


def test_reasons_and_the_risk_to_the_first_stop_come_from_what_was_decided() -> None:
    entry, left = SignalId(UUID(int=7)), SignalId(UUID(int=8))
    one = closed(1, "30", staked="1002")
    decided = {
        entry: Decided(entry, "entry", Price.parse("50"), Price.parse("47"), "above its average"),
        left: Decided(left, "exit", Price.parse("51"), None, "below its average"),
    }

    (found,) = trades_of((one,), {one.opened_by: entry, one.closed_by: left}, decided)

    assert (found.entry_reason, found.exit_reason) == ("above its average", "below its average")
    assert found.risk == usd("60.12")  # 3 of 50 at risk, of what was staked
    assert figures_of(booked(one), {one.opened_by: entry}, decided).risk_per_trade == pytest.approx(0.006012)


def test_strategies_are_told_apart_by_who_opened() -> None:
    found = figures_of(booked(closed(1, "10", "run-a"), closed(2, "-4", "run-b"), closed(3, "-2", "run-a")), {}, {})

    assert [(one.triggered_by, one.trades, one.won, one.net) for one in found.strategies] == [
        ("run-a", 2, 1, usd("8")),
        ("run-b", 1, 0, usd("-4")),
    ]


def test_a_day_without_trades_says_so_and_has_no_made_up_rates() -> None:
    found = figures_of(booked(gain="-12"), {}, {})

    assert (found.trades, found.win_rate, found.profit_factor, found.expectancy, found.best) == (0, None, None, None, None)
    assert found.drawdown == 0.0 and found.day_return == pytest.approx(-0.0012)
    assert title_of(DAY, [found]) == "2026-11-25: no trades"
    assert "No trades were closed." in text_of([found], 0, 0, 0, 0)


def test_nothing_at_the_start_leaves_shares_unknown() -> None:
    empty = structs.replace(booked(closed(1, "5")), start=usd(0), flows=usd(0))

    found = figures_of(empty, {}, {})

    assert (found.day_return, found.net_return, found.capital_used, found.risk_per_trade) == (None, None, None, None)


@pytest.mark.parametrize(
    "words",
    [
        "5 trades closed, 3 won, 2 lost, win rate 60.00 %. Gross 40 USD, fees 10 USD, net 30 USD (+0.30 %).",
        "Profit factor 1.19, expectancy 6 USD, deepest fall 1.19 %, most wins in a row 1",
        "Best: ABC long 120 USD (+12.00 %) in 1 day, 100 on 2026-11-24 15:00 to 103 on 2026-11-25 15:01 UTC.",
        "Worst: ABC long -100 USD (-10.00 %)",
        "7 signals, 3 of 4 orders accepted (75.00 %). 9 notifications.",
    ],
    ids=["trades", "rates", "best", "worst", "decisions"],
)
def test_the_letter_has_every_figure(words: str) -> None:
    assert words in text_of([figures_of(booked(*FIVE), {}, {})], 7, 4, 3, 9)


def test_a_day_that_only_won_fell_by_nothing() -> None:
    assert "deepest fall 0.00 %" in text_of([figures_of(booked(closed(1, "5"), closed(2, "7")), {}, {})], 0, 0, 0, 0)


def test_a_trade_of_minutes_is_told_in_minutes() -> None:
    quick = structs.replace(closed(1, "5"), opened_at=closed(1, "5").closed_at - timedelta(minutes=42))

    assert "in 42 minutes" in text_of([figures_of(booked(quick), {}, {})], 0, 0, 0, 0)
