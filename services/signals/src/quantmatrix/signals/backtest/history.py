"""What a backtest runs on: each instrument's raw bars and splits, looked through before anything is computed of them."""

import hashlib
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Literal

import polars as pl

from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import NotExactError, Price, Quantity
from quantmatrix.signals.backtest.limits import TookTooLongError
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.domain.series import SCHEMA, RawBar, Split
from quantmatrix.signals.ports import Strategy

FAULTS_SHOWN_MAX = 20
SYMBOLS_TOLD_MAX = 10
_PRICES = ("open", "high", "low", "close")
_COLUMNS = (*_PRICES, "volume")
_EPOCH = date(1970, 1, 1).toordinal()


class BacktestError(ValueError):
    """A backtest cannot be run as asked, or a strategy failed in it; the text names the place."""


class TooLongError(BacktestError):
    """A strategy did not come back in the time that it may take over one bar."""


@dataclass(frozen=True, slots=True)
class PastBar:
    """One raw daily bar, exact; session is the exchange's date."""

    session: date
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Quantity


@dataclass(frozen=True)
class History:
    """One instrument's past: bars oldest first, splits by their effective session, and what turns levels into money.

    chains: the options on it that were quoted in each session, if any are known.
    """

    instrument_id: InstrumentId
    symbol: str
    currency: str
    tick_size: Price
    lot_size: Quantity
    multiplier: Quantity
    bars: Sequence[PastBar]
    splits: tuple[Split, ...]
    chains: Mapping[date, tuple[OptionQuote, ...]] = field(default_factory=dict)

    @cached_property
    def raw(self) -> tuple[RawBar, ...]:
        """The bars as statistics."""
        return tuple(RawBar(*row) for row in self.columns.iter_rows())

    @cached_property
    def columns(self) -> pl.DataFrame:
        """The raw bars as columns session, open, high, low, close, volume."""
        columns = {name: [float(getattr(bar, name).value) for bar in self.bars] for name in _COLUMNS}
        return pl.DataFrame({"session": [bar.session for bar in self.bars], **columns}, schema=SCHEMA)

    @cached_property
    def sessions(self) -> list[date]:
        """The session of each bar."""
        return self.columns["session"].to_list()

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The forward-adjusted series, the same one that is seen live."""
        if not self.splits:
            return self.columns
        factor = pl.Series(self.factors(), dtype=pl.Float64)
        return self.columns.with_columns(*(pl.col(name) * factor for name in _PRICES), pl.col("volume") / factor)

    def factors(self) -> list[float]:
        """How many of each bar's units one unit of the first bar has become by splits, bar by bar."""
        waiting = sorted(self.splits, key=lambda split: split.effective)
        factor, found = 1.0, []
        for session in self.sessions:
            while waiting and waiting[0].effective <= session:
                split = waiting.pop(0)
                factor = factor * split.numerator / split.denominator
            found.append(factor)
        return found

    def until(self, last: date) -> "History":
        """What was known of it at the end of a session."""
        return replace(
            self,
            bars=self.bars[: bisect_right(self.sessions, last)],
            splits=tuple(one for one in self.splits if one.effective <= last),
            chains={session: chain for session, chain in self.chains.items() if session <= last},
        )

    def open_at(self, index: int) -> Price:
        """The raw open of one bar."""
        return self.bars[index].open

    def close_at(self, index: int) -> Price:
        """The raw close of one bar."""
        return self.bars[index].close

    @cached_property
    def digits(self) -> int:
        """How many digits after the point the raw opens and closes have at most."""
        exponents = [price.value.as_tuple().exponent for bar in self.bars for price in (bar.open, bar.close)]
        return max((-one for one in exponents if isinstance(one, int) and one < 0), default=0)

    @cached_property
    def closes(self) -> list[int]:
        """Every raw close in whole units of 10^-digits."""
        return [int(bar.close.value.scaleb(self.digits)) for bar in self.bars]

    @cached_property
    def opens(self) -> list[int]:
        """Every raw open in whole units of 10^-digits."""
        return [int(bar.open.value.scaleb(self.digits)) for bar in self.bars]

    @cached_property
    def largest(self) -> int:
        """The highest raw open or close in whole units."""
        return max(max(self.opens, default=0), max(self.closes, default=0))

    @cached_property
    def numbers(self) -> pl.Series:
        """The number of every bar, from zero."""
        return pl.int_range(len(self.bars), dtype=pl.Int64, eager=True)

    def units(self, name: Literal["open", "close"]) -> pl.Series:
        """The same as a column of Int64."""
        return pl.Series(self.opens if name == "open" else self.closes, dtype=pl.Int64)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The sessions of an instrument in order, and the number of each."""

    sessions: Sequence[date]
    at: Mapping[date, int]


def calendars(histories: Sequence[History]) -> list[Calendar]:
    """The calendar of each history; those with the same sessions share one."""
    known: dict[tuple[int, date | None], list[tuple[pl.Series, Calendar]]] = {}
    found = []
    for history in histories:
        own = history.columns["session"]
        alike = known.setdefault((len(own), own[0] if len(own) else None), [])
        calendar = next((calendar for sessions, calendar in alike if sessions.equals(own)), None)
        if calendar is None:
            calendar = Calendar(history.sessions, dict(zip(history.sessions, range(len(own)), strict=True)))
            alike.append((own, calendar))
        found.append(calendar)
    return found


def computed(
    strategy: Strategy, history: History, columns: Mapping[str, pl.Expr], more: Mapping[str, pl.Expr] | None = None
) -> pl.DataFrame:
    """A strategy's columns on every bar, computed the way a run computes them live, to the last bit. more: of those columns."""
    try:
        return history.frame.select(**columns).with_columns(**(more or {}))
    except Exception as error:  # a strategy may run any code of its own in a column
        what = str(error).partition("\n\n")[0]
        raise BacktestError(f"a column of {strategy.name} cannot be computed on {history.symbol}: {what}") from error


