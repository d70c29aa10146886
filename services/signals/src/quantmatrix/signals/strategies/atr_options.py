"""ATR Options: when the ATR Matrix enters a stock, it trades an option on it, and leaves it at a profit, a loss, in time or with the stock.

The preset `long_option` buys: the contract is chosen by `domain/options/choosing.py`. The preset `short_premium` sells: a put below the
close whose shares the run's cash could take at the strike (`domain/options/selling.py`), about 45 days before its end, managed as
tastytrade's research manages sold premium (50 % of it, 21 days; blog of 9 March 2015 and 30 March 2021). Its stop at a loss of twice the
premium is our choice. Both are left by `domain/options/leaving.py`; the two are never mixed. With `wheel` a sold put is bought back at its profit
target alone. Else it runs to its end, and on the shares that an assignment brings calls are sold (`domain/options/covering.py`), left the
same way, until one is assigned. Without it such shares are sold at the next open.

An entry is a day order a quarter of the spread on our side of the middle (above to buy, at most the ask; below to sell, at least the bid);
what did not fill is ordered anew on the next close, three times at most. What is held is left likewise once, then at any price, in
the last days also where nobody quotes it: a sale is settled on the last day, at what the contract is in the money by. Where no chain is quoted, it
advises.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import ClassVar

import polars as pl
from pydantic import BaseModel

from quantmatrix.common.names import InstrumentId, Side, SignalKind
from quantmatrix.common.options import CONTRACT_SIZE, terms_of
from quantmatrix.common.values import Money, Price, Quantity, round_half_even
from quantmatrix.signals.domain.catalogue import CatalogueEntry, Category, Complexity
from quantmatrix.signals.domain.decisions import FLAT, Because, Decision, Holding, Leg, Options, Situation
from quantmatrix.signals.domain.memory import Memory, Pursuit
from quantmatrix.signals.domain.options.choosing import (
    BEYOND_HORIZON_DAYS,
    CENT,
    Choice,
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
from quantmatrix.signals.domain.options.covering import choose_call
from quantmatrix.signals.domain.options.leaving import Leaving, profit_taken, reason_to_leave
from quantmatrix.signals.domain.options.selling import choose_put, secured_contracts
from quantmatrix.signals.domain.volatility import OPTIONS_MULTIPLIER, rating_of
from quantmatrix.signals.strategies._atr_matrix_parameters import AtrMatrixParameters
from quantmatrix.signals.strategies._atr_options_parameters import AtrOptionsParameters
from quantmatrix.signals.strategies.atr_matrix import AtrMatrix

_ANY_DAY = date(2000, 1, 3)
REPRICED_MAX = 3
AMPLE = Decimal(10) ** 12
_KINDS = {Leaving.PROFIT_TARGET: SignalKind.TAKE_PROFIT, Leaving.STOP_LOSS: SignalKind.STOP_LOSS}


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
        "Its other preset sells puts that the run's cash secures, and buys them back.",
    )

    def __init__(self, parameters: AtrOptionsParameters) -> None:
        self._p = parameters
        self._opens, self._closes = (Side.SELL, Side.BUY) if parameters.sells else (Side.BUY, Side.SELL)
        self._matrix = AtrMatrix(AtrMatrixParameters.model_validate({"risk_reward_min": parameters.risk_reward_min}))

    @property
    def sells(self) -> bool:
        """Whether premium is sold instead of bought."""
        return self._p.sells

    def columns(self, *, held: bool = False) -> Mapping[str, pl.Expr]:
        return self._matrix.columns()

    def screen_columns(self) -> Mapping[str, pl.Expr]:
        return self._matrix.screen_columns()

    @property
    def looks_back(self) -> int:
        """What ATR Matrix needs."""
        return self._matrix.looks_back

    def nothing_can_happen(self, row: Mapping[str, float | None], holding: Holding) -> bool:
        """Shares that an assignment of a sold put brought are sold or covered; without any only an entry matters."""
        return not (self._p.sells and holding.quantity) and self._matrix.nothing_can_happen(row, FLAT)

    def wants_options(self, situation: Situation) -> bool:
        """A chain is looked at for every entry that is good enough, and for shares that are to be covered."""
        if self._p.sells and situation.holding.quantity:
            return self._p.wheel
        return any(self._is_wanted(situation, entry) for entry in self._entries(situation))

    def decide(self, situation: Situation) -> Sequence[Decision]:
        """What to do about the contracts at hand; without any, about an entry of the matrix."""
        return self._turn(situation)[0]

    def remember(self, situation: Situation) -> Memory:
        """The contract that is being bought or sold."""
        return replace(situation.memory, pursuit=self._turn(situation)[1])

    def _turn(self, situation: Situation) -> tuple[tuple[Decision, ...], Pursuit | None]:
        """The decisions on a bar, and what is pursued after them."""
        options, pursuit = situation.options, situation.memory.pursuit
        shares = situation.holding.quantity if self._p.sells else Quantity(0)
        if situation.pending:
            return (), pursuit
        legs = options.legs if options is not None else ()
        if shares and (not self._p.wheel or (shares < CONTRACT_SIZE and not legs)):
            return (_sale_of(shares, "ASSIGNED", f"{shares} shares came by assignment"),), pursuit
        if options is not None:
            if any(leg.pending for leg in legs):
                return (), pursuit
            held = [leg for leg in legs if leg.holding.quantity]
            if held:
                return self._leave(situation, held, options.session, pursuit)
            if shares:
                return self._cover(situation, options), None
            if pursuit is not None and pursuit.side is self._opens:
                return self._open_again(situation, options, pursuit)
        return ((), pursuit) if shares else self._enter(situation, options)

    def _cover(self, situation: Situation, options: Options) -> tuple[Decision, ...]:
        """Sell calls on the shares at hand. What does not fill is chosen anew on the next close."""
        shares = situation.holding
        choice = choose_call(
            options.chain, options.session, situation.close, shares.quantity, shares.cost, _moves(situation)[0], self._p.sale
        )
        if isinstance(choice, Skipped):
            return ()
        found = choice.candidate
        reasons = (
            Because("COVERED", True, f"{shares.quantity} shares cover {choice.contracts} calls"),
            Because("OPTION", True, f"{found.quote.contract}: delta {found.delta:+.2f}, spread {found.spread_pct:.1f} %"),
        )
        pursuit = Pursuit(found.quote.contract, self._opens, 1, choice.contracts)
        return (self._order(found.quote.instrument_id, pursuit, choice.limit, reasons, SignalKind.ENTRY, found.quote.tick_size),)

    def _enter(self, situation: Situation, options: Options | None) -> tuple[tuple[Decision, ...], Pursuit | None]:
        told: list[Decision] = []
        for entry in self._entries(situation):
            if not self._is_wanted(situation, entry):
                continue
            choice = self._chosen(situation, options, entry) if options is not None else None
            if isinstance(choice, Choice):
                quote = choice.candidate.quote
                pursuit = Pursuit(quote.contract, self._opens, 1, choice.contracts, entry.stop_level)
                return (self._opening(quote, pursuit, entry, choice),), pursuit
            told.append(self._advice(situation, entry, choice))
        return tuple(told), None

    def _chosen(self, situation: Situation, options: Options, entry: Decision) -> Choice | Skipped:
        if not options.chain:
            return Skipped("NO_CHAIN", f"no option on it is quoted on {options.session}")
        signal = EntrySignal(options.session, situation.close, entry.targets[0], entry.horizon_days or 0, entry.confidence)
        moves, times = _moves(situation)
        if self._p.sells:
            return choose_put(options.chain, signal, moves, situation.equity, self._p.sale, size_multiplier=times)
        tick = options.chain[0].tick_size
        return choose(options.chain, signal, situation.equity, self._p.choice, size_multiplier=times, tick_size=tick)

    def _open_again(self, situation: Situation, options: Options, pursuit: Pursuit) -> tuple[tuple[Decision, ...], Pursuit | None]:
        """What did not fill is ordered anew at today's quote, as long as the stock has not been left."""
        quote = next((one for one in options.chain if one.contract == pursuit.contract), None)
        if quote is None or pursuit.tries > REPRICED_MAX or self._stock_left(situation, pursuit.stop_level) or not quote.bid:
            return (), None
        fitting = (
            secured_contracts(situation.equity, quote.strike, self._p.sale)
            if self._p.sells
            else contracts_for(situation.equity, quote.mid, self._p.choice)
        )
        contracts = min(pursuit.quantity, fitting)
        if not contracts:
            return (), None
        after = replace(pursuit, tries=pursuit.tries + 1, quantity=contracts)
        because = Because("REPRICED", True, f"{pursuit.contract} did not fill, try {after.tries} of {REPRICED_MAX + 1}")
        return (self._order(quote.instrument_id, after, _limit(quote, self._opens), (because,), SignalKind.ENTRY, quote.tick_size),), after

    def _leave(
        self, situation: Situation, held: Sequence[Leg], session: date, pursuit: Pursuit | None
    ) -> tuple[tuple[Decision, ...], Pursuit | None]:
        """The first contract that is to be left; an order that did not fill goes on, at any price."""
        for leg in held:
            tried = pursuit is not None and pursuit.side is self._closes and pursuit.contract == leg.symbol
            quote = leg.quote
            found = self._reason_to_leave(situation, leg, quote, session) if quote is not None else self._end_is_near(leg, session)
            if tried and pursuit is not None and (quote is not None or found is not None):
                because = Because("STILL_HELD", True, f"try {pursuit.tries} to leave it did not fill: at any price now")
                after, limit, kind = replace(pursuit, tries=pursuit.tries + 1), None, SignalKind.EXIT
            elif found is not None:
                reason, text = found
                because = Because(reason.value, True, text)
                after = Pursuit(leg.symbol, self._closes, 1, abs(leg.holding.quantity))
                limit = _limit(quote, self._closes) if quote is not None else None
                kind = _KINDS.get(reason, SignalKind.EXIT)
            else:
                continue
            order = self._order(leg.instrument_id, replace(after, quantity=abs(leg.holding.quantity)), limit, (because,), kind)
            return (order,), after
        return (), None

    def _end_is_near(self, leg: Leg, session: date) -> tuple[Leaving, str] | None:
        """A contract that nobody quotes is left in its last days too: a sale is then settled. The wheel waits for its end."""
        days = (terms_of(leg.symbol).expires - session).days
        if self._p.wheel or days >= self._p.leave_before:
            return None
        return Leaving.EXPIRATION, f"{days} days to expiration, and not quoted"

    def _reason_to_leave(self, situation: Situation, leg: Leg, quote: OptionQuote, session: date) -> tuple[Leaving, str] | None:
        cost, units = leg.holding.cost, leg.holding.quantity.value * leg.multiplier.value
        paid = Price(round_half_even(cost.amount / units)) if cost else max(quote.mid, quote.tick_size)
        if self._p.wheel:
            return profit_taken(paid, quote.mid, self._p.leaving)
        left = self._stock_left(situation, leg.holding.stop_level)
        return reason_to_leave(paid, quote.mid, quote.expires, session, self._p.leaving, underlying_left=left, short=self._p.sells)

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
        direction = direction_of(signal, self._p.choice)
        return direction == "call" if self._p.sells else not isinstance(direction, Skipped)

    def _opening(self, quote: OptionQuote, pursuit: Pursuit, entry: Decision, choice: Choice) -> Decision:
        found = choice.candidate
        told = {"delta": found.delta, "score": found.score, "spread_pct": found.spread_pct}
        score = f"score {found.score:.3f}, "
        if self._p.sells:  # the strike decides, and no score
            told, score = {"delta": found.delta, "spread_pct": found.spread_pct}, ""
        size = f"cash for {self._p.secured_pct:g} %" if self._p.sells else f"{self._p.position_pct:g} %"
        reasons = (
            *_without_size(entry),
            Because("OPTION", True, f"{quote.contract}: delta {found.delta:+.2f}, {score}spread {found.spread_pct:.1f} %"),
            Because("SIZE", True, f"{choice.contracts} contracts: at most {size} of the run's capital"),
        )
        decision = self._order(quote.instrument_id, pursuit, choice.limit, reasons, SignalKind.ENTRY, quote.tick_size)
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
        bought = pursuit.side is Side.BUY and not self._p.sells and limit is not None
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
        """What a person is told about an entry, and why nothing was traded on it."""
        signal = EntrySignal(_ANY_DAY, situation.close, entry.targets[0], entry.horizon_days or 0, entry.confidence)
        kind = "sold put" if self._p.sells else direction_of(signal, self._p.choice)
        days = self._p.max_dte if self._p.sells else min(signal.horizon_days + BEYOND_HORIZON_DAYS, self._p.max_dte)
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


