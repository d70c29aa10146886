"""Whatever a file holds, checking it ends with a report: rows that add up, or a reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.importers.test_contracts import EVERY

from quantmatrix.portfolio.import_report import told
from quantmatrix.portfolio.importing import File, check_files

PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"",
            b",",
            b'"',
            b"\n",
            b"\r\n",
            b"-",
            b"NaN",
            b"1e99",
            b"1E-99",
            b"9" * 30,
            b"Total",
            b"Data",
            b"Header",
            b"<",
            b">",
            b"{",
            b"]",
            b"0",
        ]
    ),
)


def hold(body: bytes) -> None:
    (result,) = check_files([File("file", body)])
    report = told(result)

    assert report["booked"] + report["ignored"] + report["not_understood"] == report["rows"]
    assert result.why or result.status_text.startswith("reconciled")


@pytest.mark.parametrize("name", sorted(EVERY))
@settings(max_examples=60, deadline=None, derandomize=True)
@given(places=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 20), PIECES), min_size=1, max_size=6))
def test_a_file_with_any_pieces_put_in_or_taken_out(name: str, places: list[tuple[int, int, bytes]]) -> None:
    body = EVERY[name].encode()
    for place, length, piece in places:
        start = place % len(body)
        body = body[:start] + piece + body[start + length :]

    hold(body or b"x")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(body=st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    hold(body)
