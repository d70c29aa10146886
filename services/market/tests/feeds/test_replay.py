"""The real daily bars: how many, on which sessions, and the three splits that are facts."""

from datetime import date
from decimal import Decimal
from functools import cache

import pytest

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.names import ActionKind
from quantmatrix.common.values import Price
from quantmatrix.market.domain.listing import instrument_id
from quantmatrix.market.domain.quality import missing_sessions
from quantmatrix.market.feeds.replay import ReplayFeed
from quantmatrix.market.ports import FeedContent, FeedError
from quantmatrix.market.testing import FeedContract, FixedFeed


@cache
def everything() -> FeedContent:
    """All bars and actions, read once."""
    return ReplayFeed((), derive=True).content()


class TestTheReplayFeed(FeedContract):
    feed = ReplayFeed(("FB",), derive=True)


class TestTheDouble(FeedContract):
    feed = FixedFeed(date(2024, 3, 1), {"ABC": ("10", "11", "6"), "XYZ": ("5", "5")}, [("ABC", date(2024, 3, 5), 2, 1)])


def closes(symbol: str) -> dict[date, Price]:
    return {bar.session: bar.close for bar in everything().bars if bar.instrument_id == instrument_id("XNYS", symbol)}


def test_there_are_five_symbols_and_12154_bars_of_2000_to_2013() -> None:
    assert [listing.symbol for listing in everything().listings] == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert len(everything().bars) == 12_154
    assert (everything().bars[0].session, everything().bars[-1].session) == (date(2000, 3, 1), date(2013, 3, 1))


def test_every_bar_lies_on_a_session_of_new_york_and_no_session_is_missing() -> None:
    calendar = TradingCalendar()
    for listing in everything().listings:
        own = [bar for bar in everything().bars if bar.instrument_id == listing.instrument_id]

        assert all(calendar.is_session(bar.session) for bar in own)
        assert missing_sessions(own, calendar) == []


def test_the_three_splits_are_facts_and_there_are_no_others() -> None:
    symbols = {listing.instrument_id: listing.symbol for listing in everything().listings}
    splits = [action for action in everything().actions if action.kind is ActionKind.SPLIT]

    assert [(symbols[one.instrument_id], one.effective, one.numerator, one.denominator, one.derived) for one in splits] == [
        ("AAPL", date(2000, 6, 21), 2, 1, False),
        ("MSFT", date(2003, 2, 18), 2, 1, False),
        ("AAPL", date(2005, 2, 28), 2, 1, False),
    ]


@pytest.mark.parametrize(
    ("symbol", "before", "on"),
    [
        ("AAPL", date(2000, 6, 20), date(2000, 6, 21)),
        ("MSFT", date(2003, 2, 14), date(2003, 2, 18)),
        ("AAPL", date(2005, 2, 25), date(2005, 2, 28)),
    ],
)
def test_the_prices_are_raw_around_a_split(symbol: str, before: date, on: date) -> None:
    """The close halves, within ten percent of a day's own movement."""
    own = closes(symbol)

    assert own[on].value / own[before].value == pytest.approx(Decimal("0.5"), rel=Decimal("0.1"))


def test_the_fall_of_apple_of_52_percent_is_in_the_prices_and_no_action() -> None:
    own, apple = closes("AAPL"), instrument_id("XNYS", "AAPL")

    assert (own[date(2000, 9, 28)], own[date(2000, 9, 29)]) == (Price.parse("53.5"), Price.parse("25.75"))
    assert not [one for one in everything().actions if one.instrument_id == apple and one.effective == date(2000, 9, 29)]


def test_dividends_are_marked_as_derived_and_come_only_where_asked_for() -> None:
    dividends = [action for action in everything().actions if action.kind is ActionKind.DIVIDEND]

    assert dividends and all(one.derived for one in dividends)
    assert not [one for one in ReplayFeed((), derive=False).content().actions if one.kind is ActionKind.DIVIDEND]


def test_derived_dividends_agree_with_what_companies_paid() -> None:
    """Microsoft's one-time dividend of 3.00 plus the ordinary 0.08, ex 15 November 2004; Apple's 2.65 of August 2012.

    Within two percent: the adjusted column is rounded to cents, which is why these are marked and never booked.
    """
    by_place = {(one.instrument_id, one.effective): one.amount for one in everything().actions if one.kind is ActionKind.DIVIDEND}

    assert by_place[instrument_id("XNYS", "MSFT"), date(2004, 11, 15)].value == pytest.approx(Decimal("3.08"), rel=Decimal("0.02"))
    assert by_place[instrument_id("XNYS", "AAPL"), date(2012, 8, 9)].value == pytest.approx(Decimal("2.65"), rel=Decimal("0.02"))


def test_companies_that_never_paid_have_no_dividends() -> None:
    never = {instrument_id("XNYS", symbol) for symbol in ("FB", "GOOG")}

    assert not [one for one in everything().actions if one.kind is ActionKind.DIVIDEND and one.instrument_id in never]


def test_a_symbol_the_feed_does_not_have_is_refused_with_what_it_has() -> None:
    with pytest.raises(FeedError, match="no TSLA; it has AAPL, FB, GOOG, IBM, MSFT"):
        ReplayFeed(("TSLA",), derive=False)


def test_some_symbols_bring_their_own_bars_and_actions_only() -> None:
    content = ReplayFeed(("MSFT",), derive=False).content()

    assert [listing.symbol for listing in content.listings] == ["MSFT"]
    assert {action.effective for action in content.actions} == {date(2003, 2, 18)}
