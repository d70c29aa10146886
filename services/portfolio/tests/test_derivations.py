"""Where numbers come from, in a real database: every tree sums up and ends at what somebody else recorded."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from services.portfolio.tests.importers.chained_samples import FEBRUARY, JANUARY
from services.portfolio.tests.importers.test_statement_ledger import keep
from services.portfolio.tests.living import CHILD, STOCK, Living, on
from services.portfolio.tests.test_booking import DAY, filled
from services.portfolio.tests.test_performance_answers import STRANGER, session, three_days

from quantmatrix.common.contracts.asking.acts import ActBookingAsked, CapitalReturned, Renamed, Reversed, UnitsArrived
from quantmatrix.common.contracts.asking.derivations import Derivation, DerivationAsked, DerivedOf
from quantmatrix.common.contracts.asking.performance import PerformanceAsked, ProfitsAsked
from quantmatrix.common.contracts.asking.portfolio import PortfolioAsked
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import ACCOUNT, INSTRUMENT, USER, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Price, Quantity
from quantmatrix.portfolio import answers, telling
from quantmatrix.portfolio.derivation_answers import derivation
from quantmatrix.portfolio.performance_answers import performance
from quantmatrix.portfolio.profit_answers import profits


async def derived(pages: Pages, of: DerivedOf, **more: Any) -> Derivation:
    found = await derivation(DerivationAsked(**{"user_id": USER, "of": of, **more}), pages.connection)
    assert found.faults == ()
    return found


async def test_equity_is_cash_and_positions_at_their_closes(pages: Pages) -> None:
    await three_days(pages)

    whole, cash, held = (await derived(pages, DerivedOf.EQUITY)).lines

    assert (whole.amount, cash.amount, held.amount) == (usd(100_018), usd(99_478), usd(540))
    assert held.source_kind == "closing price" and cash.drill == f"of=cash&account={ACCOUNT}"


async def test_cash_is_derived_by_kind_and_year_down_to_executions(pages: Pages) -> None:
    await three_days(pages)

    whole = await derived(pages, DerivedOf.CASH)
    fees = await derived(pages, DerivedOf.CASH, kind="fee", year=2024)

    assert {one.what: one.amount for one in whole.lines[1:]} == {
        "opening": usd(100_000), "fee 2024": usd(-2), "trade 2024": usd(-520),
    }  # fmt: skip
    assert whole.lines[0].amount == usd(99_478)
    assert [one.amount for one in fees.lines] == [usd(-2), usd(-1), usd(-1)]
    assert {one.source_kind for one in fees.lines[1:]} == {"execution"}


async def test_the_profit_of_a_session_ends_at_closing_prices_and_executions(pages: Pages) -> None:
    """100 from 11 to 12.50; 40 sold at 12 with 12.50 at the close; a fee of 1."""
    await three_days(pages)

    found = await derived(pages, DerivedOf.PROFIT, session=DAY + timedelta(days=2))

    assert [(one.depth, one.amount, one.source_kind) for one in found.lines] == [
        (0, usd(129), None),
        (1, usd(150), None),
        (2, usd(150), "closing price"),
        (1, usd(-20), None),
        (2, usd(-20), None),
        (3, usd(-20), "execution"),
        (1, usd(-1), None),
        (2, usd(-1), "execution"),
    ]
    assert "11" in found.lines[2].what and "12.5" in found.lines[2].what


async def test_what_a_lot_cost_ends_at_the_execution_that_opened_it(pages: Pages) -> None:
    await three_days(pages)
    lot = await pages.connection.fetchval("select lot_id from lot where quantity <> 0")

    top, end = (await derived(pages, DerivedOf.LOT, lot_id=lot)).lines

    assert top.amount == end.amount == usd("600.60") and end.source_kind == "execution"


async def test_realised_gains_of_one_instrument_and_all_unrealised_ones(pages: Pages) -> None:
    await three_days(pages)

    realised = await derived(pages, DerivedOf.REALISED, instrument_id=INSTRUMENT.instrument_id, account_id=ACCOUNT)
    unrealised = await derived(pages, DerivedOf.UNREALISED)

    assert realised.lines[0].amount == usd("78.60") and unrealised.lines[0].amount == usd("-60.60")


@pytest.mark.parametrize("of", DerivedOf)
async def test_nobody_sees_another_persons_numbers(of: DerivedOf, pages: Pages) -> None:
    await three_days(pages)
    lot = await pages.connection.fetchval("select lot_id from lot where quantity <> 0")

    with pytest.raises(Refused):
        await derivation(DerivationAsked(user_id=STRANGER, of=of, lot_id=lot, account_id=AccountId(ACCOUNT)), pages.connection)


async def test_units_that_arrive_cross_the_border_and_are_no_gain(pages: Pages) -> None:
    """10 units come on the second day, 12.50 at the close: 125 come in, and only what follows is gained or lost with them."""
    await three_days(pages)
    act = UnitsArrived(
        instrument=INSTRUMENT, origin="transfer", quantity=Quantity(10), basis=usd(50), acquired_on=None, session=DAY + timedelta(days=4),
        at=filled(9, 1, "1", "0").executed_at,
    )  # fmt: skip
    asked = ActBookingAsked(command_id=derived_id("command", "arrival"), account_id=AccountId(ACCOUNT), act=act, user_id=USER)
    async with pages.connection.transaction():
        await telling.book_act(asked, pages.page())
    await session(pages, 4, "12.50")
    await session(pages, 5, "13")

    (found,) = (await performance(PerformanceAsked(user_id=USER), pages.connection)).performances
    (days,) = (await profits(ProfitsAsked(user_id=USER, limit=2), pages.connection)).currencies

    assert (found.came_in, found.gain, found.unexplained) == (usd(100_125), usd(18 + 210 + 35), usd(0))
    # 60 from 9 to 12.50 on the day of the arrival, then 70 from there to 13.
    assert [(one.last, one.gain, one.flows, one.unexplained) for one in days.periods] == [
        (DAY + timedelta(days=5), usd(35), usd(0), usd(0)),
        (DAY + timedelta(days=4), usd(210), usd(125), usd(0)),
    ]
    assert days.before == DAY + timedelta(days=4)


async def test_days_months_and_years_say_the_same(pages: Pages) -> None:
    await three_days(pages)

    said = {}
    for by in ("day", "month", "year"):
        (one,) = (await profits(ProfitsAsked(user_id=USER, by=by), pages.connection)).currencies
        sums: dict[str, Decimal] = {}
        for period in one.periods:
            for line in period.lines:
                sums[line.line] = sums.get(line.line, Decimal(0)) + line.amount.amount
        said[by] = sums
        assert sum((period.gain for period in one.periods), usd(0)) == usd(18)

    assert said["day"] == said["month"] == said["year"] and sum(said["day"].values()) == 18


async def test_the_profit_of_an_imported_account_ends_at_its_file(pages: Pages) -> None:
    await keep(pages.connection, JANUARY, FEBRUARY)

    found = await derivation(
        DerivationAsked(user_id=FIRST_ADMINISTRATOR, of=DerivedOf.PROFIT, session=DAY.replace(month=2, day=29)), pages.connection
    )

    assert [(one.depth, one.amount, one.source_kind) for one in found.lines] == [(0, usd(398), None), (1, usd(398), "row of a file")]
    assert found.faults == ()


async def test_a_lot_that_was_renamed_and_booked_anew_still_comes_from_its_execution(pages: Pages) -> None:
    living = await Living(pages).open()
    await living.trade(1, 100, "10")
    await living.tell(Renamed(old=STOCK, into=CHILD, effective=on(3)))
    taken = await living.tell(CapitalReturned(instrument=CHILD, effective=on(5), per_unit=Price(1)))
    await living.tell(Reversed(reverses=taken.event_id))
    (lot,) = await living.lots(CHILD)

    whole = (await derived(pages, DerivedOf.LOT, lot_id=lot.lot_id)).lines

    assert whole[0].amount == usd(1_000) and whole[-1].source_kind == "execution"


async def test_booking_anew_leaves_the_position_that_was_renamed_as_it_was(pages: Pages) -> None:
    living = await Living(pages).open()
    await living.trade(1, 100, "10")
    await living.tell(Renamed(old=STOCK, into=CHILD, effective=on(3)))
    before = (await answers.portfolio(PortfolioAsked(user_id=USER, closed_too=True), pages.connection)).positions
    taken = await living.tell(CapitalReturned(instrument=CHILD, effective=on(5), per_unit=Price(1)))
    await living.tell(Reversed(reverses=taken.event_id))

    assert (await answers.portfolio(PortfolioAsked(user_id=USER, closed_too=True), pages.connection)).positions == before
    assert len(before) == 2
