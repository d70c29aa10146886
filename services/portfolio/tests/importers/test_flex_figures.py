"""What a Flex query says of the account as a whole: I6 for its change in value, cash at both ends."""

from services.portfolio.tests.importers import samples

from quantmatrix.portfolio.importing import Checked, File, Status, check_files

CHANGE = (
    '<ChangeInNAV accountId="U0000001" acctAlias="" currency="USD" fromDate="20250101" toDate="20250131" startingValue="10000" mtm="-12.345678901" '
    'realized="5" changeInUnrealized="-17.345678901" depositsWithdrawals="500" dividends="15" withholdingTax="-2.25" commissions="-3.1" '
    'endingValue="10497.304321099" twr="0.12" />\n'
)
CASH = (
    '<CashReport><CashReportCurrency accountId="U0000001" currency="BASE_SUMMARY" startingCash="1" endingCash="2" />'
    '<CashReportCurrency accountId="U0000001" currency="USD" startingCash="{start}" endingCash="{end}" /></CashReport>\n'
)
EMPTY = (
    '<FlexQueryResponse queryName="a" type="AF"><FlexStatements count="1"><FlexStatement accountId="U0000001" fromDate="20250101" toDate="20250131">\n'
    '{inside}<CashTransactions><CashTransaction accountId="U0000001" currency="USD" dateTime="20250110" settleDate="20250110" amount="15" '
    'type="Dividends" description="F CASH DIVIDEND" symbol="F" transactionID="1" levelOfDetail="DETAIL" /></CashTransactions>\n'
    "</FlexStatement></FlexStatements></FlexQueryResponse>\n"
)


def check(inside: str) -> Checked:
    (result,) = check_files([File("flex.xml", EMPTY.format(inside=inside).encode())])
    return result


def identity(result: Checked, name: str) -> tuple[int, list[str]]:
    (found,) = [one for one in result.identities if one.name == name]
    return found.checked, [str(one.amount) for one in found.differences]


def test_the_change_in_value_sums_up_with_marks_or_with_lots_but_not_with_both() -> None:
    assert identity(check(CHANGE), "I6") == (1, [])
    by_lots = check(CHANGE.replace('mtm="-12.345678901"', 'mtm="0"').replace('realized="5"', 'realized="5.0"'))
    assert identity(by_lots, "I6") == (1, [])


def test_a_change_in_value_that_does_not_sum_up_rejects_the_file() -> None:
    result = check(CHANGE.replace('dividends="15"', 'dividends="25"'))

    assert (result.status, result.why) == (Status.REJECTED, "the file contradicts itself: I6 by -10 USD")


def test_a_figure_of_the_change_in_value_that_is_no_number_names_its_line() -> None:
    result = check(CHANGE.replace('dividends="15"', 'dividends="NaN"'))

    assert (result.status, result.why) == (Status.REJECTED, "line 2: column dividends: expected a number")


def test_cash_at_the_end_is_held_against_the_rows() -> None:
    agreeing, other = check(CASH.format(start="100", end="115")), check(CASH.format(start="100", end="116"))

    assert agreeing.cash is not None and other.cash is not None
    assert (agreeing.cash.checked, agreeing.cash.differences) == (1, ())
    assert [str(one.amount) for one in other.cash.differences] == ["1 USD"]


def test_statements_of_several_days_each_have_their_change() -> None:
    two = CHANGE + CHANGE.replace('dividends="15"', 'dividends="16"').replace("10497.30", "10498.30")

    assert identity(check(two), "I6") == (2, [])
    assert check(two).statement is not None


def test_the_sample_of_a_whole_query_says_nothing_of_value() -> None:
    (result,) = check_files([File("flex.xml", samples.FLEX_XML.encode())])

    assert identity(result, "I6") == (0, [])
