"""Signal bot: buys and sells when the weighted scores of RSI, two averages and MACD are strong enough.

Formulas and scores are in `domain/bots/scores.py`; confirmation, cooldown and every other gate between an opinion and an order in
`domain/bots`. A way out passes the gates of state, warmth, confirmation and cooldown only: no limit keeps one in a position.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import BaseModel, Field, model_validator

from quantmatrix.common.names import Side, SignalKind, TradingState
from quantmatrix.common.values import Money, Quantity, notional
from quantmatrix.signals.domain.bots.confirmation import Confirmed, confirm
from quantmatrix.signals.domain.bots.gates import BotLimits, BotStanding, Readiness, Verdict, through_the_gates
from quantmatrix.signals.domain.bots.scores import (
    REGIME_ACTION_AT,
    Action,
    Opinion,
    Score,
    average_score,
    check_weights,
    combined,
    macd_score,
    rsi_score,
)
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.decisions import Because, Decision, Holding, Situation
from quantmatrix.signals.domain.indicators import atr, macd, macd_histogram, macd_signal, rsi, sma
from quantmatrix.signals.domain.judging import Judgement
from quantmatrix.signals.domain.memory import Memory, today
from quantmatrix.signals.domain.sizing import Trending, fair_share, size_factor
from quantmatrix.signals.domain.volatility import atr_pct
from quantmatrix.signals.strategies._parameters import StrategyParameters

MACD_BARS = 26 + 9
"""The bars of MACD's slow average and of its signal, less the one that both share, and one more for the change."""
ANY_AMOUNT = Decimal(10) ** 15
_SCREEN = ("rsi", "fast", "slow", "fast_before", "slow_before")


class SignalBotParameters(StrategyParameters):
    """Bounds and defaults; forms are drawn from this model."""

    rsi_weight: float = Field(0.33, ge=0, le=1, title="Weight of RSI", description="0 switches it off; all weights sum to at most 1.")
    average_weight: float = Field(0.33, ge=0, le=1, title="Weight of the averages", description="0 switches it off.")
    macd_weight: float = Field(0.34, ge=0, le=1, title="Weight of MACD", description="0 switches it off.")
    rsi_length: int = Field(14, ge=2, le=100, title="RSI length", description="Bars of Wilder's index.")
    oversold: float = Field(30.0, ge=1, le=49, title="Oversold", description="RSI from which on a purchase is likely.")
    overbought: float = Field(70.0, ge=51, le=99, title="Overbought", description="RSI from which on a sale is likely.")
    fast: int = Field(10, ge=1, le=200, title="Fast average", description="Bars of the fast average.")
    slow: int = Field(20, ge=2, le=400, title="Slow average", description="Bars of the slow average; more than the fast one has.")
    buy_at: float = Field(0.30, gt=0, le=1, title="Buy from", description="Score from which on it buys.")
    sell_at: float = Field(-0.30, ge=-1, lt=0, title="Sell from", description="Score from which down it sells.")
    regime: Literal["none", "STRONG_TRENDING", "TRENDING", "RANGING", "CHOPPY"] = Field(
        "none",
        title="Regime",
        description="What one takes the market for: acts from 0.12, 0.08, 0.05 or 0.03 both ways, in place of the two scores above. "
        "What is not warm never acts, so the last three need the sensitive temperatures.",
    )
    temperatures: Literal["production", "sensitive"] = Field("production", title="Temperatures", description="When a score is warm or hot.")
    position_pct: float = Field(10.0, gt=0, le=100, title="Position", description="Percent of the run's equity in one instrument.")
    sizing: Literal["fixed", "conditions", "fair_share"] = Field(
        "fixed",
        title="Size",
        description="The position as it is; times 0.3 to 2 by regime, daily range and confidence, at most all of the equity; or in its place "
        "a fair share: 80 % of the equity in equal parts, weighted 0.7 to 1.3 by confidence and agreement, at most 35 %.",
    )
    parts: int = Field(3, ge=1, le=100, title="Parts", description="Equal parts of a fair share: how many positions there are to be.")
    confirmation_min: int = Field(0, ge=0, le=100_000, title="Confirmation", description="Minutes that an action must hold; 0 at once.")
    cooldown_min: int = Field(15, ge=0, le=100_000, title="Cooldown", description="Minutes after a fill in which nothing is traded.")
    cooldown_scope: Literal["product", "bot"] = Field(
        "product", title="Cooldown counts", description="Fills of the run in the instrument at hand, or in any of its instruments."
    )
    price_step_pct: float = Field(2.0, ge=0, le=100, title="Price step", description="Percent moved since the last trade, to buy again.")
    order_min: float = Field(10.0, ge=0, le=1e12, title="Least order", description="Money below which nothing is bought.")
    order_max: float | None = Field(None, gt=0, le=1e12, title="Largest order", description="Money above which nothing is bought.")
    trades_a_day_max: int = Field(10, ge=1, le=10_000, title="Trades a day", description="After so many nothing more is bought that day.")
    loss_a_day_max_pct: float = Field(1.0, gt=0, le=100, title="Loss a day", description="Percent of equity lost that day, to stop buying.")
    losses_in_a_row_max: int = Field(3, ge=1, le=1_000, title="Losses in a row", description="After so many that day nothing is bought.")

    @property
    def limits(self) -> BotLimits:
        """The gates of purchases. The day's loss is a share of the equity and set when that is known."""
        return BotLimits(
            cooldown=timedelta(minutes=self.cooldown_min),
            price_step_pct=Decimal(str(self.price_step_pct)),
            order_min=Decimal(str(self.order_min)),
            order_max=ANY_AMOUNT if self.order_max is None else Decimal(str(self.order_max)),
            trades_a_day_max=self.trades_a_day_max,
            losses_in_a_row_max=self.losses_in_a_row_max,
        )

    @property
    def acts_at(self) -> tuple[float, float]:
        """The scores from which on it buys and sells: those of the regime, or its own."""
        own = REGIME_ACTION_AT.get(self.regime)
        return (self.buy_at, self.sell_at) if own is None else (own, -own)

    @property
    def weights(self) -> dict[str, float]:
        return {"rsi": self.rsi_weight, "average": self.average_weight, "macd": self.macd_weight}

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        check_weights(self.weights)
        if self.fast >= self.slow:
            raise ValueError(f"the fast average ({self.fast}) has fewer bars than the slow one ({self.slow})")
        return self


