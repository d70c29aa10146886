"""One run's turn at one moment: what its strategy is shown, what it decides, and what becomes of that."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from quantmatrix.common.contracts.signals import Reason, RunChanged, SignalRaised
from quantmatrix.common.ids import derived_id, order_of
from quantmatrix.common.names import InstrumentId, RunState, Side, SignalId, SignalKind
from quantmatrix.common.options import calls_covered, cash_bound, cash_bound_by, is_closing, shares_bound, terms_of
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money, Quantity, notional
from quantmatrix.signals.domain.decisions import FLAT, Because, Decision, Holding, Portfolio, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.judging import Judgement
from quantmatrix.signals.domain.memory import NOTHING_KEPT, Memory, closed_at
from quantmatrix.signals.domain.permits import refusal, taken
from quantmatrix.signals.domain.run import Run
from quantmatrix.signals.domain.series import Series
from quantmatrix.signals.engines import Columns, Made
from quantmatrix.signals.ledgers import LedgerStore
from quantmatrix.signals.optioning import Contracts
from quantmatrix.signals.slate import Slate
from quantmatrix.signals.store import KnownInstrument, SignalsStore, WorkingOrder
from quantmatrix.signals.verdicts import VerdictStore
from quantmatrix.signals.writes import followed, raised

_LEAVING = timedelta(hours=24)
_NONE = Quantity(0)
AT_A_STRETCH = 20
"""Instruments that are decided on before other tasks of the process have their turn."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When it is: the calendar, the exchange's date, and the close of its bars (UTC)."""

    calendar: str
    session: date
    at: datetime


