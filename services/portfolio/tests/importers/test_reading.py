"""Cells become values in the same way however often they stand in a file, and hostile ones are found in any place of a row."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmatrix.portfolio.importers._flex import PATTERNS
from quantmatrix.portfolio.importers._reading import UnreadableCellError, decimal_of, moment_of, refuse_hostile
from quantmatrix.portfolio.importers.ibkr_activity.cash import MOMENTS
from quantmatrix.portfolio.ports import StatementError

TWO_ORDERS = ("%m/%d/%y", "%d/%m/%Y %H:%M", "%b %d, %Y", "%Y-%m-%dT%H:%M:%S%z", "%m/%d/%Y")
WAYS = (PATTERNS, MOMENTS, TWO_ORDERS)


def plainly(text: str, patterns: tuple[str, ...]) -> datetime | None:
    for pattern in patterns:
        try:
            found = datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 - as in the code that is tested
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


@given(st.data())
def test_a_time_is_read_by_the_first_pattern_that_fits(data: st.DataObject) -> None:
    patterns = data.draw(st.sampled_from(WAYS))
    at = data.draw(st.datetimes(min_value=datetime(1971, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the strategy wants it so
    text = at.strftime(data.draw(st.sampled_from(patterns)))
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(text) - 1))
        text = text[:place] + data.draw(st.sampled_from(["", "0", " ", "-", "13", ";"])) + text[place + 1 :]
    wanted = plainly(text, patterns)

    if wanted is None:
        with pytest.raises(UnreadableCellError):
            moment_of(text, "Date", *patterns)
    else:
        assert moment_of(text, "Date", *patterns) == wanted


@pytest.mark.parametrize("text", ["1,00", "NaN", "1e999", "1" * 19, "Infinity", "٣"])
def test_a_number_that_is_none_is_refused_each_time_under_its_own_column(text: str) -> None:
    for column in ("Amount", "Price"):
        with pytest.raises(UnreadableCellError, match=f"column {column}: expected a number"):
            decimal_of(text, column)


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "\t=1", "+cmd|'/c calc'!A1", "-HYPERLINK(1)"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_formula_is_refused_in_any_cell(cell: str, place: int) -> None:
    cells = ["a", "-5", "+3.5"]
    cells[place] = cell

    with pytest.raises(StatementError, match="formula"):
        refuse_hostile(cells, 7)


def test_a_formula_sign_within_a_cell_is_text() -> None:
    refuse_hostile(["a=b", "5-HYPERLINK(1)", "-", "--", "+1", "-1,000.5"], 7)
