"""Wash sales, treatments and allocation from a real database, against figures of Publication 550 and by hand."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec import structs
from services.portfolio.tests.test_booking import filled, opened
from services.portfolio.tests.test_performance_answers import STRANGER, session, three_days

from quantmatrix.common.contracts.asking.performance import LossCandidatesAsked, PerformanceAsked, ReportAsked, ReportName
from quantmatrix.common.contracts.asking.taxes import (
    AccountTreatmentsAsked,
    AllocationAsked,
    ChooseSector,
    ChooseSectors,
    ChooseTreatment,
    WashSalesAsked,
)
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.prices import InstrumentListed
from quantmatrix.common.ids import derived_id
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import AccountId, AssetClass, FillId, InstrumentId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import ACCOUNT, INSTRUMENT, USER, like, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.performance_answers import loss_candidates, performance, report
from quantmatrix.portfolio.tax_answers import allocated, choose_sector, choose_sectors, choose_treatment, treatments, wash_sales

IRA = AccountId("SECOND")


async def washed(pages: Pages, account: str) -> None:
    """Publication 550: 100 bought for 1,000, sold for 750, and 100 bought again for 800 within 30 days, in `account`."""
    await opened(pages)
    await pages.hear(like(AccountOpened, account_id=IRA))
    await session(pages, 1, "10", filled(1, 100, "10", "0"))
    await session(pages, 2, "7.5", filled(2, -100, "7.5", "0"))
    await session(pages, 3, "8", filled(3, 100, "8", "0", account=account))


async def choose(pages: Pages, account: AccountId, treatment: str) -> None:
    await choose_treatment(ChooseTreatment(user_id=USER, account_id=account, treatment=treatment), pages.page())  # type: ignore[arg-type]


async def test_a_loss_is_told_with_the_purchase_that_washed_it(pages: Pages) -> None:
    await washed(pages, ACCOUNT)

    found = await wash_sales(WashSalesAsked(user_id=USER), pages.connection)

    (year,), (sale,) = found.years, found.sales
    assert (year.year, year.sales, year.carried, year.lost) == (2024, 1, usd(250), usd(0))
    assert (sale.symbol, sale.quantity.value, sale.loss, sale.disallowed) == (INSTRUMENT.symbol, Decimal(100), usd(-250), usd(250))
    assert (sale.account_id, sale.replaced_account_id, sale.permanent) == (ACCOUNT, ACCOUNT, False)
    assert sale.replaced_on is not None and sale.replaced_on > sale.disposed_on and sale.lot_id != sale.replaced_by
    assert found.undecided == 0


async def test_a_replacement_in_another_account_of_the_person_washes_too(pages: Pages) -> None:
    await washed(pages, IRA)

    (sale,) = (await wash_sales(WashSalesAsked(user_id=USER, account_id=AccountId(ACCOUNT)), pages.connection)).sales

    assert (sale.account_id, sale.replaced_account_id, sale.disallowed) == (ACCOUNT, IRA, usd(250))
    assert (await wash_sales(WashSalesAsked(user_id=USER, account_id=IRA), pages.connection)).sales == ()
    assert (await wash_sales(WashSalesAsked(user_id=USER, year=2023), pages.connection)).years == ()
    assert (await wash_sales(WashSalesAsked(user_id=STRANGER), pages.connection)).sales == ()


async def test_a_replacement_in_a_tax_deferred_account_loses_the_loss_for_good(pages: Pages) -> None:
    """Revenue Ruling 2008-5: disallowed, and no basis is increased."""
    await washed(pages, IRA)
    await choose(pages, IRA, "tax-deferred")

    found = await wash_sales(WashSalesAsked(user_id=USER), pages.connection)

    assert (found.years[0].carried, found.years[0].lost, found.sales[0].permanent) == (usd(0), usd(250), True)


async def test_gains_of_a_tax_deferred_account_are_not_taxable(pages: Pages) -> None:
    await three_days(pages)
    before = await performance(PerformanceAsked(user_id=USER), pages.connection)

    await choose(pages, AccountId(ACCOUNT), "tax-deferred")

    after = await performance(PerformanceAsked(user_id=USER), pages.connection)
    form = await report(ReportAsked(user_id=USER, name=ReportName.FORM_8949), pages.connection)
    ((old,), (new,)) = (one.performances[0].tax_years for one in (before, after))
    assert (old.treatment, new.treatment) == ("taxable", "tax-deferred")
    assert old.gain == new.gain == usd("78.60")
    assert form.text.count("\n") == 1, "only the header: nothing of it belongs on the form"
    assert (await loss_candidates(LossCandidatesAsked(user_id=USER), pages.connection)).candidates == ()


async def test_accounts_are_taxable_until_their_owner_says_otherwise(pages: Pages) -> None:
    await washed(pages, IRA)
    await choose(pages, IRA, "tax-deferred")
    await choose(pages, IRA, "tax-deferred")

    found = {
        one.account_id: (one.treatment, one.chosen)
        for one in (await treatments(AccountTreatmentsAsked(user_id=USER), pages.connection)).accounts
    }

    assert found == {ACCOUNT: ("taxable", False), IRA: ("tax-deferred", True)}
    await choose(pages, IRA, "taxable")
    assert not (await wash_sales(WashSalesAsked(user_id=USER), pages.connection)).sales[0].permanent


async def test_nobody_chooses_for_the_account_of_another(pages: Pages) -> None:
    await opened(pages)

    with pytest.raises(Refused, match="you have no account"):
        await choose_treatment(ChooseTreatment(user_id=STRANGER, account_id=AccountId(ACCOUNT), treatment="tax-deferred"), pages.page())

    assert (await treatments(AccountTreatmentsAsked(user_id=USER), pages.connection)).accounts[0].treatment == "taxable"


async def test_everything_held_is_spread_in_four_ways_that_sum_to_the_whole(pages: Pages) -> None:
    """100,000 - 1,001 + 479 in cash and 60 at 9; a second account with 100,000."""
    await three_days(pages)
    await pages.hear(like(AccountOpened, account_id=IRA))
    await choose_sector(ChooseSector(user_id=USER, symbol=INSTRUMENT.symbol, sector="Technology"), pages.page())

    found = await allocated(AllocationAsked(user_id=USER), pages.connection)

    told = {(one.by, one.name): one.value for one in found.parts}
    assert told["class", "stock"] == told["sector", "Technology"] == told["symbol", INSTRUMENT.symbol] == usd(540)
    assert told["class", "cash"] == usd(199_478)
    assert (told["account", ACCOUNT], told["account", IRA]) == (usd(100_018), usd(100_000))
    for by in ("class", "sector", "account", "symbol"):
        own = [one for one in found.parts if one.by == by]
        assert sum((one.value for one in own), usd(0)) == usd(200_018)
        assert sum(one.share or 0 for one in own) == pytest.approx(1.0)
        assert [one.value.amount for one in own] == sorted((one.value.amount for one in own), reverse=True)


async def test_a_sector_is_the_persons_own_and_can_be_taken_back(pages: Pages) -> None:
    await three_days(pages)
    for sector in ("Energy", None):
        await choose_sector(ChooseSector(user_id=USER, symbol=INSTRUMENT.symbol, sector=sector), pages.page())
    await choose_sector(ChooseSector(user_id=STRANGER, symbol=INSTRUMENT.symbol, sector="Energy"), pages.page())

    found = await allocated(AllocationAsked(user_id=USER, account_id=AccountId(ACCOUNT)), pages.connection)

    assert {one.name for one in found.parts if one.by == "sector"} == {"not classified", "cash"}
    assert (await allocated(AllocationAsked(user_id=STRANGER), pages.connection)).parts == ()


async def gains(pages: Pages, law: str, year: int | None = None) -> list[dict[str, str]]:
    found = await report(ReportAsked(user_id=USER, name=ReportName.GAINS, year=year, jurisdiction=law), pages.connection)  # type: ignore[arg-type]
    assert found.file_name == f"gains-{law}-{year or 'all'}.csv"
    return list(csv.DictReader(io.StringIO(found.text)))


async def test_the_same_fills_under_two_laws(pages: Pages) -> None:
    """HS284 has its thirty days after a sale: 100 sold at 7.50 are matched with 100 bought at 8 the day after, a loss of 50.

    In the United States the loss of 250 of the first lot is washed away by the same purchase.
    """
    await washed(pages, ACCOUNT)

    (us,), (uk,) = await gains(pages, "us"), await gains(pages, "uk")

    assert (us["Proceeds"], us["Cost"], us["Disallowed"], us["Gain"], us["Rule"]) == ("750", "1000", "250", "0", "short")
    assert (uk["Proceeds"], uk["Cost"], uk["Disallowed"], uk["Gain"]) == ("750", "800", "0", "-50")
    assert "30" in uk["Rule"] or "thirty" in uk["Rule"]
    assert (us["Tax year"], uk["Tax year"]) == ("2024", "2023"), "March 2024 is in the British year 2023-24"
    assert await gains(pages, "uk", 2024) == [] and len(await gains(pages, "uk", 2023)) == 1


async def test_a_law_says_what_it_does_not_cover(pages: Pages) -> None:
    """The pool works in one currency and knows no tax-deferred account."""
    await washed(pages, IRA)
    await choose(pages, IRA, "tax-deferred")

    (us, *_), (uk,) = await gains(pages, "us"), await gains(pages, "uk")

    assert us["Disallowed"] == "250" and uk["Cost"] == "1000"


async def test_a_file_of_sectors_is_taken_whole_or_not_at_all(pages: Pages) -> None:
    await three_days(pages)
    page = pages.page()
    first = await choose_sectors(ChooseSectors(user_id=USER, text=f"symbol,sector\n{INSTRUMENT.symbol},Energy\nXYZ,Water\n"), page)
    again = await choose_sectors(ChooseSectors(user_id=USER, text="sector,symbol\nEnergy,xyz\n"), page)
    with pytest.raises(Refused) as refused:
        await choose_sectors(ChooseSectors(user_id=USER, text="symbol,sector\nXYZ,Air\nXYZ,Fire\n"), page)

    parts = (await allocated(AllocationAsked(user_id=USER), pages.connection)).parts
    theirs = (await allocated(AllocationAsked(user_id=STRANGER), pages.connection)).parts

    assert ((first.symbols, first.changed), (again.symbols, again.changed)) == ((2, 2), (1, 1))
    assert refused.value.code == "SECTORS_INVALID" and "line 3" in refused.value.detail
    assert {one.name: one.value for one in parts if one.by == "sector"} == {"Energy": usd(540), "cash": usd(99_478)} and theirs == ()
    assert await pages.connection.fetchval("select sector from sector_choice where symbol = 'XYZ'") == "Energy"


async def test_an_option_bought_after_a_loss_of_its_stock_is_flagged_and_never_booked(pages: Pages) -> None:
    """Whether an option is substantially identical is a judgement: the loss counts, and a person is shown both."""
    call = Instrument(InstrumentId("OPT-1"), f"{INSTRUMENT.symbol} 20DEC24 12 C", AssetClass.OPTION, "USD", Quantity(100))
    await washed(pages, ACCOUNT)
    await pages.hear(like(InstrumentListed, instrument=call))
    await pages.hear(structs.replace(filled(3, 1, "2", "0"), instrument=call, fill_id=FillId(derived_id("fill", "call"))))

    found = await wash_sales(WashSalesAsked(user_id=USER), pages.connection)
    losses = await loss_candidates(LossCandidatesAsked(user_id=USER), pages.connection)

    (flag,) = found.flags
    assert (flag.symbol, flag.acquired_symbol, flag.loss) == (INSTRUMENT.symbol, call.symbol, usd(-250))
    assert found.years[0].carried == usd(250), "the shares that were bought wash it, not the option"
    assert all(one.look_at for one in losses.candidates if one.symbol == INSTRUMENT.symbol)


async def test_a_loss_of_the_last_thirty_days_warns_of_buying_again(pages: Pages) -> None:
    await opened(pages)
    again = structs.replace(filled(2, 1, "7.5", "0"), fill_id=FillId(derived_id("fill", "again")))
    await session(pages, 1, "10", filled(1, 100, "10", "0"))
    await session(pages, 2, "7.5", filled(2, -100, "7.5", "0"), again)

    (recent,) = (await loss_candidates(LossCandidatesAsked(user_id=USER), pages.connection)).recent

    # One share was bought on the same day: 1/100 of the loss is washed already.
    assert (recent.loss, recent.buy_again_from - recent.disposed_on) == (usd("-247.5"), timedelta(days=31))
