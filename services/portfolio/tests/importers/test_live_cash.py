"""Cash of statements on an account that execution opened: booked once, taken back with its file, or a break with both figures."""

from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from uuid import UUID

import pytest
from services.portfolio.tests.importers.chained_samples import END, FEBRUARY, JANUARY
from services.portfolio.tests.importers.test_breaks import NUMBER, figures, filled, keep, live, shown
from services.portfolio.tests.living import valued

from quantmatrix.common.contracts.asking.acts import ActBookingAsked, CapitalReturned
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import Side
from quantmatrix.common.testing.examples import INSTRUMENT, usd
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Price
from quantmatrix.portfolio import telling
from quantmatrix.portfolio.ledgers import LedgerReader
from quantmatrix.portfolio.statement_store import StatementStore

AT = datetime(2025, 7, 23, 12, tzinfo=UTC)
BOUGHT = filled(1, Side.BUY, 100, "20", date(2024, 1, 10))
OPENED_WITH = Decimal(100_000)
STATED = Decimal(10000) + Decimal(30) - Decimal("4.5")
RETURNED = JANUARY.replace("(Ordinary Dividend),30", "(Return of Capital),30", 1)


async def opened(pages: Pages, at: datetime = datetime(2023, 6, 1, tzinfo=UTC)) -> None:
    """The account since then, with one purchase."""
    await live(pages, BOUGHT)
    await pages.connection.execute("update account set opened_at = $2 where account_id = $1", NUMBER, at)


async def cash(pages: Pages) -> Decimal:
    """What lies there, after it was found to be the sum of its movements."""
    lies = await pages.connection.fetchval("select sum(amount) from cash where account_id = $1", NUMBER)
    moved = await pages.connection.fetchval("select sum(amount) from cash_entry where account_id = $1", NUMBER)
    assert lies == moved
    return Decimal(lies)


async def test_cash_that_fills_do_not_bring_is_booked_once(pages: Pages) -> None:
    await opened(pages)
    assert await cash(pages) == OPENED_WITH - 2001

    assert await keep(pages, JANUARY) == 0
    once = await cash(pages)
    assert await keep(pages, JANUARY + "\n") == 0

    assert once == await cash(pages) == OPENED_WITH - 2001 + STATED
    kinds = await pages.connection.fetch("select kind, amount, session from cash_entry where stated order by kind")
    assert [tuple(row) for row in kinds] == [
        ("deposit", 10000, date(2024, 1, 2)), ("dividend", 30, date(2024, 1, 25)), ("withholding_tax", Decimal("-4.5"), date(2024, 1, 25)),
    ]  # fmt: skip
    assert figures(await shown(pages)) == []


async def test_cash_that_changed_otherwise_than_the_statement_prints_is_a_break(pages: Pages) -> None:
    """No row says so: a fee of the venue is in the ledger alone. When it is taken out, the break is gone."""
    await opened(pages)
    fee = derived_id("fee of the venue")
    await pages.connection.execute(
        """insert into cash_entry (entry_id, account_id, user_id, kind, about, amount, currency, session, booked_at)
           values ($1, $2, $3, 'fee', $1, -3.25, 'USD', $4, $5)""",
        fee, NUMBER, FIRST_ADMINISTRATOR, date(2024, 1, 31), AT,
    )  # fmt: skip

    assert await keep(pages, JANUARY) == 1
    assert figures(await shown(pages)) == [("different", "", "change of cash of 8024.5 USD", "change of cash of 8021.25 USD")]

    await pages.connection.execute("delete from cash_entry where entry_id = $1", fee)
    assert await keep(pages, FEBRUARY) == 2
    assert {one[0] for one in figures(await shown(pages))} == {"missing"}


async def test_cash_is_not_compared_where_another_break_says_why_or_the_account_is_younger(pages: Pages) -> None:
    await live(pages)
    assert [one[0] for one in figures(await shown(pages))] == []
    await keep(pages, JANUARY)
    assert figures(await shown(pages)) == [("missing", "ABC", "100 at 20, fee 1 USD", None)]

    await pages.connection.execute("update account set opened_at = $2 where account_id = $1", NUMBER, datetime(2024, 1, 1, tzinfo=UTC))
    await keep(pages, JANUARY + "\n")

    assert figures(await shown(pages)) == [("missing", "ABC", "100 at 20, fee 1 USD", None)]