@dataclass(slots=True)
class Turn:
    """A run with what it holds and has under way, among the instruments of a calendar, on one page."""

    run: Run
    holdings: Mapping[InstrumentId, Holding]
    working: frozenset[InstrumentId]
    known: Sequence[KnownInstrument]
    slate: Slate
    moment: Moment
    page: Page
    contracts: Contracts | None = None
    reserved: Money | None = None
    selling: dict[InstrumentId, Quantity] | None = None
    filled_at: datetime | None = None

    @property
    def store(self) -> SignalsStore:
        return SignalsStore(self.page.connection)

    @property
    def _contracts(self) -> Contracts:
        return self.contracts or Contracts(None, self.known, self.holdings, self.working)

    async def decide(self, made: Made) -> None:
        """Ask the strategy about every instrument that has a bar of this moment."""
        equity, memories = self._equity(), {}
        verdicts: dict[InstrumentId, Judgement] = {}
        if made.memory is not None:
            memories = await self.store.memories(self.run.run_id)
            times = [one.track.last_fill_at for one in memories.values()]
            self.filled_at = max((one for one in times if one is not None), default=None)
        fresh = self._fresh()
        await made.advance({one.instrument.instrument_id: series for one, series in fresh})
        for number, (one, series) in enumerate(fresh):
            if number % AT_A_STRETCH == 0:
                await asyncio.sleep(0)
            holding = self.holdings.get(one.instrument.instrument_id, FLAT)
            memory = memories.get(one.instrument.instrument_id, NOTHING_KEPT)
            busy = made.judge is not None or (made.options is not None and (memory.pursuit is not None or self._contracts.has_legs(one)))
            if not busy and made.strategy.nothing_can_happen(made.row(Columns.SCREEN, one.instrument.instrument_id, series), holding):
                continue
            situation = self._situation(one, series, made, holding, equity, memory)
            if made.options is not None and (busy or made.options.wants_options(situation)):
                situation = replace(situation, options=await self._contracts.options(one, self.moment.session))
            await self._carry_out(one, situation, made.strategy.decide(situation))
            if made.judge is not None:
                verdicts[one.instrument.instrument_id] = made.judge.judge(situation)
            if made.memory is not None:
                after = made.memory.remember(situation)
                if after != memory:
                    await self.store.keep_memory(self.run.run_id, one.instrument.instrument_id, after)

        if verdicts:
            moment, paused = self.moment, self.run.state is RunState.PAUSED
            await VerdictStore(self.page.connection).keep(self.run.run_id, moment.session, moment.at, verdicts, paused=paused)

    def _fresh(self) -> list[tuple[KnownInstrument, Series]]:
        """The instruments that have a bar of this moment, in a fixed order."""
        found = [(one, self.slate.series(one.instrument.instrument_id)) for one in self.known if one.underlying is None]
        return [(one, series) for one, series in found if series is not None and series.last_session == self.moment.session]

    async def leave(self, reason: str, cause: object) -> None:
        """Sell everything for which no order is under way, and buy back what was sold; stopped when nothing is left.

        Shares wait until no sold call binds them any more.
        """
        _, selling = await self._under_way()
        for one in self.known:
            holding = self.holdings.get(one.instrument.instrument_id, FLAT)
            series = self.slate.series(one.instrument.instrument_id)
            if not holding.quantity or one.instrument.instrument_id in self.working or series is None or not series.last_session:
                continue
            if self._bound_shares(one.instrument.instrument_id, selling):
                continue
            because = Because("RUN_STOPPED", True, f"the run was stopped: {reason}")
            side = Side.SELL if holding.quantity > Quantity(0) else Side.BUY
            sale = Decision(SignalKind.EXIT, 1.0, 1.0, _LEAVING, (because,), side=side, quantity=abs(holding.quantity))
            shown = Situation({}, self.slate.close(one.instrument.instrument_id), holding, False, self._equity(), _door(one, series.factor))
            await self._raise(one, shown, sale, cause)
        if not self.holdings and not self.working:
            await change_state(self.run, RunState.STOPPED, reason, self.moment.at, self.page)

    def _situation(self, one: KnownInstrument, series: Series, made: Made, holding: Holding, equity: Money, memory: Memory) -> Situation:
        return Situation(
            row=made.row(Columns.HELD if holding.quantity else Columns.FLAT, one.instrument.instrument_id, series),
            close=self.slate.close(one.instrument.instrument_id),
            holding=holding,
            pending=one.instrument.instrument_id in self.working,
            equity=equity,
            door=_door(one, series.factor),
            portfolio=self._portfolio(one) if made.strategy.catalogue.sees_portfolio else None,
            at=closed_at(self.moment.session),
            memory=memory,
            filled_at=self.filled_at,
            trading=self.run.trading,
        )

    async def _carry_out(self, one: KnownInstrument, situation: Situation, decisions: Sequence[Decision]) -> None:
        paused = self.run.state is RunState.PAUSED
        for decision in decisions:
            target, shown = one, situation
            if decision.instrument is not None:
                (target,) = await self.store.options([decision.instrument], one.calendar)
                await self.slate.load([decision.instrument], one.calendar, self.moment.session)
                shown = self._contracts.shown(target, situation, self.slate)
            if paused and decision.side is not None and not is_closing(decision.side, shown.holding.quantity):
                continue
            await self._raise(target, shown, await self._allowed(target, shown, decision), None)
        levels = frozenset(decision.level for decision in decisions if decision.level is not None)
        if levels:
            instrument = one.instrument.instrument_id
            await LedgerStore(self.page.connection).keep_levels(self.run.run_id, instrument, sorted(levels))
            after = replace(situation.holding, levels_done=situation.holding.levels_done | levels)
            await self.store.keep_holding(self.run.run_id, instrument, after)

    async def _allowed(self, one: KnownInstrument, situation: Situation, decision: Decision) -> Decision:
        """The decision, without its trade when the run has not the cash or the position for it."""
        side, quantity = decision.side, decision.quantity
        if side is None or quantity is None:
            return decision
        reserved, selling = await self._under_way()
        instrument = one.instrument.instrument_id
        needed = notional(decision.limit or situation.close, quantity, one.instrument.multiplier, self.run.cash.currency)
        sold, held = selling.get(instrument, Quantity(0)), situation.holding.quantity
        secures = cash_bound(one.instrument.symbol, quantity, self.run.cash.currency)
        no = refusal(
            side, quantity, held, sold, needed, self.run.cash - reserved, secures,
            covered=self._covered(one, selling), bound=self._bound_shares(instrument, selling),
        )  # fmt: skip
        if no is not None:
            return replace(decision, side=None, quantity=None, reasons=(*decision.reasons, Because(no[0], False, no[1])))
        if side is Side.SELL:
            selling[instrument] = sold + quantity
        self.reserved = reserved + taken(side, held, needed, secures)
        return decision

    def _bound_shares(self, stock: InstrumentId, selling: Mapping[InstrumentId, Quantity], but: InstrumentId | None = None) -> Quantity:
        """The shares of a stock that sold calls of this run bind, with those whose sale is under way; of the call `but` what is sold alone."""
        total = _NONE
        for one in self.known:
            own = one.instrument.instrument_id
            if one.underlying == stock:
                held = self.holdings.get(own, FLAT).quantity - (selling.get(own, _NONE) if own != but else _NONE)
                total += shares_bound(one.instrument.symbol, held, one.deliverable)
        return total

    def _covered(self, one: KnownInstrument, selling: Mapping[InstrumentId, Quantity]) -> Quantity | None:
        """The calls that the run's free shares cover; None for everything that is no call."""
        if one.underlying is None or terms_of(one.instrument.symbol).kind != "call":
            return None
        shares = self.holdings.get(one.underlying, FLAT).quantity - selling.get(one.underlying, _NONE)
        return calls_covered(shares - self._bound_shares(one.underlying, selling, one.instrument.instrument_id), one.deliverable)

    async def _under_way(self) -> tuple[Money, dict[InstrumentId, Quantity]]:
        """What orders under way take of the cash and sold puts bind, and what sales under way sell; read when it is first needed."""
        if self.reserved is None or self.selling is None:
            currency = self.run.cash.currency
            selling: dict[InstrumentId, Quantity] = {}
            by_id = {one.instrument.instrument_id: one for one in self.known}
            held = {own: holding.quantity for own, holding in self.holdings.items()}
            reserved = cash_bound_by([(by_id[own].instrument.symbol, each) for own, each in held.items() if own in by_id], currency)
            for order in await self.store.working_of(self.run.run_id) if self.working else ():
                left, one = order.quantity - order.filled, by_id.get(order.instrument_id)
                if order.side is Side.SELL:
                    selling[order.instrument_id] = selling.get(order.instrument_id, Quantity(0)) + left
                if one is not None and self.slate.has_bars(order.instrument_id):
                    needed = notional(self.slate.close(order.instrument_id), left, one.instrument.multiplier, currency)
                    secures = cash_bound(one.instrument.symbol, left, currency)
                    reserved += taken(order.side, held.get(order.instrument_id, Quantity(0)), needed, secures)
            self.reserved, self.selling = reserved, selling
        return self.reserved, self.selling

    async def _raise(self, one: KnownInstrument, situation: Situation, decision: Decision, cause: object | None) -> None:
        instrument, run = one.instrument.instrument_id, self.run
        more = (cause,) if cause is not None else ()
        signal_id = SignalId(derived_id("signal", run.run_id, instrument, self.moment.at, decision.kind, decision.level or 0, *more))
        signal = self.page.say(self._signal(signal_id, one, situation, decision), identity=signal_id, starts_trace=True)
        order = None
        if decision.side is not None and decision.quantity is not None:
            order = WorkingOrder(
                order_id=order_of(signal_id),
                run_id=run.run_id,
                instrument_id=instrument,
                kind=decision.kind,
                side=decision.side,
                quantity=decision.quantity,
                filled=Quantity(0),
                stop_level=decision.stop_level,
            )
        self.page.write(raised(signal, order))
        if (decision.kind is SignalKind.ENTRY or decision.targets) and decision.side is not Side.SELL:
            self.page.write(followed(signal, situation.door.factor))

    def _equity(self) -> Money:
        """The run's free capital and what it holds, at the latest raw closes."""
        equity = self.run.cash
        by_id = {one.instrument.instrument_id: one for one in self.known}
        for instrument, holding in sorted(self.holdings.items()):
            if instrument in by_id and self.slate.has_bars(instrument):
                price = self.slate.close(instrument)
                equity += notional(price, holding.quantity, by_id[instrument].instrument.multiplier, equity.currency)
        return equity

    def _portfolio(self, at_hand: KnownInstrument) -> Portfolio:
        """The whole run at the latest raw closes, for strategies that spread capital."""
        priced = [one for one in self.known if self.slate.has_bars(one.instrument.instrument_id)]
        prices = {one.instrument.symbol: self.slate.close(one.instrument.instrument_id) for one in priced}
        values = {
            one.instrument.symbol: notional(
                prices[one.instrument.symbol],
                self.holdings.get(one.instrument.instrument_id, FLAT).quantity,
                one.instrument.multiplier,
                self.run.cash.currency,
            )
            for one in priced
        }
        return Portfolio(symbol=at_hand.instrument.symbol, base=self.run.capital.base, cash=self.run.cash, values=values, prices=prices)

    def _signal(self, signal_id: SignalId, one: KnownInstrument, situation: Situation, decision: Decision) -> SignalRaised:
        run, moment = self.run, self.moment
        return SignalRaised(
            signal_id=signal_id,
            run_id=run.run_id,
            user_id=run.user_id,
            account_id=run.account_id,
            strategy=run.strategy,
            triggered_by=run.triggered_by,
            instrument=one.instrument,
            kind=decision.kind,
            calendar=moment.calendar,
            session=moment.session,
            decided_at=moment.at,
            expires_at=moment.at + decision.valid_for,
            side=decision.side,
            quantity=decision.quantity,
            price=situation.close,
            limit=decision.limit,
            stop=decision.stop,
            targets=decision.targets,
            strength=decision.strength,
            confidence=decision.confidence,
            risk_reward=decision.risk_reward,
            horizon_days=decision.horizon_days,
            reasons=tuple(Reason(because.code, because.met, because.text, because.weight) for because in decision.reasons),
            metrics={name: round(value, 6) for name, value in {**decision.metrics, **_of_the_position(one, situation, decision)}.items()},
        )


def _of_the_position(one: KnownInstrument, situation: Situation, decision: Decision) -> dict[str, float]:
    """With what is sold on the way up: the level, what the whole position is worth at the close, and its gain on its cost in percent."""
    held = situation.holding
    if decision.kind not in (SignalKind.SCALE_OUT, SignalKind.TAKE_PROFIT) or held.quantity <= _NONE:
        return {}
    told = {"level": float(decision.level)} if decision.level is not None else {}
    worth = situation.close.value * held.quantity.value * one.instrument.multiplier.value
    told["position_value"] = float(worth)
    if held.cost is not None and held.cost.amount > 0:
        told["gain_pct"] = float(100 * (worth / held.cost.amount - 1))
    return told


async def change_state(run: Run, state: RunState, reason: str, at: datetime, page: Page) -> None:
    """Store a run's new state and say it."""
    await LedgerStore(page.connection).set_state(run.run_id, state, reason, at)
    page.say(
        RunChanged(
            run_id=run.run_id, user_id=run.user_id, account_id=run.account_id, strategy=run.strategy, state=state, reason=reason
        )
    )  # fmt: skip


def _door(one: KnownInstrument, factor: float) -> Door:
    return Door(one.tick_size, one.lot_size, one.instrument.multiplier, factor)
