"""Reports over accounts that imported statements make: derived down to the row of the file, with the broker's figures beside."""

import re
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import pytest
from services.portfolio.tests.importers.chained_samples import FEBRUARY, IRA, JANUARY
from services.portfolio.tests.importers.test_statement_ledger import keep
from services.portfolio.tests.living import valued

from quantmatrix.common.contracts.asking.derivations import DerivationAsked
from quantmatrix.common.contracts.asking.performance import PerformanceAsked, ReportAsked, ReportName
from quantmatrix.common.contracts.asking.taxes import AccountTreatmentsAsked, AllocationAsked, BasisDifferencesAsked, WashSalesAsked
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.testing.examples import usd
from quantmatrix.portfolio.derivation_answers import derivation
from quantmatrix.portfolio.performance_answers import performance, report
from quantmatrix.portfolio.statement_ledger import StatementLedger
from quantmatrix.portfolio.statement_store import Options
from quantmatrix.portfolio.tax_answers import allocated, basis_differences, treatments, wash_sales

NAMED_JANUARY = JANUARY.replace(
    "Change in NAV,Data,Everything,10124.5\n",
    "".join(
        f"Change in NAV,Data,{name},{amount}\n"
        for name, amount in (("Mark-to-Market", 99), ("Deposits & Withdrawals", 10000), ("Dividends", 30), ("Withholding Tax", -4.5))
    ),
)
"""The same with the lines under the names that the broker prints."""


@pytest.fixture
async def connection(database: Any) -> Any:
    return await database.connect("portfolio")


async def test_a_gain_of_a_statement_is_derived_down_to_the_rows_of_its_files(connection: Any) -> None:
    """40 of 100 ABC that cost 2,001, sold for 999: the statement prints a basis of -800.40 and a gain of 198.60."""
    await keep(connection, JANUARY, FEBRUARY, IRA)

    found = await derivation(DerivationAsked(user_id=FIRST_ADMINISTRATOR), connection)

    assert found.faults == ()
    assert [(one.depth, one.amount, one.source_kind) for one in found.lines] == [
        (0, usd("198.60"), None),
        (1, usd("198.60"), None),
        (2, usd(999), "row of a file"),
        (2, usd("-800.40"), "row of a file"),
    ]
    assert "the broker prints basis -800.4 USD and gain 198.6 USD" in found.lines[2].what
    for line, text, trade in ((found.lines[2], FEBRUARY, ",-40,25,"), (found.lines[3], JANUARY, ",100,20,")):
        number, digest = re.fullmatch(r"line (\d+) of the .* file with SHA-256 (\w+)", str(line.reference)).groups()  # type: ignore[union-attr]
        assert trade in text.splitlines()[int(number) - 1]
        assert sha256(text.encode()).hexdigest().startswith(digest)


async def test_the_other_reports_take_statement_accounts_too(connection: Any) -> None:
    await keep(connection, JANUARY, FEBRUARY, IRA)

    form = await report(ReportAsked(user_id=FIRST_ADMINISTRATOR, name=ReportName.FORM_8949), connection)
    spread = await allocated(AllocationAsked(user_id=FIRST_ADMINISTRATOR), connection)
    accounts = (await treatments(AccountTreatmentsAsked(user_id=FIRST_ADMINISTRATOR), connection)).accounts

    assert "999.00,800.40,,,198.60" in form.text
    assert spread.unpriced == ("ABC", "OLD", "XYZ"), "no closes are known here"
    assert sorted(one.value for one in spread.parts if one.by == "account") == [usd(1_148), usd("8522.50")]
    assert {(one.treatment, one.chosen) for one in accounts} == {("taxable", False)} and len(accounts) == 2
    assert (await wash_sales(WashSalesAsked(user_id=FIRST_ADMINISTRATOR), connection)).undecided == 1


async def test_an_ira_stays_one_as_its_statements_said_until_its_owner_says_otherwise(connection: Any) -> None:
    await keep(connection, JANUARY, FEBRUARY, options=Options(treatment="tax-deferred"))
    asked = AccountTreatmentsAsked(user_id=FIRST_ADMINISTRATOR)

    (account,) = (await treatments(asked, connection)).accounts
    form = await report(ReportAsked(user_id=FIRST_ADMINISTRATOR, name=ReportName.FORM_8949), connection)

    assert (account.treatment, account.chosen) == ("tax-deferred", False)
    assert "999.00" not in form.text


