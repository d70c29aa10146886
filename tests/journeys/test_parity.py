"""The backtest of a strategy and the replay through all services make the same trades."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from math import pi, sin
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.conftest import ACCOUNT, USER, Platform

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.contracts.asking.runs import ProposalAsked, RunDetailsAsked
from quantmatrix.common.contracts.commands import StartRun
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import RunId
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.common.values import Money
from quantmatrix.operations.backtests import catalogue, histories, strategy_called
from quantmatrix.signals.backtest.run import Job, backtest

pytestmark = pytest.mark.long(25)
SYMBOLS = ("AAPL", "MSFT")
PERIODS = [(date(2003, 4, 1), date(2003, 9, 30)), (date(2004, 8, 2), date(2005, 4, 29))]
"""Half a year, and over the split of Apple in 2005."""


async def test_a_backtest_makes_the_trades_of_the_run_that_an_account_opens_with(make_platform: Any, database: Any) -> None:
    first, last = PERIODS[0]
    told = {"replay_symbols": SYMBOLS, "replay_from": first, "replay_to": last, "replay_pace_s": 0.0}
    platform: Platform = make_platform(market=told, signals={"default_strategy": "atr_matrix"})
    await platform.start()
    await platform.finished()
    rows = await database.fetch("execution", "select payload from outbox where type = 'OrderFilled'")
    replayed = [json.loads(row["payload"]) for row in rows]
    _, ledger = await platform.agree()

    _, past = histories(SYMBOLS)
    result = backtest(strategy_called("atr_matrix"), past, Job({}, Money(100_000, "USD"), first=first, last=last))

    assert len(replayed) >= 2, "too little was traded: the test shows nothing"
    assert sorted(
        (str(one.session), one.symbol, one.side.value, str(one.quantity), str(one.price), str(one.fee.amount.normalize()))
        for one in result.outcome.fills
    ) == sorted(
        (one["session"], one["instrument"]["symbol"], one["side"], one["quantity"], one["price"], one["fee"]["amount"]) for one in replayed
    )
    assert result.outcome.curve[-1].cash == ledger.cash
    assert result.outcome.refusals == []


async def test_shares_that_splits_leave_in_fractions_are_traded_alike(
    make_platform: Any, database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three for two, one for three, three for seven while shares are held: the rest is held, sold and paid for to the last digit."""
    bars, splits = _split_often(tmp_path)
    told = {"feed": "csv", "csv_file": bars, "csv_splits_file": splits, "replay_pace_s": 0.0}
    platform: Platform = make_platform(market=told, signals={"default_strategy": "moving_average_cross"})
    await platform.start()
    await platform.finished()
    rows = await database.fetch("execution", "select payload from outbox where type = 'OrderFilled'")
    quantities = [Decimal(json.loads(row["payload"])["quantity"]) for row in rows]
    _, ledger = await platform.agree()

    for name, value in (("FEED", "csv"), ("CSV_FILE", str(bars)), ("CSV_SPLITS_FILE", str(splits))):
        monkeypatch.setenv(f"QM_MARKET_{name}", value)
    _, past = histories(())
    result = backtest(strategy_called("moving_average_cross"), past, Job({}, Money(100_000, "USD")))

    assert any(one % 1 for one in quantities), "no fraction was traded: the test shows nothing"
    assert sorted(one.quantity.value for one in result.outcome.fills) == sorted(quantities)
    assert result.outcome.curve[-1].cash == ledger.cash


