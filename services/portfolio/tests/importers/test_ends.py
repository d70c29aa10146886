"""End figures and printed sums against the rows: rows that are missing are noticed, sections that were not exported are named."""

import csv
import io
from datetime import date

import pytest
from services.portfolio.tests.importers.whole_samples import WHOLE

from quantmatrix.portfolio.domain.statements_identities import Cause
from quantmatrix.portfolio.import_report import ImportTold, told
from quantmatrix.portfolio.importing import File, check_files

DIVIDEND = "Dividends,Data,USD,2024-01-25,ABC(US0000000001) Cash Dividend USD 0.30 per Share (Ordinary Dividend),30\n"
SALE = 'Trades,Data,Order,Stocks,USD,ABC,"2024-02-12, 10:00:00",-40,25,25,"1,000",-1,-800.4,198.6,0,C\n'
FEE = "Fees,Data,Other Fees,USD,2024-02-05,M******1:OPRA NP L1,-1.5\n"
ENDS = ("Codes", "Notes/Legal Notes", "Financial Instrument Information")
SUMS = ("Net Asset Value", "Change in NAV", "Mark-to-Market Performance Summary", "Cash Report")


def check(text: str) -> ImportTold:
    return told(check_files([File("file.csv", text.encode())])[0])


def without(*sections: str) -> str:
    """The statement as it is exported without these sections."""
    lines = WHOLE.replace('"First line\nsecond line"', '"First line"').splitlines(keepends=True)
    return "".join(line for line in lines if line.split(",")[0] not in sections)


@pytest.mark.parametrize(
    ("row", "instead", "said"),
    [
        (DIVIDEND, "", "cash USD is printed as 7227.35 and the rows make 7197.35 (Dividends: 30 printed, the rows make 0)"),
        (DIVIDEND, DIVIDEND.replace(",30\n", ",300\n"), "Dividends are printed as 30 in sum and their rows make 300"),
        (SALE, "", "cash USD is printed as 7227.35 and the rows make 6228.35 (Commissions, Trades (Purchase), Trades (Sales): -1785.4 printed"),
        (FEE, "", "cash USD is printed as 7227.35 and the rows make 7228.85 (Other Fees: -1.5 printed, the rows make 0)"),
        (FEE, FEE * 2, "Fees are printed as -1.5 in sum and their rows make -3"),
    ],
)  # fmt: skip
def test_a_row_that_is_missing_or_was_changed_is_noticed(row: str, instead: str, said: str) -> None:
    found = check(WHOLE.replace(row, instead))

    assert (found["status"], found["state"]) == ("rejected", "failed")
    assert said in found["why"]


@pytest.mark.parametrize(
    ("sections", "explained"),
    [(("Dividends",), 1), (("Interest", "Fees"), 1), (("Trades",), 3), (("Dividends", "Withholding Tax", "Deposits & Withdrawals"), 1)],
)
def test_a_section_that_was_not_exported_explains_what_its_rows_would_have_made(sections: tuple[str, ...], explained: int) -> None:
    found = check(without(*sections))

    causes = {one["cause"] for ends in (found["positions"], found["cash"]) for one in ends["differences"]}
    assert found["status"] == f"reconciled with {explained} explained differences"
    assert causes == {Cause.NOT_EXPORTED.value}


@pytest.mark.parametrize(
    "sections",
    [(), ("Open Positions",), ("Open Positions", *ENDS), ENDS, SUMS, (*SUMS, *ENDS), (*SUMS, *ENDS, "Open Positions", "Dividends"), ("Trades", *SUMS)],
)  # fmt: skip
def test_a_part_of_a_statement_that_agrees_with_itself_is_reconciled(sections: tuple[str, ...]) -> None:
    found = check(without(*sections))

    assert (found["status"], found["not_understood"]) == ("reconciled", 0)
    assert found["booked"] + found["ignored"] == found["rows"]


def test_without_open_positions_the_marks_tell_what_is_held_at_the_end() -> None:
    kept = check(without("Open Positions"))
    dropped = check(without("Open Positions", "Cash Report").replace(SALE, ""))

    assert (kept["positions"]["checked"], kept["positions"]["equal"]) == (3, 3)
    assert [(one["about"], one["printed"], one["expected"]) for one in dropped["positions"]["differences"]] == [("ABC", "60", "100")]


