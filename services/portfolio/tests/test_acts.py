"""Option ends, corporate actions, transfers and supplied bases in the live path: each booked once, into lots that a rebuild confirms."""

from decimal import Decimal
from typing import Any, Literal

import pytest
from services.portfolio.tests.living import CALL, CHILD, COIN, STOCK, Living, at, instrument, on

from quantmatrix.common.contracts.asking.acts import (
    Act,
    ActsAsked,
    BasisSupplied,
    CapitalReturned,
    ContractsEnded,
    Merged,
    Renamed,
    Reversed,
    SpunOff,
    TradeMade,
    UnitsArrived,
    UnitsLeft,
    UnitsSplit,
)
from quantmatrix.common.contracts.asking.portfolio import ClosingsAsked, LotsAsked, PortfolioAsked
from quantmatrix.common.contracts.lots import NamedLotPart
from quantmatrix.common.contracts.portfolio import LotAdjusted, LotClosed, LotOpened, PositionChanged
from quantmatrix.common.contracts.prices import CorporateActionAnnounced
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import ActionKind, LotId, Side, UserId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import like, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio import answers, telling


@pytest.fixture
async def living(pages: Pages) -> Living:
    return await Living(pages).open()


def ended(
    how: Literal["exercise", "assignment", "expiry"], day: int, contracts: int = 1, right: Literal["call", "put"] = "call"
) -> ContractsEnded:
    return ContractsEnded(
        how=how, option=CALL, underlying=STOCK, right=right, strike=Price(50), contracts=Quantity(contracts), fee=usd("0"), session=on(day),
        at=at(day, 60),
    )  # fmt: skip


def came(
    day: int, quantity: int, basis: str | None, acquired: int | None = None, origin: Literal["transfer", "grant"] = "transfer"
) -> UnitsArrived:
    return UnitsArrived(
        origin=origin, instrument=STOCK, quantity=Quantity(quantity), basis=None if basis is None else usd(basis),
        acquired_on=None if acquired is None else on(acquired), session=on(day), at=at(day),
    )  # fmt: skip


def split(day: int, numerator: int, denominator: int = 1) -> UnitsSplit:
    return UnitsSplit(instrument=STOCK, effective=on(day), numerator=numerator, denominator=denominator)


def money(amount: str) -> Money:
    return usd(amount)


async def test_an_exercised_call_gives_its_premium_to_the_stock(living: Living) -> None:
    """Publication 550, puts and calls: the stock costs the strike and what the call cost."""
    await living.trade(1, 1, "3.00", "1", of=CALL)

    await living.tell(ended("exercise", 20))

    assert await living.held(CALL) == []
    assert await living.held() == [(100, 5301)]
    assert await living.gains(CALL) == [(1, 0)]
    assert await living.cash() == money("-5301")
    assert await living.differences() == []


async def test_the_wheel_from_put_to_shares_to_called_away(living: Living) -> None:
    """A put sold for 2.00 is assigned at 50, a call sold for 1.50 is assigned at 50: both premiums are the gain."""
    await living.trade(1, -1, "2.00", of=CALL)
    await living.tell(ended("assignment", 20, right="put"))
    assert await living.held() == [(100, 4800)]

    await living.trade(21, -1, "1.50", of=CALL)
    await living.tell(ended("assignment", 40, right="call"))

    assert await living.held() == []
    assert await living.gains() == [(100, 350)]
    assert await living.cash() == money("350")
    assert await living.differences() == []


async def test_an_expired_contract_is_closed_at_nothing(living: Living) -> None:
    await living.trade(1, -2, "0.75", "1.30", of=CALL)

    await living.tell(ended("expiry", 20, contracts=2))

    assert await living.gains(CALL) == [(-2, Decimal("148.70"))]
    assert await living.differences() == []


async def test_more_contracts_than_held_are_refused_whole(living: Living) -> None:
    await living.trade(1, 1, "3.00", of=CALL)
    before = await living.fact_ids()

    with pytest.raises(Refused, match="2 ABC-C50 were to go, 1 are held"):
        await living.tell(ended("exercise", 20, contracts=2))

    assert await living.fact_ids() == before
    assert await living.held(CALL) == [(1, 300)]


