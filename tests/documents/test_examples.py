"""Every worked example has a test, and the page that lists them is what the tests say."""

from tests.documents.examples import PAGE, ROOT, absent, named, page


def test_every_worked_example_has_a_test() -> None:
    assert [example for example, tests in named().items() if not tests] == []


def test_every_test_of_the_list_is_there() -> None:
    assert absent() == []


def test_the_page_is_what_the_tests_say() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(), "run `python -m tests.documents.examples`"
