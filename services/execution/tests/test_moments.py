"""A moment whose prices and decisions come together: prices are written once, decisions know them, and one watermark tells of both."""

from datetime import timedelta
from typing import Any, cast

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.common.contracts.fills import MatchedWatermark, SettledWatermark
from quantmatrix.common.contracts.orders import OrderDenied, OrderSubmitted
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.contracts.signals import SignalRaised, SignalsWatermark
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.names import AccountId, ActionKind, InstrumentId, TradingState
from quantmatrix.common.runtime.keys import KeysHeard
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.runtime.register import View
from quantmatrix.common.runtime.service import Parts
from quantmatrix.common.runtime.writing import made
from quantmatrix.common.testing.examples import CLOSED_AT, INSTRUMENT, like
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.execution.app import limits_of
from quantmatrix.execution.brokers.paper import PaperBroker
from quantmatrix.execution.dispatch import Dispatcher
from quantmatrix.execution.handlers import Handlers
from quantmatrix.execution.ports import Broker, Moment
from quantmatrix.execution.reconcile import Brokers
from quantmatrix.execution.settings import ExecutionSettings
from quantmatrix.execution.store import Account, ExecutionStore
from quantmatrix.execution.testing import FakeBroker, request
from quantmatrix.execution.writes import latest, marks

ACCOUNT = AccountId("DU0000001")
CASH = Money(100_000, "USD")


def bars(closes: dict[str, int]) -> BarsClosed:
    kind = type(like(BarsClosed).bars[0])
    return like(
        BarsClosed, bars=tuple(kind(InstrumentId(one), one, "USD", *(Price(close),) * 4, Quantity(1)) for one, close in closes.items())
    )


@given(heard=st.lists(st.dictionaries(st.sampled_from("ABCD"), st.integers(0, 9)), max_size=6))
def test_of_all_bars_of_a_page_the_last_price_of_each_instrument_stays(heard: list[dict[str, int]]) -> None:
    """As if each had been written by itself, in the order they were heard; zero is a price."""
    one_by_one: dict[str, int] = {}
    closed_at = {}
    told = []
    for number, closes in enumerate(heard):
        closed = bars(closes)
        told.append(msgspec.structs.replace(closed, closed_at=closed.closed_at + timedelta(days=number)))
        one_by_one |= closes
        closed_at |= dict.fromkeys(closes, told[-1].closed_at)

    instruments, prices, *_ = marks(told).arguments

    assert dict(zip(instruments, prices, strict=True)) == one_by_one
    assert {one: price for one in "ABCD" if (price := latest(InstrumentId(one), told)) is not None} == {
        one: (Price(close), closed_at[one]) for one, close in one_by_one.items()
    }


async def opened(database: Any) -> tuple[Handlers, Page]:
    """Execution with one account and one listed instrument, and a page for what it hears next."""
    connection = await database.connect("execution")
    brokers = Brokers({"paper": FakeBroker()})
    handlers = Handlers(
        brokers, Dispatcher(cast(Parts, None), brokers, answer_timeout_s=1), limits_of(ExecutionSettings(order_notional_max=50_000))
    )
    account = Account(ACCOUNT, FIRST_ADMINISTRATOR, "paper", "USD", True, TradingState.ACTIVE, CASH, CASH, 1)
    await ExecutionStore(connection).open_account(account, CLOSED_AT)
    await ExecutionStore(connection).keep_instrument(like(InstrumentListed))
    await made(connection, marks([bars({INSTRUMENT.instrument_id: 10})]))
    return handlers, Page(connection, like(SignalRaised).head, View({}, KeysHeard({})))


def decision(**changes: Any) -> SignalRaised:
    return like(
        SignalRaised,
        **{"account_id": ACCOUNT, "user_id": FIRST_ADMINISTRATOR, "quantity": Quantity(1_000), "price": None, "limit": None, **changes},
    )


async def test_a_decision_is_held_against_prices_that_are_written_together_with_it(database: Any) -> None:
    """A thousand at 10 would pass the limit of 50,000, and at 60 they do not."""
    handlers, page = await opened(database)

    await handlers.bars_closed(bars({INSTRUMENT.instrument_id: 60}), page)
    await handlers.prices_reached(like(PricesWatermark, covers={}), page)
    await handlers.signal_raised(decision(), page)
    await page.finish()

    (denied,) = [one for one in page.said if isinstance(one, OrderDenied)]
    assert denied.code == "ORDER_NOTIONAL"
    assert await page.connection.fetchval("select price from mark where instrument_id = $1", INSTRUMENT.instrument_id) == 60


async def test_a_split_on_the_page_of_the_prices_before_it_changes_them(database: Any) -> None:
    """60 before a split of 2 for 1 are 30 after it: 1,000 then cost 30,000, which passes the limit."""
    handlers, page = await opened(database)
    split = like(CorporateActionAnnounced, kind=ActionKind.SPLIT, numerator=2, denominator=1, becomes="")

    await handlers.bars_closed(bars({INSTRUMENT.instrument_id: 60}), page)
    await handlers.action_announced(split, page)
    await handlers.signal_raised(decision(), page)
    await page.finish()

    assert any(isinstance(one, OrderSubmitted) for one in page.said)
    assert await page.connection.fetchval("select price from mark where instrument_id = $1", INSTRUMENT.instrument_id) == 30


async def test_that_prices_were_matched_is_not_said_where_all_decisions_on_them_are_settled_with_it(database: Any) -> None:
    """Of another moment, and of another calendar, it stays."""
    handlers, page = await opened(database)
    settled = like(SignalsWatermark, covers={})
    later = {"moment": settled.moment + timedelta(days=1)}

    await handlers.prices_reached(like(PricesWatermark, calendar=settled.calendar, moment=settled.moment, covers={}), page)
    await handlers.prices_reached(like(PricesWatermark, calendar="XLON", moment=settled.moment, covers={}), page)
    await handlers.decisions_reached(settled, page)
    await handlers.prices_reached(like(PricesWatermark, calendar=settled.calendar, covers={}, **later), page)

    assert [(type(one), one.calendar, one.moment) for one in page.said if isinstance(one, MatchedWatermark | SettledWatermark)] == [
        (MatchedWatermark, "XLON", settled.moment),
        (SettledWatermark, settled.calendar, settled.moment),
        (MatchedWatermark, settled.calendar, later["moment"]),
    ]


async def test_prices_wait_for_company_only_where_every_broker_lives_on_them_and_rests(paper: PaperBroker) -> None:
    """Signals may be waiting for what these prices filled while an order works, at the venue or at a broker of its own."""

    def patience(brokers: dict[str, Broker]) -> float:
        found = Brokers(brokers)
        dispatcher = Dispatcher(cast(Parts, None), found, answer_timeout_s=1)
        return Handlers(found, dispatcher, limits_of(ExecutionSettings())).patience_with_watermark()

    at_first = patience({"paper": paper})
    await paper.bars_closed(Moment(CLOSED_AT.date(), CLOSED_AT, CLOSED_AT, last=True, closes={}), [])
    at_rest, beside_another = patience({"paper": paper}), patience({"paper": paper, "other": FakeBroker("other")})
    await paper.submit(request(at=CLOSED_AT))

    assert (at_first, at_rest > 0, beside_another, patience({"paper": paper})) == (0, True, 0, 0)
