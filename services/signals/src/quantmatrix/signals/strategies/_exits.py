"""Exits that any strategy can have: a stop and a profit in percent of the cost, and a trailing stop of our own.

They stand in the parameters of a run or a backtest under `exits`, beside the strategy's own, and are asked before the
strategy on every bar on which something is held. Formulas of the trail: `domain/trailing.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import polars as pl
from pydantic import BaseModel, Field

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Quantity
from quantmatrix.signals.domain.catalogue import CatalogueEntry
from quantmatrix.signals.domain.decisions import Because, Decision, Holding, Situation
from quantmatrix.signals.domain.indicators import mean_of, rsi
from quantmatrix.signals.domain.memory import Memory
from quantmatrix.signals.domain.trailing import ExitReason, Leave, Look, Trail, TrailingRules, advance, opened
from quantmatrix.signals.ports import LooksBack, NeedsBars, Remembers, Strategy
from quantmatrix.signals.strategies._parameters import StrategyParameters

EXITS = "exits"
RSI_LENGTH, VOLUME_LENGTH = 14, 20
_COLUMNS = ("exit_high", "exit_low", "exit_close", "exit_rsi", "exit_volume")
_NEVER = 1e9
_KINDS = {ExitReason.STOP: SignalKind.STOP_LOSS, ExitReason.TAKE_PROFIT: SignalKind.TAKE_PROFIT}


class ExitParameters(StrategyParameters):
    """Bounds; what is left out is not looked at. Percentages are of the average cost of what is held."""

    stop_loss_pct: float | None = Field(None, gt=0, lt=100, title="Stop", description="Percent below the cost at which all is sold.")
    take_profit_pct: float | None = Field(None, gt=0, le=1_000, title="Profit", description="Percent above the cost at which all is sold.")
    trail_pct: float | None = Field(None, ge=0.4, le=6, title="Trail", description="Percent below the highest price since the purchase.")
    breakeven_after_pct: float = Field(
        0.5, ge=0, le=50, title="Trail from", description="Percent above the cost from which on the trail holds."
    )
    breakeven_at_pct: float = Field(0.2, ge=0, le=50, title="Lowest trail", description="Percent above the cost below which no trail lies.")
    tiers: tuple[float, ...] = Field((), title="Tiers", description="Percent above the cost at which a part is sold, rising.")
    tier_share_pct: float = Field(25.0, gt=0, le=100, title="Part", description="Percent of the initial quantity that each tier sells.")
    weak_rsi: float | None = Field(None, gt=0, lt=100, title="Weak", description="RSI below which a losing position is sold.")
    days_max: int | None = Field(None, ge=1, le=10_000, title="Days", description="Calendar days after which all is sold.")
    thin_volume: float | None = Field(None, gt=0, le=10, title="Thin", description="Share of the 20-day volume below which all is sold.")

    @property
    def rules(self) -> TrailingRules:
        """The policy with everything switched off that was left out. Raises ValueError when the figures do not fit together."""
        ends = (self.take_profit_pct,) if self.take_profit_pct is not None else ()
        return TrailingRules(
            breakeven_after_pct=self.breakeven_after_pct if self.trail_pct is not None else _NEVER,
            breakeven_at_pct=self.breakeven_at_pct,
            trail_pct=self.trail_pct if self.trail_pct is not None else 1.0,
            tiers=(*self.tiers, *ends),
            tier_share_pct=self.tier_share_pct,
            rsi_below=self.weak_rsi if self.weak_rsi is not None else -1.0,
            held_max=timedelta(days=self.days_max) if self.days_max is not None else timedelta.max,
            volume_ratio_min=self.thin_volume if self.thin_volume is not None else -1.0,
        )

    def model_post_init(self, _: Any) -> None:
        """Raises ValueError (told as a ValidationError) when the figures do not fit together."""
        if self.take_profit_pct is not None and self.tiers and self.tiers[-1] >= self.take_profit_pct:
            raise ValueError(f"tiers lie below the profit of {self.take_profit_pct:g} % at which all is sold, got {self.tiers}")
        _ = self.rules


class WithExits:
    """A strategy with exits of its run. It remembers the trail, and whatever the strategy itself remembers."""

    name: ClassVar[str]
    title: ClassVar[str]
    parameters: ClassVar[type[BaseModel]]
    catalogue: ClassVar[CatalogueEntry]

    def __init__(self, strategy: Strategy, parameters: ExitParameters) -> None:
        self.inner, self._p, self._rules = strategy, parameters, parameters.rules

    @property
    def bars_needed(self) -> int:
        """Those of the strategy: exits look at what is held."""
        return self.inner.bars_needed if isinstance(self.inner, NeedsBars) else self.inner.catalogue.bars_min

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        close, volume = pl.col("close"), pl.col("volume")
        seen = (pl.col("high"), pl.col("low"), close, rsi(RSI_LENGTH), volume / mean_of(volume, VOLUME_LENGTH))
        return dict(self.inner.columns(held=held)) | dict(zip(_COLUMNS, seen, strict=True))

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        return self.inner.screen_columns()

    @property
    def looks_back(self) -> int | None:
        """One bar for the changes of the RSI, or what the strategy needs."""
        back = self.inner.looks_back if isinstance(self.inner, LooksBack) else None
        return max(1, back) if back is not None else None

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        """While something is held every bar moves the trail."""
        return not holding.quantity and self.inner.nothing_can_happen(row, holding)

    def decide(self, situation: Situation) -> Sequence[Decision]:
        """The run's exits first; the strategy when they have nothing to say."""
        if situation.holding.quantity and not situation.pending:
            found = self._leave(situation)
            if found is not None:
                return (found,)
        return self.inner.decide(situation)

    def remember(self, situation: Situation) -> Memory:
        """The trail as it stands after this bar, and what the strategy keeps."""
        kept = self.inner.remember(situation) if isinstance(self.inner, Remembers) else situation.memory
        if not situation.holding.quantity:
            return replace(kept, trail=None)
        trail = self._trail(situation)
        after, _ = advance(trail, _look(situation), self._rules)
        return replace(kept, trail=replace(after, tiers_done=trail.tiers_done) if situation.pending else after)

    def _leave(self, situation: Situation) -> Decision | None:
        trail, look = self._trail(situation), _look(situation)
        stop = self._p.stop_loss_pct
        floor = trail.entry * (1 - stop / 100) if stop is not None else None
        if floor is not None and look.low <= floor:
            return self._decision(situation, Leave(ExitReason.STOP, floor, 100.0), f"{stop:g} % below the cost")
        _, leave = advance(trail, look, self._rules)
        if leave is None:
            return None
        last = self._p.take_profit_pct is not None and trail.tiers_done == len(self._p.tiers)
        if leave.reason is ExitReason.TAKE_PROFIT and last:
            leave = replace(leave, share_pct=100.0)
        return self._decision(situation, leave, _words(leave, trail))

    def _decision(self, situation: Situation, leave: Leave, words: str) -> Decision | None:
        holding, door = situation.holding, situation.door
        part = holding.quantity
        if leave.share_pct < 100:
            wanted = Quantity(holding.initial.value * Decimal(str(leave.share_pct)) / 100).floored_to(door.lot_size)
            part = min(part, wanted)
        if not part:
            return None
        because = Because(f"EXIT_{leave.reason}", True, f"the bar reached {door.price(leave.price)}: {words}")
        kind = _KINDS.get(leave.reason, SignalKind.EXIT)
        return Decision(kind, 1.0, 1.0, timedelta(hours=24), (because,), side=Side.SELL, quantity=part)

    def _trail(self, situation: Situation) -> Trail:
        """What is kept, or the trail of a position that is seen for the first time."""
        if situation.memory.trail is not None:
            return situation.memory.trail
        if situation.at is None:
            raise ValueError(f"{self.name} with exits is asked without the time of the bar")
        bought_at = situation.memory.track.last_fill_at
        return opened(_cost_level(situation), bought_at or situation.at)