def yes(asked: pl.Expr) -> pl.Expr:
    """A yes or no of each bar; no where a strategy's expression has no answer."""
    return asked.fill_null(False).cast(pl.Boolean)


def flag(asked: pl.Expr) -> pl.Expr:
    """The same as one byte."""
    return yes(asked).cast(pl.UInt8)


def past_bar(symbol: str, number: int, session: date, prices: Sequence[object], volume: object) -> PastBar:
    """A bar from numbers or decimal strings. Raises BacktestError that names the bar when one of them is no price."""
    values = []
    for name, given in zip((*_PRICES, "volume"), (*prices, volume), strict=True):
        if isinstance(given, float) and not math.isfinite(given):
            raise BacktestError(f"{symbol}, bar {number} ({session}): the {name} is not a number")
        try:
            kind = Quantity if name == "volume" else Price
            values.append(kind.parse(given if isinstance(given, str) else format(given, "f") if isinstance(given, int) else repr(given)))
        except (NotExactError, ValueError) as error:
            raise BacktestError(f"{symbol}, bar {number} ({session}): the {name} is no exact number: {error}") from error
    opened, high, low, close, traded = values
    return PastBar(session, opened, high, low, close, traded)  # type: ignore[arg-type]  # four prices and a quantity, in this order


def broke(strategy: str, place: str, error: Exception) -> BacktestError:
    """What is told of a strategy that raised something, or was stopped, at a place."""
    if isinstance(error, TookTooLongError):
        return TooLongError(f"{strategy} did not come back from {place} and was stopped")
    return BacktestError(f"{strategy} raised {type(error).__name__} on {place}: {error}")


def bars_needed(strategy: Strategy) -> int:
    """How many bars of an instrument a strategy wants before it can decide anything on it."""
    needed: int | None = getattr(strategy, "bars_needed", None)
    return strategy.catalogue.bars_min if needed is None else needed


def reads_chains(strategy: type[Strategy]) -> bool:
    """Whether a strategy trades options, so that a backtest of it reads their chains."""
    return hasattr(strategy, "wants_options")


def refuse_without_chains(strategy: type[Strategy], symbols: Sequence[str], with_chains: Collection[str]) -> None:
    """Raises BacktestError when a strategy that trades options is given none."""
    if reads_chains(strategy) and not set(symbols) & set(with_chains):
        told = ", ".join(sorted(symbols)[:SYMBOLS_TOLD_MAX]) + (" …" if len(symbols) > SYMBOLS_TOLD_MAX else "")
        raise BacktestError(
            f"{strategy.name} trades options, and no option chains are there for {told}; "
            "name a file with their quotes in QM_MARKET_CHAINS_FILE (an installation reads it when its replay begins)"
        )


