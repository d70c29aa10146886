"""Files that were cut off, anywhere: refused whole, or nothing that the whole file books is missing or other than in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.importers.test_contracts import EVERY
from services.portfolio.tests.importers.whole_samples import WHOLE

from quantmatrix.portfolio.import_report import told
from quantmatrix.portfolio.importing import Checked, File, Status, check_files

TABLES = sorted(set(EVERY) - {"ibkr_activity"})


def check(body: bytes) -> Checked:
    (found,) = check_files([File("file", body)])
    return found


def booked(found: Checked) -> set[tuple[object, ...]]:
    assert found.statement is not None
    return {(one.broker_key, one.session, one.symbol, one.quantity, one.amount, one.fee) for one in found.statement.entries}


def test_the_whole_statement_is_reconciled_to_the_last_figure() -> None:
    found = check(WHOLE.encode())
    report = told(found)

    assert (report["status"], report["not_understood"], report["quality"]) == ("reconciled", 0, 100)
    assert all(one["checked"] == one["equal"] for one in report["identities"].values())
    assert (report["closings_checked"], report["closings_equal"], report["cash"]["equal"], report["positions"]["equal"]) == (2, 2, 2, 2)
    assert report["booked"] + report["ignored"] == report["rows"] == WHOLE.count(",Data,")
    assert report["totals"]["checked"] == report["totals"]["equal"] == 5


def test_a_statement_that_was_cut_off_behind_any_line_is_refused_or_complete() -> None:
    """Behind the last row that is booked only the names of instruments, codes and notes are missing."""
    whole = booked(check(WHOLE.encode()))
    lines = WHOLE.splitlines(keepends=True)
    refused = 0

    for count in range(1, len(lines)):
        found = check("".join(lines[:count]).encode())
        if found.status is Status.REJECTED:
            refused += 1
            assert found.why
        else:
            assert booked(found) == whole, lines[count - 1]

    last = max(number for number, line in enumerate(lines, start=1) if line.startswith("Interest,Data,USD"))
    assert refused >= last - 1


@settings(max_examples=150)
@given(place=st.integers(1, len(WHOLE.encode()) - 1))
def test_a_statement_that_was_cut_off_behind_any_byte_is_refused_or_complete(place: int) -> None:
    found = check(WHOLE.encode()[:place])

    assert found.status is Status.REJECTED or booked(found) == booked(check(WHOLE.encode()))


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=60)
@given(data=st.data())
def test_a_table_that_was_cut_off_tells_nothing_that_the_whole_one_does_not(name: str, data: st.DataObject) -> None:
    """A table has no end by which one sees that rows are missing; but half a row is refused. Only the last cell of all may be cut unseen."""
    body = EVERY[name].encode()
    place = data.draw(st.integers(1, len(body) - 1))
    found = check(body[:place])

    if found.status is not Status.REJECTED:
        assert len(booked(found) - booked(check(body))) <= (0 if body[place - 1 : place] == b"\n" else 1)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "gbk", "cp1252", "shift_jis"])
@pytest.mark.parametrize("name", ["ibkr_activity", "ibkr_flex_xml", "generic", "tastytrade"])
def test_text_in_another_encoding_is_refused_by_its_line(name: str, encoding: str) -> None:
    sample = {"gbk": "示例", "shift_jis": "示例", "cp1252": "Überweisung"}.get(encoding, "x")
    text = EVERY[name].removeprefix("\ufeff")
    body = (
        text.replace("EXAMPLE", sample).replace("INTEREST", sample).replace("mine", sample).replace("Disbursement", sample).encode(encoding)
    )

    found = check(body)

    assert (found.status, found.statement) == (Status.REJECTED, None)
    assert "line " in found.why or "no importer" in found.why


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    plain = WHOLE.removeprefix("\ufeff")

    assert booked(check(plain.replace("\n", "\r\n").encode("utf-8-sig"))) == booked(check(plain.encode()))


@pytest.mark.parametrize("section", sorted({line.split(",")[0] for line in WHOLE.splitlines() if ",Data," in line}))
def test_a_row_without_any_field_is_ignored_or_refused_by_its_line(section: str) -> None:
    lines = WHOLE.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith(f"{section},Data,"))
    lines[first] = f"{section},Data\n"

    found = check("".join(lines).encode())

    assert found.statement is None or found.statement.rows >= WHOLE.count(",Data,")
    assert found.why or found.status is not Status.REJECTED
