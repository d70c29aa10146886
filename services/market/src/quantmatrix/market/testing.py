"""A double of market's port, and the tests that every feed passes; also for feeds outside this tree."""

import itertools
from collections.abc import Sequence
from datetime import date
from typing import ClassVar

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.names import ActionKind
from quantmatrix.common.values import Price, Quantity
from quantmatrix.market.domain.listing import CorporateAction, DailyBar, instrument_id, split, us_stock
from quantmatrix.market.domain.quality import faults_of
from quantmatrix.market.ports import Feed, FeedContent


def bar(symbol: str, session: date, close: str, *, volume: int = 1_000) -> DailyBar:
    """A bar that opened, stayed and closed at one price."""
    price = Price.parse(close)
    return DailyBar(instrument_id("XNYS", symbol), session, price, price, price, price, Quantity(volume))


class FixedFeed:
    """Brings closes by symbol, one per XNYS session from `first` on, and splits as (symbol, session, new, old)."""

    name = "fixed"

    def __init__(self, first: date, closes: dict[str, Sequence[str]], splits: Sequence[tuple[str, date, int, int]] = ()) -> None:
        self._first = first
        self._closes = closes
        self._splits = splits

    def content(self) -> FeedContent:
        calendar = TradingCalendar()
        longest = max(len(closes) for closes in self._closes.values())
        sessions = [one.day for one in itertools.islice(calendar.sessions(self._first, date(self._first.year + 30, 1, 1)), longest)]
        bars = [
            bar(symbol, session, close) for symbol, closes in self._closes.items() for session, close in zip(sessions, closes, strict=False)
        ]
        actions: list[CorporateAction] = [
            split(instrument_id("XNYS", symbol), effective, new, old, "a test") for symbol, effective, new, old in self._splits
        ]
        return FeedContent(
            tuple(us_stock(symbol, symbol, sessions[0]) for symbol in sorted(self._closes)),
            tuple(sorted(bars, key=lambda one: (one.session, one.instrument_id))),
            tuple(actions),
        )


class FeedContract:
    """What must hold for every feed. Subclass it in a test module and set `feed`."""

    feed: ClassVar[Feed]

    def test_it_has_a_name(self) -> None:
        assert self.feed.name.isidentifier()

    def test_reading_twice_brings_the_same(self) -> None:
        assert self.feed.content() == self.feed.content()

    def test_bars_are_ordered_and_each_is_there_once(self) -> None:
        places = [(one.session, one.instrument_id) for one in self.feed.content().bars]

        assert places and places == sorted(set(places))

    def test_every_bar_and_action_is_of_a_listed_instrument(self) -> None:
        content = self.feed.content()
        listed = {one.instrument_id for one in content.listings}

        assert len(listed) == len(content.listings) == len({one.symbol for one in content.listings})
        assert {one.instrument_id for one in content.bars} == listed
        assert {one.instrument_id for one in content.actions} <= listed

    def test_every_bar_is_plausible_and_on_a_session(self) -> None:
        calendar = TradingCalendar()

        assert [found for one in self.feed.content().bars if (found := faults_of(one, calendar))] == []

    def test_splits_have_two_sides_and_dividends_an_amount(self) -> None:
        for action in self.feed.content().actions:
            assert action.source
            if action.kind is ActionKind.SPLIT:
                assert action.numerator > 0 and action.denominator > 0 and action.numerator != action.denominator
                assert action.amount is None
            else:
                assert action.amount is not None and action.amount.value > 0

    def test_actions_have_ids_of_their_own(self) -> None:
        ids = [one.action_id for one in self.feed.content().actions]

        assert len(ids) == len(set(ids))
