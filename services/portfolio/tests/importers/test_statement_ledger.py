"""Imported statements make the ledger: lots, closings, cash and positions as the broker prints them, whatever came first."""

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest
from services.portfolio.tests.domain.tax.shared import shared
from services.portfolio.tests.importers.activity_samples import STATEMENT
from services.portfolio.tests.importers.chained_samples import FEBRUARY, IRA, JANUARY
from services.portfolio.tests.importers.samples import TASTY_NEWER
from services.portfolio.tests.living import valued

from quantmatrix.common.contracts.asking.acts import ActBookingAsked, BasisSupplied
from quantmatrix.common.contracts.asking.portfolio import ClosingsAsked, LedgerSumsAsked, LotsAsked, PortfolioAsked
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.ids import FIRST_ADMINISTRATOR, derived_id
from quantmatrix.common.names import AccountId, UserId
from quantmatrix.common.runtime.canonical import digest_rows
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import like
from quantmatrix.common.testing.pages import Pages
from quantmatrix.common.values import Money, Quantity
from quantmatrix.portfolio import answers, telling
from quantmatrix.portfolio.importing import Checked, File, Status, check_files
from quantmatrix.portfolio.statement_ledger import StatementLedger
from quantmatrix.portfolio.statement_store import Kept, Options, StatementStore

AT = datetime(2025, 7, 23, 12, tzinfo=UTC)
SOMEBODY = UserId(derived_id("user", "somebody"))
TABLES = ("account", "statement_account", "lot", "closing", "cash_entry", "cash", "position", "statement_import", "statement_entry")
MADE = {
    "lot": "lot_id, account_id, instrument_id, symbol, opened_quantity, quantity, basis, opened_on, opened_at",
    "closing": "closing_id, lot_id, account_id, quantity, proceeds, basis, realised, opened_on, closed_on, closed_at",
    "cash_entry": "entry_id, account_id, kind, amount, currency, session, booked_at",
    "cash": "account_id, currency, amount",
    "position": "account_id, instrument_id, quantity, basis, realised",
}


def check(*texts: str, account: str | None = None) -> list[Checked]:
    return check_files([File(f"{number}.csv", text.encode()) for number, text in enumerate(texts)], account)


async def keep(connection: Any, *texts: str, user: UserId = FIRST_ADMINISTRATOR, options: Options | None = None) -> list[Kept]:
    chosen = options or Options()
    return [await StatementStore(connection).keep(one, user, AT, chosen) for one in check(*texts, account=chosen.account)]


async def digest(connection: Any) -> str:
    return digest_rows({table: await connection.fetch(f"select {names} from {table} order by 1, 2, 3") for table, names in MADE.items()})


async def figures(connection: Any, user: UserId = FIRST_ADMINISTRATOR) -> tuple[dict[str, str], dict[tuple[str, str], tuple[str, Any]]]:
    """Cash by account number, and units and basis by number and symbol."""
    numbers = {one.account_id: one.number for one in await StatementLedger(connection).accounts()}
    found = await answers.portfolio(PortfolioAsked(user_id=user), connection)
    cash = {numbers[one.account_id]: str(one.cash) for one in found.accounts}
    held = {(numbers[one.account_id], one.instrument.symbol): (str(one.quantity), one.basis) for one in found.positions}
    return cash, held


@pytest.fixture
async def connection(database: Any) -> Any:
    return await database.connect("portfolio")


async def test_a_taxable_account_and_an_ira_agree_with_the_ends_of_their_statements(connection: Any) -> None:
    kept = await keep(connection, JANUARY, FEBRUARY, IRA)

    cash, held = await figures(connection)
    assert [one.report["status"] for one in kept] == ["reconciled"] * 3
    assert [one.report["state"] for one in kept] == ["completed"] * 3
    assert kept[1].report["identities"]["I8"] == {"checked": 4, "equal": 4, "differences": []}
    assert cash == {"U0000001": "8522.5 USD", "U0000002": "1148 USD"}
    assert held == {
        ("U0000001", "ABC"): ("60", Money(Decimal("1200.6"), "USD")),
        ("U0000001", "XYZ"): ("50", Money(501, "USD")),
        ("U0000002", "ABC"): ("20", Money(451, "USD")),
        ("U0000002", "OLD"): ("15", None),
    }


