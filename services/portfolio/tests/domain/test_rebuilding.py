"""A book made anew swiftly is the book made anew, lot by lot."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import DAY, OPTION, at, fill, usd

from quantmatrix.portfolio.domain import rebuilding
from quantmatrix.portfolio.domain.book import rebuilt
from quantmatrix.portfolio.domain.lots import Fill, Split
from quantmatrix.portfolio.domain.methods import LotMethod, LotMethods
from quantmatrix.portfolio.domain.rebuilding import rebuilt_swiftly


@st.composite
def stories(draw: st.DrawFn) -> list[Fill | Split]:
    """Trades of options in any order, perhaps of the same instants or heard late, perhaps with a split."""
    story: list[Fill | Split] = []
    for number in range(draw(st.integers(1, 25))):
        units = draw(st.one_of(st.integers(1, 40).map(Decimal), st.decimals("0.001", "40", places=3).filter(bool)))
        story.append(
            fill(number, units * draw(st.sampled_from([1, -1])), str(draw(st.decimals("0.01", "90", places=4))), "0.6523", of=OPTION)
        )
    if draw(st.booleans()):
        hours = st.integers(0, 3)
        story = [replace(one, executed_at=at(DAY, 60 * draw(hours))) for one in story if isinstance(one, Fill)]
    if draw(st.integers(0, 4)) == 0:
        story.insert(draw(st.integers(0, len(story))), Split(DAY + timedelta(days=10), 3, 2))
    return story


@settings(max_examples=200, deadline=None)
@given(stories(), st.sampled_from([LotMethods(), LotMethods().changed(DAY, LotMethod.LIFO), LotMethods(LotMethod.AVERAGE)]))
def test_a_swift_rebuild_is_a_rebuild(story: list[Fill | Split], methods: LotMethods) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilding, "FACTS_MIN", 1)

        assert rebuilt_swiftly("USD", story, methods) == rebuilt("USD", story, methods)


def test_few_facts_are_booked_one_by_one() -> None:
    story: list[Fill | Split] = [fill(1, 10, "10"), fill(2, -4, "11")]

    assert rebuilt_swiftly("USD", story) == rebuilt("USD", story)
    assert rebuilt_swiftly("USD", []) == rebuilt("USD", [])


def test_quantities_that_do_not_fit_columns_are_booked_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "FACTS_MIN", 1)
    story: list[Fill | Split] = [fill(1, "100000000.000000000001", "10"), fill(2, "-4.000000000001", "11")]

    assert rebuilt_swiftly("USD", story) == rebuilt("USD", story)


def test_a_fill_that_was_heard_late_is_booked_by_its_time() -> None:
    """The lot of the earlier time goes first, though it was heard second."""
    late = [fill(2, 10, "20"), fill(1, 10, "10"), fill(3, -10, "30")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilding, "FACTS_MIN", 1)
        book = rebuilt_swiftly("USD", late)

    assert book == rebuilt("USD", late)
    assert book.realised == usd(200)
