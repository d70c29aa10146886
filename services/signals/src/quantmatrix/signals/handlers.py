"""What signals does: it keeps each run's state by its own orders and fills, and lets the strategies decide on each closed bar."""

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import polars as pl
import structlog

from quantmatrix.common.contracts.fills import MatchedWatermark, OrderFilled
from quantmatrix.common.contracts.orders import (
    AccountOpened,
    OrderAdjusted,
    OrderCancelled,
    OrderDenied,
    OrderExpired,
    OrderRejected,
)
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.contracts.signals import Reason, SignalRaised, SignalsWatermark
from quantmatrix.common.ids import derived_id, order_of
from quantmatrix.common.names import ActionKind, InstrumentId, RunId, SignalId
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money, Quantity, notional
from quantmatrix.signals.domain.book import RunFill, after_split, cash_after, holding_after
from quantmatrix.signals.domain.decisions import FLAT, Decision, Holding, Portfolio, Situation
from quantmatrix.signals.domain.door import Door
from quantmatrix.signals.domain.series import RawBar, Split
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.slate import Slate
from quantmatrix.signals.store import KnownInstrument, Run, RunAtWork, SignalsStore, WorkingOrder

log = structlog.get_logger(__name__)
_Columns = Mapping[str, pl.Expr]
_Made = tuple[Strategy, _Columns, _Columns, _Columns]