async def test_gains_are_the_printed_ones_and_wait_where_a_basis_is_not_known(connection: Any) -> None:
    await keep(connection, JANUARY, FEBRUARY, IRA)

    found = (await answers.closings(ClosingsAsked(user_id=FIRST_ADMINISTRATOR), connection)).closings
    lots = (await answers.lots(LotsAsked(user_id=FIRST_ADMINISTRATOR), connection)).lots
    by_symbol = {one.symbol: one for one in found}
    assert (by_symbol["ABC"].realised, by_symbol["ABC"].basis) == (Money(Decimal("198.6"), "USD"), Money(Decimal("800.4"), "USD"))
    assert (by_symbol["OLD"].proceeds, by_symbol["OLD"].basis, by_symbol["OLD"].realised) == (Money(599, "USD"), None, None)
    assert {one.instrument.symbol: one.basis for one in lots if one.basis is None} == {"OLD": None}


async def test_the_books_of_imported_accounts_are_proved_like_any_other(connection: Any) -> None:
    await keep(connection, JANUARY, FEBRUARY, IRA)

    accounts = (await answers.ledger_sums(LedgerSumsAsked(), connection)).accounts
    assert len(accounts) == 2
    for one in accounts:
        assert (one.differences, one.statement) == ((), ())
        assert (one.lots, one.cash, one.realised_closings) == (one.positions, one.cash_entries, one.realised_positions)


async def test_a_ledger_that_was_changed_by_hand_is_found(connection: Any) -> None:
    await keep(connection, JANUARY)
    await connection.execute("update lot set quantity = 99")
    await connection.execute("update cash_entry set amount = amount + 1 where kind = 'dividend'")

    (found,) = (await answers.ledger_sums(LedgerSumsAsked(), connection)).accounts
    assert [one.split()[0] for one in found.differences] == ["lot", "cash_entry"]
    assert found.cash != found.cash_entries


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_order_of_files_does_not_matter(order: tuple[int, ...], connection: Any) -> None:
    """Overlapping files too: a statement of both months beside those of one month each."""
    texts = (JANUARY, FEBRUARY, BOTH)
    await keep(connection, *texts)
    wanted = await digest(connection)
    await StatementStore(connection).forget(FIRST_ADMINISTRATOR, [one.report["sha256"] for one in await keep(connection, *texts)])
    assert await connection.fetchval("select count(*) from account") == 0

    for number in order:
        await keep(connection, texts[number])

    assert await digest(connection) == wanted
    assert (await figures(connection))[0] == {"U0000001": "8522.5 USD"}


async def test_files_are_taken_back_also_after_a_session_of_the_market(connection: Any) -> None:
    (kept,) = await keep(connection, JANUARY)
    await valued(connection, date(2024, 3, 1), datetime(2024, 3, 1, 21, tzinfo=UTC))

    assert await StatementStore(connection).forget(FIRST_ADMINISTRATOR, [kept.report["sha256"]]) == 1

    assert await connection.fetchval("select count(*) from account") == await connection.fetchval("select count(*) from snapshot") == 0


def both_months() -> str:
    """One statement of January and February: the rows of both, the beginning of one and the end of the other."""
    text = FEBRUARY.replace("February 1, 2024", "January 1, 2024").replace("Starting Value,10124.5", "Starting Value,0")
    text = text.replace("Everything,398", "Everything,10522.5").replace("ABC,100,60,21,25", "ABC,0,60,--,25")
    text = text.replace("Starting Cash,USD,8024.5", "Starting Cash,USD,0").replace("Everything,USD,498", "Everything,USD,8522.5")
    bought = next(line for line in JANUARY.splitlines() if line.startswith("Trades,Data"))
    money = JANUARY[JANUARY.index("Deposits &") :]
    return text.replace('Trades,Data,Order,Stocks,USD,ABC,"2024-02', bought + '\nTrades,Data,Order,Stocks,USD,ABC,"2024-02') + money


BOTH = both_months()


async def test_importing_again_books_nothing_and_changes_nothing(connection: Any) -> None:
    first = await keep(connection, JANUARY, FEBRUARY)
    before = await digest(connection)

    again = await keep(connection, JANUARY, FEBRUARY)
    both = await keep(connection, BOTH)

    assert [one.report["booked"] for one in (*again, *both)] == [0, 0, 0]
    assert both[0].report["duplicates"] == sum(one.report["booked"] for one in first)
    assert await digest(connection) == before