class SignalBot:
    """See the module's text."""

    name: ClassVar[str] = "signal_bot"
    title: ClassVar[str] = "Signal bot"
    parameters: ClassVar[type[BaseModel]] = SignalBotParameters
    catalogue: ClassVar[CatalogueEntry] = CatalogueEntry(
        category=Category.CRYPTO,
        complexity=Complexity.INTERMEDIATE,
        capital_min=Money(100, "USD"),
        horizon="days to weeks",
        needs=("daily bars",),
        bars_min=15,
        summary="Weighs momentum, trend and their change into one score, and acts when it is strong enough.",
    )

    def __init__(self, parameters: SignalBotParameters) -> None:
        self._p = parameters

    @property
    def bars_needed(self) -> int:
        """Those of the quickest signal that it weighs: the others drop out until they can be computed."""
        bars = {"rsi": self._p.rsi_length + 1, "average": self._p.slow, "macd": MACD_BARS}
        return min(bars[name] for name, weight in self._p.weights.items() if weight)

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        return dict(self.screen_columns()) | {
            "macd": macd(),
            "macd_signal": macd_signal(),
            "histogram_change": macd_histogram().diff(),
            "atr": atr(14),
            **({"atr_pct": atr_pct(14)} if self._p.sizing == "conditions" else {}),
        }

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        fast, slow = sma(self._p.fast), sma(self._p.slow)
        columns = (rsi(self._p.rsi_length), fast, slow, fast.shift(1), slow.shift(1))
        return dict(zip(_SCREEN, columns, strict=True))

    @property
    def looks_back(self) -> int:
        """The bar before."""
        return 1

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        """Whether even the best score of MACD could not bring the mean to where it acts; a confirmation looks at every bar."""
        if self._p.confirmation_min:
            return False
        best = Score(-1.0 if holding.quantity else 1.0, 1.0)
        opinion = self._opinion(self._slow_scores(row) | {"macd": best})
        buy_at, sell_at = self._p.acts_at
        return opinion.score > sell_at if holding.quantity else opinion.score < buy_at

    def decide(self, situation: Situation) -> Sequence[Decision]:
        opinion = self._opinion_on(situation.row)
        if situation.pending or opinion.is_empty:
            return ()
        wanted = _wanted(opinion, situation)
        quantity = self._quantity(situation, opinion, wanted)
        if wanted is Action.HOLD or not quantity or not self._verdict(opinion, situation, quantity).is_open:
            return ()
        reasons = self._reasons(opinion, situation.row)
        if wanted is Action.SELL:
            return (self._decision(SignalKind.EXIT, Side.SELL, quantity, opinion, reasons),)
        return (self._decision(SignalKind.ENTRY, Side.BUY, quantity, opinion, reasons),)

    def remember(self, situation: Situation) -> Memory:
        """How far the confirmation has come; an order ends it."""
        opinion = self._opinion_on(situation.row)
        if opinion.is_empty or situation.pending or self.decide(situation):
            return replace(situation.memory, confirming=None)
        return replace(situation.memory, confirming=self._confirmed(opinion, situation).state)

    def judge(self, situation: Situation) -> Judgement:
        """The opinion, and the first gate that is shut; what the position does not allow is no signal."""
        opinion = self._opinion_on(situation.row)
        return Judgement(opinion, self._judged(opinion, situation), self._reasons(opinion, situation.row))

    def _judged(self, opinion: Opinion, situation: Situation) -> Verdict:
        if opinion.is_empty:
            return Verdict(Readiness.NO_SIGNAL, "SIGNAL_FAILED", f"cannot be computed yet: {', '.join(opinion.failed)}")
        if situation.pending:
            return Verdict(Readiness.BLOCKED, "OPEN_ORDER", "an order of this bot is under way")
        wanted, held = _wanted(opinion, situation), bool(situation.holding.quantity)
        if opinion.action is not Action.HOLD and wanted is Action.HOLD:
            code, text = ("HELD_ALREADY", "it holds a position already") if held else ("NOTHING_HELD", "there is nothing to sell")
            return Verdict(Readiness.NO_SIGNAL, code, f"score {opinion.score:+.4f}: {text}")
        return self._verdict(opinion, situation, self._quantity(situation, opinion, wanted))

    def _opinion_on(self, row: Mapping[str, float | None]) -> Opinion:
        """All signals that can be computed on a bar, together."""
        return self._opinion(self._slow_scores(row) | {"macd": _macd_of(row)})

    def _confirmed(self, opinion: Opinion, situation: Situation) -> Confirmed:
        required = timedelta(minutes=self._p.confirmation_min)
        return confirm(situation.memory.confirming, _wanted(opinion, situation), _at(situation), required)

    def _verdict(self, opinion: Opinion, situation: Situation, quantity: Quantity) -> Verdict:
        """Every gate in order; the limits of a day and of sizes are those of purchases, of which none is smaller than a lot. The emergency
        stop is the account's trading state.
        """
        at, equity = _at(situation), situation.equity
        day = (at - timedelta(microseconds=1)).date()
        track = today(situation.memory.track, day)
        limits = replace(self._p.limits, loss_a_day_max=equity.amount * Decimal(str(self._p.loss_a_day_max_pct)) / 100)
        selling = bool(situation.holding.quantity)
        one_lot = notional(situation.close, situation.door.lot_size, situation.door.multiplier, equity.currency)
        if selling:
            limits, size = replace(limits, order_min=Decimal(0), order_max=ANY_AMOUNT), equity
        elif quantity:
            size = notional(situation.close, quantity, situation.door.multiplier, equity.currency)
        else:
            size = self._size(situation, opinion)
        standing = BotStanding(
            now=at,
            is_running=True,
            open_orders=0,
            price=situation.close,
            size=size,
            balance=equity,
            product_min=Money.zero(equity.currency) if selling else one_lot,
            last_fill_at=track.last_fill_at if self._p.cooldown_scope == "product" else situation.filled_at,
            last_price=track.last_price,
            trades_today=0 if selling else track.trades,
            realised_today=Decimal(0) if selling or track.realised is None else track.realised.amount,
            losses_in_a_row=track.losses_in_a_row if situation.memory.track.day == day and not selling else 0,
            emergency_stop=situation.trading is TradingState.HALTED or (situation.trading is TradingState.REDUCING and not selling),
        )
        return through_the_gates(opinion, self._confirmed(opinion, situation), standing, limits)

    def _quantity(self, situation: Situation, opinion: Opinion, wanted: Action) -> Quantity:
        if wanted is Action.SELL:
            return situation.holding.quantity
        return situation.door.lots(self._size(situation, opinion), situation.close)

    def _size(self, situation: Situation, opinion: Opinion) -> Money:
        """What a purchase may be worth. A range that cannot be computed yet counts as a wide one."""
        equity, share = situation.equity, Decimal(str(self._p.position_pct)) / 100
        confidence = min(1.0, opinion.confidence)
        if self._p.sizing == "fair_share":
            return fair_share(equity, self._p.parts, confidence, opinion.agreement)
        if self._p.sizing == "conditions":
            regime = None if self._p.regime == "none" else Trending(self._p.regime)
            moves = situation.row.get("atr_pct")
            share = min(share * Decimal(str(size_factor(regime, math.inf if moves is None else moves, confidence))), Decimal(1))
        return equity.times(share)

    def _decision(self, kind: SignalKind, side: Side, quantity: Quantity, opinion: Opinion, reasons: tuple[Because, ...]) -> Decision:
        return Decision(
            kind=kind,
            strength=round(min(1.0, abs(opinion.score)), 3),
            confidence=round(min(1.0, opinion.confidence), 3),
            valid_for=timedelta(hours=24),
            reasons=reasons,
            side=side,
            quantity=quantity,
            metrics={"score": opinion.score},
        )

    def _reasons(self, opinion: Opinion, row: Mapping[str, float | None]) -> tuple[Because, ...]:
        limit = self._p.acts_at[0 if opinion.score >= 0 else 1]
        told = (
            Because("RSI", True, f"RSI {row['rsi'] or 0.0:.1f}", self._p.rsi_weight),
            Because("AVERAGES", True, f"averages {row['fast'] or 0.0:.4f} and {row['slow'] or 0.0:.4f}", self._p.average_weight),
            Because("MACD", True, f"MACD {row['macd'] or 0.0:.4f}, its signal {row['macd_signal'] or 0.0:.4f}", self._p.macd_weight),
        )
        score = f"score {opinion.score:+.4f}, {opinion.temperature}, acts from {limit:+g}"
        dropped = [name in opinion.failed for name in self._p.weights]
        return (
            Because("SCORE", True, score),
            *(_dropped(one) if out else one for one, out in zip(told, dropped, strict=True)),
        )

    def _opinion(self, scores: Mapping[str, Score | None]) -> Opinion:
        buy_at, sell_at = self._p.acts_at
        return combined(scores, self._p.weights, buy_at=buy_at, sell_at=sell_at, preset=self._p.temperatures)

    def _slow_scores(self, row: Mapping[str, float | None]) -> dict[str, Score | None]:
        index, fast, slow = row["rsi"], row["fast"], row["slow"]
        averages = average_score(fast, slow, row["fast_before"], row["slow_before"]) if fast is not None and slow is not None else None
        return {"rsi": rsi_score(index, self._p.oversold, self._p.overbought) if index is not None else None, "average": averages}


STRATEGY = SignalBot


def _dropped(one: Because) -> Because:
    """A signal that cannot be computed: the others decide without it."""
    return one._replace(met=False, text=f"{one.code} cannot be computed yet and drops out")


def _wanted(opinion: Opinion, situation: Situation) -> Action:
    """What the opinion asks for and the position allows: buying when flat, selling when not."""
    possible = Action.SELL if situation.holding.quantity else Action.BUY
    return opinion.action if opinion.action is possible else Action.HOLD


def _at(situation: Situation) -> datetime:
    if situation.at is None:
        raise ValueError("a bot is asked without the time of the bar")
    return situation.at


def _macd_of(row: Mapping[str, float | None]) -> Score | None:
    line, signal, change, moves = row["macd"], row["macd_signal"], row["histogram_change"], row["atr"]
    if line is None or signal is None or change is None or not moves:
        return None
    return macd_score(line, signal, change, moves)
