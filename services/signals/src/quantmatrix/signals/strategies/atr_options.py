"""ATR Options: when the ATR Matrix enters a stock, it buys an option on it, and sells it at a profit, a loss, in time or with the stock.

The contract is chosen by `domain/options/choosing.py` and left by `domain/options/leaving.py`, with this strategy's rules.
A purchase is a day order at a quarter of the spread above the middle; what did not fill is ordered anew on the next close, three
times at most. A sale is tried once at a quarter of the spread below the middle, then at any price, in the last days also where nobody
quotes it: at its end it is settled. Where no chain is quoted, it
advises. A second preset is for sold premium at 45 days as tastytrade's research manages it (50 % of the premium, 21 days; blog of
9 March 2015 and 30 March 2021): it advises only, as nothing is sold short here. The two are never mixed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

import polars as pl
from pydantic import BaseModel, Field, model_validator

from quantmatrix.common.names import InstrumentId, Side, SignalKind
from quantmatrix.common.options import terms_of
from quantmatrix.common.values import Money, Price, round_half_even
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.decisions import FLAT, Because, Decision, Holding, Leg, Options, Situation
from quantmatrix.signals.domain.memory import Memory, Pursuit
from quantmatrix.signals.domain.options.choosing import (
    BEYOND_HORIZON_DAYS,
    CENT,
    Choice,
    ChoiceRules,
    EntrySignal,
    OptionQuote,
    Skipped,
    choose,
    contracts_for,
    direction_of,
    limit_of,
    limit_to_leave,
    move_pct,
)
from quantmatrix.signals.domain.options.leaving import Leaving, LeavingRules, reason_to_leave
from quantmatrix.signals.domain.volatility import OPTIONS_MULTIPLIER, rating_of
from quantmatrix.signals.strategies._atr_matrix_parameters import AtrMatrixParameters
from quantmatrix.signals.strategies._parameters import StrategyParameters
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix

_ANY_DAY = date(2000, 1, 3)
REPRICED_MAX = 3
AMPLE = Decimal(10) ** 12
_KINDS = {Leaving.PROFIT_TARGET: SignalKind.TAKE_PROFIT, Leaving.STOP_LOSS: SignalKind.STOP_LOSS}


class AtrOptionsParameters(StrategyParameters):
    """Bounds and defaults; forms are drawn from this model."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "short_premium": {"profit_target_pct": 50.0, "max_dte": 60, "leave_dte": 21},
    }

    preset: Literal["long_option", "short_premium"] = Field("long_option", title="Preset", description="Bought options, or sold premium.")
    profit_target_pct: float = Field(20.0, ge=10, le=50, title="Profit target", description="Percent of the premium.")
    stop_loss_pct: float = Field(50.0, ge=5, le=50, title="Stop loss", description="Percent of the premium.")
    max_dte: int = Field(45, ge=7, le=90, title="Most days", description="Days to expiration at the purchase, at most.")
    min_dte: int = Field(7, ge=1, le=14, title="Fewest days", description="Days to expiration at the purchase, at least.")
    leave_dte: int = Field(7, ge=1, le=45, title="Leave before", description="Days to expiration below which it is sold.")
    delta_target: float = Field(0.50, ge=0.30, le=0.70, title="Delta", description="Wanted delta, between 0.30 and 0.70.")
    position_pct: float = Field(5.0, ge=1, le=10, title="Largest position", description="Percent of the run's capital.")
    open_interest_min: int = Field(100, ge=0, le=100_000, title="Open interest", description="Open contracts, at least.")
    spread_max_pct: float = Field(10.0, gt=0, le=100, title="Spread", description="Percent of the mid price, at most.")
    confidence_min: float = Field(0.60, ge=0, le=1, title="Confidence", description="Of the entry signal, at least.")
    move_min_pct: float = Field(2.0, ge=0, le=50, title="Least move", description="Percent from the close to the first target.")
    risk_reward_min: float = Field(2.0, ge=0, le=10, title="Risk to reward", description="Of the entry signal, at least.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_dte >= self.max_dte:
            raise ValueError(f"the fewest days ({self.min_dte}) are below the most ({self.max_dte})")
        return self

    @property
    def choice(self) -> ChoiceRules:
        """The rules by which a contract is chosen."""
        return ChoiceRules(
            confidence_min=self.confidence_min,
            move_min_pct=self.move_min_pct,
            dte_min=self.min_dte,
            dte_max=self.max_dte,
            delta_target=self.delta_target,
            open_interest_min=self.open_interest_min,
            spread_max_pct=self.spread_max_pct,
            position_max_pct=self.position_pct,
        )

    @property
    def leaving(self) -> LeavingRules:
        """The rules by which it is left."""
        return LeavingRules(self.profit_target_pct, self.stop_loss_pct, self.leave_dte)


class AtrOptions:
    """See the module's text."""

    name: ClassVar[str] = "atr_options"
    title: ClassVar[str] = "ATR Options"
    parameters: ClassVar[type[BaseModel]] = AtrOptionsParameters
    catalogue: ClassVar[CatalogueEntry] = CatalogueEntry(
        category=Category.OPTIONS,
        complexity=Complexity.ADVANCED,
        capital_min=Money(10_000, "USD"),
        horizon="days to weeks",
        needs=("daily bars", "splits", "option chains with quotes"),
        bars_min=50,
        summary="Buys an option when the ATR Matrix enters its stock, with limits on premium, delta, spread and size; sells it by its own exits. "
        "Sold premium, its other preset, is advice only.",
    )

    def __init__(self, parameters: AtrOptionsParameters) -> None:
        self._p = parameters
        self._matrix = AtrMatrix(AtrMatrixParameters.model_validate({"risk_reward_min": parameters.risk_reward_min}))

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        return self._matrix.columns()

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        return self._matrix.screen_columns()

    @property
    def looks_back(self) -> int:
        """What ATR Matrix needs."""
        return self._matrix.looks_back

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        """The stock itself is never held: whatever the holding, only an entry matters."""
        return self._matrix.nothing_can_happen(row, FLAT)

    def wants_options(self, situation: Situation) -> bool:
        """A chain is looked at for every entry that is good enough."""
        return self._p.preset == "long_option" and any(self._is_wanted(situation, entry) for entry in self._entries(situation))

    def decide(self, situation: Situation) -> Sequence[Decision]:
        """What to do about the contracts at hand; without any, about an entry of the matrix."""
        return self._turn(situation)[0]

    def remember(self, situation: Situation) -> Memory:
        """The contract that is being bought or sold."""
        return replace(situation.memory, pursuit=self._turn(situation)[1])

    def _turn(self, situation: Situation) -> tuple[tuple[Decision, ...], Pursuit | None]:
        """The decisions on a bar, and what is pursued after them."""
        options, pursuit = situation.options, situation.memory.pursuit
        if options is not None:
            if any(leg.pending for leg in options.legs):
                return (), pursuit
            held = [leg for leg in options.legs if leg.holding.quantity]
            if held:
                return self._leave(situation, held, options.session, pursuit)
            if pursuit is not None and pursuit.side is Side.BUY:
                return self._buy_again(situation, options, pursuit)
        return self._enter(situation, options)

    def _enter(self, situation: Situation, options: Options | None) -> tuple[tuple[Decision, ...], Pursuit | None]:
        told: list[Decision] = []
        for entry in self._entries(situation):
            if not self._is_wanted(situation, entry):
                continue
            choice = self._chosen(situation, options, entry) if options is not None else None
            if isinstance(choice, Choice):
                quote = choice.candidate.quote
                pursuit = Pursuit(quote.contract, Side.BUY, 1, choice.contracts, entry.stop_level)
                return (self._purchase(quote, pursuit, entry, choice),), pursuit
            told.append(self._advice(situation, entry, choice))
        return tuple(told), None

    def _chosen(self, situation: Situation, options: Options, entry: Decision) -> Choice | Skipped:
        if not options.chain:
            return Skipped("NO_CHAIN", f"no option on it is quoted on {options.session}")
        signal = EntrySignal(options.session, situation.close, entry.targets[0], entry.horizon_days or 0, entry.confidence)
        close, moves = situation.row["close"], situation.row["atr"]
        times = OPTIONS_MULTIPLIER[rating_of(100 * moves / close)] if close and moves else 1.0
        tick = options.chain[0].tick_size
        return choose(options.chain, signal, situation.equity, self._p.choice, size_multiplier=times, tick_size=tick)

    def _buy_again(self, situation: Situation, options: Options, pursuit: Pursuit) -> tuple[tuple[Decision, ...], Pursuit | None]:
        """What did not fill is ordered anew at today's quote, as long as the stock has not been left."""
        quote = next((one for one in options.chain if one.contract == pursuit.contract), None)
        if quote is None or pursuit.tries > REPRICED_MAX or self._stock_left(situation, pursuit.stop_level) or not quote.bid:
            return (), None
        contracts = min(pursuit.quantity, contracts_for(situation.equity, quote.mid, self._p.choice))
        if not contracts:
            return (), None
        after = replace(pursuit, tries=pursuit.tries + 1, quantity=contracts)
        because = Because("REPRICED", True, f"{pursuit.contract} did not fill, try {after.tries} of {REPRICED_MAX + 1}")
        return (
            self._order(quote.instrument_id, after, limit_of(quote, quote.tick_size), (because,), SignalKind.ENTRY, quote.tick_size),
        ), after

    def _leave(
        self, situation: Situation, held: Sequence[Leg], session: date, pursuit: Pursuit | None
    ) -> tuple[tuple[Decision, ...], Pursuit | None]:
        """The first contract that is to be left; a sale that did not fill goes on, at any price."""
        for leg in held:
            tried = pursuit is not None and pursuit.side is Side.SELL and pursuit.contract == leg.symbol
            quote = leg.quote
            found = self._reason_to_leave(situation, leg, quote, session) if quote is not None else self._end_is_near(leg, session)
            if tried and pursuit is not None and (quote is not None or found is not None):
                because = Because("STILL_HELD", True, f"try {pursuit.tries} of the sale did not fill: at any price now")
                after, limit, kind = replace(pursuit, tries=pursuit.tries + 1), None, SignalKind.EXIT
            elif found is not None:
                reason, text = found
                because = Because(reason.value, True, text)
                after = Pursuit(leg.symbol, Side.SELL, 1, leg.holding.quantity)
                limit = limit_to_leave(quote, quote.tick_size) if quote is not None else None
                kind = _KINDS.get(reason, SignalKind.EXIT)
            else:
                continue
            order = self._order(leg.instrument_id, replace(after, quantity=leg.holding.quantity), limit, (because,), kind)
            return (order,), after
        return (), None

    def _end_is_near(self, leg: Leg, session: date) -> tuple[Leaving, str] | None:
        """A contract that nobody quotes is sold in its last days too: at its end it is settled."""
        days = (terms_of(leg.symbol).expires - session).days
        return (Leaving.EXPIRATION, f"{days} days to expiration, and not quoted") if days < self._p.leave_dte else None

    def _reason_to_leave(self, situation: Situation, leg: Leg, quote: OptionQuote, session: date) -> tuple[Leaving, str] | None:
        cost, units = leg.holding.cost, leg.holding.quantity.value * leg.multiplier.value
        paid = Price(round_half_even(cost.amount / units)) if cost is not None else quote.mid
        left = self._stock_left(situation, leg.holding.stop_level)
        return reason_to_leave(paid, quote.mid, quote.expires, session, self._p.leaving, underlying_left=left)

    def _stock_left(self, situation: Situation, stop_level: float | None) -> bool:
        """Whether the matrix would have left the stock on this bar."""
        one = Holding(situation.door.lot_size, situation.door.lot_size, stop_level)
        decisions = self._matrix.decide(replace(situation, holding=one, pending=False))
        return any(decision.kind in (SignalKind.EXIT, SignalKind.STOP_LOSS) for decision in decisions)

    def _entries(self, situation: Situation) -> Sequence[Decision]:
        """Entries of the matrix, however many shares the run could pay."""
        ample = Money(AMPLE, situation.equity.currency)
        return self._matrix.decide(replace(situation, holding=FLAT, pending=False, equity=ample))

    def _is_wanted(self, situation: Situation, entry: Decision) -> bool:
        signal = EntrySignal(_ANY_DAY, situation.close, entry.targets[0], entry.horizon_days or 0, entry.confidence)
        return not isinstance(direction_of(signal, self._p.choice), Skipped)

    def _purchase(self, quote: OptionQuote, pursuit: Pursuit, entry: Decision, choice: Choice) -> Decision:
        found = choice.candidate
        reasons = (
            *_without_size(entry),
            Because(
                "OPTION", True, f"{quote.contract}: delta {found.delta:+.2f}, score {found.score:.3f}, spread {found.spread_pct:.1f} %"
            ),
            Because("SIZE", True, f"{choice.contracts} contracts: at most {self._p.position_pct:g} % of the run's capital"),
        )
        decision = self._order(quote.instrument_id, pursuit, choice.limit, reasons, SignalKind.ENTRY, quote.tick_size)
        told = {"delta": found.delta, "score": found.score, "spread_pct": found.spread_pct}
        return replace(
            decision,
            strength=entry.strength,
            confidence=entry.confidence,
            horizon_days=entry.horizon_days,
            metrics={**entry.metrics, **told},
        )

    def _order(
        self,
        contract: InstrumentId,
        pursuit: Pursuit,
        limit: Price | None,
        reasons: tuple[Because, ...],
        kind: SignalKind,
        tick_size: Price = CENT,
    ) -> Decision:
        """A day order for a contract; of a purchase, stop and target are prices of the contract."""
        bought = pursuit.side is Side.BUY and limit is not None
        return Decision(
            kind=kind,
            strength=1.0,
            confidence=1.0,
            valid_for=timedelta(hours=6),
            reasons=reasons,
            side=pursuit.side,
            quantity=pursuit.quantity,
            stop=_moved(limit, -self._p.stop_loss_pct, tick_size) if bought and limit is not None else None,
            targets=(_moved(limit, self._p.profit_target_pct, tick_size),) if bought and limit is not None else (),
            stop_level=pursuit.stop_level,
            instrument=contract,
            limit=limit,
        )

    def _advice(self, situation: Situation, entry: Decision, why_not: Skipped | None) -> Decision:
        """What a person is told about an entry, and why nothing was bought on it."""
        signal = EntrySignal(_ANY_DAY, situation.close, entry.targets[0], entry.horizon_days or 0, entry.confidence)
        kind = direction_of(signal, self._p.choice)
        days = min(signal.horizon_days + BEYOND_HORIZON_DAYS, self._p.max_dte)
        reasons = [*_without_size(entry)]
        reasons.append(Because("OPTION", True, f"a {kind}: the target is {move_pct(signal):+.2f} % away, up to {days} days to expiration"))
        if why_not is not None:
            reasons.append(Because(why_not.code, False, why_not.detail))
        return Decision(
            kind=SignalKind.ALERT,
            strength=entry.strength,
            confidence=entry.confidence,
            valid_for=timedelta(hours=6),
            reasons=tuple(reasons),
            stop=entry.stop,
            targets=entry.targets,
            risk_reward=entry.risk_reward,
            horizon_days=entry.horizon_days,
            metrics=entry.metrics,
        )


STRATEGY = AtrOptions


def _without_size(entry: Decision) -> tuple[Because, ...]:
    """The matrix's reasons but for the number of shares, of which none is bought."""
    return tuple(reason for reason in entry.reasons if reason.code != "SIZE")


def _moved(price: Price, pct: float, tick_size: Price) -> Price:
    """A premium so many percent higher, on a tick."""
    return Price(round_half_even(price.value * (100 + Decimal(str(pct))) / 100)).snapped_to(tick_size)