async def test_a_statement_that_begins_later_finds_what_was_held_before(connection: Any) -> None:
    """February alone: the hundred that were held have no basis that a file tells, and the cash is what the file begins with."""
    await keep(connection, FEBRUARY)
    cash, held = await figures(connection)

    assert cash == {"U0000001": "8522.5 USD"}
    assert held["U0000001", "ABC"] == ("60", None)

    await keep(connection, JANUARY)

    assert (await figures(connection))[1]["U0000001", "ABC"] == ("60", Money(Decimal("1200.6"), "USD"))


async def test_a_gap_between_files_is_not_bridged_by_guessing(connection: Any) -> None:
    """March begins with 80 ABC though January ended with 100: what happened between is in no file, so their basis is unknown."""
    march = FEBRUARY.replace("February 1, 2024 - February 29", "March 1, 2024 - March 31").replace("2024-02-1", "2024-03-1")
    march = march.replace("ABC,100,60,21,25", "ABC,80,40,21,25").replace("ABC,60,1,20.01,1200.6,25,1500,299.4", "ABC,40,1,--,--,25,1000,--")
    await keep(connection, JANUARY, march)

    _, held = await figures(connection)
    (account,) = await StatementLedger(connection).accounts()
    assert held["U0000001", "ABC"] == ("40", None)
    assert await StatementLedger(connection).end_differences(account) == []


async def test_options_that_deliver_leave_their_premium_in_the_stock_once(connection: Any) -> None:
    """Published wheel: put assigned at 33 for a premium of 230.93551, called at 33 for 113.936763; the gain is 344.855673."""
    await keep(connection, STATEMENT)

    rows = await connection.fetch("select symbol, sum(realised) as gain from closing group by 1")
    gains = {row["symbol"]: row["gain"] for row in rows}
    assert (gains["HIMS"], gains["HIMS 20DEC24 33 P"], gains["HIMS 17JAN25 33 C"]) == (Decimal("344.855673"), 0, 0)
    assert gains["CEG"] == Decimal("8043.525064")
    assert gains["CLOV 16JUL24 20 C"] == Decimal("355.308974")
    assert gains["AAPL"] is None


async def test_the_accounts_of_two_people_with_one_number_are_two(connection: Any) -> None:
    await keep(connection, JANUARY)
    await keep(connection, JANUARY, FEBRUARY, user=SOMEBODY)

    ours, theirs = await figures(connection), await figures(connection, SOMEBODY)

    assert (ours[0], theirs[0]) == ({"U0000001": "8024.5 USD"}, {"U0000001": "8522.5 USD"})
    assert await connection.fetchval("select count(*) from account") == 2


async def test_an_account_name_tells_no_number_unless_a_person_chose_it(connection: Any) -> None:
    (kept,) = await keep(connection, JANUARY)
    (other,) = await keep(connection, TASTY_NEWER, options=Options("options-account", "tax-deferred"))

    assert "0000001" not in kept.report["account_ids"][0]
    assert other.report["account_ids"] == ["options-account"]
    assert await connection.fetchval("select treatment from statement_account where account_id = 'options-account'") == "tax-deferred"


async def test_a_name_that_is_taken_by_somebody_else_is_refused_whole(connection: Any) -> None:
    await keep(connection, TASTY_NEWER, options=Options("mine"))
    before = {table: await connection.fetchval(f"select count(*) from {table}") for table in TABLES}

    (kept,) = await keep(connection, TASTY_NEWER, user=SOMEBODY, options=Options("mine"))

    assert (kept.import_id, kept.report["state"]) == (None, "failed")
    assert kept.report["why"].startswith("the account is another person's")
    assert {table: await connection.fetchval(f"select count(*) from {table}") for table in TABLES} == before


async def test_a_killed_import_books_nothing(connection: Any, database: Any) -> None:
    """The connection dies in the last statement of the import, when the lots are there already."""
    worker = await database.connect("portfolio")
    await connection.execute(
        "create function stop() returns trigger language plpgsql as 'begin perform pg_terminate_backend(pg_backend_pid()); return new; end'"
    )
    await connection.execute("create trigger stop before insert on cash for each row execute function stop()")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await keep(worker, JANUARY)

    assert {table: await connection.fetchval(f"select count(*) from {table}") for table in TABLES} == dict.fromkeys(TABLES, 0)


async def test_fills_make_the_account_that_execution_opened_and_statements_do_not(pages: Pages) -> None:
    await pages.hear(like(AccountOpened, account_id=AccountId("U0000001"), user_id=FIRST_ADMINISTRATOR))
    before = await digest(pages.connection)

    (kept,) = await keep(pages.connection, JANUARY)

    assert kept.report["account_ids"] == ["U0000001"]
    assert await digest(pages.connection) == before


