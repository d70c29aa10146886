"""An instrument's forward-adjusted bars: a split multiplies later prices, so the past never changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from quantmatrix.common.names import ActionId

SCHEMA = {
    "session": pl.Date,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
}
_PRICES = ("open", "high", "low", "close")
APPENDED_MAX = 64
_Row = tuple[date, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Split:
    """numerator new units for denominator old ones, effective before the open of a session."""

    action_id: ActionId
    effective: date
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class RawBar:
    """One raw bar as statistics."""

    session: date
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(slots=True)
class Series:
    """Columns from the series' start to its latest bar. factor is the product of the splits since the start.

    Bars that were appended enter the frame together, when somebody looks at it or there are many.
    """

    factor: float = 1.0
    splits: dict[ActionId, Split] = field(default_factory=dict)
    _frame: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCHEMA))
    _appended: list[_Row] = field(default_factory=list)
    _latest: _Row | None = None

    @classmethod
    def of(cls, frame: pl.DataFrame, factor: float, splits: dict[ActionId, Split]) -> "Series":
        """A series with this past."""
        return cls(factor, splits, frame, [], frame.row(-1) if frame.height else None)

    @property
    def frame(self) -> pl.DataFrame:
        """All bars, columns as in SCHEMA."""
        if self._appended:
            self._enter()
        return self._frame

    def _enter(self) -> None:
        self._frame.extend(pl.DataFrame(self._appended, schema=SCHEMA, orient="row"))
        self._appended.clear()

    @property
    def last_session(self) -> date | None:
        return self._latest[0] if self._latest is not None else None

    @property
    def height(self) -> int:
        """How many bars there are."""
        return self._frame.height + len(self._appended)

    @property
    def latest_bar(self) -> tuple[float, float, float, float, float]:
        """Open, high, low, close and volume of the latest bar. Raises IndexError when there is none."""
        if self._latest is None:
            raise IndexError("a series without bars has no latest one")
        _, opened, high, low, close, volume = self._latest
        return opened, high, low, close, volume

    def factor_until(self, day: date) -> float:
        """The product of the splits that were effective on a day, those of that very day included: its units."""
        factor = 1.0
        for split in sorted(self.splits.values(), key=lambda one: (one.effective, str(one.action_id))):
            if split.effective <= day:
                factor = factor * split.numerator / split.denominator
        return factor

    def bars_after(self, session: date) -> list[tuple[date, float, float, float]]:
        """Session, high, low and close of every bar after a session, as the series has them."""
        start = self.frame["session"].search_sorted(session, side="right")
        return self.frame[start:].select("session", "high", "low", "close").rows()

    def apply(self, split: Split) -> None:
        """From the next bar on, one unit counts as denominator/numerator of the series' units. Hearing it twice changes nothing."""
        if split.action_id not in self.splits:
            self.splits[split.action_id] = split
            self.factor = self.factor * split.numerator / split.denominator

    def append(self, bar: RawBar) -> None:
        """Add the next bar; an older or equal session is ignored, it is here already."""
        last = self.last_session
        if last is not None and bar.session <= last:
            return
        f = self.factor
        self._latest = (bar.session, bar.open * f, bar.high * f, bar.low * f, bar.close * f, bar.volume / f)
        self._appended.append(self._latest)
        if len(self._appended) >= APPENDED_MAX:
            self._enter()

    def latest(self, columns: Mapping[str, pl.Expr]) -> dict[str, float | None]:
        """The columns' values on the latest bar; all of the series is looked at, so values do not depend on where one starts reading."""
        return self.frame.select(**columns).row(-1, named=True)


def series_from(bars: Sequence[RawBar], splits: Sequence[Split]) -> Series:
    """A series of many bars at once: the same values as appending them one by one."""
    series = Series()
    waiting = sorted(splits, key=lambda split: split.effective)
    factors = []
    for bar in bars:
        while waiting and waiting[0].effective <= bar.session:
            series.apply(waiting.pop(0))
        factors.append(series.factor)
    columns: dict[str, list[object]] = {"session": [bar.session for bar in bars]}
    for name in _PRICES:
        columns[name] = [getattr(bar, name) * factor for bar, factor in zip(bars, factors, strict=True)]
    columns["volume"] = [bar.volume / factor for bar, factor in zip(bars, factors, strict=True)]
    series = Series.of(pl.DataFrame(columns, schema=SCHEMA), series.factor, series.splits)
    for split in waiting:
        series.apply(split)
    return series
