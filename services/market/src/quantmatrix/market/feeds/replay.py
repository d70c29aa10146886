"""Real daily bars of AAPL, FB, GOOG, IBM and MSFT, 2000 to 2013, from the wheel `bokeh_sampledata` (public domain).

The prices are raw. Splits are facts in `splits.csv`; a fall in price is never taken for one.
"""

import csv
import gzip
import importlib.util
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

from quantmatrix.common.values import Price, Quantity
from quantmatrix.market.domain.dividends import derive_dividends
from quantmatrix.market.domain.listing import CorporateAction, DailyBar, instrument_id, split, us_stock
from quantmatrix.market.feeds._actions import read_splits
from quantmatrix.market.ports import FeedContent, FeedError
from quantmatrix.market.settings import MarketSettings

SOURCE = "Quandl WIKI prices in bokeh_sampledata"
_NAMES = {
    "AAPL": "Apple",
    "FB": "Facebook",
    "GOOG": "Google",
    "IBM": "International Business Machines",
    "MSFT": "Microsoft",
}


class ReplayFeed:
    """The sample bars, restricted to the symbols asked for."""

    name = "replay"

    def __init__(self, symbols: tuple[str, ...], *, derive: bool) -> None:
        unknown = sorted(set(symbols) - set(_NAMES))
        if unknown:
            raise FeedError(f"the replay feed has no {', '.join(unknown)}; it has {', '.join(_NAMES)}")
        self._symbols = symbols or tuple(_NAMES)
        self._derive = derive

    def content(self) -> FeedContent:
        bars: dict[str, list[DailyBar]] = defaultdict(list)
        adjusted: dict[str, dict[date, Decimal]] = defaultdict(dict)
        with gzip.open(_file(), "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                symbol = row["Ticker"]
                if symbol in self._symbols:
                    bar = _bar(row)
                    bars[symbol].append(bar)
                    adjusted[symbol][bar.session] = Decimal(row["Adj Close"])
        listings = tuple(us_stock(symbol, _NAMES[symbol], bars[symbol][0].session) for symbol in sorted(bars))
        known = {listing.symbol: listing.instrument_id for listing in listings}
        actions: list[CorporateAction] = [
            split(known[fact.symbol], fact.effective, fact.numerator, fact.denominator, fact.source)
            for fact in read_splits(Path(__file__).with_name("splits.csv"))
            if fact.symbol in known
        ]
        if self._derive:
            for symbol, instrument in known.items():
                own = [action for action in actions if action.instrument_id == instrument]
                actions += derive_dividends(instrument, bars[symbol], adjusted[symbol], own, SOURCE)
        ordered = sorted((bar for found in bars.values() for bar in found), key=lambda bar: (bar.session, bar.instrument_id))
        return FeedContent(
            listings,
            tuple(ordered),
            tuple(sorted(actions, key=lambda action: (action.effective, action.instrument_id))),
        )


def make(settings: MarketSettings) -> ReplayFeed:
    return ReplayFeed(settings.replay_symbols, derive=settings.derive_dividends)


def _file() -> Path:
    spec = importlib.util.find_spec("bokeh_sampledata")
    if spec is None or spec.origin is None:
        raise FeedError("the package bokeh_sampledata is missing; run 'make setup'")
    path = Path(spec.origin).parent / "_data" / "stocks.csv.gz"
    if not path.exists():
        raise FeedError(f"the sample bars are not where they were expected: {path}")
    return path


def _bar(row: dict[str, str]) -> DailyBar:
    return DailyBar(
        instrument_id=instrument_id("XNYS", row["Ticker"]),
        session=date.fromisoformat(row["Date"]),
        open=Price.parse(row["Open"]),
        high=Price.parse(row["High"]),
        low=Price.parse(row["Low"]),
        close=Price.parse(row["Close"]),
        volume=Quantity.parse(row["Volume"]),
    )