async def test_known_instruments_are_priced_where_the_market_knows_them(connection: Any) -> None:
    await connection.execute(
        "insert into instrument values ('ABC-ID', 'ABC', 'stock', 'USD', 1, 'XNYS'); insert into mark values ('ABC-ID', 22, '2024-02-29', now())"
    )
    await keep(connection, JANUARY)

    found = await answers.portfolio(PortfolioAsked(user_id=FIRST_ADMINISTRATOR), connection)
    assert [(one.instrument.instrument_id, one.quantity, one.value) for one in found.positions] == [
        ("ABC-ID", Quantity(100), Money(2200, "USD"))
    ]
    assert found.positions[0].priced_on == date(2024, 2, 29)


def test_the_samples_agree_with_themselves() -> None:
    assert [one.status for one in check(JANUARY, FEBRUARY, IRA)] == [Status.RECONCILED] * 3
    assert check(BOTH)[0].status is Status.RECONCILED


TASTY = ("2018-02_2024-08.csv", "2018_2020-05.csv", "2020-05_2020-12.csv", "2021.csv", "2021-2022.csv")
SHARED = {
    "ibkr_flex/cash-transactions.xml": 3, "ibkr_flex/trade-confirmations.xml": 39, "exports/ibkr-trades.csv": 11,
    "exports/ibkr-dividends.csv": 11, "exports/coinbase.csv": 8, "uk_cgt/interactive_brokers_test_basic.csv": 12,
    **{f"tastytrade/{name}": count for name, count in zip(TASTY, (1082, 2, 6, 0, 2), strict=True)},
    **{f"ibkr_activity/{year}.csv": 0 for year in range(2020, 2025)},
}  # fmt: skip
"""Every file of statements, and the rows that it adds to the ledger after those before it; of contradictory ones none."""


async def test_every_shared_file_is_booked_or_refused_and_the_books_are_proved(connection: Any) -> None:
    added = {}
    for name in SHARED:
        folder, file = name.split("/")
        (checked,) = check_files([File(file, (shared(folder) / file).read_bytes())])
        report = (await StatementStore(connection).keep(checked, FIRST_ADMINISTRATOR, AT)).report
        added[name] = 0 if report["state"] == "failed" else report["booked"]
        assert report["booked"] + report["ignored"] + report["not_understood"] == report["rows"]
        assert report["not_understood"] == 0

    assert added == SHARED
    accounts = (await answers.ledger_sums(LedgerSumsAsked(), connection)).accounts
    assert len(accounts) >= 5
    for one in accounts:
        assert one.differences == ()
        assert (one.lots, one.cash, one.realised_closings) == (one.positions, one.cash_entries, one.realised_positions)


async def test_a_basis_that_a_person_supplies_completes_lot_and_gain_and_outlasts_other_files(pages: Pages) -> None:
    """The transferred 20 OLD cost 1,600 in 2019: the 5 sold for 599 net gained 199, as the broker prints."""
    connection = pages.connection
    await keep(connection, IRA)
    (account,) = await StatementLedger(connection).accounts()
    arrival = await connection.fetchval("select fill_id from lot where symbol = 'OLD'")
    supplied = BasisSupplied(arrival=arrival, basis=Money(1600, "USD"), acquired_on=date(2019, 3, 1))
    asked = ActBookingAsked(command_id=derived_id("c", 1), account_id=account.account_id, act=supplied, user_id=FIRST_ADMINISTRATOR)
    elsewhere = msgspec.structs.replace(asked, act=msgspec.structs.replace(supplied, basis=Money(1600, "EUR")))

    assert (await telling.book_act(asked, pages)).booked  # type: ignore[arg-type]
    assert not (await telling.book_act(asked, pages)).booked  # type: ignore[arg-type]
    with pytest.raises(Refused, match="in USD, not in EUR"):
        await telling.book_act(elsewhere, pages)  # type: ignore[arg-type]
    await keep(connection, JANUARY)

    closing = await connection.fetchrow("select realised, opened_on from closing")
    assert (closing["realised"], closing["opened_on"]) == (Decimal(199), date(2019, 3, 1))
    assert (await figures(connection))[1]["U0000002", "OLD"] == ("15", Money(1200, "USD"))
    sums = (await answers.ledger_sums(LedgerSumsAsked(), connection)).accounts
    assert [one.differences for one in sums] == [(), ()]