def _moves(situation: Situation) -> tuple[float, float]:
    """The ATR in today's raw prices, and how its size scales positions; the series may be adjusted."""
    close, moves = situation.row["close"], situation.row["atr"]
    if not close or not moves:
        return 0.0, 1.0
    return float(situation.close.value) * moves / close, OPTIONS_MULTIPLIER[rating_of(100 * moves / close)]


def _sale_of(shares: Quantity, code: str, text: str) -> Decision:
    """Sell shares of the stock at its next open."""
    return Decision(
        SignalKind.EXIT, 1.0, 1.0, timedelta(hours=24), (Because(code, True, text),), side=Side.SELL, quantity=shares
    )  # fmt: skip


def _limit(quote: OptionQuote, side: Side) -> Price:
    """A quarter of the spread on our side of the middle."""
    return limit_of(quote, quote.tick_size) if side is Side.BUY else limit_to_leave(quote, quote.tick_size)


def _without_size(entry: Decision) -> tuple[Because, ...]:
    """The matrix's reasons but for the number of shares, of which none is bought."""
    return tuple(reason for reason in entry.reasons if reason.code != "SIZE")


def _moved(price: Price, pct: float, tick_size: Price) -> Price:
    """A premium so many percent higher, on a tick."""
    return Price(round_half_even(price.value * (100 + Decimal(str(pct))) / 100)).snapped_to(tick_size)