def _split_often(folder: Path) -> tuple[Path, Path]:
    """Files of three stocks that swing by a fifth about 60 within eighty sessions, and of their splits each 47 sessions."""
    ratios = [(3, 2), (1, 3), (3, 7), (2, 1)]
    bars, splits = ["symbol,date,open,high,low,close,volume"], ["symbol,effective,numerator,denominator"]
    sessions = [one.day for one in TradingCalendar().sessions(date(2022, 1, 3), date(2022, 9, 30))]
    for shift, symbol in enumerate(("ABC", "DEF", "GHI")):
        factor = 1.0
        for number, day in enumerate(sessions):
            if number % 47 == 46:
                new, old = ratios[(number // 47 + shift) % len(ratios)]
                splits.append(f"{symbol},{day},{new},{old}")
                factor *= old / new
            price = factor * 60 * (1 + 0.2 * sin((number + 25 * shift) * 2 * pi / 80))
            bars.append(f"{symbol},{day},{price:.2f},{price * 1.01:.2f},{price * 0.99:.2f},{price:.2f},1000000")
    for name, lines in (("bars.csv", bars), ("splits.csv", splits)):
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / "bars.csv", folder / "splits.csv"


CAPITAL = Money(20_000, "USD")
EACH = Money(16_000, "USD")
CASH = Money(200_000, "USD")
"""Enough for all of them."""
WEIGHTS = {"AAPL": 0.6, "MSFT": 0.4}
BY_DEFAULT: Mapping[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in ("atr_matrix", "moving_average_cross", "signal_bot")}
RUNS: Mapping[str, tuple[str, dict[str, Any]]] = {
    **BY_DEFAULT,
    "atr_matrix with exits": ("atr_matrix", {"alignment": "ema21", "exits": {"stop_loss_pct": 3, "take_profit_pct": 6}}),
    "atr_options": ("atr_options", {}),
    "dca_aggressive": ("dca_aggressive", {"weights": WEIGHTS, "frequency": "weekly"}),
    "dca_conservative": ("dca_conservative", {"weights": WEIGHTS}),
    "moving_average_cross with a trail": ("moving_average_cross", {"fast": 5, "slow": 20, "exits": {"trail_pct": 6, "days_max": 30}}),
    "signal_bot confirming": (
        "signal_bot",
        {
            "confirmation_min": 2_880,
            "cooldown_min": 30_000,
            "cooldown_scope": "bot",
            "buy_at": 0.16,
            "sell_at": -0.16,
            "sizing": "conditions",
        },
    ),
}


@pytest.mark.parametrize(
    ("period", "runs"), [(PERIODS[0], RUNS), (PERIODS[1], BY_DEFAULT)], ids=["half a year", "over the split of Apple in 2005"]
)
async def test_the_runs_that_a_person_starts_make_the_trades_of_their_backtests(
    make_platform: Any, ask: Any, database: Any, period: tuple[date, date], runs: Mapping[str, tuple[str, dict[str, Any]]]
) -> None:
    """All of them in one replay on one account: each trades as if it were alone."""
    first, last = period
    told = {"replay_symbols": SYMBOLS, "replay_from": first, "replay_to": last, "replay_pace_s": 0.0}
    platform: Platform = make_platform(market=told, signals={"default_strategy": ""}, execution={"paper_cash": CASH.amount})
    await platform.start("execution", "portfolio", "notify", "signals")
    await wait_until(lambda: _has_account(platform), "the paper account is there")
    for case, (strategy, parameters) in runs.items():
        run = RunId(derived_id("a person's run", case))
        await platform.say(
            StartRun(
                command_id=run, user_id=USER, account_id=ACCOUNT, run_id=run, strategy=strategy, capital=EACH,
                parameters={name: json.dumps(value) for name, value in parameters.items()},
            )
        )  # fmt: skip
    await platform.say.heard_by("signals", ask)
    await platform.start("market")
    await platform.finished()
    rows = await database.fetch("execution", "select payload from outbox where type = 'OrderFilled'")
    replayed = [json.loads(row["payload"]) for row in rows]
    owned = {one.run_id: one for one in (await platform.asked("signals", RunDetailsAsked(user_id=USER))).runs}
    await platform.agree()

    _, past = histories(SYMBOLS)
    assert len({one.triggered_by for one in owned.values()}) == len(runs) and {one["triggered_by"] for one in replayed} <= {
        one.triggered_by for one in owned.values()
    }
    for case, (strategy, parameters) in runs.items():
        own = owned[RunId(derived_id("a person's run", case))]
        result = backtest(strategy_called(strategy), past, Job(parameters, EACH, first=first, last=last))
        filled = [one for one in replayed if one["triggered_by"] == own.triggered_by]
        assert sorted(
            (str(one.session), one.symbol, one.side.value, str(one.quantity), str(one.price), str(one.fee.amount.normalize()))
            for one in result.outcome.fills
        ) == sorted(
            (one["session"], one["instrument"]["symbol"], one["side"], one["quantity"], one["price"], one["fee"]["amount"])
            for one in filled
        ), case
        assert own.cash == result.outcome.curve[-1].cash, case
        assert len(filled) >= (2 if case in BY_DEFAULT else strategy != "atr_options"), (
            f"{case}: too little was traded, the test shows nothing"
        )
        assert parameters or result.outcome.refusals == []


def test_every_strategy_of_the_slot_stands_in_the_table() -> None:
    """Options besides in `test_option_parity.py`, on chains."""
    assert {strategy for strategy, _ in RUNS.values()} == {one["name"] for one in catalogue()}


async def _has_account(platform: Platform) -> bool:
    """Whether signals knows the account's cash, from which a run takes its capital."""
    asked = ProposalAsked(user_id=USER, strategy="moving_average_cross", account_id=ACCOUNT, capital=CAPITAL)
    return (await platform.asked("signals", asked)).proposal is not None
