"""Every trap, promise and fault names tests that are there, or says that nothing proves it yet."""

import pytest
from tests.documents.proofs import ROOT, absent, named_on, unproved

PAGES = {"docs/traps.md": 80, "docs/faults.md": 40}
"""With the least number of rows each has."""


@pytest.mark.parametrize("page", PAGES)
def test_every_test_of_the_page_is_there(page: str) -> None:
    tests = named_on((ROOT / page).read_text(encoding="utf-8"))

    assert len(tests) > 50
    assert absent(tests) == []


@pytest.mark.parametrize(("page", "rows_min"), PAGES.items())
def test_every_row_names_a_test_or_says_that_there_is_none(page: str, rows_min: int) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")

    assert unproved(text) == []
    assert sum(line.startswith("| ") for line in text.splitlines()) >= rows_min


def test_a_row_without_a_test_and_a_test_that_is_not_there_are_found() -> None:
    page = "| trap | shown by |\n|---|---|\n| one | `tests/documents/test_proofs.py::test_nowhere` |\n| two | – |\n| three | not proved yet |\n"

    assert unproved(page) == ["| two | – |"]
    assert absent(named_on(page)) == ["tests/documents/test_proofs.py::test_nowhere"]
