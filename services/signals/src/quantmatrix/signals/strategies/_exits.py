"""Exits that any strategy can have: a stop and a profit in percent of the cost, and a trailing stop of our own.

They stand in the parameters of a run or a backtest under `exits`, beside the strategy's own, and are asked before the
strategy on every bar on which something is held. Formulas of the trail: `domain/trailing.py`. Of a strategy that trades options
they look at the premium, and at RSI and volume of the stock.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import polars as pl
from pydantic import BaseModel, Field

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Quantity
from quantmatrix.signals.domain.catalogue import CatalogueEntry
from quantmatrix.signals.domain.decisions import Because, Decision, Holding, Leg, Situation
from quantmatrix.signals.domain.indicators import mean_of, rsi
from quantmatrix.signals.domain.memory import Memory, Pursuit
from quantmatrix.signals.domain.options.choosing import OptionQuote, limit_to_leave
from quantmatrix.signals.domain.trailing import ExitReason, Leave, Look, Trail, TrailingRules, advance, opened
from quantmatrix.signals.ports import LooksBack, NeedsBars, OptionStrategy, Remembers, SellsPremium, Strategy
from quantmatrix.signals.strategies._parameters import StrategyParameters

EXITS = "exits"
RSI_LENGTH, VOLUME_LENGTH = 14, 20
_COLUMNS = ("exit_high", "exit_low", "exit_close", "exit_rsi", "exit_volume")
_NEVER = 1e9
_COST = 100.0
"""What premiums are counted in: percent of their cost."""
_SOLD = "sold premium"
Tier = Annotated[float, Field(gt=0, le=1_000)]
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
    tiers: tuple[Tier, ...] = Field((), max_length=20, title="Tiers", description="Percent above the cost at which a part is sold, rising.")
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

    def model_post_init(self, context: Any) -> None:
        """Raises ValueError (told as a ValidationError) when the figures do not fit together, or the strategy sells premium."""
        if context == _SOLD:
            raise ValueError("exits look at what was bought: a strategy that sells premium leaves it by its own rules alone")
        if any(high <= low for low, high in itertools.pairwise(self.tiers)):
            raise ValueError(f"tiers rise, each once, got {', '.join(f'{one:g}' for one in self.tiers)}")
        if self.breakeven_at_pct > self.breakeven_after_pct:
            raise ValueError(
                f"breakeven_at_pct is at most breakeven_after_pct ({self.breakeven_after_pct:g}), got {self.breakeven_at_pct:g}"
            )
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
        return self._leave_at(situation, self._trail(situation), _look(situation))

    def _leave_at(self, situation: Situation, trail: Trail, look: Look) -> Decision | None:
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
        because = Because(f"EXIT_{leave.reason}", True, self._reached(situation, leave) + words)
        kind = _KINDS.get(leave.reason, SignalKind.EXIT)
        return Decision(kind, 1.0, 1.0, timedelta(hours=24), (because,), side=Side.SELL, quantity=part)

    def _reached(self, situation: Situation, leave: Leave) -> str:
        return f"the bar reached {situation.door.price(leave.price)}: "

    def _trail(self, situation: Situation) -> Trail:
        """What is kept, or the trail of a position that is seen for the first time."""
        if situation.memory.trail is not None:
            return situation.memory.trail
        at, bought_at = _time_of(self.name, situation), situation.memory.track.last_fill_at
        return opened(_cost_level(situation), bought_at or at)


class OptionsWithExits(WithExits):
    """The same around a strategy that trades options: it leaves the contract. The premium is counted in percent of the cost, which splits do not change.

    A sale of all is tried once at a quarter of the spread below the middle; the strategy then goes on with it, at any price.
    """

    inner: OptionStrategy

    def wants_options(self, situation: Situation) -> bool:
        return self.inner.wants_options(situation)

    def decide(self, situation: Situation) -> Sequence[Decision]:
        """The run's exits first; the strategy when they have nothing to say."""
        found = self._sale(situation)
        return self.inner.decide(situation) if found is None else (found,)

    def remember(self, situation: Situation) -> Memory:
        """The trail of the premium, the sale that the exits began, and what the strategy keeps."""
        kept = self.inner.remember(situation) if isinstance(self.inner, Remembers) else situation.memory
        leg = _held_leg(situation)
        if leg is None:
            return replace(kept, trail=None if situation.options is None or not situation.options.legs else situation.memory.trail)
        trail = self._premium_trail(situation)
        sale = self._sale(situation)
        if sale is not None and sale.quantity == leg.holding.quantity:
            kept = replace(kept, pursuit=Pursuit(leg.symbol, Side.SELL, 1, leg.holding.quantity))
        if leg.quote is None:
            return replace(kept, trail=trail)
        return replace(kept, trail=advance(trail, _premium_look(situation, leg, leg.quote), self._rules)[0])

    def _sale(self, situation: Situation) -> Decision | None:
        leg = _held_leg(situation)
        if leg is None or leg.quote is None or _is_being_sold(situation, leg):
            return None
        shown = replace(situation, holding=leg.holding)
        found = self._leave_at(shown, self._premium_trail(situation), _premium_look(situation, leg, leg.quote))
        if found is None:
            return None
        whole = found.quantity == leg.holding.quantity
        return replace(found, instrument=leg.instrument_id, limit=limit_to_leave(leg.quote, leg.quote.tick_size) if whole else None)

    def _reached(self, situation: Situation, leave: Leave) -> str:
        return f"the premium is at {leave.price:.1f} % of the cost: "

    def _premium_trail(self, situation: Situation) -> Trail:
        if situation.memory.trail is not None:
            return situation.memory.trail
        return opened(_COST, _time_of(self.name, situation))


def _held_leg(situation: Situation) -> Leg | None:
    """The contract that is held and of which no order is under way."""
    legs = situation.options.legs if situation.options is not None else ()
    return next((leg for leg in legs if leg.holding.quantity and not leg.pending), None)


def _is_being_sold(situation: Situation, leg: Leg) -> bool:
    pursuit = situation.memory.pursuit
    return pursuit is not None and pursuit.side is Side.SELL and pursuit.contract == leg.symbol


def _premium_look(situation: Situation, leg: Leg, quote: OptionQuote) -> Look:
    """What the contracts are worth at the middle, in percent of what was paid for them."""
    cost = leg.holding.cost
    units = leg.holding.quantity.value * leg.multiplier.value
    worth = float(quote.mid.value * units / cost.amount) * _COST if cost else _COST
    stock = _look(situation)
    return Look(at=stock.at, high=worth, low=worth, close=worth, rsi=stock.rsi, volume_ratio=stock.volume_ratio)


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
    kind = OptionsWithExits if isinstance(one, OptionStrategy) else WithExits
    around: type[WithExits] = type(kind.__name__, (kind,), told)
    sold = isinstance(one, SellsPremium) and one.sells
    return around(one, ExitParameters.model_validate(parameters[EXITS], context=_SOLD if sold else None))


def parameters_told(strategy: type[Strategy], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as they hold, defaults included, ready for JSON. Raises ValidationError as `make_strategy` does."""
    own = {name: value for name, value in parameters.items() if name != EXITS}
    told: dict[str, Any] = strategy.parameters.model_validate(own).model_dump(mode="json")
    if EXITS in parameters:
        told[EXITS] = ExitParameters.model_validate(parameters[EXITS]).model_dump(mode="json")
    return told


def _time_of(name: str, situation: Situation) -> datetime:
    if situation.at is None:
        raise ValueError(f"{name} with exits is asked without the time of the bar")
    return situation.at


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
