"""The live path books with the method of the day, whatever was told when, and with the lots that were named."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from services.portfolio.tests.living import STOCK, Living, at, on

from quantmatrix.common.contracts.asking.acts import LotMethodsAsked, UnitsSplit
from quantmatrix.common.contracts.fills import FillCorrected
from quantmatrix.common.contracts.lots import NamedLotPart
from quantmatrix.common.contracts.portfolio import LotChoiceFailed
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, FillId, LotId, UserId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import like, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Price, Quantity
from quantmatrix.portfolio import telling
from quantmatrix.portfolio.domain.methods import LotMethod

numbers = itertools.count(1)


@pytest.fixture
async def living(pages: Pages) -> Living:
    return await Living(pages).open()


async def three_purchases(living: Living) -> None:
    """Rule L4: 100 at 10, at 14 and at 12 dollars."""
    for day, price in (("2024-01-10", "10"), ("2024-02-10", "14"), ("2024-03-10", "12")):
        await living.trade(day, 100, price)


@pytest.mark.parametrize(("method", "gain"), [("FIFO", "550"), ("LIFO", "350"), ("HIFO", "250"), ("AVERAGE", "450")])
async def test_a_sale_uses_up_lots_by_the_accounts_method(living: Living, method: str, gain: str) -> None:
    """L4: the gains that another program's booking methods give."""
    await living.use(method, "2024-01-01")
    await three_purchases(living)

    await living.trade("2024-06-03", -150, "15")

    assert sum((realised for _, realised in await living.gains() if realised is not None)) == usd(gain).amount
    assert await living.differences() == []


async def test_a_change_holds_from_its_day_on_and_leaves_what_was_closed_before(living: Living) -> None:
    await three_purchases(living)
    await living.trade("2024-06-03", -50, "15")
    await living.trade("2024-06-10", -50, "15")
    before = await living.gains()

    history = await living.use("HIFO", "2024-06-10")

    assert before == [(50, 250), (50, 250)]
    assert await living.gains() == [(50, 250), (50, 50)]
    assert [(one.method, one.since) for one in history.methods] == [("FIFO", None), ("HIFO", on("2024-06-10"))]
    assert await living.differences() == []


async def test_a_method_for_days_to_come_changes_nothing_yet(living: Living) -> None:
    await three_purchases(living)
    await living.trade("2024-06-03", -50, "15")
    before = (await living.gains(), await living.held())

    await living.use("LIFO", "2025-01-01")

    assert (await living.gains(), await living.held()) == before
    assert await living.differences() == []


async def test_the_same_command_changes_the_method_once(living: Living) -> None:
    await living.use("HIFO", 10, command="one")

    history = await living.use("HIFO", 10, command="one")

    assert [one.method for one in history.methods] == ["FIFO", "HIFO"]


async def test_an_unknown_method_and_a_strangers_account_are_refused(living: Living) -> None:
    with pytest.raises(Refused, match="there is no lot method 'BEST'; there are FIFO, LIFO"):
        await living.use("BEST", 10)
    with pytest.raises(Refused, match="no account A-1 of yours"):
        await living.use("LIFO", 10, user=UserId(derived_id("somebody else")))

    history = await telling.lot_methods(LotMethodsAsked(account_id=living.account), living.pages.connection)
    assert [one.method for one in history.methods] == ["FIFO"]


def named(lot_id: LotId, quantity: int) -> NamedLotPart:
    return NamedLotPart(lot_id, Quantity(quantity))


async def test_named_lots_are_used_by_every_fill_of_their_order(living: Living) -> None:
    """L12: the lots named at the time of the sale, in parts where the order fills in parts."""
    await three_purchases(living)
    cheap, dear, middle = await living.lots()
    lots = (named(middle.lot_id, 60), named(dear.lot_id, 40))

    await living.trade("2024-06-03", -70, "15", order="sale", lots=lots)
    await living.trade("2024-06-03", -30, "15", order="sale", lots=lots)

    assert [(lot.lot_id, lot.quantity) for lot in await living.lots()] == [
        (cheap.lot_id, Quantity(100)), (dear.lot_id, Quantity(60)), (middle.lot_id, Quantity(40)),
    ]  # fmt: skip
    assert await living.differences() == []