async def test_a_reverse_split_with_cash_in_lieu(living: Living) -> None:
    """1 for 10 of 105 units: 10.5, and the half unit is sold for what was paid."""
    await living.trade(1, 105, "2", "0")
    await living.tell(split(10, 1, 10))

    await living.tell(
        TradeMade(
            instrument=STOCK, side=Side.SELL, quantity=Quantity(Decimal("0.5")), price=Price(0), fee=usd("0"), session=on(10), at=at(10),
            amount=usd("11.20"),
        )
    )  # fmt: skip

    assert await living.held() == [(10, 200)]
    assert await living.gains() == [(Decimal("0.5"), Decimal("1.20"))]
    assert await living.cash() == money("-198.80")
    assert await living.differences() == []


async def test_a_spin_off_divides_the_basis_by_market_value(living: Living) -> None:
    await living.trade(1, 100, "10")

    await living.tell(
        SpunOff(
            parent=STOCK, child=CHILD, effective=on(10), numerator=1, denominator=4, parent_price=Price(9), child_price=Price(4),
        )
    )  # fmt: skip

    assert await living.held() == [(100, 900)]  # 900 : 100 of 1,000
    assert await living.held(CHILD) == [(25, 100)]
    (child,) = await living.lots(CHILD)
    assert child.opened_on == on(1)
    assert await living.differences() == []


async def test_a_merger_for_stock_and_cash_recognises_gain_up_to_the_cash(living: Living) -> None:
    """IRC 356: 100 units of basis 1,000 become 50 at 18 and 300 in cash; the gain of 200 is recognised whole."""
    await living.trade(1, 100, "10")

    await living.tell(
        Merged(old=STOCK, into=CHILD, effective=on(10), numerator=1, denominator=2, cash=usd("3"), into_price=Price(18))
    )  # fmt: skip

    assert await living.held() == []
    assert await living.gains() == [(100, 200)]
    assert await living.held(CHILD) == [(50, 900)]
    assert await living.cash() == money("-700")
    assert await living.differences() == []


async def test_a_merger_for_cash_alone_is_a_sale(living: Living) -> None:
    await living.trade(1, 100, "10")

    await living.tell(Merged(old=STOCK, into=None, effective=on(10), numerator=1, denominator=1, cash=usd("12.50")))

    assert await living.held() == []
    assert await living.gains() == [(100, 250)]
    assert await living.cash() == money("250")
    assert await living.differences() == []


async def test_a_rename_moves_lots_and_leaves_gains_where_they_were_made(living: Living) -> None:
    await living.trade(1, 100, "10")
    await living.trade(2, -40, "12")

    await living.tell(Renamed(old=STOCK, into=CHILD, effective=on(10)))
    await living.trade(11, -60, "13", of=CHILD)

    assert (await living.gains(), await living.gains(CHILD)) == ([(40, 80)], [(60, 180)])
    shown = await answers.portfolio(PortfolioAsked(user_id=living.user, closed_too=True), living.pages.connection)
    assert {one.instrument.symbol: (one.quantity, one.realised) for one in shown.positions} == {
        "ABC": (Quantity(0), usd("80")),
        "CHILD": (Quantity(0), usd("180")),
    }
    assert await living.differences() == []


async def test_a_return_of_capital_lowers_the_basis_also_after_the_sale(living: Living) -> None:
    """It is told when the units are sold already: the gain is what it would have been."""
    await living.trade(1, 100, "10")
    await living.trade(20, -50, "12")

    await living.tell(CapitalReturned(instrument=STOCK, effective=on(10), per_unit=Price(1)))

    assert await living.held() == [(50, 450)]
    assert await living.gains() == [(50, 150)]
    assert await living.cash() == money("-300")  # -1,000 + 600 + 100
    assert await living.differences() == []


async def test_a_stock_dividend_spreads_the_basis(living: Living) -> None:
    await living.trade(1, 100, "10")

    await living.tell(split(10, 105, 100))

    assert await living.held() == [(105, 1000)]
    assert await living.differences() == []


