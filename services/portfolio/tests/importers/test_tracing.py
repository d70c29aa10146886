"""What a file that contradicts itself is found to contradict itself in: rounded averages, lines of sums, sums without rows."""

import pytest
from services.portfolio.tests.importers.activity_samples import STATEMENT

from quantmatrix.portfolio.domain.statements_identities import Cause, Identity
from quantmatrix.portfolio.importing import File, check_files


def identity(name: str, text: str) -> Identity:
    (checked,) = check_files([File("file", text.encode())])
    return next(one for one in checked.identities if one.name == name)


ORDER = 'Order,Stocks,USD,CEG,"2024-09-20, 11:01:52",1,229.46,230,-229.46,-1.000035,230.460035,0,0.54,O'


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ('"2024-09-20, 11:01:52",13,37.64,37.7,-489.26,-1,490.26,0,0.78,O', Cause.SEVERAL_EXECUTIONS),  # 489.26 / 13 = 37.63538…
        ('"2024-09-20, 11:01:52",13,37.64,37.7,-489.20,-1,490.26,0,0.78,O', None),  # the basis does not bear the proceeds out
        ('"2024-09-20, 11:01:52",13,37.64,37.7,-489.16,-1,490.16,0,0.78,O', None),  # 37.627: rounds to 37.63
        ('"2024-09-20, 11:01:52",13,38,37.7,-489.26,-1,490.26,0,-3.9,O', None),  # zeros that are not printed are no rounding
    ],
)
def test_an_order_over_several_executions_may_print_a_rounded_average(row: str, cause: Cause | None) -> None:
    executions = [line for line in STATEMENT.splitlines() if ",Trade,Stocks,USD,CEG" not in line]
    text = "\n".join(executions).replace(ORDER, f"Order,Stocks,USD,CEG,{row}")

    (found,) = [one for one in identity("I1", text).differences if one.about == "CEG"]

    assert found.cause is cause


@pytest.mark.parametrize(
    ("line", "edited", "note"),
    [
        # 203,799.992109877 is the sum of the five lines; the cash report of the sample prints none of them again.
        ("Ending Value,203799.992109877", "Ending Value,203800.992109877", ""),
        ("Dividends,75.06\n", "Dividends,75.06\n", None),
    ],
)
def test_a_change_in_value_that_adds_up_needs_no_note(line: str, edited: str, note: str | None) -> None:
    assert line in STATEMENT

    differences = identity("I6", STATEMENT.replace(line, edited)).differences

    assert [one.note for one in differences] == ([] if note is None else [note])


def test_the_one_line_of_the_change_in_value_that_is_wrong_is_named() -> None:
    again = "".join(
        f"Cash Report,Data,{name},Base Currency Summary,{amount},0,0,\n"
        for name, amount in (("Deposits", 6000), ("Withdrawals", -1000), ("Dividends", "75.06"), ("Commissions", "-40.5"))
    )
    text = STATEMENT.replace("Cash Report,Data,Ending Cash,Base", again + "Cash Report,Data,Ending Cash,Base", 1)

    (marked,) = identity("I6", text.replace("Mark-to-Market,-1234.567890123", "Mark-to-Market,-1200")).differences
    (dividends,) = identity("I6", text.replace("Change in NAV,Data,Dividends,75.06", "Change in NAV,Data,Dividends,80.06")).differences

    assert marked.note == "only the line Mark-to-Market is printed nowhere else: it says -1200, the others leave -1234.567890123"
    assert dividends.note == "Dividends: 80.06 here, 75.06 elsewhere in the file"


def test_cash_that_the_rows_do_not_make_names_the_lines_they_miss() -> None:
    text = STATEMENT.replace("Deposits,USD,29942.051258345", "Dividends,USD,29942.051258345")

    (checked,) = check_files([File("file", text.replace("Ending Cash,USD,229942", "Ending Cash,USD,229944").encode())])

    assert checked.cash is not None
    assert checked.cash.differences[0].note == "Dividends: 29942.051258345 printed, the rows make 86.75"
