"""Runs at work: what they decide on each moment, what they keep of their own orders, and that nothing is decided twice."""

import itertools
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from pydantic import Field
from services.signals.tests.floor import SESSIONS, WARM, Floor, Market

from quantmatrix.common.contracts.asking.signals import ChartAsked
from quantmatrix.common.contracts.fills import OrderFilled
from quantmatrix.common.contracts.message import Message
from quantmatrix.common.contracts.orders import AccountOpened, OrderAdjusted, OrderCancelled, OrderDenied, OrderExpired, OrderRejected
from quantmatrix.common.ids import derived_id, order_of
from quantmatrix.common.names import OrderId, Side, SignalKind
from quantmatrix.common.testing.examples import INSTRUMENT, like, usd
from quantmatrix.common.testing.pages import NotYetError, Pages
from quantmatrix.common.values import Quantity
from quantmatrix.signals.bus import bus
from quantmatrix.signals.charts import Charts
from quantmatrix.signals.handlers import Handlers
from quantmatrix.signals.slate import Slate
from quantmatrix.signals.strategies._contributions import ContributionParameters
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix
from quantmatrix.signals.strategies.dca_conservative import ConservativeContributions
from quantmatrix.signals.testing import BuyOneLot, FixedHistory


@pytest.fixture
async def floor(database: Any) -> Floor:
    made = Floor(await database.connect("signals"), Market(), AtrMatrix)
    await made.open()
    return made


@pytest.fixture
async def small(database: Any) -> Floor:
    made = Floor(await database.connect("signals"), Market(), BuyOneLot)
    await made.open()
    return made


async def test_a_paper_account_gets_a_run_with_its_cash_as_envelope(floor: Floor) -> None:
    (run,) = await floor.store.runs()

    assert (run.strategy, run.capital.base, run.cash, run.state) == ("atr_matrix", usd("100000"), usd("100000"), "running")
    assert run.triggered_by.startswith("run:atr_matrix:")


async def test_an_account_heard_twice_gets_one_run_and_a_live_account_none(floor: Floor) -> None:
    await floor.pages.hear(like(AccountOpened))
    await floor.pages.hear(like(AccountOpened, account_id="LIVE-1", paper=False))

    assert len(await floor.store.runs()) == 1


async def test_an_entry_carries_its_figures_and_its_reasons(floor: Floor) -> None:
    (signal,) = await floor.day(WARM)

    assert (signal.kind, signal.side, signal.price) == (SignalKind.ENTRY, Side.BUY, floor.market.close(WARM))
    assert signal.quantity is not None and signal.quantity.value * floor.market.close(WARM).value <= 5_000
    assert signal.stop is not None and signal.stop < floor.market.close(WARM) < signal.targets[0]
    assert signal.expires_at == signal.decided_at + timedelta(hours=24)
    assert [reason.code for reason in signal.reasons if reason.met][:2] == ["NEAR_BASE", "ABOVE_AVERAGE"]
    assert signal.head.trace == signal.head.message_id


async def test_the_same_moment_gives_the_same_signal_under_the_same_id(database: Any, floor: Floor) -> None:
    (signal,) = await floor.day(WARM)
    other = Floor(await database.connect("signals"), Market(), AtrMatrix)
    await other.forget()
    await other.open()

    (again,) = await other.day(WARM)

    assert again == signal


async def test_nothing_is_decided_while_an_order_is_under_way(floor: Floor) -> None:
    (first,) = await floor.day(WARM)

    assert await floor.day(WARM + 1) == []
    assert await floor.day(WARM + 2) == []
    await floor.filled(first)
    assert await floor.day(WARM + 3) == []


async def test_a_decision_waits_until_the_prices_were_matched_while_an_order_is_under_way(small: Floor) -> None:
    (signal,) = await small.day(WARM)
    *before, watermark = small.market.day(WARM + 1)
    for message in before:
        await small.pages.hear(message)

    with pytest.raises(NotYetError):
        await small.pages.hear(watermark)

    await small.matched(WARM + 1)
    assert await small.pages.hear(watermark)
    await small.filled(signal)
    *before, watermark = small.market.day(WARM + 2)
    for message in before:
        await small.pages.hear(message)
    assert await small.pages.hear(watermark)


