"""Tables as workbooks, read back with nothing but the format's own rules."""

import io
import zipfile
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree as Xml

from hypothesis import given
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import usd
from services.portfolio.tests.reports.disposing import plain

from quantmatrix.common.values import Quantity
from quantmatrix.portfolio.reports.form_8949 import HEADER, form_8949_workbook
from quantmatrix.portfolio.reports.workbook import workbook_of

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheet_of(body: bytes) -> list[dict[str, tuple[str, str]]]:
    """Kind and content of the cells of each row, by their place."""
    with zipfile.ZipFile(io.BytesIO(body)) as package:
        assert package.testzip() is None
        for name in package.namelist():
            Xml.fromstring(package.read(name))
        root = Xml.fromstring(package.read("xl/worksheets/sheet1.xml"))
    return [{cell.get("r", ""): (cell.get("t", "n"), "".join(cell.itertext())) for cell in row} for row in root.iter(f"{MAIN}row")]


def test_numbers_dates_and_text_keep_their_kind() -> None:
    rows = sheet_of(workbook_of("One", ("a", "b"), [("=1+1", usd("-1234.5"), date(2024, 1, 2), None, Quantity(3), 7, "", Decimal("0.10"))]))

    assert rows[0] == {"A1": ("inlineStr", "a"), "B1": ("inlineStr", "b")}
    # 2024-01-02 is day 45293 of a spreadsheet; text that looks like a formula is text.
    assert rows[1] == {
        "A2": ("inlineStr", "=1+1"), "B2": ("n", "-1234.5"), "C2": ("n", "45293"), "E2": ("n", "3"), "F2": ("n", "7"), "H2": ("n", "0.1"),
    }  # fmt: skip


def test_the_form_has_its_lines_and_totals() -> None:
    rows = sheet_of(form_8949_workbook([plain("100", "60"), plain("100", None)]))

    assert [content for _, content in rows[0].values()] == list(HEADER)
    assert (rows[1]["I2"], rows[3]["I4"]) == (("n", "40"), ("n", "40"))
    assert not {"F3", "I3"} & set(rows[2]) and rows[2]["E3"] == ("n", "100")
    assert rows[3]["B4"] == ("inlineStr", "Total of part I (lines: 1)")


def test_the_same_table_is_the_same_file() -> None:
    assert form_8949_workbook([plain("1", "2")]) == form_8949_workbook([plain("1", "2")])


@given(st.lists(st.text(max_size=40), min_size=1, max_size=30))
def test_any_text_comes_back_without_what_xml_cannot_hold(texts: list[str]) -> None:
    (_, row) = sheet_of(workbook_of("<&'\">", ("a",), [texts]))

    for place, text in enumerate(texts):
        kept = "".join(
            one for one in text if one in "\t\n\r" or 0x20 <= ord(one) < 0xD800 or 0xE000 <= ord(one) <= 0xFFFD or ord(one) > 0xFFFF
        )
        letter = chr(ord("A") + place) if place < 26 else "A" + chr(ord("A") + place - 26)
        kind, content = row.get(f"{letter}2", ("inlineStr", ""))
        assert kind == "inlineStr" and content.replace("\r\n", "\n").replace("\r", "\n") == kept.replace("\r\n", "\n").replace("\r", "\n")
