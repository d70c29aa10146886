"""Sold puts on live days: the service sells and buys back what the backtest does, and its ledger shows what each brought."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from services.signals.tests.split_files import World
from services.signals.tests.test_live_days import CASH, RUN
from services.signals.tests.test_option_days import OptionDays, microsoft
from services.signals.tests.test_option_splits import SplitDays

from quantmatrix.common.contracts.commands import ChangeRun, FundRun
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.signals import RunRefused, SignalRaised
from quantmatrix.common.names import RunAct, RunState, Side
from quantmatrix.common.options import terms_of
from quantmatrix.common.testing.examples import like
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.operations.backtests import strategy_called
from quantmatrix.signals.backtest.history import History, PastBar
from quantmatrix.signals.backtest.result import Result
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.ledgers import LedgerStore

pytestmark = pytest.mark.long(15)
__all__ = ["microsoft"]
SOLD = {"preset": "short_premium"}
SIZED = {"preset": "short_premium", "secured_pct": 50, "short_stop_pct": 50}


def past_of(past: History, parameters: dict[str, Any]) -> Result:
    return backtest(strategy_called("atr_options"), [past], Job(parameters, CASH))


async def lived(database: Any, past: History, parameters: dict[str, Any]) -> tuple[OptionDays, list[Any]]:
    days = OptionDays(await database.connect("signals"), past)
    await days.list_contracts()
    return days, await days.run("atr_options", parameters)


def told(result: Result) -> list[Any]:
    return [(one.session, one.symbol, one.side, one.quantity, one.price, one.fee) for one in result.outcome.fills]


@pytest.mark.parametrize("parameters", [SOLD, SIZED], ids=["as it is", "half of the capital"])
async def test_live_days_sell_and_buy_back_what_the_backtest_does(database: Any, microsoft: History, parameters: dict[str, Any]) -> None:
    days, live = await lived(database, microsoft, parameters)

    result = past_of(microsoft, parameters)

    assert live == told(result)
    assert len(live) >= 8 and all(terms_of(symbol).kind == "put" for _, symbol, *_ in live)
    run = await LedgerStore(days.connection).run(RUN)
    assert run is not None and run.cash == result.outcome.curve[-1].cash
    assert run.cash + run.capital.invested == run.capital.base + run.capital.realised
    gained = sum((one.profit.amount for one in result.trades if not one.is_open), Decimal(0))
    assert run.capital.realised.amount == gained
    held = sum((terms_of(one).strike.value * -quantity.value * 100 for one, quantity in result.outcome.held.items()), Decimal(0))
    assert held <= run.cash.amount


async def test_a_put_that_nobody_quotes_any_more_expires_live_as_in_the_backtest(database: Any, microsoft: History) -> None:
    """From the day after the first sale on nothing is quoted, and the stock closes above the strike on the last day."""
    sale = past_of(microsoft, SOLD).outcome.fills[0]
    silent = replace(microsoft, chains={session: chain for session, chain in microsoft.chains.items() if session <= sale.session})
    _, live = await lived(database, silent, SOLD)

    result = past_of(silent, SOLD)

    assert live == told(result) and [one.side for one in result.outcome.fills] == [Side.SELL, Side.BUY]
    end = result.outcome.fills[1]
    assert (end.session, end.price) == (terms_of(sale.symbol).expires, Price(0)) and end.reasons[0].startswith("EXPIRY")
    assert not result.outcome.held and result.outcome.curve[-1].cash.amount > 0


def bent(past: History, after: date, until: date, percent: int) -> History:
    """The same past with the stock at so many percent of its price in the days after one until another, on which no option is quoted."""
    bars = [
        replace(bar, **{name: Price(getattr(bar, name).value * percent / 100) for name in ("open", "high", "low", "close")})
        if after < bar.session <= until
        else bar
        for bar in past.bars
    ]
    chains = {session: chain for session, chain in past.chains.items() if not after < session <= until}
    return replace(past, bars=tuple(bars), chains=chains)


async def test_an_assigned_put_brings_shares_that_are_sold_at_the_next_open_live_as_in_the_backtest(
    database: Any, microsoft: History
) -> None:
    """The stock falls by half the day after the sale, and nobody offers the put: its shares come for the strike, less the premium, on the last day."""
    sale = past_of(microsoft, SOLD).outcome.fills[0]
    bad = bent(microsoft, sale.session, date.max, 50)
    days, live = await lived(database, bad, SOLD)

    result = past_of(bad, SOLD)

    assert live == told(result)
    sold, closed, came, went = result.outcome.fills[:4]
    strike, shares = terms_of(sold.symbol).strike, sold.quantity.value * 100
    premium = sold.price.value * shares - sold.fee.amount
    assert (closed.price, came.symbol, came.side, came.price, came.quantity.value) == (Price(0), "MSFT", Side.BUY, strike, shares)
    assert (went.symbol, went.side, went.quantity.value) == ("MSFT", Side.SELL, shares) and went.reasons[0].startswith("ASSIGNED")
    trade = next(one for one in result.trades if one.symbol == "MSFT")
    assert trade.cost.amount == strike.value * shares - premium
    assert trade.profit.amount == went.price.value * shares - went.fee.amount - strike.value * shares + premium
    run = await LedgerStore(days.connection).run(RUN)
    assert run is not None and run.cash == result.outcome.curve[-1].cash == CASH + trade.profit
    assert run.cash + run.capital.invested == run.capital.base + run.capital.realised


WHEEL = {"preset": "short_premium", "wheel": True, "min_dte": 1, "dte_target": 28}


async def test_the_wheel_turns_live_as_in_the_backtest(database: Any, microsoft: History) -> None:
    """The stock falls until the put is assigned, and rises once the call on its shares is sold: that is assigned too."""
    put = past_of(microsoft, WHEEL).outcome.fills[0]
    low = bent(microsoft, put.session, terms_of(put.symbol).expires, 90)
    call = next(one for one in past_of(low, WHEEL).outcome.fills if one.symbol != "MSFT" and terms_of(one.symbol).kind == "call")
    past = bent(low, call.session, date.max, 130)
    days, live = await lived(database, past, WHEEL)

    result = past_of(past, WHEEL)

    assert live == told(result)
    came, went = (one for one in result.outcome.fills if one.symbol == "MSFT")
    assert (came.side, went.side, came.quantity) == (Side.BUY, Side.SELL, went.quantity)
    assert (came.price, went.price) == (terms_of(put.symbol).strike, terms_of(call.symbol).strike)
    assert call.quantity.value * 100 == came.quantity.value and went.price >= came.price
    brought = (put.price.value + call.price.value) * came.quantity.value - put.fee.amount - call.fee.amount
    trade = next(one for one in result.trades if one.symbol == "MSFT")
    assert trade.profit.amount == (went.price.value - came.price.value) * came.quantity.value + brought
    run = await LedgerStore(days.connection).run(RUN)
    assert run is not None and run.cash == result.outcome.curve[-1].cash
    assert run.cash + run.capital.invested == run.capital.base + run.capital.realised


async def test_a_split_adjusts_puts_that_were_sold_live_as_in_the_backtest(database: Any, tmp_path: Path, monkeypatch: Any) -> None:
    world = World(tmp_path, monkeypatch)
    plain, _ = world.split(None)
    sold, bought = past_of(plain, SOLD).outcome.fills[:2]
    day = next(one for one in plain.sessions if sold.session < one < bought.session)
    past, adjustments = world.split(day, (2, 1))
    days = SplitDays(await database.connect("signals"), past, adjustments)
    await days.list_contracts()
    live = await days.run("atr_options", SOLD)

    result = past_of(past, SOLD)

    assert live == told(result)
    opened, closed = result.outcome.fills[:2]
    assert (opened.quantity, closed.quantity) == (sold.quantity, sold.quantity + sold.quantity)
    assert terms_of(closed.symbol).strike == terms_of(sold.symbol).strike.scaled(1, 2)
    assert closed.held_after == Quantity(0) and date(2003, 6, 2) < closed.session


class Interrupted(OptionDays):
    """Days on which a person asks for something after the close of the session in which a put was sold."""

    def __init__(self, connection: Any, past: History, *asked: Message) -> None:
        super().__init__(connection, past)
        self.asked, self.said = list(asked), list[Any]()

    async def _day(self, bar: PastBar) -> None:
        await super()._day(bar)
        if self.fills and self.asked:
            for one in self.asked:
                self.said += await self.pages.hear(one)
            self.asked = []
            self.orders += [one for one in self.said if isinstance(one, SignalRaised) and one.side is not None]


def fund(amount: str) -> FundRun:
    return like(FundRun, run_id=RUN, amount=Money.parse(amount, "USD"))


async def test_what_puts_bind_cannot_be_taken_out_of_a_run(database: Any, microsoft: History) -> None:
    """8 puts at 25 bind 20,000: of 20,000 and the premium of 658.80 no more than the premium is free."""
    days = Interrupted(await database.connect("signals"), microsoft, fund("-659"))
    await days.list_contracts()
    await days.run("atr_options", SOLD)

    (said, *_) = days.said
    assert isinstance(said, RunRefused) and said.code == "ENVELOPE_IN_USE"
    assert "658.8 USD of its capital are free, 20000 USD are bound by sold puts" in said.detail


async def test_a_stop_buys_back_what_was_sold(database: Any, microsoft: History) -> None:
    days = Interrupted(await database.connect("signals"), microsoft, like(ChangeRun, run_id=RUN, act=RunAct.FLATTEN))
    await days.list_contracts()
    live = await days.run("atr_options", SOLD)

    run = await LedgerStore(days.connection).run(RUN)
    assert [side for _, _, side, *_ in live] == [Side.SELL, Side.BUY] and live[0][3] == live[1][3]
    assert run is not None and run.state is RunState.STOPPED and not run.capital.invested
    assert run.cash == run.capital.base + run.capital.realised


async def test_a_paused_run_sells_nothing_and_still_buys_back(database: Any, microsoft: History) -> None:
    days = Interrupted(await database.connect("signals"), microsoft, like(ChangeRun, run_id=RUN, act=RunAct.PAUSE))
    await days.list_contracts()
    live = await days.run("atr_options", SOLD)

    assert [side for _, _, side, *_ in live] == [Side.SELL, Side.BUY]


class Flattened(OptionDays):
    """Days on which a person stops the run after the close of the session in which a call was sold."""

    stopped = False

    async def _day(self, bar: PastBar) -> None:
        await super()._day(bar)
        if not self.stopped and any(symbol != self.past.symbol and terms_of(symbol).kind == "call" for _, symbol, *_ in self.fills):
            self.stopped = True
            said = await self.pages.hear(like(ChangeRun, run_id=RUN, act=RunAct.FLATTEN))
            self.orders += [one for one in said if isinstance(one, SignalRaised) and one.side is not None]


async def test_a_stop_of_the_wheel_buys_the_calls_back_before_it_sells_their_shares(database: Any, microsoft: History) -> None:
    """What calls bind cannot be sold before: such an order would be denied, and the person told of it."""
    put = past_of(microsoft, WHEEL).outcome.fills[0]
    low = bent(microsoft, put.session, terms_of(put.symbol).expires, 90)
    days = Flattened(await database.connect("signals"), low)
    await days.list_contracts()
    live = await days.run("atr_options", WHEEL)

    back, sale = live[-2:]
    assert (back[2], terms_of(back[1]).kind) == (Side.BUY, "call")
    assert (sale[1], sale[2]) == ("MSFT", Side.SELL) and sale[0] > back[0]
    run = await LedgerStore(days.connection).run(RUN)
    assert run is not None and run.state is RunState.STOPPED and not run.capital.invested
    assert run.cash == run.capital.base + run.capital.realised
