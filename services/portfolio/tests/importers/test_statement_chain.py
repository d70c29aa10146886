"""Files held against those that were booked in an earlier call, and sets of files of which each has choices of its own."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from services.portfolio.tests.importers.chained_samples import FEBRUARY, IRA, JANUARY
from services.portfolio.tests.importers.test_statement_ledger import check, figures

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.portfolio.import_report import ImportTold
from quantmatrix.portfolio.importing import File
from quantmatrix.portfolio.statement_imports import Wish, import_files

AT = datetime(2025, 7, 23, 12, tzinfo=UTC)


@pytest.fixture
async def connection(database: Any) -> Any:
    return await database.connect("portfolio")


async def book(connection: Any, *files: File, **wishes: Any) -> list[ImportTold]:
    """One call of import."""
    return await import_files(files, Wish(FIRST_ADMINISTRATOR, **wishes), connection, AT)


def file(name: str, text: str, **more: Any) -> File:
    return File(name, text.encode(), **more)


OTHER_START = FEBRUARY.replace("Starting Cash,USD,8024.5", "Starting Cash,USD,8025.5").replace(
    "Ending Cash,USD,8522.5", "Ending Cash,USD,8523.5"
)


async def test_a_file_is_held_against_the_one_that_was_booked_in_an_earlier_call(connection: Any) -> None:
    """The same as in one call: eight figures meet, and the sale of what January bought has a basis to compare."""
    _, together = check(JANUARY, FEBRUARY)
    await book(connection, file("january", JANUARY))

    (february,) = await book(connection, file("february", FEBRUARY))

    (i8,) = [one for one in together.identities if one.name == "I8"]
    assert february["identities"]["I8"] == {"checked": i8.checked, "equal": i8.checked, "differences": []}
    assert i8.checked > 0 and (february["closings_checked"], february["closings_equal"], february["closings_pending"]) == (1, 1, 0)
    assert february["status"] == "reconciled"


@pytest.mark.parametrize("first", ["january", "february"])
async def test_a_file_that_does_not_meet_the_next_one_is_rejected_whichever_came_first(connection: Any, first: str) -> None:
    texts = {"january": JANUARY, "february": OTHER_START}
    await book(connection, file(first, texts.pop(first)))

    ((name, text),) = texts.items()
    (told,) = await book(connection, file(name, text))

    assert told["status"] == "rejected"
    assert told["why"] == "the file contradicts itself: I8 by 1 USD"
    (difference,) = told["identities"]["I8"]["differences"]
    assert (difference["about"], difference["printed"], difference["expected"]) == ("cash USD", "8025.5", "8024.5")


async def test_a_file_that_is_imported_again_is_not_held_against_itself(connection: Any) -> None:
    await book(connection, file("january", JANUARY), file("february", FEBRUARY))

    again = await book(connection, file("february", FEBRUARY), file("january", JANUARY))

    assert [(one["booked"], one["status"]) for one in again] == [(0, "reconciled"), (0, "reconciled")]


async def test_each_file_of_a_set_has_its_own_start_and_treatment(connection: Any) -> None:
    """Of the IRA nothing before its own day: 5 OLD of 20 were sold after it, its cash of that day is its opening."""
    told = await book(
        connection, file("january", JANUARY), file("ira", IRA, since=date(2024, 2, 15), treatment="tax-deferred"), treatment="taxable"
    )

    assert [one["period"] for one in told] == [
        {"first": "2024-01-01", "last": "2024-01-31"}, {"first": "2024-02-15", "last": "2024-02-29"},
    ]  # fmt: skip
    rows = await connection.fetch("select number, treatment from statement_account order by number")
    assert [tuple(row) for row in rows] == [("U0000001", "taxable"), ("U0000002", "tax-deferred")]
    cash, held = await figures(connection)
    assert (cash["U0000002"], held["U0000002", "OLD"][0]) == ("1148 USD", "15")
