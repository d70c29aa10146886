"""A person's own file of sectors: taken whole, or refused with the line that is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.portfolio.reports.sectors import SectorFileError, sectors_of


def test_columns_come_in_any_order_beside_others_and_blank_lines_are_nothing() -> None:
    text = '\ufeffName,Sector,Symbol\r\n"Abc, Inc.",Energy,abc\r\n\r\nXyz,"Health, care",XYZ\r\n'

    assert sectors_of(text) == {"ABC": "Energy", "XYZ": "Health, care"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the header names"),
        ("symbol,name\nABC,Energy\n", "line 1: the header names"),
        ("symbol,sector,sector\nABC,a,b\n", "line 1: the header names"),
        ("symbol,sector\n", "line 2: the file names no symbol"),
        ("symbol,sector\nABC\n", "line 2: 1 columns"),
        ("symbol,sector\nABC,Energy\nABC,Water\n", "line 3: ABC has another sector above, Energy"),
        (f"symbol,sector\n{'A' * 41},Energy\n", "line 2: a symbol has 1 to 40"),
        ("symbol,sector\nABC,\n", "line 2: a symbol has 1 to 40"),
        ("symbol,sector\nABC,En\x07ergy\n", "line 2: there are characters"),
        ('symbol,sector\nABC,"Energy\n', "line 2: unexpected end of data"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(SectorFileError) as refused:
        sectors_of(text)

    assert str(refused.value).startswith(said)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = sectors_of(text)
    except SectorFileError as error:
        assert str(error).startswith("line ")
    else:
        assert all(found) and all(found.values())