async def test_a_grant_has_its_value_at_vesting_as_basis(living: Living) -> None:
    await living.tell(came(10, 40, "480", acquired=10, origin="grant"))

    await living.trade(20, -40, "15")

    assert await living.gains() == [(40, 120)]
    assert await living.differences() == []


async def test_a_wrong_act_is_reversed_and_brought_back(living: Living) -> None:
    await living.trade(1, 100, "10")
    wrong = await living.tell(split(10, 2))
    await living.trade(20, -50, "12")

    undone = await living.tell(Reversed(reverses=wrong.event_id))
    assert await living.held() == [(50, 500)]
    assert await living.gains() == [(50, 100)]

    await living.tell(Reversed(reverses=undone.event_id))
    assert await living.held() == [(150, 750)]
    told = await telling.acts(ActsAsked(account_id=living.account), living.pages.connection)
    assert [one.reversed for one in told.acts] == [False, True, False]
    assert await living.differences() == []


async def test_a_split_that_market_told_can_be_reversed_for_one_account(living: Living) -> None:
    other = await Living(living.pages, account=type(living.account)("A-2")).open()
    for one in (living, other):
        await one.trade(1, 100, "10")
    told = like(
        CorporateActionAnnounced, kind=ActionKind.SPLIT, instrument=STOCK, effective=on(10), numerator=2, denominator=1, amount=None
    )
    await living.pages.hear(told)

    await living.tell(Reversed(reverses=told.action_id))

    assert (await living.held(), await other.held()) == ([(100, 1000)], [(200, 1000)])
    assert await living.differences() == await other.differences() == []


async def test_units_of_unknown_basis_stay_unknown_until_somebody_supplies_it(living: Living) -> None:
    arrival = await living.tell(came(5, 100, None))
    await living.trade(20, -40, "15")
    await living.trade(21, 10, "16")

    shown = await answers.portfolio(PortfolioAsked(user_id=living.user), living.pages.connection)
    (closing,) = (await answers.closings(ClosingsAsked(user_id=living.user), living.pages.connection)).closings
    lots = (await answers.lots(LotsAsked(user_id=living.user), living.pages.connection)).lots
    assert [(one.quantity, one.unknown, one.basis) for one in shown.positions] == [(Quantity(70), Quantity(60), usd("160"))]
    assert (closing.proceeds, closing.basis, closing.realised) == (usd("600"), None, None)
    assert [(one.quantity, one.basis) for one in lots] == [(Quantity(60), None), (Quantity(10), usd("160"))]
    assert await living.differences() == []

    await living.tell(BasisSupplied(arrival=arrival.event_id, basis=usd("1000"), acquired_on=on("2020-05-04")))

    assert await living.gains() == [(40, 200)]
    assert await living.held() == [(60, 600), (10, 160)]
    assert (await living.lots())[0].opened_on == on("2020-05-04")
    assert await living.differences() == []


async def test_what_leaves_takes_its_basis_along(living: Living) -> None:
    await living.trade(1, 100, "10")
    await living.trade(2, 100, "12")
    _, dear = await living.lots()

    await living.tell(
        UnitsLeft(instrument=STOCK, quantity=Quantity(30), session=on(5), at=at(5), lots=(NamedLotPart(dear.lot_id, Quantity(30)),))
    )

    assert await living.held() == [(100, 1000), (70, 840)]
    assert await living.gains() == []
    assert await living.differences() == []


async def test_a_coin_fee_in_kind_makes_purchases_smaller_and_sales_larger(living: Living) -> None:
    await living.trade(1, "1", "30000", of=COIN, fee_in_kind="0.002")
    assert await living.held(COIN) == [(Decimal("0.998"), 30000)]

    await living.trade(9, "-0.4", "40000", of=COIN, fee_in_kind="0.001")

    assert [quantity for quantity, _ in await living.held(COIN)] == [Decimal("0.597")]
    assert await living.differences() == []


async def test_a_short_position_crosses_zero_in_fractions(living: Living) -> None:
    await living.trade(1, "-10.5", "20", "1.05")
    assert await living.held() == [(Decimal("-10.5"), Decimal("-208.95"))]

    await living.trade(2, "12", "18", "1.2")

    assert await living.gains() == [(Decimal("-10.5"), Decimal("18.90"))]  # 208.95 - 189 - 1.05
    assert await living.held() == [(Decimal("1.5"), Decimal("27.15"))]
    assert await living.differences() == []


