"""Runs a class with `populate_indicators`, `populate_entry_trend` and `populate_exit_trend` as a strategy of columns.

The class sees a frame with date, open, high, low, close and volume, and sets `enter_long` and `exit_long`. A signal on a close is
carried out at the next open. Where both are set on a bar, neither counts. Bars before `startup_candle_count` give no signal.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Protocol

import polars as pl
from pydantic import BaseModel

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Money, Quantity
from quantmatrix.signals.adapters.frame import Frame
from quantmatrix.signals.backtest.limits import TookTooLongError, limited
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.decisions import Because, Decision, Holding, Situation
from quantmatrix.signals.domain.sizing import Sizing
from quantmatrix.signals.ports import Strategy

LIMIT_S = 10.0
ROI_NEVER, STOP_NEVER = 10.0, -0.99
_COLUMNS = ("open", "high", "low", "close", "volume")


class FrameStyle(Protocol):
    """What such a class has."""

    def populate_indicators(self, dataframe: Frame, metadata: dict[str, str]) -> Frame:
        """Add columns."""

    def populate_entry_trend(self, dataframe: Frame, metadata: dict[str, str]) -> Frame:
        """Set `enter_long` to 1 where to buy."""

    def populate_exit_trend(self, dataframe: Frame, metadata: dict[str, str]) -> Frame:
        """Set `exit_long` to 1 where to sell."""


class CannotAdaptError(ValueError):
    """A class asks for something that would be left out silently; the text says what, and what to do instead."""


class NothingToChoose(BaseModel, extra="forbid", frozen=True):
    """A class of this style carries its parameters itself."""


def from_frames(written: type[FrameStyle], sizing: Sizing, limit_s: float = LIMIT_S) -> type[Strategy]:
    """The same as a strategy of the slot. Raises CannotAdaptError for short sales, stops and targets that the frame does not show."""
    _refuse_what_would_be_lost(written)

    class Adapted(_Frames):
        name: ClassVar[str] = written.__name__
        title: ClassVar[str] = written.__name__
        catalogue: ClassVar[CatalogueEntry] = CatalogueEntry(
            category=Category.STOCKS,
            complexity=Complexity.INTERMEDIATE,
            capital_min=Money(1_000, "USD"),
            horizon="as its author says",
            needs=("daily bars",),
            bars_min=max(1, int(getattr(written, "startup_candle_count", 0))),
            summary=f"The frame strategy {written.__name__}.",
        )

        def __init__(self, parameters: BaseModel) -> None:
            super().__init__(written, sizing, limit_s)

    return Adapted


def _refuse_what_would_be_lost(written: type[FrameStyle]) -> None:
    roi, stop = getattr(written, "minimal_roi", {}), float(getattr(written, "stoploss", STOP_NEVER))
    lost = {
        "can_short": "nothing is sold short; set it to False",
        "trailing_stop": "write the exit into populate_exit_trend, or use a trailing exit of the slot",
        "use_custom_stoploss": "write the exit into populate_exit_trend",
        "position_adjustment_enable": "one purchase and one sale make a trade here; set it to False",
    }
    found = [f"{name}: {advice}" for name, advice in lost.items() if getattr(written, name, False)]
    if any(float(share) < ROI_NEVER for share in roi.values()):
        found.append(f"minimal_roi {roi}: write the target into populate_exit_trend and set it to {{'0': {ROI_NEVER:g}}}")
    if stop > STOP_NEVER:
        found.append(f"stoploss {stop:g}: write the stop into populate_exit_trend and set it to {STOP_NEVER}")
    if found:
        raise CannotAdaptError(f"{written.__name__} cannot be run as it is:\n  " + "\n  ".join(found))


class _Frames:
    """See the module's text."""

    name: ClassVar[str]
    parameters: ClassVar[type[BaseModel]] = NothingToChoose

    def __init__(self, written: type[FrameStyle], sizing: Sizing, limit_s: float) -> None:
        self._written, self._sizing, self._limit_s = written, sizing, limit_s
        self._startup = int(getattr(written, "startup_candle_count", 0))

    @property
    def sizing(self) -> Sizing:
        return self._sizing

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        bars = pl.struct("session", *_COLUMNS)
        signals = bars.map_batches(self._signals, return_dtype=pl.Struct({"enter": pl.Float64, "leave": pl.Float64}))
        return {"enter": signals.struct.field("enter"), "leave": signals.struct.field("leave")}

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        return self.columns()

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        return not row["leave" if holding.quantity else "enter"]

    def may_enter(self) -> pl.Expr:
        return pl.col("enter") == 1

    def may_leave(self) -> pl.Expr:
        return pl.col("leave") == 1

    def decide(self, situation: Situation) -> Sequence[Decision]:
        held = situation.holding.quantity
        if situation.pending or not situation.row["leave" if held else "enter"]:
            return ()
        if held:
            return (Decision(SignalKind.EXIT, 1.0, 1.0, timedelta(hours=24), self.why_leave({}), side=Side.SELL, quantity=held),)
        quantity = self._sizing.of(situation.equity, situation.close, situation.door)
        if not quantity:
            return ()
        reasons = self.why_enter({}, quantity)
        return (Decision(SignalKind.ENTRY, 1.0, 1.0, timedelta(hours=24), reasons, side=Side.BUY, quantity=quantity),)

    def why_enter(self, row: Mapping[str, float | None], quantity: Quantity) -> tuple[Because, ...]:
        return (Because("ENTER_LONG", True, f"{self.name} set enter_long; {quantity} units"),)

    def why_leave(self, row: Mapping[str, float | None]) -> tuple[Because, ...]:
        return (Because("EXIT_LONG", True, f"{self.name} set exit_long"),)

    def _signals(self, bars: pl.Series) -> pl.Series:
        """Run the three functions over all bars; a fresh object each time, so that nothing is remembered."""
        frame, one, metadata = Frame(bars.struct.unnest().rename({"session": "date"})), self._written(), {"pair": self.name}
        try:
            with limited(self._limit_s):
                for step in (one.populate_indicators, one.populate_entry_trend, one.populate_exit_trend):
                    returned: Any = step(frame, metadata)
                    if not isinstance(returned, Frame) or len(returned) != len(bars):
                        raise CannotAdaptError(
                            f"{step.__name__} returns the frame it was given, with as many bars; it gave {type(returned).__name__}"
                        )
                    frame = returned
        except TookTooLongError:
            raise TookTooLongError(f"{self.name} had not finished its frame of {len(bars)} bars after {self._limit_s:g} s") from None
        enter, leave = frame.signal("enter_long"), frame.signal("exit_long")
        known = pl.int_range(len(bars), eager=True) >= self._startup
        found = pl.DataFrame({"enter": enter & ~leave & known, "leave": leave & ~enter & known})
        return found.select(pl.all().cast(pl.Float64)).to_struct()