def without_exits(strategy: Strategy) -> Strategy:
    """The strategy itself, without the exits that a run has put around it."""
    return strategy.inner if isinstance(strategy, WithExits) else strategy


def make_strategy(strategy: type[Strategy], parameters: Mapping[str, Any]) -> Strategy:
    """A strategy of the slot with these parameters; with exits around it when they stand in them.

    Raises pydantic's ValidationError that names each parameter that is unknown or out of bounds.
    """
    own = {name: value for name, value in parameters.items() if name != EXITS}
    one = strategy(strategy.parameters.model_validate(own))  # type: ignore[call-arg]  # made from its own parameters
    if EXITS not in parameters:
        return one
    told = {"name": one.name, "title": one.title, "parameters": one.parameters, "catalogue": one.catalogue}
    around: type[WithExits] = type(WithExits.__name__, (WithExits,), told)
    return around(one, ExitParameters.model_validate(parameters[EXITS]))


def parameters_told(strategy: type[Strategy], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as they hold, defaults included, ready for JSON. Raises ValidationError as `make_strategy` does."""
    own = {name: value for name, value in parameters.items() if name != EXITS}
    told: dict[str, Any] = strategy.parameters.model_validate(own).model_dump(mode="json")
    if EXITS in parameters:
        told[EXITS] = ExitParameters.model_validate(parameters[EXITS]).model_dump(mode="json")
    return told


def _cost_level(situation: Situation) -> float:
    """The average cost of a unit as a level of the adjusted series."""
    cost, door = situation.holding.cost, situation.door
    if cost is None:
        return float(situation.close.value) * door.factor
    return float(cost.amount / (situation.holding.quantity.value * door.multiplier.value)) * door.factor


def _look(situation: Situation) -> Look:
    row, at = situation.row, situation.at
    high, low, close = row["exit_high"], row["exit_low"], row["exit_close"]
    if at is None or high is None or low is None or close is None:
        raise ValueError("exits are asked without a bar")
    return Look(at=at, high=high, low=low, close=close, rsi=row["exit_rsi"], volume_ratio=row["exit_volume"])


def _words(leave: Leave, trail: Trail) -> str:
    match leave.reason:
        case ExitReason.STOP:
            return "the trailing stop"
        case ExitReason.TAKE_PROFIT:
            return f"tier {trail.tiers_done + 1} of the profit"
        case ExitReason.WEAK:
            return "losing and weak by its RSI"
        case ExitReason.TIME:
            return f"held since {trail.opened_at:%Y-%m-%d}"
        case ExitReason.THIN:
            return "too little volume"