async def test_lots_that_are_gone_when_the_order_fills_are_not_silently_others(living: Living) -> None:
    """The execution has happened: it is booked by the account's method, and everybody is told why."""
    await three_purchases(living)
    _, dear, _ = await living.lots()
    await living.trade("2024-06-03", -80, "15", lots=(named(dear.lot_id, 80),))

    said = await living.trade("2024-06-03", -50, "15", lots=(named(dear.lot_id, 50),))

    (failed,) = [one for one in said if isinstance(one, LotChoiceFailed)]
    assert "has 20 open, named were 50" in failed.reason
    assert await living.held() == [(50, 500), (20, 280), (100, 1200)]
    assert await living.differences() == []


async def test_a_corrected_fill_keeps_the_lots_of_its_order(living: Living) -> None:
    await three_purchases(living)
    _, dear, _ = await living.lots()
    sale = living.fill("2024-06-03", -80, "15", lots=(named(dear.lot_id, 80),))
    await living.pages.hear(sale)

    fields = {name: getattr(sale, name) for name in sale.__struct_fields__ if name not in ("head", "version", "fill_id", "quantity")}
    await living.pages.hear(
        like(FillCorrected, **fields, fill_id=FillId(derived_id("again")), corrects=sale.fill_id, quantity=Quantity(70))
    )

    assert await living.held() == [(100, 1000), (30, 420), (100, 1200)]
    assert await living.differences() == []


async def test_a_fill_that_is_heard_late_is_booked_where_it_belongs(living: Living) -> None:
    """The sale used up what was there; the older purchase that is reported afterwards was there first."""
    await living.trade(10, 100, "12")
    await living.trade(20, -50, "15")

    await living.trade(5, 100, "10")

    assert await living.gains() == [(50, 250)]
    assert await living.held() == [(50, 500), (100, 1200)]
    assert await living.differences() == []


steps = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.integers(-300, 300).filter(bool), st.decimals("1", "300", places=2), st.integers(0, 400)),
        st.tuples(st.just("split"), st.sampled_from([(2, 1), (3, 2), (1, 10)]), st.just(0), st.integers(0, 400)),
        st.tuples(st.just("method"), st.sampled_from(list(LotMethod)), st.just(0), st.integers(0, 400)),
        st.tuples(st.just("correct"), st.integers(0, 24), st.integers(0, 200), st.just(0)),
    ),
    min_size=2,
    max_size=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(list(LotMethod)), steps)
async def test_a_rebuild_equals_what_was_booked_one_by_one_under_every_method(
    pages: Pages, first: LotMethod, story: list[tuple[Any, ...]]
) -> None:
    """Over trades, splits, corrections and changes of method, heard in any order of their days."""
    living = await Living(pages, AccountId(f"P{next(numbers)}")).open()
    await living.use(first, 0)
    live: list[Any] = []
    for number, (kind, one, two, day) in enumerate(story):
        if kind == "fill":
            live.append(living.fill(day, one, str(two), "0.35"))
            await pages.hear(live[-1])
        elif kind == "split":
            await living.tell(UnitsSplit(instrument=STOCK, effective=on(day), numerator=one[0], denominator=one[1]))
        elif kind == "method":
            await living.use(one, day)
        elif live:
            old = live[one % len(live)]
            fields = {name: getattr(old, name) for name in old.__struct_fields__ if name not in ("head", "version", "fill_id", "corrects")}
            fields |= {"quantity": Quantity(two), "price": Price(7), "executed_at": at(old.session.isoformat(), 900)}
            new = like(FillCorrected, fill_id=FillId(derived_id("new", living.account, number)), corrects=old.fill_id, **fields)
            live[one % len(live)] = new
            await pages.hear(new)

    assert await living.differences() == []
    (sums,) = await pages.connection.fetch(
        """select (select coalesce(sum(basis), 0) from lot where account_id = $1) as basis,
                  (select coalesce(sum(realised), 0) from closing where account_id = $1) as realised""",
        living.account,
    )
    assert (await living.cash()).amount + sums["basis"] == sums["realised"]
