"""What a bot makes of each bar is kept: an open verdict where it trades and nowhere else, and the shut gate with its figures on all others."""

from typing import Any

import pytest
from services.signals.tests.test_live_days import RUN, Days, apple  # noqa: F401 - a fixture is used by its name

from quantmatrix.common.contracts.asking.runs import VerdictsAsked, VerdictTold
from quantmatrix.common.contracts.commands import StartRun
from quantmatrix.common.contracts.orders import TradingStateChanged
from quantmatrix.common.names import Side, TradingState, UserId
from quantmatrix.common.testing.examples import USER, like
from quantmatrix.signals.backtest.history import History
from quantmatrix.signals.verdicts import VERDICTS_ANSWERED_MAX, VerdictStore

pytestmark = pytest.mark.long(20)
OTHERS = UserId(like(StartRun).command_id)
EVERY_GATE = {"confirmation_min": 2_880, "cooldown_min": 10_000, "buy_at": 0.16, "sell_at": -0.16, "losses_in_a_row_max": 1}


async def told_of(days: Days, user: UserId = USER) -> list[VerdictTold]:
    """All verdicts of the run, oldest first, page by page."""
    found: list[VerdictTold] = []
    while True:
        before = found[-1].session if found else None
        page = await VerdictStore(days.connection).latest(
            VerdictsAsked(user_id=user, run_id=RUN, before=before, limit=VERDICTS_ANSWERED_MAX)
        )
        if not page:
            return found[::-1]
        found += page


@pytest.mark.parametrize("parameters", [{}, EVERY_GATE, {"exits": {"trail_pct": 6}}], ids=["plain", "every gate", "with a trail"])
async def test_every_bar_has_a_verdict_and_the_open_ones_are_the_trades(database: Any, apple: History, parameters: dict[str, Any]) -> None:  # noqa: F811
    days = Days(await database.connect("signals"), apple)
    fills = await days.run("signal_bot", parameters)

    told = await told_of(days)
    signals = await days.connection.fetch("select session, body -> 'reasons' -> 0 ->> 'code' as first from signal where run_id = $1", RUN)

    assert [one.session for one in told] == [bar.session for bar in apple.bars]
    by_the_bot = {row["session"] for row in signals if row["first"] == "SCORE"}
    assert by_the_bot == {one.session for one in told if one.readiness == "ready"} and fills
    shut = [one for one in told if one.readiness != "ready"]
    assert all(one.code and one.detail for one in shut) and all(not one.code for one in told if one.readiness == "ready")
    assert told[0].code == "SIGNAL_FAILED" and "rsi" in told[0].detail
    assert {"TOO_COLD", "HELD_ALREADY", "NOTHING_HELD"} <= {one.code for one in shut}
    if parameters is EVERY_GATE:
        assert {"NOT_CONFIRMED", "COOLING_DOWN"} <= {one.code for one in shut}


@pytest.mark.parametrize(("order_max", "trades"), [(0.75, True), (0.001, False)], ids=["below the equity", "below every purchase"])
async def test_the_largest_order_of_a_bot_shuts_purchases_and_never_a_sale(
    database: Any,
    apple: History,  # noqa: F811
    order_max: float,
    trades: bool,
) -> None:
    """order_max: of the capital, of which a tenth is bought at a time."""
    days = Days(await database.connect("signals"), apple)
    capital = float(like(StartRun).capital.amount)

    fills = await days.run("signal_bot", {"order_max": order_max * capital})

    told = await told_of(days)
    assert bool(fills) is trades and ({"BUY", "SELL"} <= {one.action for one in told if one.readiness == "ready"}) is trades
    assert ("SIZE_LARGE" in {one.code for one in told}) is not trades


async def test_verdicts_are_told_to_the_owner_only_and_in_pages(database: Any, apple: History) -> None:  # noqa: F811
    days = Days(await database.connect("signals"), apple)
    await days.run("signal_bot", {})
    store = VerdictStore(days.connection)

    latest = await store.latest(VerdictsAsked(user_id=USER, run_id=RUN, limit=3))

    assert [one.session for one in latest] == [bar.session for bar in apple.bars[:-4:-1]]
    assert latest[0].instrument == days.instrument and [reason.code for reason in latest[0].reasons] == ["SCORE", "RSI", "AVERAGES", "MACD"]
    assert await store.latest(VerdictsAsked(user_id=OTHERS, run_id=RUN)) == ()


async def test_a_paused_bot_says_that_it_would_have_bought(database: Any, apple: History) -> None:  # noqa: F811
    free, paused = Days(await database.connect("signals"), apple), Days(await database.connect("signals"), apple)
    await free.run("signal_bot", {})
    bought = {one.session for one in await told_of(free) if one.readiness == "ready" and one.action == "BUY"}
    await free.connection.execute(
        "truncate follow_up, working, signal, holding, memory, verdict, run_fact, run_entry, run, account cascade"
    )

    paused.pause_at_once = True
    await paused.run("signal_bot", {})

    told = await told_of(paused)
    assert paused.fills == [] and not [one for one in told if one.readiness == "ready"]
    first = min(bought)
    assert next(one for one in told if one.session == first).code == "BOT_NOT_RUNNING"


@pytest.mark.parametrize(("state", "sides"), [(TradingState.HALTED, set()), (TradingState.REDUCING, {Side.SELL})])
async def test_a_bot_whose_account_is_halted_says_that_the_emergency_stop_is_set(
    database: Any,
    apple: History,  # noqa: F811
    state: TradingState,
    sides: set[Side],
) -> None:
    """From the first purchase on, until the process is started anew and for ever after: what it would do then is told and not done."""
    days = Stopped(await database.connect("signals"), apple)
    days.state = state

    fills = await days.run("signal_bot", {})

    told = await told_of(days)
    after = [one for one in told if one.session > fills[0][0]]
    assert fills[0][1] is Side.BUY and {side for _, side, *_ in fills[1:]} == sides
    assert "EMERGENCY_STOP" in {one.code for one in after}
    assert {one.action for one in after if one.readiness == "ready"} == {side.value for side in sides}


class Stopped(Days):
    """Days on which a person stops the account after the first fill."""

    state = TradingState.ACTIVE

    async def _fill(self, order: Any, bar: Any, at: Any) -> None:
        await super()._fill(order, bar, at)
        if len(self.fills) == 1:
            await self.pages.hear(like(TradingStateChanged, account_id=like(StartRun).account_id, state=self.state))