class Handlers:
    """One method per message. The slate holds the series in memory; everything that decides anything else is in the tables."""

    def __init__(self, slate: Slate, strategies: Mapping[str, type[Strategy]], default_strategy: str) -> None:
        self._slate = slate
        self._strategies = strategies
        self._default = default_strategy
        self._known: dict[str, list[KnownInstrument]] = {}
        self._loaded: tuple[Page, list[RunAtWork]] | None = None
        self._made: dict[tuple[str, str], _Made] = {}

    async def instrument_listed(self, listed: InstrumentListed, page: Page) -> None:
        await SignalsStore(page.connection).keep_instrument(listed)
        self._known.clear()

    async def action_announced(self, action: CorporateActionAnnounced, page: Page) -> None:
        """A split: later bars are scaled, holdings and orders under way follow. Dividends change no series."""
        if action.kind is not ActionKind.SPLIT:
            return
        instrument = action.instrument.instrument_id
        self._slate.split(instrument, Split(action.action_id, action.effective, action.numerator, action.denominator))
        store = SignalsStore(page.connection)
        for run_id, holding in await store.holders_of(instrument):
            await store.keep_holding(run_id, instrument, after_split(holding, action.numerator, action.denominator))

    async def bars_closed(self, closed: BarsClosed, page: Page) -> None:
        for bar in closed.bars:
            self._slate.append(
                bar.instrument_id,
                RawBar(
                    closed.session,
                    float(bar.open.value),
                    float(bar.high.value),
                    float(bar.low.value),
                    float(bar.close.value),
                    float(bar.volume.value),
                ),
                bar.close,
            )
        if closed.part == closed.parts:
            self._slate.reached(closed.calendar, closed.session)

    async def may_decide(self, watermark: PricesWatermark, page: Page) -> bool:
        """A run with an order under way waits until execution has said what this moment's prices filled.

        The very first decision waits too, so that accounts opened before it have their runs.
        """
        decided = page.reached(PricesWatermark.key_for(watermark.calendar)).moment is not None
        self._loaded = (page, await SignalsStore(page.connection).running())
        if decided and not any(working for _, _, working in self._loaded[1]):
            return True
        matched = page.reached(MatchedWatermark.key_for(watermark.calendar)).moment
        return matched is not None and matched >= watermark.moment

    async def decide(self, watermark: PricesWatermark, page: Page) -> None:
        """Let every run decide on this moment, in a fixed order, and say that all have."""
        store = SignalsStore(page.connection)
        known = await self._instruments(watermark.calendar, store)
        await self._slate.load([one.instrument.instrument_id for one in known], watermark.calendar, watermark.session)
        # `may_decide` has just read the runs on this very page, and nothing was changed since.
        loaded_on, runs = self._loaded if self._loaded is not None else (None, [])
        for run, holdings, working in runs if loaded_on is page else await store.running():
            await self._decide_run(run, holdings, working, known, watermark, store, page)
        page.say(
            SignalsWatermark(calendar=watermark.calendar, timeframe=watermark.timeframe, session=watermark.session, moment=watermark.moment)
        )

    async def _instruments(self, calendar: str, store: SignalsStore) -> list[KnownInstrument]:
        """What is listed; read again whenever a listing was heard."""
        if calendar not in self._known:
            self._known[calendar] = await store.instruments(calendar)
        return self._known[calendar]

    async def _decide_run(
        self,
        run: Run,
        holdings: Mapping[InstrumentId, Holding],
        working: frozenset[InstrumentId],
        known: list[KnownInstrument],
        watermark: PricesWatermark,
        store: SignalsStore,
        page: Page,
    ) -> None:
        strategy, screen, flat, held = self._strategy(run)
        equity = self._equity(run, holdings, known)
        for one in known:
            instrument = one.instrument.instrument_id
            series = self._slate.series(instrument)
            if series is None or series.last_session != watermark.session:
                continue
            holding = holdings.get(instrument, FLAT)
            if strategy.nothing_can_happen(series.latest(screen), holding):
                continue
            situation = Situation(
                row=series.latest(held if holding.quantity else flat),
                close=self._slate.close(instrument),
                holding=holding,
                pending=instrument in working,
                equity=equity,
                door=_door(one, series.factor),
                portfolio=self._portfolio(run, one, holdings, known) if strategy.catalogue.sees_portfolio else None,
            )
            decisions = strategy.decide(situation)
            for decision in decisions:
                await self._raise(run, one, situation, decision, watermark, store, page)
            levels = frozenset(decision.level for decision in decisions if decision.level is not None)
            if levels:
                await store.keep_holding(run.run_id, instrument, replace(holding, levels_done=holding.levels_done | levels))

    async def _raise(
        self,
        run: Run,
        one: KnownInstrument,
        situation: Situation,
        decision: Decision,
        watermark: PricesWatermark,
        store: SignalsStore,
        page: Page,
    ) -> None:
        signal_id = SignalId(
            derived_id("signal", run.run_id, one.instrument.instrument_id, watermark.moment, decision.kind, decision.level or 0)
        )
        signal = page.say(_signal(signal_id, run, one, situation, decision, watermark), identity=signal_id, starts_trace=True)
        order = None
        if decision.side is not None and decision.quantity is not None:
            order = WorkingOrder(
                order_id=order_of(signal_id),
                run_id=run.run_id,
                instrument_id=one.instrument.instrument_id,
                kind=decision.kind,
                side=decision.side,
                quantity=decision.quantity,
                filled=Quantity(0),
                stop_level=decision.stop_level,
            )
        await store.keep_signal(signal, order)

    def _equity(self, run: Run, holdings: Mapping[InstrumentId, Holding], known: list[KnownInstrument]) -> Money:
        """The run's free capital and what it holds, at the latest raw closes."""
        equity = run.cash
        by_id = {one.instrument.instrument_id: one for one in known}
        for instrument, holding in sorted(holdings.items()):
            one = by_id[instrument]
            price = self._slate.close(instrument)
            equity += notional(price, holding.quantity, one.instrument.multiplier, equity.currency)
        return equity

    def _portfolio(
        self, run: Run, at_hand: KnownInstrument, holdings: Mapping[InstrumentId, Holding], known: list[KnownInstrument]
    ) -> Portfolio:
        """The whole run at the latest raw closes, for strategies that spread capital."""
        priced = [one for one in known if self._slate.has_bars(one.instrument.instrument_id)]
        prices = {one.instrument.symbol: self._slate.close(one.instrument.instrument_id) for one in priced}
        values = {
            one.instrument.symbol: notional(
                prices[one.instrument.symbol],
                holdings.get(one.instrument.instrument_id, FLAT).quantity,
                one.instrument.multiplier,
                run.cash.currency,
            )
            for one in priced
        }
        return Portfolio(symbol=at_hand.instrument.symbol, base=run.base, cash=run.cash, values=values, prices=prices)

    def _strategy(self, run: Run) -> "_Made":
        """The run's strategy and its columns, made once for as long as its parameters stay the same."""
        key = (run.strategy, repr(sorted(run.parameters.items())))
        if key not in self._made:
            chosen = self._strategies[run.strategy]
            strategy = chosen(chosen.parameters.model_validate(run.parameters))  # type: ignore[call-arg]  # made from its own parameters
            self._made[key] = (strategy, strategy.screen_columns(), strategy.columns(), strategy.columns(held=True))
        return self._made[key]

    async def account_opened(self, opened: AccountOpened, page: Page) -> None:
        """Every paper account gets a run of the default strategy with all of its cash as envelope."""
        if not opened.paper or not self._default or opened.cash.amount <= 0:
            return
        run_id = RunId(derived_id("run", opened.user_id, opened.account_id, self._default))
        run = Run(
            run_id=run_id,
            user_id=opened.user_id,
            account_id=opened.account_id,
            strategy=self._default,
            parameters={},
            triggered_by=triggered_by(self._default, run_id),
            state="running",
            base=opened.cash,
            cash=opened.cash,
        )
        await SignalsStore(page.connection).start_run(run, opened.head.occurred_at)

    async def order_filled(self, fill: OrderFilled, page: Page) -> None:
        """Move the run's own state; fills of others leave it alone."""
        store = SignalsStore(page.connection)
        run = await store.run_by_trigger(fill.triggered_by)
        if run is None:
            return
        order = await store.working_order(fill.order_id)
        own = RunFill(fill.side, fill.quantity, fill.price, fill.fee, fill.instrument.multiplier)
        instrument = fill.instrument.instrument_id
        holding = await store.holding(run.run_id, instrument)
        await store.set_cash(run.run_id, cash_after(run.cash, own))
        await store.keep_holding(run.run_id, instrument, holding_after(holding, own, order.stop_level if order else None))
        if order is not None:
            if fill.leaves:
                await store.fill_working(order.order_id, order.filled + fill.quantity)
            else:
                await store.end_working(order.order_id)

    async def order_ended(self, ended: OrderDenied | OrderRejected | OrderCancelled | OrderExpired, page: Page) -> None:
        """Nothing more will come of this order."""
        await SignalsStore(page.connection).end_working(ended.order_id)

    async def order_adjusted(self, adjusted: OrderAdjusted, page: Page) -> None:
        """A split changed the order at the broker."""
        await SignalsStore(page.connection).resize_working(adjusted.order_id, adjusted.quantity, adjusted.filled)