async def test_a_report_takes_the_basis_that_is_asked_for_and_differences_are_listed(connection: Any) -> None:
    """The IRA's 5 OLD have no basis here; their statement prints 400 and a gain of 199. Under HIFO nothing else changes."""
    await keep(connection, JANUARY, FEBRUARY, IRA)

    own = await report(ReportAsked(user_id=FIRST_ADMINISTRATOR, name=ReportName.FORM_8949), connection)
    broker = await report(ReportAsked(user_id=FIRST_ADMINISTRATOR, name=ReportName.FORM_8949, basis="broker"), connection)
    found = await basis_differences(BasisDifferencesAsked(user_id=FIRST_ADMINISTRATOR), connection)

    assert broker.file_name == "form-8949-all-broker.csv"
    lines = {whole.text: [line for line in whole.text.splitlines() if "5 OLD" in line] for whole in (own, broker)}
    assert ",599.00,,,,,USD," in lines[own.text][0] and lines[own.text][0].endswith(",own")
    assert ",599.00,400.00,,,199.00,USD," in lines[broker.text][0] and lines[broker.text][0].endswith(",broker")
    assert (found.printed, found.equal) == (2, 1)
    (one,) = found.differences
    assert (one.symbol, one.own, one.broker, one.broker_gain) == ("OLD", None, usd(400), usd(199))
    assert re.fullmatch(r"line \d+ of the ibkr_activity file with SHA-256 \w{12}", one.reference)


@pytest.mark.parametrize("name", [ReportName.GAINS, ReportName.PERFORMANCE])
async def test_a_report_that_cannot_take_the_brokers_basis_says_so(connection: Any, name: ReportName) -> None:
    await keep(connection, JANUARY)

    with pytest.raises(Refused, match="told by our own basis"):
        await report(ReportAsked(user_id=FIRST_ADMINISTRATOR, name=name, basis="broker"), connection)


async def test_an_imported_account_has_returns_and_lines_from_the_values_its_files_print(connection: Any) -> None:
    """January: 10,000 in on the 2nd, 124.50 gained; February: 398 gained. The IRA brings 3,348 of its own."""
    await keep(connection, NAMED_JANUARY, FEBRUARY, IRA)
    (account,) = [one for one in await StatementLedger(connection).accounts() if one.number == "U0000001"]

    (found,) = (await performance(PerformanceAsked(user_id=FIRST_ADMINISTRATOR, account_id=account.account_id), connection)).performances
    (both,) = (await performance(PerformanceAsked(user_id=FIRST_ADMINISTRATOR), connection)).performances

    assert (found.start, found.end, found.came_in, found.gain) == (usd(0), usd("10522.5"), usd(10_000), usd("522.5"))
    assert [(one.session.isoformat(), one.equity) for one in found.points] == [
        ("2024-01-31", usd("10124.5")),
        ("2024-02-29", usd("10522.5")),
    ]
    assert {one.line: one.amount for one in found.lines} == {
        "mark to market": usd(99), "dividends": usd(30), "withholding tax": usd("-4.5"), "Everything": usd(398),
    }  # fmt: skip
    assert not found.unexplained and found.unrealised is None and found.realised == usd("198.6")
    # Modified Dietz of January: 10,000 were there 29 of 31 days; February has no flows.
    assert found.rates.time_weighted == pytest.approx((1 + 124.5 / (10_000 * 29 / 31)) * (1 + 398 / 10_124.5) - 1)
    assert both.end == usd("13870.5") and len(both.accounts) == 2


async def test_sessions_of_the_market_do_not_value_an_imported_account_a_second_time(connection: Any) -> None:
    await keep(connection, NAMED_JANUARY)
    before = await performance(PerformanceAsked(user_id=FIRST_ADMINISTRATOR), connection)

    await valued(connection, date(2024, 3, 1), datetime(2024, 3, 1, 21, tzinfo=UTC))

    assert await performance(PerformanceAsked(user_id=FIRST_ADMINISTRATOR), connection) == before
    assert await connection.fetchval("select count(*) from day_mark") == 0