async def test_an_act_is_booked_once_for_each_command(living: Living) -> None:
    await living.trade(1, 100, "10")
    first = await living.tell(split(10, 2), command="one")

    again = await living.tell(split(10, 2), command="one")

    assert (first.booked, again.booked) == (True, False)
    assert await living.held() == [(200, 1000)]
    with pytest.raises(Refused, match="came with another act"):
        await living.tell(split(10, 3), command="one")


BAD: list[tuple[Act, str]] = [
    (ended("exercise", 5, contracts=0), "contracts must be above zero"),
    (came(5, 0, None), "quantity must not be zero"),
    (came(5, 10, "100", acquired=9), "acquired_on must not be after"),
    (split(5, 3, 3), "changes nothing"),
    (Merged(old=STOCK, into=None, effective=on(5), numerator=1, denominator=1, cash=usd("0")), "brings nothing"),
    (Renamed(old=STOCK, into=STOCK, effective=on(5)), "same instrument"),
    (CapitalReturned(instrument=STOCK, effective=on(5), per_unit=Price(0)), "per_unit must be above zero"),
    (UnitsLeft(instrument=STOCK, quantity=Quantity(500), session=on(5), at=at(5)), "500 ABC were to go, 100 are held"),
    (UnitsLeft(instrument=STOCK, quantity=Quantity(-1), session=on(5), at=at(5)), "quantity must be above zero"),
    (
        UnitsLeft(
            instrument=STOCK, quantity=Quantity(1), session=on(5), at=at(5), lots=(NamedLotPart(LotId(derived_id("no lot")), Quantity(1)),)
        ),
        "holds no lot",
    ),
    (BasisSupplied(arrival=derived_id("nothing"), basis=usd("1")), "no act with this event_id"),
    (Reversed(reverses=derived_id("nothing")), "no act with this event_id"),
    (
        ContractsEnded(
            how="expiry", option=instrument("DEF"), underlying=STOCK, right="put", strike=Price(5), contracts=Quantity(1), fee=usd("0"),
            session=on(5), at=at(5),
        ),
        "DEF is no option",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("act", "reason"), BAD)
async def test_what_cannot_be_is_refused_whole_with_its_reason(living: Living, act: Act, reason: str) -> None:
    await living.trade(1, 100, "10")
    before: Any = (await living.fact_ids(), await living.held(), await living.cash())

    with pytest.raises(Refused, match=reason):
        await living.tell(act)

    assert (await living.fact_ids(), await living.held(), await living.cash()) == before


async def test_a_brokers_fill_is_not_reversed_and_strangers_tell_nothing(living: Living) -> None:
    bought = living.fill(1, 100, "10")
    await living.pages.hear(bought)

    with pytest.raises(Refused, match="corrected by the broker"):
        await living.tell(Reversed(reverses=bought.fill_id))
    with pytest.raises(Refused, match="no account A-1 of yours"):
        await living.tell(split(10, 2), user=UserId(derived_id("somebody else")))

    assert await living.held() == [(100, 1000)]


async def test_what_an_act_does_is_said(living: Living) -> None:
    await living.trade(1, 100, "10")
    living.pages.said.clear()

    await living.tell(Merged(old=STOCK, into=CHILD, effective=on(10), numerator=1, denominator=2, cash=usd("3"), into_price=Price(18)))

    said = living.pages.said
    assert [type(one) for one in said] == [LotClosed, LotOpened, PositionChanged, PositionChanged]
    positions = {one.instrument.symbol: one.quantity for one in said if isinstance(one, PositionChanged)}
    assert positions == {"ABC": Quantity(0), "CHILD": Quantity(50)}

    living.pages.said.clear()
    await living.tell(CapitalReturned(instrument=CHILD, effective=on(12), per_unit=Price(1)))
    (adjusted, _) = living.pages.said
    assert isinstance(adjusted, LotAdjusted) and adjusted.basis_after == usd("850")
