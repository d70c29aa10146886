"""What signals needs from the outside: strategies in the slot, history from market, chains from brokers."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar, Protocol, runtime_checkable

import polars as pl
from pydantic import BaseModel

from quantmatrix.common.contracts.asking.market import BarColumns, PastChains
from quantmatrix.common.names import InstrumentId
from quantmatrix.common.values import Quantity
from quantmatrix.signals.domain.catalogue import CatalogueEntry
from quantmatrix.signals.domain.decisions import Because, Decision, Holding, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.judging import Judgement
from quantmatrix.signals.domain.memory import Memory
from quantmatrix.signals.domain.options.choosing import OptionQuote
from quantmatrix.signals.domain.planning import Plan, Standing, WholeDoor
from quantmatrix.signals.domain.sizing import Sizing


class Strategy(Protocol):
    """A decision engine: columns over the bars, and a decision on each closed bar. It emits signals, never orders.

    The same two functions run in backtest, replay and live, so neither may look at anything it is not handed.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    parameters: ClassVar[type[BaseModel]]
    catalogue: ClassVar[CatalogueEntry]

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        """Expressions over open, high, low, close, volume (forward-adjusted float64, oldest first, one instrument).

        held: only those that `decide` reads while something is held; all of them is a right answer too.
        """

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        """The few columns that `nothing_can_happen` looks at."""

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        """Whether `decide` would certainly decide nothing, told from the screen's columns alone. It saves work, never a decision."""

    def decide(self, situation: Situation) -> Sequence[Decision]:
        """What to do on the close of the latest bar; usually nothing."""


@runtime_checkable
class NeedsBars(Protocol):
    """A strategy whose need of bars follows from its parameters; of others the catalogue tells it."""

    @property
    def bars_needed(self) -> int:
        """How many bars it wants before it can decide anything."""


@runtime_checkable
class Remembers(Protocol):
    """A strategy that keeps something of an instrument from one bar to the next. The run stores it and hands it back."""

    def remember(self, situation: Situation) -> Memory:
        """What to keep after this bar; asked on every bar on which `decide` was asked, with the same situation."""


@runtime_checkable
class Judges(Protocol):
    """A bot: it can say what it makes of a bar, also where it does nothing. A run keeps that for people to read."""

    def judge(self, situation: Situation) -> Judgement:
        """The verdict on a bar; open exactly where `decide` trades in the same situation."""


@runtime_checkable
class OptionStrategy(Strategy, Protocol):
    """A strategy that trades options on the instruments whose bars it decides on; it is shown their chain and its own contracts."""

    def wants_options(self, situation: Situation) -> bool:
        """Whether this decision depends on the chain of today, told from a situation without it; where contracts are held it does."""


@runtime_checkable
class SellsPremium(Protocol):
    """A strategy that may be made to sell options instead of buying them."""

    @property
    def sells(self) -> bool:
        """Whether it does so."""


@runtime_checkable
class LooksBack(Protocol):
    """A strategy whose columns on a bar depend on a few bars before it, besides averages of `indicators`, which are carried.

    A running service then computes the latest bar of all instruments at once from their last bars, with the very same values. The
    contract of the slot tries every bar.
    """

    @property
    def looks_back(self) -> int | None:
        """How many bars before the latest any of its columns reads; None for all of them."""


@runtime_checkable
class ScreeningStrategy(Strategy, Protocol):
    """A strategy that offers its screen as columns, too: a backtest then looks only at the bars on which something can happen.

    Both are expressions over the names of `columns()`, looking backwards only; null means no. They may say yes too often,
    never too seldom: the contract of the slot tries every bar.
    """

    def may_enter(self) -> pl.Expr:
        """Whether `decide` might decide anything while nothing is held."""

    def may_leave(self) -> pl.Expr:
        """Whether it might while something is held, besides on closes at or below the holding's stop level, which are always looked at."""


@runtime_checkable
class PlanningStrategy(ScreeningStrategy, Protocol):
    """A strategy that decides in whole numbers and tells its reasons afterwards: a backtest then makes words only of what is read.

    `decide` is told(plan) for each of its plans, and nothing while an order is under way. It sees no portfolio and no time and remembers nothing.
    """

    def plans(self, row: Mapping[str, float | None], standing: Standing, door: WholeDoor) -> Sequence[Plan]:
        """What to do on the close of the latest bar; usually nothing."""

    def why(self, row: Mapping[str, float | None], plan: Plan, door: Door) -> tuple[Because, ...]:
        """The reasons of a plan that was made of this row."""

    def told(self, row: Mapping[str, float | None], plan: Plan, door: Door) -> Decision:
        """The decision that a plan is, with its reasons."""


@runtime_checkable
class ColumnStrategy(ScreeningStrategy, Protocol):
    """A strategy whose screen is its decision, exactly: it buys wherever it may enter and sells all wherever it may leave.

    Both need the columns of a holding only. A strategy whose screen is one crossing may offer it as `crossing`, a `Crossing`, too; arrays find that
    in fewer passes than expressions. Nothing else decides, nothing is kept from bar to bar, and no stop is set, so a
    backtest of one instrument can go from purchase to sale.
    """

    @property
    def sizing(self) -> Sizing:
        """How much a purchase is."""

    def why_enter(self, row: Mapping[str, float | None], quantity: Quantity) -> tuple[Because, ...]:
        """The reasons of a purchase, from the columns of a holding on the bar of the decision."""

    def why_leave(self, row: Mapping[str, float | None]) -> tuple[Because, ...]:
        """The reasons of a sale."""


class History(Protocol):
    """Where past bars come from. Raises TryLater when they cannot be had now."""

    async def bars(self, instrument: InstrumentId, until: date) -> BarColumns:
        """Raw daily bars and splits of an instrument up to and including a session."""


class OptionChains(Protocol):
    """Where listed options with their quotes come from. Raises TryLater when they cannot be had now."""

    async def chain(self, underlying: InstrumentId, session: date) -> Sequence[OptionQuote]:
        """Every listed contract on an underlying as of a session; empty when there are none."""


class PastOptions(Protocol):
    """Where the options of the past come from. Raises TryLater when they cannot be had now."""

    async def past(self, underlying: InstrumentId) -> Sequence[PastChains]:
        """Everything that was quoted of the options on an instrument, in pages; none when there are none."""
