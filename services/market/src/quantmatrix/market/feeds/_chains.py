"""A file of option chains beside any feed: CSV with a header, or Parquet with the same columns; one row per contract and session.

    underlying, date, expires, type, strike, bid, ask, iv, open_interest, volume[, delta]

Dates are YYYY-MM-DD and exchange dates, type is call or put, prices are dollars a share at the close, iv is a fraction a year
(0.35) and delta the broker's, both may be empty. A row that cannot be refuses the whole file, with its line.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.options import Kind, OptionTerms
from quantmatrix.common.values import NotExactError, Price
from quantmatrix.market.domain.listing import Listing, Quote, us_option
from quantmatrix.market.domain.quality import faults_of
from quantmatrix.market.feeds._days import day_of
from quantmatrix.market.ports import FeedContent, FeedError
from quantmatrix.market.settings import MarketSettings

COLUMNS = ("underlying", "date", "expires", "type", "strike", "bid", "ask", "iv", "open_interest", "volume")
_MAY_BE_EMPTY = frozenset({"iv", "delta"})
WRONG_SHOWN_MAX = 20
BYTES_MAX = 500 << 20
_KINDS: Mapping[str, Kind] = {"call": "call", "put": "put", "c": "call", "p": "put"}
Row = Mapping[str, str]


def with_chains(content: FeedContent, settings: MarketSettings) -> FeedContent:
    """What a feed brings, and the chains of the file that the settings name. Raises FeedError with the lines of all that is wrong."""
    if settings.chains_file is None:
        return content
    underlyings = {one.symbol: one for one in content.listings}
    listings, quotes = _Reading(settings.chains_file, underlyings, strangers_pass=bool(settings.replay_symbols)).read()
    bars = sorted((*content.bars, *(one.bar for one in quotes)), key=lambda bar: (bar.session, bar.instrument_id))
    return FeedContent((*content.listings, *listings), tuple(bars), content.actions, tuple(quotes))


class _Reading:
    """One pass over the file."""

    def __init__(self, path: Path, underlyings: Mapping[str, Listing], *, strangers_pass: bool) -> None:
        self._path, self._underlyings, self._strangers_pass = path, underlyings, strangers_pass
        self._calendar = TradingCalendar()
        self._terms: dict[str, tuple[OptionTerms, Listing, date]] = {}
        self._seen: dict[tuple[str, date], str] = {}
        self._wrong: list[str] = []

    def read(self) -> tuple[list[Listing], list[Quote]]:
        """Contracts in the order of their symbols, quotes by session and contract."""
        quotes = [quote for place, row in self._rows() if (quote := self._quote(place, row)) is not None]
        if self._wrong:
            more = [f"… and {len(self._wrong) - WRONG_SHOWN_MAX} more"] if len(self._wrong) > WRONG_SHOWN_MAX else []
            raise FeedError(f"{self._path.name} was refused, nothing of it was taken", self._wrong[:WRONG_SHOWN_MAX] + more)
        if not quotes:
            raise FeedError(f"{self._path.name} holds no quotes of options on {', '.join(sorted(self._underlyings))}")
        listings = [us_option(terms, on, first) for _, (terms, on, first) in sorted(self._terms.items())]
        return listings, sorted(quotes, key=lambda one: (one.session, one.instrument_id))

    def _quote(self, place: str, row: Row) -> Quote | None:
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

    def _checked(self, place: str, row: Row, underlying: Listing) -> Quote:
        kind = _KINDS.get(row["type"].lower())
        if kind is None:
            raise ValueError(f"the type is call or put, not {row['type'][:20]!r}")
        session, expires = day_of(row["date"]), day_of(row["expires"])
        if expires < session:
            raise ValueError(f"it expired on {expires}, before {session}")
        terms = OptionTerms(underlying.symbol, expires, kind, Price.parse(row["strike"]))
        _, _, first = self._terms.get(terms.symbol, (terms, underlying, session))
        listing = us_option(terms, underlying, min(first, session))
        quote = Quote(
            instrument_id=listing.instrument_id,
            session=session,
            bid=Price.parse(row["bid"]),
            ask=Price.parse(row["ask"]),
            open_interest=_count(row, "open_interest"),
            volume=_count(row, "volume"),
            iv=_statistic(row, "iv", 0.0, 100.0),
            delta=_statistic(row, "delta", -1.0, 1.0),
        )
        self._check_market(quote)
        before = self._seen.setdefault((terms.symbol, session), place)
        if before != place:
            raise ValueError(f"{terms.symbol} on {session} stands already in {before}")
        self._terms[terms.symbol] = (terms, underlying, listing.listed_on)
        return quote

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
        raise FeedError(f"{path.name} lacks the columns {', '.join(absent)}; expected {', '.join(COLUMNS)} and optionally delta")


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