def test_sums_of_the_whole_time_are_not_held_against_a_part_of_it() -> None:
    (later,) = check_files([File("file.csv", WHOLE.encode())], since=date(2024, 2, 1))

    report = told(later)
    assert (report["status"], report["totals"]["checked"], report["cash"]["equal"]) == ("reconciled", 0, 2)


def spoken(text: str, **options: object) -> str:
    """The same rows as another program writes them."""
    out = io.StringIO()
    csv.writer(out, **options).writerows(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))  # type: ignore[arg-type] # csv's own words
    return out.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        spoken(WHOLE, quoting=csv.QUOTE_ALL, lineterminator="\r\n"), "\ufeff" + spoken(WHOLE, quoting=csv.QUOTE_ALL), "\n\n" + spoken(WHOLE),
        WHOLE.replace("\n", "\r\n"), WHOLE + "\n\n",
    ],
)  # fmt: skip
def test_quotes_line_ends_and_empty_lines_do_not_matter(text: str) -> None:
    found, plain = check(text), check(WHOLE)

    assert (found["status"], found["rows"], found["booked"]) == ("reconciled", plain["rows"], plain["booked"])


@pytest.mark.parametrize("between", [";", "\t"])
def test_what_a_spreadsheet_saved_with_other_separators_is_refused_by_name(between: str) -> None:
    found = check(spoken(WHOLE, delimiter=between))

    assert (found["status"], found["rows"]) == ("rejected", 0)
    assert found["why"].startswith("line 1: its columns are not separated by commas")


def test_text_in_utf_16_is_refused_by_name() -> None:
    (found,) = check_files([File("file.csv", WHOLE.removeprefix("\ufeff").encode("utf-16"))])

    assert found.why == "line 1: the text is in UTF-16, not in UTF-8: save it as UTF-8, or export it again"


def test_both_spellings_of_a_contract_are_one_position() -> None:
    text = WHOLE.replace("ABC 16FEB24 30 C", "ABC 16FEB24 30.0 C").replace(
        'Trades,Data,Order,Equity and Index Options,USD,ABC 16FEB24 30.0 C,"2024-02-16, 16:20:00",2,0,0,0,0,298.6,298.6,0,C;Ep\n', ""
    )
    held = "Open Positions,Data,Summary,Equity and Index Options,USD,ABC 16FEB24 30.00 C,-2,100,1.493,-298.6,1,-200,98.6,\n"

    found = check(text.replace("Open Positions,Total", held + "Open Positions,Total", 1))

    assert (found["positions"]["checked"], found["positions"]["differences"]) == (3, [])


def test_columns_may_stand_in_another_order() -> None:
    rows = list(csv.reader(io.StringIO(WHOLE.removeprefix("\ufeff"))))
    moved = [
        [*one[:2], one[3], one[2], *one[4:]]
        if one[0] in ("Dividends", "Deposits & Withdrawals")
        else [*one[:3], *one[:2:-1]]
        if one[0] == "Trades"
        else one
        for one in rows
    ]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(moved)

    found = check(out.getvalue())

    assert (found["status"], found["booked"], found["not_understood"]) == ("reconciled", 13, 0)


@pytest.mark.parametrize("amount", ["NaN", "1e999", '"1,00,0"', "Infinity"])
def test_a_table_of_one_bad_row_names_its_line_and_column(amount: str) -> None:
    found = check(f"date,kind,currency,account,amount,text\n2024-01-01,fee,USD,x,{amount},a\n")

    assert (found["status"], found["why"]) == ("rejected", "line 2: column amount: expected a number; nothing else in it can be booked")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"PK\x03\x04aaaa", "(a workbook or an archive; export the statement as text)"),
        (b"%PDF-1.7 aaaa", "(a PDF; export the statement as CSV or XML)"),
        (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><FlexQueryResponse queryName="&b;"/>', "(XML with declarations of its own"),
        (b"\x89\x00\x01\x02", "(it is binary)"),
    ],
)
def test_a_file_that_nobody_reads_is_named_by_what_it_is(body: bytes, said: str) -> None:
    (found,) = check_files([File("file", body)])

    assert found.why.startswith(f"no importer knows this kind of file {said}")
