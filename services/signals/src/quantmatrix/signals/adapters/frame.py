"""A frame as strategies of the frame style know it, over Polars: columns by name, `rolling`, `ewm`, `shift`, and setting by `loc`."""

from collections.abc import Iterator
from typing import Any, Self

import polars as pl


class Column:
    """One column. Comparisons give conditions, which are joined by &, | and ~. Where something is missing a condition is False."""

    def __init__(self, values: pl.Series) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def _with(self, other: Any, by: str) -> Self:
        right = other.values if isinstance(other, Column) else other
        return type(self)(getattr(self.values, by)(right))

    def __add__(self, other: Any) -> Self:
        return self._with(other, "__add__")

    __radd__ = __add__

    def __sub__(self, other: Any) -> Self:
        return self._with(other, "__sub__")

    def __rsub__(self, other: Any) -> Self:
        return self._with(other, "__rsub__")

    def __mul__(self, other: Any) -> Self:
        return self._with(other, "__mul__")

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Self:
        return self._with(other, "__truediv__")

    def __rtruediv__(self, other: Any) -> Self:
        return self._with(other, "__rtruediv__")

    def __neg__(self) -> Self:
        return type(self)(-self.values)

    def __gt__(self, other: Any) -> "Column":
        return self._condition(other, "__gt__")

    def __ge__(self, other: Any) -> "Column":
        return self._condition(other, "__ge__")

    def __lt__(self, other: Any) -> "Column":
        return self._condition(other, "__lt__")

    def __le__(self, other: Any) -> "Column":
        return self._condition(other, "__le__")

    def __eq__(self, other: object) -> "Column":  # type: ignore[override]  # columns compare bar by bar
        return self._condition(other, "__eq__")

    def __ne__(self, other: object) -> "Column":  # type: ignore[override]  # columns compare bar by bar
        return self._condition(other, "__ne__")

    __hash__ = None  # type: ignore[assignment]  # what compares bar by bar cannot be a key

    def _condition(self, other: Any, by: str) -> "Column":
        return Column(self._with(other, by).values.fill_null(False))

    def __and__(self, other: Any) -> Self:
        return self._with(other, "__and__")

    def __or__(self, other: Any) -> Self:
        return self._with(other, "__or__")

    def __invert__(self) -> Self:
        return type(self)(~self.values)

    def shift(self, periods: int = 1) -> Self:
        return type(self)(self.values.shift(periods))

    def diff(self, periods: int = 1) -> Self:
        return type(self)(self.values.diff(periods))

    def abs(self) -> Self:
        return type(self)(self.values.abs())

    def fillna(self, value: float) -> Self:
        return type(self)(self.values.fill_null(value))

    def rolling(self, window: int) -> "Rolling":
        return Rolling(self.values, window)

    def ewm(self, *, span: float | None = None, alpha: float | None = None, adjust: bool = True) -> "Weighted":
        return Weighted(self.values, span, alpha, adjust)


class Rolling:
    """The last `window` values of each bar; nothing until there are as many."""

    def __init__(self, values: pl.Series, window: int) -> None:
        self._values, self._window = values, window

    def mean(self) -> Column:
        return Column(self._values.rolling_mean(self._window))

    def sum(self) -> Column:
        return Column(self._values.rolling_sum(self._window))

    def std(self) -> Column:
        return Column(self._values.rolling_std(self._window))

    def min(self) -> Column:
        return Column(self._values.rolling_min(self._window))

    def max(self) -> Column:
        return Column(self._values.rolling_max(self._window))


class Weighted:
    """All values so far, the later ones with more weight."""

    def __init__(self, values: pl.Series, span: float | None, alpha: float | None, adjust: bool) -> None:
        self._values, self._span, self._alpha, self._adjust = values, span, alpha, adjust

    def mean(self) -> Column:
        return Column(self._values.ewm_mean(span=self._span, alpha=self._alpha, adjust=self._adjust))


class Frame:
    """Columns by name. Raises LookupError that names the columns there are, AttributeError for what this frame does not offer."""

    def __init__(self, values: pl.DataFrame) -> None:
        self._values = values

    def __len__(self) -> int:
        return self._values.height

    def __iter__(self) -> Iterator[str]:
        return iter(self._values.columns)

    @property
    def columns(self) -> list[str]:
        return self._values.columns

    def __getitem__(self, name: str) -> Column:
        if name not in self._values.columns:
            raise LookupError(f"there is no column {name!r}; there is {', '.join(self._values.columns)}")
        return Column(self._values[name])

    def __setitem__(self, name: str, value: Any) -> None:
        values = value.values if isinstance(value, Column) else pl.lit(value)
        self._values = self._values.with_columns(values.alias(name))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"this frame has no {name!r}: it offers columns by name, loc, and of columns rolling, ewm, shift, diff, abs and fillna"
        )

    @property
    def loc(self) -> "Located":
        return Located(self)

    def copy(self) -> "Frame":
        return Frame(self._values)

    def signal(self, name: str) -> pl.Series:
        """Where a column is 1; nowhere when it was never set."""
        if name not in self._values.columns:
            return pl.repeat(False, self._values.height, eager=True)
        return (self._values[name].cast(pl.Float64) == 1).fill_null(False)

    def put(self, where: pl.Series, name: str, value: Any) -> None:
        before = pl.col(name) if name in self._values.columns else pl.lit(None)
        self._values = self._values.with_columns(pl.when(where).then(pl.lit(value)).otherwise(before).alias(name))


class Located:
    """`frame.loc[condition, name] = value`, and several names with several values."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __setitem__(self, at: tuple[Any, str | list[str]], value: Any) -> None:
        where, names = at
        chosen = where.values if isinstance(where, Column) else pl.repeat(True, len(self._frame), eager=True)
        if isinstance(names, str):
            names, value = [names], [value]
        values = value if isinstance(value, tuple | list) else [value] * len(names)
        for name, one in zip(names, values, strict=True):
            self._frame.put(chosen, name, one)