@pytest.mark.parametrize("ended", [OrderDenied, OrderRejected, OrderCancelled, OrderExpired])
async def test_an_order_that_came_to_nothing_leaves_the_run_as_it_was(small: Floor, ended: type[Message]) -> None:
    (signal,) = await small.day(WARM)

    await small.pages.hear(like(ended, order_id=order_of(signal.signal_id)))

    (run,) = await small.store.runs()
    assert run.cash == run.capital.base and await small.store.holdings(run.run_id) == {}
    (again,) = await small.day(WARM + 1)
    assert again.signal_id != signal.signal_id


async def test_a_fill_moves_the_envelope_and_the_holding(small: Floor) -> None:
    (signal,) = await small.day(WARM)

    await small.filled(signal)

    (run,) = await small.store.runs()
    holding = (await small.store.holdings(run.run_id))[INSTRUMENT.instrument_id]
    assert run.cash == usd(str(100_000 - small.market.close(WARM).value - 1))
    assert (holding.quantity, holding.initial, holding.stop_level) == (Quantity(1), Quantity(1), 1.0)
    assert await small.store.working_order(order_of(signal.signal_id)) is None


async def test_somebody_elses_fill_moves_nothing(small: Floor) -> None:
    await small.day(WARM)
    await small.pages.hear(like(OrderFilled, order_id=OrderId(derived_id("manual")), triggered_by="manual"))

    (run,) = await small.store.runs()
    assert run.cash == run.capital.base and await small.store.holdings(run.run_id) == {}


async def test_an_order_filled_in_parts_is_under_way_until_the_last_part(floor: Floor) -> None:
    (signal,) = await floor.day(WARM)
    assert signal.quantity is not None
    rest = int(signal.quantity.value) - 10

    await floor.filled(signal, Quantity(10), leaves=rest)
    order = await floor.store.working_order(order_of(signal.signal_id))
    assert order is not None and order.filled == Quantity(10)
    await floor.filled(signal, Quantity(rest))

    (run,) = await floor.store.runs()
    holding = (await floor.store.holdings(run.run_id))[INSTRUMENT.instrument_id]
    assert (holding.quantity, holding.initial) == (signal.quantity, signal.quantity)
    assert holding.stop_level is not None
    assert await floor.store.working_order(order_of(signal.signal_id)) is None


async def test_a_split_changes_the_holding_and_no_series_of_the_past(database: Any) -> None:
    floor = Floor(await database.connect("signals"), Market({WARM + 2: (2, 1)}), AtrMatrix)
    await floor.open()
    (signal,) = await floor.day(WARM)
    await floor.filled(signal)
    await floor.day(WARM + 1)

    raised = await floor.day(WARM + 2)

    (run,) = await floor.store.runs()
    holding = (await floor.store.holdings(run.run_id))[INSTRUMENT.instrument_id]
    assert signal.quantity is not None
    assert holding.quantity == signal.quantity + signal.quantity
    assert raised == []  # the halved price is neither an exit nor a stop


async def test_a_split_resizes_the_order_under_way(small: Floor) -> None:
    (signal,) = await small.day(WARM)

    await small.pages.hear(like(OrderAdjusted, order_id=order_of(signal.signal_id), quantity=Quantity(2), filled=Quantity(0)))

    order = await small.store.working_order(order_of(signal.signal_id))
    assert order is not None and order.quantity == Quantity(2)


