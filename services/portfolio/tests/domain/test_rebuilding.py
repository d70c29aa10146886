"""A book made anew swiftly is the book made anew, lot by lot."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from services.portfolio.tests.domain.making import DAY, OPTION, STOCK, at, fill, instrument, usd

from quantmatrix.common.instruments import Instrument
from quantmatrix.portfolio.domain import rebuilding
from quantmatrix.portfolio.domain.book import Book, rebuilt
from quantmatrix.portfolio.domain.lots import Fill, Split
from quantmatrix.portfolio.domain.methods import LotMethod, LotMethods
from quantmatrix.portfolio.domain.rebuilding import rebuilt_swiftly

OTHERS = (OPTION, STOCK, instrument("EURO", currency="EUR"))
UNITS = st.one_of(st.integers(1, 40).map(Decimal), st.decimals("0.001", "40", places=3).filter(bool))
PRICES = st.decimals("0.01", "90", places=4)
SIGNS = st.sampled_from([1, -1])
HOURS = st.integers(0, 3)
Story = dict[Instrument, list[Fill | Split]]


def one_by_one(facts: Story, methods: LotMethods | None = None) -> dict[str, Book]:
    return {of.instrument_id: rebuilt(of.currency, told, methods or LotMethods()) for of, told in facts.items()}


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Trades of options and stocks in two currencies, in any order, perhaps of the same instants or heard late, perhaps with a split."""
    found: Story = {}
    for of in OTHERS:
        count = draw(st.integers(0, 25))
        story: list[Fill | Split] = [fill(number, draw(UNITS) * draw(SIGNS), str(draw(PRICES)), "0.6523", of=of) for number in range(count)]
        if draw(st.booleans()):
            story = [replace(one, executed_at=at(DAY, 60 * draw(HOURS))) for one in story if isinstance(one, Fill)]
        if draw(st.integers(0, 4)) == 0:
            story.insert(draw(st.integers(0, len(story))), Split(DAY + timedelta(days=10), 3, 2))
        found[of] = story
    return found


@settings(max_examples=200, deadline=None)
@given(stories(), st.sampled_from([LotMethods(), LotMethods().changed(DAY, LotMethod.LIFO), LotMethods(LotMethod.AVERAGE)]))
def test_a_swift_rebuild_is_a_rebuild(story: Story, methods: LotMethods) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilding, "FACTS_MIN", 1)

        assert rebuilt_swiftly(story, methods) == one_by_one(story, methods)


def test_few_facts_are_booked_one_by_one() -> None:
    story: Story = {STOCK: [fill(1, 10, "10"), fill(2, -4, "11")], OPTION: []}

    assert rebuilt_swiftly(story) == one_by_one(story)
    assert rebuilt_swiftly({}) == {}


def test_six_hundred_fills_of_two_instruments_come_out_of_columns_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(rebuilding, "rebuilt", lambda *given: asked.append(given))
    story: Story = {
        of: [fill(number, 7 if number % 3 else -11, f"{10 + number % 13}", "0.35", of=of) for number in range(300)] for of in OTHERS[:2]
    }

    assert rebuilt_swiftly(story) == one_by_one(story)
    assert asked == []


def test_quantities_that_do_not_fit_columns_are_booked_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "FACTS_MIN", 1)
    story: Story = {STOCK: [fill(1, "100000000.000000000001", "10"), fill(2, "-4.000000000001", "11")]}

    assert rebuilt_swiftly(story) == one_by_one(story)


def test_a_fill_that_was_heard_late_is_booked_by_its_time() -> None:
    """The lot of the earlier time goes first, though it was heard second."""
    late = [fill(2, 10, "20"), fill(1, 10, "10"), fill(3, -10, "30")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuilding, "FACTS_MIN", 1)
        book = rebuilt_swiftly({STOCK: late})[STOCK.instrument_id]

    assert book == rebuilt("USD", late)
    assert book.realised == usd(200)
