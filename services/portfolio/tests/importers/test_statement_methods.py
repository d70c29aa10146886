"""Lot methods of accounts that imported statements make: as a live account with the same trades has them."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from services.portfolio.tests.importers.chained_samples import HEAD
from services.portfolio.tests.importers.test_statement_ledger import AT, keep
from services.portfolio.tests.living import Living

from quantmatrix.common.contracts.asking.acts import ActBookingAsked, LotMethodChangeAsked, UnitsLeft
from quantmatrix.common.contracts.asking.portfolio import LedgerSumsAsked
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Quantity
from quantmatrix.portfolio import answers, telling
from quantmatrix.portfolio.domain.methods import LotMethod
from quantmatrix.portfolio.statement_ledger import StatementLedger
from quantmatrix.portfolio.statement_store import StatementStore

TRADED = (
    ("2024-01-10", 100, "20", "2001,0"),
    ("2024-01-11", 50, "30", "1501,0"),
    ("2024-02-12", -40, "25", "-800.4,198.6"),
    ("2024-02-13", -60, "26", "-1200.6,358.4"),
)
TRADES = "".join(
    f'Trades,Data,Order,Stocks,USD,ABC,"{day}, 10:00:00",{units},{price},{price},{-units * int(price)},-1,{printed},0,{"O" if units > 0 else "C"}\n'
    for day, units, price, printed in TRADED
)
STATEMENT = HEAD.format(
    period="January 1, 2024 - February 29, 2024",
    account="U0000001",
    nav=("4000", "306", "4306"),
    prior="Mark-to-Market Performance Summary,Data,Stocks,ABC,0,50,--,26\n",
    cash=("4000", "-944", "3056"),
    held="Open Positions,Data,Summary,Stocks,USD,ABC,50,1,30.02,1501,25,1250,-251,\n",
    trades=TRADES,
)


async def imported(pages: Pages) -> AccountId:
    await keep(pages.connection, STATEMENT)
    (account,) = await StatementLedger(pages.connection).accounts()
    return account.account_id


async def use(pages: Pages, account: AccountId, method: str, since: str) -> None:
    asked = LotMethodChangeAsked(
        command_id=derived_id("command", method, since),
        account_id=account,
        method=method,
        since=date.fromisoformat(since),
        user_id=FIRST_ADMINISTRATOR,
    )
    async with pages.connection.transaction():
        await telling.change_method(asked, pages.page())


async def gains(pages: Pages, account: AccountId) -> list[tuple[Any, ...]]:
    rows = await pages.connection.fetch(
        """select closed_on, quantity, proceeds, basis, realised, opened_on from closing where account_id = $1
           order by closed_on, opened_on, quantity""",
        account,
    )
    return [tuple(row) for row in rows]


async def held(pages: Pages, account: AccountId) -> list[tuple[Any, ...]]:
    rows = await pages.connection.fetch(
        "select opened_on, quantity, basis from lot where account_id = $1 and quantity <> 0 order by opened_on", account
    )
    return [tuple(row) for row in rows]


async def test_the_highest_cost_goes_first_from_the_day_on_that_a_person_names(pages: Pages) -> None:
    """50 at 1,501 are the dearest: the second sale, 1,559, takes them and 10 of the older ones at 20.01; the first one stays as it was."""
    account = await imported(pages)
    before = await gains(pages, account)

    await use(pages, account, "HIFO", "2024-02-13")

    after = await gains(pages, account)
    assert after[0] == before[0] and after[0][4] == Decimal("198.6")
    assert {row[1]: row[3] for row in after[1:]} == {10: Decimal("200.1"), 50: 1501}
    assert sum(row[4] for row in after[1:]) == Decimal(1559) - Decimal("1701.1")
    assert await held(pages, account) == [(date(2024, 1, 10), 50, Decimal("1000.5"))]


@pytest.mark.parametrize("method", LotMethod)
async def test_under_every_method_an_imported_account_closes_the_lots_that_a_live_one_closes(method: LotMethod, pages: Pages) -> None:
    live = await Living(pages, AccountId("A-1")).open()
    await live.use(method, "2024-01-01")
    for day, units, price, _ in TRADED:
        await live.trade(day, units, price, fee="1")
    account = await imported(pages)

    await use(pages, account, method, "2024-01-01")

    assert await gains(pages, account) == await gains(pages, AccountId("A-1"))
    assert await held(pages, account) == await held(pages, AccountId("A-1"))
    told = {one.account_id: one for one in (await answers.ledger_sums(LedgerSumsAsked(), pages.connection)).accounts}
    assert (told[account].differences, told[account].statement) == ((), ())


async def test_a_change_of_the_method_says_nothing_on_the_bus_and_another_import_keeps_it(pages: Pages) -> None:
    account = await imported(pages)
    await use(pages, account, "HIFO", "2024-01-01")
    before = await gains(pages, account)
    later = HEAD.format(
        period="March 1, 2024 - March 31, 2024", account="U0000001", nav=("4306", "0", "4306"),
        prior="Mark-to-Market Performance Summary,Data,Stocks,ABC,50,50,25,25\n", cash=("3056", "0", "3056"),
        held="Open Positions,Data,Summary,Stocks,USD,ABC,50,1,30.02,1501,25,1250,-251,\n", trades="",
    )  # fmt: skip

    await keep(pages.connection, later)

    assert await gains(pages, account) == before
    assert pages.said == []


async def test_an_account_that_is_taken_back_leaves_no_method_behind(pages: Pages) -> None:
    account = await imported(pages)
    await use(pages, account, "LIFO", "2024-01-01")
    digests = [row["sha256"] for row in await pages.connection.fetch("select sha256 from statement_import")]

    await StatementStore(pages.connection).forget(FIRST_ADMINISTRATOR, digests)

    assert await pages.connection.fetchval("select count(*) from account where account_id = $1", account) == 0
    assert await pages.connection.fetchval("select count(*) from lot_method") == 0


async def test_other_acts_on_an_imported_account_are_refused(pages: Pages) -> None:
    account = await imported(pages)
    left = UnitsLeft(instrument=Living(pages).fill(1, 1, "1").instrument, quantity=Quantity(1), session=date(2024, 3, 1), at=AT)
    asked = ActBookingAsked(command_id=derived_id("command", "left"), account_id=account, act=left, user_id=FIRST_ADMINISTRATOR)

    with pytest.raises(Refused) as refused:
        await telling.book_act(asked, pages.page())

    assert refused.value.code == "ACCOUNT_OF_STATEMENTS"
