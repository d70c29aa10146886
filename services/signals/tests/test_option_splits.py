"""A stock is split while options on it are held, bought or sold: backtest and live days go on with what the OCC makes of the contracts."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from services.signals.tests.split_files import WIDE, Ratio, World, days_of_interest, first_trade, run
from services.signals.tests.test_live_days import RUN, like_signal
from services.signals.tests.test_option_days import OptionDays

from quantmatrix.common.contracts.orders import OrderAdjusted
from quantmatrix.common.contracts.prices import CorporateActionAnnounced
from quantmatrix.common.ids import order_of
from quantmatrix.common.names import ActionKind, InstrumentId
from quantmatrix.common.options import terms_of
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Quantity
from quantmatrix.market.domain.listing import CorporateAction
from quantmatrix.signals.app import strategies_in_slot
from quantmatrix.signals.backtest.history import History
from quantmatrix.signals.bus import bus
from quantmatrix.signals.charts import Charts
from quantmatrix.signals.handlers import Handlers
from quantmatrix.signals.ledgers import LedgerStore
from quantmatrix.signals.slate import Slate

pytestmark = pytest.mark.long(15)
RATIOS: tuple[Ratio, ...] = ((2, 1), (3, 2), (1, 10))


class SplitDays(OptionDays):
    """Days on which the market announces what becomes of contracts, and the venue adjusts its orders."""

    def __init__(self, connection: Any, past: History, adjustments: Sequence[CorporateAction]) -> None:
        self.adjustments = adjustments
        super().__init__(connection, past)

    def delivers(self, own: InstrumentId) -> Decimal:
        return next((one.deliverable.value for one in self.adjustments if one.instrument_id == own and one.deliverable), Decimal(100))

    def _columns(self, own: InstrumentId) -> Any:
        columns = super()._columns(own)
        told = tuple(self.announced(one) for one in self.adjustments if one.instrument_id == own)
        return replace_struct(columns, actions=told)

    def announced(self, one: CorporateAction) -> CorporateActionAnnounced:
        _, before = self.quotes[one.instrument_id][0]
        return like(
            CorporateActionAnnounced, action_id=one.action_id, kind=ActionKind.SPLIT, instrument=self._contract(before),
            effective=one.effective, numerator=one.numerator, denominator=one.denominator, amount=None, becomes=one.becomes,
            deliverable=one.deliverable,
        )  # fmt: skip

    async def _adjust(self, numerator: int, denominator: int) -> None:
        by_id = {one.instrument_id: one for one in self.adjustments}
        for one in self.adjustments:
            await self.pages.hear(self.announced(one))
            own = one.instrument_id
            if own in self.owned:
                self.owned[own] = self.owned[own] * one.numerator / one.denominator
                self.contracts[own] = replace(self.contracts[own], symbol=one.becomes)
        changed = []
        for order in self.orders:
            one, quantity = by_id[order.instrument.instrument_id], order.quantity
            assert quantity is not None
            quantity = quantity.scaled(one.numerator, one.denominator)
            limit = order.limit.scaled(one.denominator, one.numerator) if order.limit else None
            if one.numerator != one.denominator:
                await self.pages.hear(like(OrderAdjusted, order_id=order_of(order.signal_id), quantity=quantity, filled=Quantity(0)))
            renamed = replace_struct(like_signal(order, quantity), limit=limit, instrument=replace(order.instrument, symbol=one.becomes))
            changed.append(renamed)
        self.orders = changed


def replace_struct(given: Any, **changes: Any) -> Any:
    return type(given)(**({name: getattr(given, name) for name in given.__struct_fields__} | changes))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: Any) -> World:
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("ratio", RATIOS, ids=lambda ratio: "{} for {}".format(*ratio))
@pytest.mark.parametrize("meets", ["a purchase under way", "a holding", "a sale under way"])
def test_whoever_holds_a_contract_owns_after_a_split_what_he_owned_before(world: World, meets: str, ratio: Ratio) -> None:
    """Next to the same days without a split: the same trade, in contracts as many times as the premium is divided by."""
    plain, _ = world.split(None)
    day, (bought, sold) = days_of_interest(plain)[meets], first_trade(run(plain))
    past, _ = world.split(day, ratio)

    result = run(past)

    times = ratio[0] // ratio[1] if ratio[0] % ratio[1] == 0 else 1
    at, until = next((one, two) for one, two in [first_trade(result)])
    assert (at.session, until.session, until.kind) == (bought.session, sold.session, sold.kind)
    assert until.quantity == sold.quantity.scaled(times, 1) and until.price == sold.price.scaled(1, times)
    assert at.quantity.value * at.price.value == bought.quantity.value * bought.price.value
    strike, root = terms_of(sold.symbol).strike, terms_of(until.symbol).root
    assert terms_of(until.symbol).strike == strike.scaled(1, times)
    assert root == ("MSFT" if times > 1 else "MSFT1")
    (trade,) = [one for one in result.trades if one.opened_on == at.session]
    assert not trade.is_open and trade.profit == trade.proceeds - trade.cost - trade.fees


@pytest.mark.parametrize(
    ("meets", "ratio"),
    [("a purchase under way", (2, 1)), ("a purchase under way", (3, 2)), ("a holding", (2, 1)), ("a sale under way", (1, 10))],
)
async def test_live_days_through_a_split_make_the_trades_of_the_backtest(database: Any, world: World, meets: str, ratio: Ratio) -> None:
    past, adjustments = world.split(days_of_interest(world.split(None)[0])[meets], ratio)
    days = SplitDays(await database.connect("signals"), past, adjustments)
    await days.list_contracts()
    live = await days.run("atr_options", WIDE)

    result = run(past)

    assert live == [(one.session, one.symbol, one.side, one.quantity, one.price, one.fee) for one in result.outcome.fills]
    owned = await LedgerStore(days.connection).run(RUN)
    assert owned is not None and owned.cash == result.outcome.curve[-1].cash


@pytest.mark.parametrize("ratio", RATIOS[:2], ids=lambda ratio: "{} for {}".format(*ratio))
async def test_contracts_that_nobody_quotes_after_a_split_are_settled_in_their_new_terms(database: Any, world: World, ratio: Ratio) -> None:
    """What is in the money at the end is the same money as without a split, to the cent of a contract's premium."""
    plain, _ = world.split(None)
    day = days_of_interest(plain)["a holding"]
    silent, _ = world.split(None, quoted_until=max(one for one in plain.sessions if one < day))
    unsplit = run(silent)
    past, adjustments = world.split(day, ratio, quoted_until=max(one for one in plain.sessions if one < day))
    days = SplitDays(await database.connect("signals"), past, adjustments)
    await days.list_contracts()
    live = await days.run("atr_options", WIDE)

    result = run(past)

    assert live == [(one.session, one.symbol, one.side, one.quantity, one.price, one.fee) for one in result.outcome.fills]
    settled, before = result.outcome.fills[-1], unsplit.outcome.fills[-1]
    assert settled.session == before.session >= terms_of(settled.symbol).expires
    paid, was = settled.price.value * settled.quantity.value * 100, before.price.value * before.quantity.value * 100
    assert abs(paid - was) < Decimal("0.0000001") and not result.outcome.held


async def test_a_split_that_is_heard_again_after_a_page_that_failed_moves_a_price_once(database: Any, world: World) -> None:
    past, adjustments = world.split(days_of_interest(world.split(None)[0])["a holding"], (2, 1))
    days = SplitDays(await database.connect("signals"), past, adjustments)
    await days.list_contracts()
    one, slate = adjustments[0], Slate(days.known)
    handlers = Handlers(slate, strategies_in_slot(), "", days)
    pages = Pages(days.connection, bus(handlers, Charts(days.known)))  # type: ignore[arg-type]  # a double of market's history
    await slate.load([one.instrument_id], "XNYS", max(session for session in past.sessions if session < one.effective))
    before = slate.close(one.instrument_id)

    with pytest.raises(ConnectionError):
        async with days.connection.transaction():
            await pages.hear(days.announced(one))
            raise ConnectionError("the database went away before the end of the page")
    await pages.hear(days.announced(one))

    assert slate.close(one.instrument_id) == before.scaled(1, 2)
