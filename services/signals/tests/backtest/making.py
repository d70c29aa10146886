"""Past bars and small strategies for the tests of backtests."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import ClassVar

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import ActionId, InstrumentId, Side, SignalKind
from quantmatrix.common.values import Money, Price, Quantity
from quantmatrix.signals.backtest.history import History, PastBar
from quantmatrix.signals.backtest.rules import Commission, FillRules
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.decisions import Because, Decision, Holding, Situation
from quantmatrix.signals.domain.series import Split

START = date(2010, 1, 4)
USD = Money(100_000, "USD")
FREE = FillRules(Commission(Decimal(0), Decimal(0), Decimal(0)))


def day(number: int) -> date:
    """The session of the bar with this number; the first has 1."""
    return START + timedelta(days=number - 1)


def bar(number: int, opened: str, high: str, low: str, close: str, volume: int = 1_000_000) -> PastBar:
    return PastBar(day(number), Price.parse(opened), Price.parse(high), Price.parse(low), Price.parse(close), Quantity(volume))


def flat_bar(number: int, price: str, volume: int = 1_000_000) -> PastBar:
    return bar(number, price, price, price, price, volume)


def history(*bars: PastBar, symbol: str = "AAA", splits: Sequence[Split] = (), currency: str = "USD") -> History:
    return History(
        InstrumentId(f"ID-{symbol}"), symbol, currency, Price.parse("0.01"), Quantity(1), Quantity(1), tuple(bars), tuple(splits)
    )


def split(number: int, new: int, old: int = 1) -> Split:
    return Split(ActionId(derived_id("split", number)), day(number), new, old)


class ScriptParameters(BaseModel):
    """What to do on which bar: positive buys, negative sells."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: dict[int, int] = Field(default_factory=dict, title="Script", description="Quantity by number of bar.")
    stop: float | None = Field(None, title="Stop", description="Level of the stop of purchases.")
    target: str | None = Field(None, title="Target", description="First target of purchases.")


class Script:
    """Does what it is told, bar by bar."""

    name: ClassVar[str] = "script"
    title: ClassVar[str] = "Script"
    parameters: ClassVar[type[BaseModel]] = ScriptParameters
    catalogue: ClassVar[CatalogueEntry] = CatalogueEntry(
        Category.STOCKS, Complexity.BEGINNER, Money(1, "USD"), "a test", ("daily bars",), 1, "Follows a script."
    )

    def __init__(self, parameters: ScriptParameters) -> None:
        self._p = parameters

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        return {"number": pl.int_range(1, pl.len() + 1).cast(pl.Float64)}

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        return self.columns()

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        return False

    def decide(self, situation: Situation) -> Sequence[Decision]:
        quantity = self._p.at.get(int(situation.row["number"] or 0), 0)
        if not quantity:
            return ()
        buys = quantity > 0
        return (
            Decision(
                SignalKind.ENTRY if buys else SignalKind.EXIT,
                1.0,
                1.0,
                timedelta(days=1),
                (Because("SCRIPT", True, f"bar {situation.row['number']:g}"),),
                side=Side.BUY if buys else Side.SELL,
                quantity=Quantity(abs(quantity)),
                stop_level=self._p.stop if buys else None,
                targets=(Price.parse(self._p.target),) if buys and self._p.target else (),
            ),
        )
