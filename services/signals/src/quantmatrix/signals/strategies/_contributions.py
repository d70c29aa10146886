"""What the allocating strategies share: contributions on agreed days, spread over fixed weights, and bands that make one sell."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from quantmatrix.common.names import Side, SignalKind
from quantmatrix.common.values import Money, Quantity
from quantmatrix.signals.domain.allocation import Plan, contribution_of, due, plan, whole_lots
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.decisions import Because, Decision, Holding, Portfolio, Situation
from quantmatrix.signals.strategies._parameters import StrategyParameters

# What is left covers commissions and an open above the close that was decided on.
SPENT_AT_MOST = Decimal("0.98")
_WEIGHT = Decimal("1e-12")


Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9.^/ -]{0,19}$")]
Weights = dict[Symbol, float]
SYMBOLS_MAX, MONEY_MAX = 100, 1e12


class ContributionParameters(StrategyParameters):
    """Bounds and defaults; forms are drawn from this model."""

    weights: Weights = Field(
        default_factory=dict, max_length=SYMBOLS_MAX, title="Weights", description="Share of each symbol; they sum to 1."
    )
    frequency: Literal["weekly", "monthly"] = Field("monthly", title="How often", description="When it contributes and looks at the bands.")
    day_of_month: int = Field(1, ge=1, le=31, title="Day", description="Day of the month, or the first session after it.")
    contribution: float | None = Field(
        None, ge=1, le=MONEY_MAX, title="Contribution", description="Money each time; a tenth of the capital when left out."
    )
    threshold_pct: float = Field(5.0, ge=1, le=50, title="Band", description="Points a weight may be off; at most a quarter of its target.")
    no_sell: bool = Field(False, title="Never sell", description="Bring weights back by contributions only.")

    @property
    def exact(self) -> dict[str, Decimal]:
        return {symbol: Decimal(str(weight)) for symbol, weight in self.weights.items()}

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        if sum(self.exact.values()) != 1 or min(self.exact.values()) <= 0:
            raise ValueError(f"weights are above zero and sum to 1, got {self.weights}")
        return self


def standard(weights: Weights) -> Any:
    """The field `weights` with these defaults."""
    told = ContributionParameters.model_fields["weights"]
    return Field(default_factory=lambda: dict(weights), max_length=SYMBOLS_MAX, title=told.title, description=told.description)


def told_of(summary: str) -> CatalogueEntry:
    """The catalogue entry of an allocating strategy."""
    return CatalogueEntry(
        category=Category.STOCKS,
        complexity=Complexity.BEGINNER,
        capital_min=Money(5_000, "USD"),
        horizon="years",
        needs=("daily bars", "a price of every symbol that is to be bought"),
        bars_min=1,
        summary=summary,
        sees_portfolio=True,
    )


class Contributions:
    """See the module's text. Subclasses carry name, title, parameters and catalogue entry; the rules are in `domain/allocation.py`."""

    name: ClassVar[str]

    def __init__(self, parameters: ContributionParameters) -> None:
        self._p = parameters

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        return self.screen_columns()

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        return {"due": due(self._p.day_of_month, self._p.frequency).cast(pl.Float64)}

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        return not row["due"]

    def decide(self, situation: Situation) -> Sequence[Decision]:
        """Symbols that have no price yet are left out: their part of a contribution stays in cash until they have one."""
        whole = situation.portfolio
        if whole is None or situation.pending or not situation.row["due"] or whole.symbol not in self._p.weights:
            return ()
        contribution, found = self._plan(whole)
        lots = whole_lots(_affordable(found, _free(whole)), whole.prices, situation.door.lot_size)
        quantity = lots.get(whole.symbol)
        if quantity is None or -quantity > situation.holding.quantity:
            return ()
        return (self._decision(whole, found, contribution, quantity),)

    def _plan(self, whole: Portfolio) -> tuple[Money, Plan]:
        """The agreed contribution; if that leaves a band broken, more of the free cash; only if that does not help either, sales."""
        threshold = Decimal(str(self._p.threshold_pct)) / 100
        weights, priced = self._priced(whole)
        agreed, free = (one.times(priced).rounded(2) for one in self._contribution(whole))
        found = plan(weights, whole.values, agreed, no_sell=self._p.no_sell, threshold=threshold)
        if not found.rebalanced:
            return agreed, found
        more = plan(weights, whole.values, free, threshold=threshold)
        return (agreed, found) if more.rebalanced else (free, more)

    def _priced(self, whole: Portfolio) -> tuple[Mapping[str, Decimal], Decimal]:
        """The weights of what has a price, made to sum to 1, and what they summed to."""
        weights = {symbol: weight for symbol, weight in self._p.exact.items() if symbol in whole.prices}
        total = sum(weights.values(), Decimal(0))
        if total == 1:
            return weights, total
        *others, last = weights
        scaled = {symbol: (weights[symbol] / total).quantize(_WEIGHT) for symbol in others}
        return scaled | {last: 1 - sum(scaled.values(), Decimal(0))}, total

    def _contribution(self, whole: Portfolio) -> tuple[Money, Money]:
        """What is agreed on, as long as there is cash, and the free cash; a run whose capital is deployed only keeps its weights."""
        agreed = contribution_of(whole.base)
        if self._p.contribution is not None:
            agreed = Money(Decimal(str(self._p.contribution)), whole.base.currency).rounded(2)
        free = _free(whole)
        return min(agreed, free), free

    def _decision(self, whole: Portfolio, found: Plan, contribution: Money, quantity: Quantity) -> Decision:
        target, missing = self._p.weights[whole.symbol], sorted(set(self._p.weights) - set(whole.prices))
        reasons = [Because("DUE", True, f"{self._p.frequency} contribution of {contribution}")]
        if missing:
            reasons.append(Because("PRICE_MISSING", False, f"no price yet of {', '.join(missing)}"))
        if found.rebalanced:
            reasons.append(Because("BAND_BROKEN", True, "contributions do not bring the weights back into their bands"))
        reasons.append(Because("WEIGHT", True, f"{whole.symbol} is wanted at {100 * target:g} %, {found.amounts[whole.symbol]} to move"))
        side = Side.BUY if quantity.value > 0 else Side.SELL
        kind = SignalKind.ENTRY if side is Side.BUY else SignalKind.SCALE_OUT
        return Decision(kind, 1.0, 1.0, timedelta(hours=24), tuple(reasons), side=side, quantity=abs(quantity))


def _free(whole: Portfolio) -> Money:
    """The cash that may be spent now, in whole cents."""
    spendable = max(Decimal(0), whole.cash.amount) * SPENT_AT_MOST
    return Money(spendable.quantize(Decimal("0.01"), rounding=ROUND_FLOOR), whole.cash.currency)


def _affordable(found: Plan, cash: Money) -> dict[str, Money]:
    """Purchases within the cash there is now; the proceeds of sales are spread at the next contribution."""
    buying = sum(amount.amount for amount in found.amounts.values() if amount.amount > 0)
    if not buying or buying <= cash.amount:
        return dict(found.amounts)
    part = max(Decimal(0), cash.amount) / buying
    return {
        symbol: Money((amount.amount * part).quantize(Decimal("0.01"), rounding=ROUND_FLOOR), amount.currency)
        if amount.amount > 0
        else amount
        for symbol, amount in found.amounts.items()
    }
