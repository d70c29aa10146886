"""A user's own daily bars: one CSV file with a header, any number of symbols, and optionally a file of splits."""

import csv
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.common.values import NotExactError, Price, Quantity
from quantmatrix.market.domain.listing import DailyBar, instrument_id, split, us_stock
from quantmatrix.market.domain.quality import faults_of
from quantmatrix.market.feeds._actions import read_splits
from quantmatrix.market.feeds._days import day_of
from quantmatrix.market.ports import FeedContent, FeedError
from quantmatrix.market.settings import MarketSettings

COLUMNS = ("symbol", "date", "open", "high", "low", "close", "volume")
WRONG_SHOWN_MAX = 20
BYTES_MAX = 500 << 20
_SYMBOL = re.compile(r"[A-Z][A-Z0-9.\-]{0,14}")


class CsvFeed:
    """The columns symbol, date (YYYY-MM-DD), open, high, low, close, volume, in any order; US stocks in dollars."""

    name = "csv"

    def __init__(self, path: Path, splits: Path | None, symbols: tuple[str, ...]) -> None:
        self._path = path
        self._splits = splits
        self._symbols = frozenset(symbols)

    def content(self) -> FeedContent:
        bars = self._bars()
        first: dict[str, date] = {}
        for symbol, bar in bars:
            first[symbol] = min(first.get(symbol, bar.session), bar.session)
        listings = tuple(us_stock(symbol, symbol, first[symbol]) for symbol in sorted(first))
        known = {listing.symbol: listing.instrument_id for listing in listings}
        facts = read_splits(self._splits) if self._splits else []
        strangers = sorted({fact.symbol for fact in facts} - set(known)) if not self._symbols else []
        if strangers:
            raise FeedError(f"{self._splits} names symbols without bars: {', '.join(strangers)}")
        actions = tuple(split(known[f.symbol], f.effective, f.numerator, f.denominator, f.source) for f in facts if f.symbol in known)
        ordered = sorted((bar for _, bar in bars), key=lambda bar: (bar.session, bar.instrument_id))
        return FeedContent(listings, tuple(ordered), actions)

    def _bars(self) -> list[tuple[str, DailyBar]]:
        found: list[tuple[str, DailyBar]] = []
        wrong: list[str] = []
        seen: dict[tuple[str, date], int] = {}
        calendar = TradingCalendar()
        for line, row in self._rows():
            try:
                symbol, bar = _bar(row)
                faults = faults_of(bar, calendar)
                if (symbol, bar.session) in seen:
                    faults.append(f"{symbol} on {bar.session} stands already in line {seen[symbol, bar.session]}")
            except (NotExactError, ValueError) as error:
                faults = [str(error)]
            if faults:
                wrong.append(f"line {line}: {'; '.join(faults)}")
                continue
            seen[symbol, bar.session] = line
            if not self._symbols or symbol in self._symbols:
                found.append((symbol, bar))
        if wrong:
            more = [f"… and {len(wrong) - WRONG_SHOWN_MAX} more"] if len(wrong) > WRONG_SHOWN_MAX else []
            raise FeedError(f"{self._path.name} was refused, nothing of it was taken", wrong[:WRONG_SHOWN_MAX] + more)
        if not found:
            raise FeedError(f"{self._path.name} holds no bars" + (f" of {', '.join(sorted(self._symbols))}" if self._symbols else ""))
        return found

    def _rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        try:
            if self._path.stat().st_size > BYTES_MAX:
                raise FeedError(f"{self._path.name} is larger than {BYTES_MAX >> 20} MiB; split it")
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file, strict=True)
                names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
                absent = [column for column in COLUMNS if column not in names]
                if absent:
                    raise FeedError(f"line 1 of {self._path.name} lacks {', '.join(absent)}; expected the columns {', '.join(COLUMNS)}")
                reader.fieldnames = names
                for row in reader:
                    yield reader.line_num, {name: value for name, value in row.items() if name in COLUMNS}
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise FeedError(f"{self._path} cannot be read as a CSV file: {error}") from error


def make(settings: MarketSettings) -> CsvFeed:
    if settings.csv_file is None:
        raise FeedError("the csv feed needs a file: set QM_MARKET_CSV_FILE")
    return CsvFeed(settings.csv_file, settings.csv_splits_file, settings.replay_symbols)


def _bar(row: dict[str, str]) -> tuple[str, DailyBar]:
    absent = [column for column in COLUMNS if not (row.get(column) or "").strip()]
    if absent:
        raise ValueError(f"{', '.join(absent)} is empty")
    symbol = row["symbol"].strip().upper()
    if not _SYMBOL.fullmatch(symbol):
        raise ValueError(f"{symbol[:20]!r} is not a symbol")
    return symbol, DailyBar(
        instrument_id=instrument_id("XNYS", symbol),
        session=day_of(row["date"]),
        open=Price.parse(row["open"].strip()),
        high=Price.parse(row["high"].strip()),
        low=Price.parse(row["low"].strip()),
        close=Price.parse(row["close"].strip()),
        volume=Quantity.parse(row["volume"].strip()),
    )
