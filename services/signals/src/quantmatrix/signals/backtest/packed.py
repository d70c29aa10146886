"""Bars as whole numbers in columns: a long or wide past without an object for every bar."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Literal, overload

import polars as pl

from quantmatrix.common.values import Price, Quantity
from quantmatrix.signals.backtest.history import BacktestError, History, PastBar

DIGITS_MAX = 12
EXACT_MAX = 2**53
_PRICES = ("open", "high", "low", "close")


class PackedBars(Sequence[PastBar]):
    """Bars in a frame: session, and open, high, low, close, volume as Int64; a price of 10^digits is one unit of money, a volume counts units.

    Raises BacktestError for columns that are missing, null or of another type, and for numbers that a double does not hold exactly.
    """

    def __init__(self, frame: pl.DataFrame, digits: int) -> None:
        wanted = ["session", *_PRICES, "volume"]
        wrong = [name for name in wanted if name not in frame.columns or (name != "session" and frame.schema[name] != pl.Int64)]
        if wrong or not 0 <= digits <= DIGITS_MAX:
            raise BacktestError(
                f"packed bars have a session and Int64 columns with 0 to {DIGITS_MAX} digits; wrong: {', '.join(wrong) or digits}"
            )
        # In one piece, so that a column becomes an array without being copied.
        self.frame, self.digits = frame.select(wanted).rechunk(), digits
        figures = [self.frame[name] for name in wanted[1:]]
        largest = max((max(abs(int(one.max() or 0)), abs(int(one.min() or 0))) for one in figures), default=0)  # type: ignore[arg-type]  # integers
        if sum(self.frame.null_count().row(0)) or largest > EXACT_MAX:
            raise BacktestError(f"packed bars have no gaps and no number beyond {EXACT_MAX}; the largest is {largest}")

    def __len__(self) -> int:
        return self.frame.height

    @overload
    def __getitem__(self, index: int) -> PastBar: ...
    @overload
    def __getitem__(self, index: slice) -> list[PastBar]: ...
    def __getitem__(self, index: int | slice) -> PastBar | list[PastBar]:
        if isinstance(index, slice):
            return [self._bar(row) for row in self.frame[index].iter_rows()]
        return self._bar(self.frame.row(index))

    def __iter__(self) -> Iterator[PastBar]:
        return (self._bar(row) for row in self.frame.iter_rows())

    def _bar(self, row: tuple) -> PastBar:  # type: ignore[type-arg]  # a date and five integers
        session, *prices, volume = row
        opened, high, low, close = (self.price(one) for one in prices)
        return PastBar(session, opened, high, low, close, Quantity(volume))

    def price(self, units: int) -> Price:
        return Price(Decimal(units).scaleb(-self.digits))


@dataclass(frozen=True)
class PackedHistory(History):
    """A history over packed bars; everything else of it is the same."""

    bars: PackedBars

    @cached_property
    def columns(self) -> pl.DataFrame:
        """Dividing two numbers that doubles hold exactly gives the double nearest to the decimal, as parsing it does.

        The divisor is a column, because Polars multiplies by the reciprocal of a single number.
        """
        frame = self.bars.frame
        scale = pl.Series([float(10**self.bars.digits)]).new_from_index(0, frame.height)
        prices = [frame[name].cast(pl.Float64) / scale for name in _PRICES]
        return pl.DataFrame([frame["session"], *prices, frame["volume"].cast(pl.Float64)])

    @cached_property
    def digits(self) -> int:
        return self.bars.digits

    @cached_property
    def opens(self) -> list[int]:
        return self.bars.frame["open"].to_list()

    @cached_property
    def closes(self) -> list[int]:
        return self.bars.frame["close"].to_list()

    @cached_property
    def largest(self) -> int:
        return max(int(self.units(name).max() or 0) for name in ("open", "close"))  # type: ignore[arg-type]  # integers

    def open_at(self, index: int) -> Price:
        return self.bars.price(self.opens[index])

    def close_at(self, index: int) -> Price:
        return self.bars.price(self.closes[index])

    def units(self, name: Literal["open", "close"]) -> pl.Series:
        return self.bars.frame[name]
