"""Bad files: refused whole, with the line named, nothing booked, and nothing of their content in the message."""

import csv
import re

import pytest
from services.portfolio.tests.importers import samples
from services.portfolio.tests.importers.activity_samples import STATEMENT
from services.portfolio.tests.importers.test_contracts import EVERY
from services.portfolio.tests.importers.whole_samples import WHOLE

from quantmatrix.portfolio.import_report import told
from quantmatrix.portfolio.importers.ibkr_flex_xml import IMPORTER
from quantmatrix.portfolio.importing import BODY_BYTES_MAX, Checked, File, Status, check_files
from quantmatrix.portfolio.ports import StatementError

SECRET = "Confidential"


def check(body: bytes, account: str | None = None) -> Checked:
    (result,) = check_files([File("file", body)], account)
    return result


def line_of(text: str, part: str) -> int:
    return next(line for line, found in enumerate(text.splitlines(), start=1) if part in found)


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-inf", "1e999", "1e30", "1,00", "1,0000", "12,34.5", "1.2.3", "0x10", "--1", "١٢", "9" * 400]
)
def test_hostile_numbers_refuse_the_file_and_name_the_line(number: str) -> None:
    result = check(STATEMENT.replace("Electronic Fund Transfer,6000", f'Electronic Fund Transfer,"{number}"').encode())

    assert result.status is Status.REJECTED
    expected = f"line {line_of(STATEMENT, 'Electronic Fund')}: column Amount: expected a number"
    assert result.why in (expected, f"{expected} below 10^18")
    assert number not in result.why


@pytest.mark.parametrize("where", ["Ending Value,", "Starting Cash,USD,", "Summary,Stocks,USD,OXY,"])
def test_a_hostile_number_in_a_summary_names_its_line_too(where: str) -> None:
    line = line_of(STATEMENT, where)
    lines = STATEMENT.splitlines()
    lines[line - 1] = lines[line - 1].replace(where, f"{where}NaN", 1)

    result = check("\n".join(lines).encode())

    assert (result.status, result.statement) == (Status.REJECTED, None)
    assert result.why.startswith(f"line {line}: column ")


@pytest.mark.parametrize("cell", ['=HYPERLINK("http://x")', "=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-cmd(1)", "\t=1"])
def test_formulas_are_refused(cell: str) -> None:
    quoted = cell.replace('"', '""')
    result = check(STATEMENT.replace("Disbursement", f'"{quoted}"').encode())

    assert result.status is Status.REJECTED
    assert result.why == f"line {line_of(STATEMENT, 'Disbursement')}: a cell holds a formula; brokers do not write formulas"


def test_a_file_that_was_cut_off_inside_a_quotation_is_refused() -> None:
    body = STATEMENT.encode()
    cut = body[: body.index(b"Split 4 for 1") + 5]

    result = check(cut)

    assert result.status is Status.REJECTED
    assert result.why.startswith(f"line {cut.count(10) + 1}: not readable as CSV")


def test_a_file_that_was_cut_off_inside_a_row_is_refused() -> None:
    body = STATEMENT.encode()
    cut = body[: body.index(b"Electronic Fund Transfer,6000") + len(b"Electronic Fund")]

    result = check(cut)

    assert result.status is Status.REJECTED
    assert result.why == f"line {cut.count(10) + 1}: the file ends in the middle of a row"


@pytest.mark.parametrize("name", ["ibkr_flex_xml", "alpaca"])
def test_a_document_that_was_cut_off_is_refused(name: str) -> None:
    body = EVERY[name].encode()

    for part in range(1, 10):
        result = check(body[: len(body) * part // 10])
        assert result.status is Status.REJECTED
        assert "line " in result.why or "no importer" in result.why


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\n\n  \n", b"\x00" * 5000, b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10, b"PK\x03\x04" + b"\x00" * 100,
        STATEMENT.encode("utf-16"), STATEMENT[1:].replace("Disbursement", "Überweisung").encode("latin-1"),
    ],
    ids=["empty", "blank", "zeros", "picture", "archive", "utf-16", "latin-1"],
)  # fmt: skip
def test_what_is_no_text_in_utf8_is_refused(body: bytes) -> None:
    result = check(body)

    assert (result.status, result.statement) == (Status.REJECTED, None)


def test_a_file_in_another_encoding_names_the_line() -> None:
    result = check(STATEMENT[1:].replace("Disbursement", "Überweisung").encode("latin-1"))

    assert "no importer" in result.why or result.why == f"line {line_of(STATEMENT, 'Disbursement')}: the text is not in UTF-8"


def test_a_file_over_the_limit_is_refused_unread() -> None:
    result = check(b"Statement,Header,Field Name,Field Value\n" + b"x" * BODY_BYTES_MAX)

    assert result.status is Status.REJECTED
    assert "more than" in result.why


def test_a_cell_without_an_end_is_refused() -> None:
    result = check(STATEMENT.replace("Disbursement", "x" * 20_000).encode())

    assert result.why == f"line {line_of(STATEMENT, 'Disbursement')}: a cell has more than 16384 characters"


def test_figures_that_no_ledger_can_hold_are_refused() -> None:
    huge = samples.GENERIC.replace("ABC,10,100,,1", "ABC,100000000000000000,100000000000000000,-1,1")

    assert check(huge.encode()).status is Status.REJECTED


BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
<FlexQueryResponse><FlexStatements><FlexStatement accountId="&lol2;" fromDate="20250101" toDate="20250101"/></FlexStatements></FlexQueryResponse>"""
OUTSIDE = BOMB.replace('<!ENTITY lol "lol">', '<!ENTITY lol SYSTEM "file:///etc/passwd">')


@pytest.mark.parametrize("text", [BOMB, OUTSIDE])
def test_entities_are_refused(text: str) -> None:
    at_the_beginning = check(text.encode())
    behind_the_beginning = check(
        text.replace('<?xml version="1.0"?>\n', "").replace("<FlexQueryResponse>", "<FlexQueryResponse queryName='a'>").encode()
    )

    assert at_the_beginning.status is behind_the_beginning.status is Status.REJECTED


def test_entities_are_refused_by_the_importer_itself() -> None:
    with pytest.raises(StatementError, match="line 2: document types and entities are not read"):
        IMPORTER().read(BOMB.encode())


def test_xml_that_is_nested_without_end_is_refused() -> None:
    deep = "<FlexQueryResponse>" + "<a>" * 1000 + "</a>" * 1000 + "</FlexQueryResponse>"

    assert "deep" in check(deep.encode()).why


def test_json_that_is_nested_without_end_is_refused() -> None:
    assert check(b'[{"activity_type": ' + b"[" * 200_000).status is Status.REJECTED


def test_one_id_with_two_contents_refuses_the_file() -> None:
    result = check(samples.COINBASE_FILLS.replace("5002,BAT-ETH", "5001,BTC-USD").encode())

    assert result.status is Status.REJECTED
    assert result.why == "line 3: another row before it (line 2) has the same id and says something else"


def test_the_same_row_twice_under_one_id_is_booked_once() -> None:
    twice = samples.COINBASE_FILLS + samples.COINBASE_FILLS.splitlines()[1] + "\n"
    result = check(twice.encode())
    assert result.statement is not None

    assert (result.statement.rows, len(result.statement.entries), len(result.statement.ignored)) == (3, 2, 1)


def test_a_statement_of_another_account_is_refused_without_its_number() -> None:
    result = check(STATEMENT.encode(), account="DU0000001")

    assert (result.status, result.statement) == (Status.REJECTED, None)
    assert "U0000001" not in result.why


def test_a_file_without_an_account_takes_the_one_it_is_imported_into() -> None:
    result = check(samples.TASTY_NEWER.encode(), account="mine")
    assert result.statement is not None

    assert result.statement.accounts == ("mine",)
    assert {entry.account for entry in result.statement.entries} == {"mine"}


def test_the_same_file_given_twice_is_refused_the_second_time() -> None:
    first, second = check_files([File("a.csv", STATEMENT.encode()), File("b.csv", STATEMENT.encode())])

    assert first.status is not Status.REJECTED
    assert (second.status, second.why) == (Status.REJECTED, "the same file as a.csv")


@pytest.mark.parametrize("name", sorted(EVERY))
def test_messages_never_quote_a_cell(name: str) -> None:
    """Every digit run of every row is spoiled in turn; no reason repeats what stood there."""
    lines = EVERY[name].splitlines()
    for number in range(1, len(lines)):
        spoiled = [*lines]
        spoiled[number] = spoiled[number].replace("0", SECRET)
        result = check("\n".join(spoiled).encode())
        shown = result.why + " ".join(row["why"] for row in told(result)["rows_not_understood"])
        assert SECRET not in shown, shown


def numbers_of(text: str) -> list[tuple[int, int]]:
    """The line and place of every cell of a data row that holds a number; a quotation over two lines is left out."""
    found = []
    for line, row in enumerate(text.splitlines()):
        cells = next(csv.reader([row]))
        if len(cells) > 2 and cells[1] == "Data" and '"First line' not in row:
            found += [(line, place) for place, cell in enumerate(cells) if place > 1 and re.fullmatch(r"-?[\d,.]+", cell)]
    return found


@pytest.mark.parametrize("hostile", ["NaN", "1e999", "1,2,3.4", "9" * 40])
def test_no_number_of_a_statement_can_be_spoiled_unseen(hostile: str) -> None:
    """Refused, or what is booked is the same: then it was a number that nothing is made of."""
    lines = WHOLE.splitlines()
    (whole,) = check_files([File("file", WHOLE.encode())])
    assert whole.statement is not None
    keys = {entry.broker_key for entry in whole.statement.entries}
    cells_of = numbers_of(WHOLE)
    refused = 0

    for line, place in cells_of:
        cells = next(csv.reader([lines[line]]))
        cells[place] = hostile
        row = ",".join(f'"{cell}"' if "," in cell else cell for cell in cells)
        found = check("\n".join([*lines[:line], row, *lines[line + 1 :], ""]).encode())
        refused += found.status is Status.REJECTED
        assert hostile not in found.why
        assert found.status is Status.REJECTED or (
            found.statement is not None and {one.broker_key for one in found.statement.entries} == keys
        )

    assert (len(cells_of), refused > 80) == (169, True), refused