def check(histories: Sequence[History], bars_min: int) -> None:
    """Raises BacktestError with the places of everything that is wrong: order, doubles, prices, too little of it."""
    if not histories:
        raise BacktestError("there is nothing to run on: no instrument was given")
    times = Counter(one.instrument_id for one in histories)
    twice = sorted({one.symbol for one in histories if times[one.instrument_id] > 1})
    if twice:
        raise BacktestError(f"an instrument is given twice: {', '.join(twice)}")
    faults = [fault for history in histories for fault in _faults_of(history, bars_min)]
    if faults:
        more = [f"… and {len(faults) - FAULTS_SHOWN_MAX} more"] if len(faults) > FAULTS_SHOWN_MAX else []
        raise BacktestError("the bars cannot be used:\n  " + "\n  ".join(faults[:FAULTS_SHOWN_MAX] + more))


def _faults_of(history: History, bars_min: int) -> list[str]:
    faults = []
    if len(history.bars) < bars_min:
        faults.append(f"{history.symbol} has {len(history.bars)} bars, the strategy wants {bars_min} before it can decide anything")
    # Statistics keep the order of exact prices; bars that all pass here are not looked at one by one.
    if _sound(history.columns):
        return faults
    before: date | None = None
    for number, bar in enumerate(history.bars, start=1):
        place = f"{history.symbol}, bar {number} ({bar.session})"
        faults += [f"{place}: {what}" for what in _wrong_with(bar, before)]
        before = bar.session
    return faults


def _sound(columns: pl.DataFrame) -> bool:
    """Whether all bars are in order and every one's prices lie as they must."""
    days = columns["session"].to_physical().to_numpy()
    opened, high, low, close, volume = (columns[name].to_numpy() for name in _COLUMNS)
    above = low.min(initial=1.0) > 0 and volume.min(initial=0.0) >= 0
    inside = (one.all() for one in (low <= opened, low <= close, opened <= high, close <= high))
    return bool(above and all(inside) and (days[1:] > days[:-1]).all())


def _wrong_with(bar: PastBar, before: date | None) -> Iterator[str]:
    if before is not None and bar.session <= before:
        yield "stands there twice" if bar.session == before else f"comes after {before}"
    if bar.low.value <= 0:
        yield f"the low is {bar.low}, prices are above zero"
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        yield f"open {bar.open} and close {bar.close} do not lie between low {bar.low} and high {bar.high}"
    if bar.volume.value < 0:
        yield f"the volume is {bar.volume}"


def digest_of(histories: Sequence[History]) -> str:
    """SHA-256 over everything that a backtest reads of these histories; their order does not matter."""
    seen = hashlib.sha256()
    for one in sorted(histories, key=lambda history: history.instrument_id):
        head = (one.instrument_id, one.symbol, one.currency, one.tick_size, one.lot_size, one.multiplier, len(one.bars))
        seen.update("\t".join(str(value) for value in head).encode())
        for split in sorted(one.splits, key=lambda known: (known.effective, str(known.action_id))):
            seen.update(f"\n{split.effective}\t{split.numerator}\t{split.denominator}".encode())
        seen.update(_packed(one.columns))
        for session, quotes in sorted(one.chains.items()):
            seen.update("".join(f"\n{session}\t{quote}" for quote in sorted(quotes, key=lambda quote: quote.contract)).encode())
    return seen.hexdigest()


def _packed(columns: pl.DataFrame) -> memoryview:
    """Bar by bar the session's ordinal as an integer and five doubles, eight bytes each, little end first."""
    import numpy as np  # noqa: PLC0415 - loaded where it computes, not by idle services

    cells = np.empty((columns.height, len(_COLUMNS) + 1), "<i8")
    cells[:, 0] = columns["session"].cast(pl.Int64).to_numpy() + _EPOCH
    for place, name in enumerate(_COLUMNS, start=1):
        cells[:, place] = columns[name].to_numpy().astype("<f8").view("<i8")
    return cells.data
