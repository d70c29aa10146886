"""The quotes of the past are handed out in whole sessions, as many at a time as fit."""

from datetime import date
from pathlib import Path
from typing import Any

from services.signals.tests.chain_file import write_chains

from quantmatrix.common.names import InstrumentId
from quantmatrix.market.domain.listing import Listing, Quote
from quantmatrix.market.feeds import csv as bars_of
from quantmatrix.market.feeds._chains import with_chains
from quantmatrix.market.settings import MarketSettings
from quantmatrix.market.store import MarketStore

DAYS = [date(2003, 6, 2), date(2003, 6, 3), date(2003, 6, 4)]


async def _stored(database: Any, folder: Path) -> tuple[MarketStore, InstrumentId, int]:
    rows = [f"ABC,{day},{20 + number},{21 + number},19,{20 + number},1000" for number, day in enumerate(DAYS)]
    (folder / "bars.csv").write_text("\n".join(["symbol,date,open,high,low,close,volume", *rows]), encoding="utf-8")
    chains = write_chains(folder / "chains.csv", [("ABC", day, 20.0 + number) for number, day in enumerate(DAYS)])
    settings = MarketSettings(feed="csv", csv_file=folder / "bars.csv", chains_file=chains)
    content = with_chains(bars_of.make(settings).content(), settings)
    store = MarketStore(await database.connect("market"))
    await store.load("csv", content, first=DAYS[0], last=DAYS[-1], pace_s=0.0)
    (underlying,) = {one.underlying for one in content.listings if one.underlying is not None}
    return store, underlying, sum(quote.session == DAYS[0] for quote in content.quotes)


async def test_pages_of_whole_sessions_make_up_everything_and_nothing_twice(database: Any, tmp_path: Path) -> None:
    store, underlying, a_day = await _stored(database, tmp_path)
    whole, after = await store.quoted(underlying, DAYS[0], DAYS[-1], 10_000)

    pages: list[list[tuple[Listing, Quote]]] = []
    since: date | None = DAYS[0]
    while since is not None:
        found, since = await store.quoted(underlying, since, DAYS[-1], a_day + 1)
        pages.append(found)

    assert after is None and {one.session for _, one in whole} == set(DAYS)
    assert [pair for found in pages for pair in found] == whole
    assert [sorted({quote.session for _, quote in found}) for found in pages] == [[day] for day in DAYS]
    assert all(listing.instrument_id == quote.instrument_id for listing, quote in whole)


async def test_a_session_with_more_than_fits_comes_whole_and_none_beyond_the_last_is_told(database: Any, tmp_path: Path) -> None:
    store, underlying, a_day = await _stored(database, tmp_path)

    quotes, after = await store.quoted(underlying, DAYS[0], DAYS[1], 1)
    beyond, end = await store.quoted(underlying, DAYS[2], DAYS[1], 1)

    assert len(quotes) == a_day and after == DAYS[1]
    assert beyond == [] and end is None