async def test_a_restart_decides_as_if_nothing_had_happened(database: Any) -> None:
    """Series are loaded from market's history again; with a split on the way the values are the same to the last bit."""
    market = Market({WARM + 1: (2, 1)})
    steady = Floor(await database.connect("signals"), market, BuyOneLot)
    await steady.open()
    told = [await steady.day(WARM + day) for day in range(4)]
    await steady.forget()

    shaken = Floor(await database.connect("signals"), Market({WARM + 1: (2, 1)}), BuyOneLot)
    await shaken.open()
    again = []
    for day in range(4):
        again.append(await shaken.day(WARM + day))
        shaken.restart()

    assert again == told
    assert shaken.market.history.asked > steady.market.history.asked


async def test_series_heard_bar_by_bar_equal_those_loaded_at_once(database: Any) -> None:
    market = Market({WARM + 1: (2, 1), WARM + 3: (3, 1)})
    slate, fresh = Slate(market.history), Slate(market.history)
    await slate.load([INSTRUMENT.instrument_id], "XNYS", SESSIONS[WARM])
    floor = Floor(await database.connect("signals"), market, AtrMatrix)
    floor.pages = Pages(floor.pages.connection, bus(Handlers(slate, {}, ""), Charts(market.history)))
    for day in range(WARM + 1, WARM + 6):
        for message in market.day(day)[:-1]:
            await floor.pages.hear(message)

    await fresh.load([INSTRUMENT.instrument_id], "XNYS", SESSIONS[WARM + 5])

    one, other = slate.series(INSTRUMENT.instrument_id), fresh.series(INSTRUMENT.instrument_id)
    assert one is not None and other is not None
    assert one.frame.equals(other.frame) and one.factor == other.factor
    assert slate.close(INSTRUMENT.instrument_id) == fresh.close(INSTRUMENT.instrument_id)


async def test_a_chart_is_in_todays_units_with_the_ladder_above_the_average(database: Any) -> None:
    market = Market({WARM: (2, 1)})
    charts = Charts(history_until(market, WARM + 5))

    chart = await charts.chart(ChartAsked(instrument_id=INSTRUMENT.instrument_id, limit=100), await database.connect("signals"))

    assert len(chart.sessions) == len(chart.close) == len(chart.sma50) == 100
    assert chart.close[-1] == pytest.approx(float(market.close(WARM + 5).value))
    assert chart.atr is not None and chart.distance is not None and chart.sma50[-1] is not None
    assert chart.distance == pytest.approx((chart.close[-1] - chart.sma50[-1]) / chart.atr)
    for level, price in chart.ladder.items():
        assert price == pytest.approx(chart.sma50[-1] + int(level) * chart.atr)
    assert max(abs(later / earlier - 1) for earlier, later in itertools.pairwise(chart.close)) < 0.01


def history_until(market: Market, day: int) -> FixedHistory:
    """Market's history as it is known after a day."""
    whole = market._columns()
    cut = {name: getattr(whole, name)[: day + 1] for name in ("sessions", "open", "high", "low", "close", "volume")}
    return FixedHistory({INSTRUMENT.instrument_id: msgspec.structs.replace(whole, **cut)})


class OneFund(ContributionParameters):
    """Everything in the one stock of these tests."""

    weights: dict[str, float] = Field(default_factory=lambda: {"ABC": 1.0})


class Contributing(ConservativeContributions):
    """A strategy that sees the whole run."""

    name = "contributing"
    parameters = OneFund


async def test_a_strategy_that_sees_the_whole_run_contributes_until_its_capital_is_deployed(database: Any) -> None:
    floor = Floor(await database.connect("signals"), Market(), Contributing)
    await floor.open("25000")
    firsts = [day for day in range(WARM, WARM + 70) if SESSIONS[day].month != SESSIONS[day - 1].month]

    bought: list[tuple[int, Quantity]] = []
    for day in range(WARM, firsts[2] + 1):
        for signal in await floor.day(day):
            assert signal.side is Side.BUY and signal.quantity is not None
            bought.append((day, signal.quantity))
            await floor.filled(signal)

    assert [day for day, _ in bought] == [day for day in firsts[:3] if day >= WARM]
    assert all(2_300 < float(quantity.value * floor.market.close(day).value) <= 2_500 for day, quantity in bought)