async def test_cash_goes_with_the_file_that_brought_it(pages: Pages) -> None:
    await opened(pages)
    await keep(pages, JANUARY)

    await StatementStore(pages.connection).forget(FIRST_ADMINISTRATOR, [sha256(JANUARY.encode()).hexdigest()])

    assert await cash(pages) == OPENED_WITH - 2001
    assert await pages.connection.fetchval("select count(*) from cash_entry where stated") == 0


async def test_days_that_were_marked_before_the_file_came_are_put_right_and_a_deposit_is_no_gain(pages: Pages) -> None:
    await opened(pages)
    days = (date(2023, 12, 29), date(2024, 1, 2), date(2024, 1, 31))
    for day in days:
        await valued(pages.connection, day, AT)
    before = await equity(pages)

    await keep(pages, JANUARY)

    assert [after - was for after, was in zip(await equity(pages), before, strict=True)] == [0, 10000, STATED]
    (walked,) = await LedgerReader(pages.connection).walked(FIRST_ADMINISTRATOR, NUMBER)
    assert walked.course.came_in == usd(str(OPENED_WITH + 10000))
    await StatementStore(pages.connection).forget(FIRST_ADMINISTRATOR, [sha256(JANUARY.encode()).hexdigest()])
    assert await equity(pages) == before


async def equity(pages: Pages) -> list[Decimal]:
    rows = await pages.connection.fetch("select cash, equity from snapshot where account_id = $1 order by session", NUMBER)
    return [row["equity"] for row in rows]


async def returned(pages: Pages, per_unit: str) -> None:
    """A person tells of a return of capital on the units that are held."""
    act = CapitalReturned(instrument=INSTRUMENT, effective=date(2024, 1, 24), per_unit=Price.parse(per_unit))
    asked = ActBookingAsked(command_id=derived_id("command", 1), account_id=NUMBER, act=act, user_id=FIRST_ADMINISTRATOR)
    async with pages.connection.transaction():
        await telling.book_act(asked, pages.page())


@pytest.mark.parametrize(
    ("per_unit", "breaks"),
    [("0.3", []), ("0.35", [("different", "ABC", "return of capital of 30 USD", "corporate action of 35 USD")])],
)
async def test_cash_of_an_action_that_somebody_told_is_not_booked_again(pages: Pages, per_unit: str, breaks: list[object]) -> None:
    await opened(pages)
    await returned(pages, per_unit)
    told = await cash(pages)

    await keep(pages, RETURNED)

    assert await cash(pages) == told + STATED - 30
    assert figures(await shown(pages)) == breaks


async def test_cash_of_an_action_that_nobody_told_waits_for_a_person(pages: Pages) -> None:
    await opened(pages)
    merger = (
        "Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,Realized P/L,Code\n"
        'Corporate Actions,Data,Stocks,USD,2024-01-30,"2024-01-29, 20:25:00","OLD(US0000000002) Merged (OLD, OLD CO, US0000000002)",-5,75,0,0,\n'
    )

    assert await keep(pages, JANUARY + merger + END) == 1

    assert figures(await shown(pages)) == [("missing", "OLD", "corporate action of 75 USD", None)]
    assert await cash(pages) == OPENED_WITH - 2001 + STATED


async def test_cash_before_the_account_was_opened_is_part_of_its_opening_and_that_of_the_day_is_left_to_a_person(pages: Pages) -> None:
    await opened(pages, datetime(2024, 1, 2, 15, tzinfo=UTC))
    earlier = JANUARY.replace("2024-01-02,Electronic", "2024-01-01,Electronic")

    assert await keep(pages, JANUARY) == 1
    (open_one,) = (await shown(pages)).breaks
    assert (open_one.kind, open_one.statement, open_one.ledger) == ("missing", "deposit of 10000 USD", None)
    assert isinstance(open_one.break_id, UUID)
    await StatementStore(pages.connection).forget(FIRST_ADMINISTRATOR, [sha256(JANUARY.encode()).hexdigest()])
    await keep(pages, earlier)

    assert await cash(pages) == OPENED_WITH - 2001 + STATED - 10000
