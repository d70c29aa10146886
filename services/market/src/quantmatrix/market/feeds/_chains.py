"""A file of option chains beside any feed: CSV with a header, or Parquet with the same columns; one row per contract and session.

    underlying, date, expires, type, strike, bid, ask, iv, open_interest, volume[, delta][, root]

Dates are YYYY-MM-DD and exchange dates, type is call or put, prices are dollars a share at the close, iv is a fraction a year
(0.35) and delta the broker's, both may be empty. Strikes are those of the row's date: from the day of a split on they are adjusted
ones. root is needed for contracts that no longer deliver 100 shares: the stock's symbol and a digit, which counts the splits that
changed what they deliver. A row that cannot be refuses the whole file, with its line.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.names import ActionKind, InstrumentId
from quantmatrix.common.options import Kind, OptionTerms
from quantmatrix.common.values import NotExactError, Price
from quantmatrix.market.domain.listing import CorporateAction, Listing, Quote, us_option
from quantmatrix.market.domain.quality import faults_of
from quantmatrix.market.feeds._adjusting import Adjusting
from quantmatrix.market.feeds._days import day_of
from quantmatrix.market.ports import FeedContent, FeedError
from quantmatrix.market.settings import MarketSettings

COLUMNS = ("underlying", "date", "expires", "type", "strike", "bid", "ask", "iv", "open_interest", "volume")
_MAY_BE_EMPTY = frozenset({"iv", "delta"})
WRONG_SHOWN_MAX = 20
BYTES_MAX = 500 << 20
_KINDS: Mapping[str, Kind] = {"call": "call", "put": "put", "c": "call", "p": "put"}
_NOBODY_YET = InstrumentId("")
Row = Mapping[str, str]
_Told = tuple[str, OptionTerms, Quote]
"""The place of a row, the terms of its contract on that day, and its quote."""


def with_chains(content: FeedContent, settings: MarketSettings) -> FeedContent:
    """What a feed brings, and the chains of the file that the settings name. Raises FeedError with the lines of all that is wrong."""
    if settings.chains_file is None:
        return content
    listings, quotes, adjustments = _Reading(settings.chains_file, content, strangers_pass=bool(settings.replay_symbols)).read()
    bars = sorted((*content.bars, *(one.bar for one in quotes)), key=lambda bar: (bar.session, bar.instrument_id))
    actions = sorted((*content.actions, *adjustments), key=lambda action: (action.effective, action.instrument_id))
    return FeedContent((*content.listings, *listings), tuple(bars), tuple(actions), tuple(quotes))


class _Reading:
    """One pass over the file, and one over its quotes in the order of their sessions."""

    def __init__(self, path: Path, content: FeedContent, *, strangers_pass: bool) -> None:
        self._path, self._content, self._strangers_pass = path, content, strangers_pass
        self._underlyings = {one.symbol: one for one in content.listings}
        self._calendar = TradingCalendar()
        self._seen: dict[tuple[str, date], str] = {}
        self._wrong: list[str] = []

    def read(self) -> tuple[list[Listing], list[Quote], list[CorporateAction]]:
        """Contracts in the order of their symbols, quotes by session and contract, and what splits of their stocks make of them."""
        told = [found for place, row in self._rows() if (found := self._quote(place, row)) is not None]
        self._refuse_what_is_wrong()
        if not told:
            raise FeedError(f"{self._path.name} holds no quotes of options on {', '.join(sorted(self._underlyings))}")
        listings, quotes, adjustments = self._identified(told)
        self._refuse_what_is_wrong()
        return listings, sorted(quotes, key=lambda one: (one.session, one.instrument_id)), adjustments

    def _refuse_what_is_wrong(self) -> None:
        if self._wrong:
            more = [f"… and {len(self._wrong) - WRONG_SHOWN_MAX} more"] if len(self._wrong) > WRONG_SHOWN_MAX else []
            raise FeedError(f"{self._path.name} was refused, nothing of it was taken", self._wrong[:WRONG_SHOWN_MAX] + more)

    def _identified(self, told: Sequence[_Told]) -> tuple[list[Listing], list[Quote], list[CorporateAction]]:
        """Every quote with the identity of its contract, which lasts through splits."""
        splits: dict[InstrumentId, list[CorporateAction]] = defaultdict(list)
        for action in self._content.actions:
            if action.kind is ActionKind.SPLIT:
                splits[action.instrument_id].append(action)
        contracts = {one.symbol: Adjusting(splits[one.instrument_id]) for one in self._underlyings.values()}
        listings: dict[InstrumentId, Listing] = {}
        quotes = []
        for place, terms, quote in sorted(told, key=lambda one: (one[2].session, one[1].symbol)):
            try:
                own, first = contracts[terms.underlying].identity(terms, quote.session)
            except ValueError as error:
                self._wrong.append(f"{place}: {error}")
                continue
            quotes.append(replace(quote, instrument_id=own))
            if own not in listings:
                listings[own] = us_option(own, first, self._underlyings[terms.underlying], quote.session)
        last = max(bar.session for bar in self._content.bars)
        for symbol, adjusting in contracts.items():
            try:
                adjusting.finish(last)
            except ValueError as error:
                self._wrong.append(f"{symbol}: {error}")
        adjustments = [action for adjusting in contracts.values() for action in adjusting.actions]
        return sorted(listings.values(), key=lambda one: (one.symbol, one.instrument_id)), quotes, adjustments

    def _quote(self, place: str, row: Row) -> _Told | None:
        try:
            absent = [name for name in COLUMNS if name not in _MAY_BE_EMPTY and not row.get(name)]
            if absent:
                raise ValueError(f"{', '.join(absent)} is empty")
            underlying = self._underlyings.get(row["underlying"].upper())
            if underlying is None:
                if self._strangers_pass:
                    return None
                raise ValueError(f"the feed has no {row['underlying'][:20]}")
            return self._checked(place, row, underlying)
        except (NotExactError, ValueError) as error:
            self._wrong.append(f"{place}: {error}")
            return None

    def _checked(self, place: str, row: Row, underlying: Listing) -> _Told:
        kind = _KINDS.get(row["type"].lower())
        if kind is None:
            raise ValueError(f"the type is call or put, not {row['type'][:20]!r}")
        session, expires = day_of(row["date"]), day_of(row["expires"])
        if expires < session:
            raise ValueError(f"it expired on {expires}, before {session}")
        terms = OptionTerms(row.get("root", "").upper() or underlying.symbol, expires, kind, Price.parse(row["strike"]))
        if terms.underlying != underlying.symbol:
            raise ValueError(
                f"the root of options on {underlying.symbol} is that symbol, and a digit where they were adjusted, not {terms.root}"
            )
        quote = Quote(
            instrument_id=_NOBODY_YET,
            session=session,
            bid=Price.parse(row["bid"]),
            ask=Price.parse(row["ask"]),
            open_interest=_count(row, "open_interest"),
            volume=_count(row, "volume"),
            iv=_statistic(row, "iv", 0.0, 100.0),
            delta=_statistic(row, "delta", -1.0, 1.0),
            symbol=terms.symbol,
        )
        self._check_market(quote)
        before = self._seen.setdefault((terms.symbol, session), place)
        if before != place:
            raise ValueError(f"{terms.symbol} on {session} stands already in {before}")
        return place, terms, quote

    def _check_market(self, quote: Quote) -> None:
        if quote.bid.value < 0 or quote.ask.value <= 0:
            raise ValueError(f"bid {quote.bid} and ask {quote.ask}: an ask is above zero, a bid is zero or above")
        if quote.bid > quote.ask:
            raise ValueError(f"the bid {quote.bid} is above the ask {quote.ask}")
        if faults := faults_of(quote.bar, self._calendar):
            raise ValueError("; ".join(faults))

    def _rows(self) -> Iterator[tuple[str, Row]]:
        try:
            if self._path.stat().st_size > BYTES_MAX:
                raise FeedError(f"{self._path.name} is larger than {BYTES_MAX >> 20} MiB; split it")
            yield from _parquet_rows(self._path) if self._path.suffix.lower() == ".parquet" else _csv_rows(self._path)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise FeedError(f"{self._path} cannot be read as a file of option chains: {error}") from error


def _csv_rows(path: Path) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        _check_columns(path, names)
        reader.fieldnames = names
        for row in reader:
            yield f"line {reader.line_num}", {name: (value or "").strip() for name, value in row.items() if name}


def _parquet_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Rows are counted from 1. Numbers keep the digits that they print with."""
    import polars as pl  # noqa: PLC0415 - a quarter of a second that only a Parquet file needs

    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise FeedError(f"{path.name} cannot be read as Parquet: {error}") from error
    _check_columns(path, frame.columns)
    for number, row in enumerate(frame.iter_rows(named=True), start=1):
        yield f"row {number}", {name: _text(value) for name, value in row.items()}


def _check_columns(path: Path, names: list[str]) -> None:
    absent = [column for column in COLUMNS if column not in names]
    if absent:
        raise FeedError(f"{path.name} lacks the columns {', '.join(absent)}; expected {', '.join(COLUMNS)} and optionally delta and root")


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _count(row: Row, name: str) -> int:
    try:
        count = int(row[name])
    except ValueError:
        raise ValueError(f"{name} is a whole number, not {row[name][:20]!r}") from None
    if count < 0:
        raise ValueError(f"{name} is {count}, and cannot be below zero")
    return count


def _statistic(row: Row, name: str, least: float, most: float) -> float | None:
    text = row.get(name, "")
    if not text:
        return None
    value = float(text)
    if not math.isfinite(value) or not least <= value <= most:
        raise ValueError(f"{name} lies between {least:g} and {most:g}, got {text[:20]}")
    return value