def triggered_by(strategy: str, run_id: UUID) -> str:
    """How trades name the run that caused them."""
    return f"run:{strategy}:{run_id.hex[:8]}"


def _door(one: KnownInstrument, factor: float) -> Door:
    return Door(one.tick_size, one.lot_size, one.instrument.multiplier, factor)


def _signal(
    signal_id: SignalId,
    run: Run,
    one: KnownInstrument,
    situation: Situation,
    decision: Decision,
    watermark: PricesWatermark,
) -> SignalRaised:
    return SignalRaised(
        signal_id=signal_id,
        run_id=run.run_id,
        user_id=run.user_id,
        account_id=run.account_id,
        strategy=run.strategy,
        triggered_by=run.triggered_by,
        instrument=one.instrument,
        kind=decision.kind,
        calendar=watermark.calendar,
        session=watermark.session,
        decided_at=watermark.moment,
        expires_at=watermark.moment + decision.valid_for,
        side=decision.side,
        quantity=decision.quantity,
        price=situation.close,
        stop=decision.stop,
        targets=decision.targets,
        strength=decision.strength,
        confidence=decision.confidence,
        risk_reward=decision.risk_reward,
        horizon_days=decision.horizon_days,
        reasons=tuple(Reason(because.code, because.met, because.text, because.weight) for because in decision.reasons),
        metrics={name: round(value, 6) for name, value in decision.metrics.items()},
    )
