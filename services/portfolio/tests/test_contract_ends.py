"""Contracts that a broker says have ended: the ledger books them as the ends that statements tell, and a rebuild makes the same."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from services.portfolio.tests.living import STOCK, Living, at, instrument, on

from quantmatrix.common.contracts.asking.acts import Reversed
from quantmatrix.common.contracts.fills import OptionEnded
from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AssetClass, ContractEnding, FillId, InstrumentId, Side
from quantmatrix.common.option_ends import ContractEnd, delivered, ends_of
from quantmatrix.common.options import CONTRACT_SIZE, terms_of
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import like, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.portfolio.domain.events import Event
from quantmatrix.portfolio.domain.ledger import booked
from quantmatrix.portfolio.domain.lots import Fill
from quantmatrix.portfolio.domain.options import Ended, OptionEnd, Right

PUT = Instrument(InstrumentId("ABC-P33"), "ABC   240308P00033000", AssetClass.OPTION, "USD", Quantity(100))
CALL = Instrument(InstrumentId("ABC-C33"), "ABC   240322C00033000", AssetClass.OPTION, "USD", Quantity(100))


def ended(living: Living, of: Instrument, end: ContractEnd, day: int, name: str = "end", fee: str = "0") -> OptionEnded:
    return like(
        OptionEnded, end_id=FillId(derived_id(name, of.symbol)), account_id=living.account, user_id=living.user, how=end.how, option=of,
        underlying=STOCK, contracts=end.contracts, side=end.side, price=end.price, shares=end.shares, share_side=end.share_side,
        strike=terms_of(of.symbol).strike, paid=end.paid, fee=usd(fee), session=on(day), ended_at=at(day, 60), triggered_by="a run",
    )  # fmt: skip


def assigned(of: Instrument, contracts: int = 1, deliverable: int = 100) -> ContractEnd:
    return delivered(terms_of(of.symbol), ContractEnding.ASSIGNMENT, Quantity(contracts), Quantity(deliverable), "USD")


@pytest.fixture
async def living(pages: Pages) -> Living:
    return await Living(pages).open(STOCK, PUT, CALL, instrument("CHILD"))


async def test_the_wheel_of_a_brokers_statement(living: Living) -> None:
    """O7, O8, O9 (HIMS): a put at 33 for 230.93551 is assigned, then a call at 33 for 113.936763: 3,300 - 0.0166 - 3,069.06449 + 113.936763."""
    await living.trade(1, -1, "2.3093551", of=PUT)
    said = await living.pages.hear(ended(living, PUT, assigned(PUT), 10))
    lots, left = await living.lots(), await living.lots(PUT)
    await living.trade(11, -1, "1.13936763", of=CALL)
    await living.pages.hear(ended(living, CALL, assigned(CALL), 20, fee="0.0166"))

    (lot,) = lots
    assert (lot.quantity, lot.basis, lot.opened_on, lot.triggered_by, left) == (Quantity(100), usd("3069.06449"), on(10), "a run", [])
    assert {type(one).__name__ for one in said} == {"LotOpened", "LotClosed", "PositionChanged"}
    assert await living.gains() == [(Decimal(100), Decimal("344.855673"))]
    assert [gain for _, gain in await living.gains(PUT)] == [gain for _, gain in await living.gains(CALL)] == [Decimal(0)]
    assert await living.cash() == usd("344.855673")
    assert await living.differences() == []


async def test_an_end_heard_twice_is_booked_once_and_nobody_takes_it_back(living: Living) -> None:
    await living.trade(1, -1, "2", of=PUT)
    end = ended(living, PUT, assigned(PUT), 10)
    await living.pages.hear(end)
    again = await living.pages.hear(end)

    assert again == [] and await living.held() == [(Decimal(100), Decimal(3_100))]
    with pytest.raises(Refused, match="corrected by the broker"):
        await living.tell(Reversed(reverses=end.end_id))


async def test_contracts_that_expire_gain_their_premium_and_settled_ones_are_a_trade(living: Living) -> None:
    """A put sold for 200 expires: +200. Two calls bought for 300 are settled at 4 each a share with a fee of 1.30: 800 - 1.30 - 300."""
    terms, nothing = terms_of(PUT.symbol), Quantity(0)
    await living.trade(1, -1, "2", of=PUT)
    (expired,) = ends_of(terms, Quantity(-1), Price(0), CONTRACT_SIZE, usd("0"), nothing)
    await living.pages.hear(ended(living, PUT, expired, 10))
    await living.trade(11, 2, "1.5", of=CALL)
    (settled,) = ends_of(terms_of(CALL.symbol), Quantity(2), Price(4), CONTRACT_SIZE, usd("3299.99"), nothing)
    await living.pages.hear(ended(living, CALL, settled, 20, fee="1.3"))

    assert (await living.gains(PUT), await living.gains(CALL)) == ([(Decimal(-1), Decimal(200))], [(Decimal(2), Decimal("498.7"))])
    assert await living.held() == [] and await living.cash() == usd("698.7")
    assert await living.differences() == []


async def test_an_adjusted_contract_delivers_its_own_number_of_shares(living: Living) -> None:
    """After 3 for 2: 150 shares for 3,300 less the premium of 200."""
    await living.trade(1, -1, "2", of=PUT)
    await living.pages.hear(ended(living, PUT, assigned(PUT, deliverable=150), 10))

    assert await living.held() == [(Decimal(150), Decimal(3_100))]
    assert await living.cash() == usd("-3100") and await living.differences() == []


def of_ledger(of: Instrument, end: ContractEnd) -> Ended:
    terms = terms_of(of.symbol)
    return Ended(
        FillId(derived_id("end", of.symbol)), Living.account, derived_id("user"), OptionEnd(end.how.value), of, STOCK, Right(terms.kind),
        terms.strike, end.contracts, usd("0"), on(10), at(10), "a run", end.shares or None,
    )  # type: ignore[arg-type]  # fmt: skip


def traded(quantity: int, price: Decimal, of: Instrument, number: int) -> Fill:
    side = Side.BUY if quantity > 0 else Side.SELL
    return Fill(
        FillId(derived_id("fill", number)), Living.account, derived_id("user"), of, side, Quantity(abs(quantity)), Price(price), usd("0.65"),
        on(number), at(number), "a run",
    )  # type: ignore[arg-type]  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from([PUT, CALL]), st.integers(-5, 5).filter(bool), st.integers(0, 900), st.integers(1, 6_000), st.integers(100, 9_900),
    st.sampled_from([100, 150, 10]),
)  # fmt: skip
def test_no_delivery_changes_what_cash_and_cost_come_to(
    of: Instrument, held: int, shares: int, close: int, premium: int, deliverable: int
) -> None:
    """Whatever is exercised or assigned, at whatever close: the cash that goes is cost that comes, and what is gained is gained by a sale of shares."""
    terms, inside = terms_of(of.symbol), max(Decimal(close) - 33 if of is CALL else 33 - Decimal(close) / 100, Decimal(0))
    fills = [traded(held, Decimal(premium) / 100, of, 2)] + ([traded(shares, Decimal(20), STOCK, 1)] if shares else [])
    events = [Event(one.fill_id, one) for one in fills]
    ends = ends_of(terms, Quantity(held), Price(inside), Quantity(deliverable), usd("50000"), Quantity(shares))
    before = booked(events)
    after = booked([*events, *(Event(one.end_id, one) for end in ends if end.delivers for one in [of_ledger(of, end)])])

    def held_and_had(ledger: object) -> Money:
        return ledger.cash.get("USD", usd("0")) + ledger.basis("USD") - ledger.realised("USD")  # type: ignore[attr-defined]

    assert held_and_had(after) == held_and_had(before)
    assert after.realised("USD") - before.realised("USD") == sum(
        (one.realised for one in after.closings if one.realised is not None and after.lots[one.lot_id].instrument == STOCK), usd("0")
    )
    covered = (of is PUT and held < 0) or (of is CALL and held > 0) or all(end.shares.value <= shares for end in ends)
    assert covered and all(lot.quantity.value >= 0 for lot in after.lots.values() if lot.instrument == STOCK), "an end sold shares short"
    assert sum(end.contracts.value for end in ends) == abs(held)
