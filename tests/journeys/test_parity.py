"""The backtest of a strategy and the replay through all services make the same trades."""

import json
from datetime import date
from typing import Any

import pytest
from tests.journeys.conftest import Platform

from quantmatrix.common.values import Money
from quantmatrix.operations.backtests import histories, strategy_called
from quantmatrix.signals.backtest.run import Job, backtest

SYMBOLS = ("AAPL", "MSFT")
PERIODS = [(date(2003, 4, 1), date(2003, 9, 30)), (date(2004, 8, 2), date(2005, 4, 29))]


@pytest.mark.parametrize("strategy", ["atr_matrix", "moving_average_cross", "signal_bot"])
@pytest.mark.parametrize(("first", "last"), PERIODS, ids=["half a year", "over the split of Apple in 2005"])
async def test_a_backtest_makes_the_trades_of_the_replay(make_platform: Any, database: Any, strategy: str, first: date, last: date) -> None:
    told = {"replay_symbols": SYMBOLS, "replay_from": first, "replay_to": last, "replay_pace_s": 0.0}
    platform: Platform = make_platform(market=told, signals={"default_strategy": strategy})
    await platform.start()
    await platform.finished()
    rows = await database.fetch("execution", "select payload from outbox where type = 'OrderFilled'")
    replayed = [json.loads(row["payload"]) for row in rows]
    _, ledger = await platform.agree()

    _, past = histories(SYMBOLS)
    result = backtest(strategy_called(strategy), past, Job({}, Money(100_000, "USD"), first=first, last=last))

    assert len(replayed) >= 2, "too little was traded: the test shows nothing"
    assert sorted(
        (str(one.session), one.symbol, one.side.value, str(one.quantity), str(one.price), str(one.fee.amount.normalize()))
        for one in result.outcome.fills
    ) == sorted(
        (one["session"], one["instrument"]["symbol"], one["side"], one["quantity"], one["price"], one["fee"]["amount"]) for one in replayed
    )
    assert result.outcome.curve[-1].cash == ledger.cash
    assert result.outcome.refusals == []
