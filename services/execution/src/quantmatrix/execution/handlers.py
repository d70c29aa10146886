"""What execution does with what it hears: prices reach the venues, decisions pass the risk gate, commands are obeyed."""

from datetime import date, datetime

import structlog

from quantmatrix.common.contracts.commands import CancelOrder, PlaceOrder, ResolveBreak, SetTradingState
from quantmatrix.common.contracts.fills import MatchedWatermark, SettledWatermark
from quantmatrix.common.contracts.orders import OrderSubmitted, TradingStateChanged
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.contracts.signals import SignalRaised, SignalsWatermark, SignalWithdrawn
from quantmatrix.common.ids import order_of
from quantmatrix.common.names import ActionKind, InstrumentId, OrderState, OrderType, TimeInForce
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money
from quantmatrix.execution.dispatch import Dispatcher
from quantmatrix.execution.domain.orders import Intent, Order
from quantmatrix.execution.domain.risk import Denial, Limits, assess, unowned
from quantmatrix.execution.domain.states import OrderEventKind
from quantmatrix.execution.lifecycle import Change, is_over, move, store_approved, store_denial
from quantmatrix.execution.ports import Moment
from quantmatrix.execution.reconcile import CASH, Brokers, say_resolved, take_changes
from quantmatrix.execution.store import ExecutionStore
from quantmatrix.execution.writes import latest, marks, nothing_unanswered

log = structlog.get_logger(__name__)
BARS_PATIENCE_S = 0.02
"""A session's bars come right before their watermark: one transaction matches them and says so."""
REST_PATIENCE_S = 0.2
"""Where prices can fill nothing, they wait for what was decided on them: one transaction for both."""
CANCEL_WAITS = "a cancel is asked; it is sent as soon as the broker tells of the order"


class Handlers:
    """One method per message."""

    def __init__(self, brokers: Brokers, dispatcher: Dispatcher, limits: Limits) -> None:
        self._brokers = brokers
        self._dispatcher = dispatcher
        self._limits = limits

    def patience_with_bars(self) -> float:
        return REST_PATIENCE_S if self._at_rest() else BARS_PATIENCE_S

    def patience_with_watermark(self) -> float:
        return REST_PATIENCE_S if self._at_rest() else 0.0

    def _at_rest(self) -> bool:
        """Whether nothing waits for prices, as far as brokers and the dispatcher remember: it saves time and decides nothing."""
        return not self._dispatcher.sending and self._brokers.at_rest

    async def instrument_listed(self, listed: InstrumentListed, page: Page) -> None:
        await ExecutionStore(page.connection).keep_instrument(listed)

    async def may_apply(self, _: CorporateActionAnnounced, page: Page) -> bool:
        """A split waits for an order that is on its way: it would reach the broker after the split, in units from before it."""
        return not self._is_sending(page)

    def _is_sending(self, page: Page) -> bool:
        """Whether an order is on its way to its broker, or will be as soon as this page is committed."""
        return self._dispatcher.sending or page.says(OrderSubmitted)

    async def action_announced(self, action: CorporateActionAnnounced, page: Page) -> None:
        """A split reaches the venue first, then our positions, marks and working orders; each of them once."""
        if action.kind is not ActionKind.SPLIT:
            return
        page.write_gathered()
        for broker in self._brokers.price_driven():
            await broker.action_effective(action)
        store = ExecutionStore(page.connection)
        if not await store.first_time(action.action_id, action.instrument.instrument_id, action.effective):
            return
        if action.becomes:
            await store.rename(action.instrument.instrument_id, action.becomes, action.deliverable)
        if action.numerator == action.denominator:
            return
        await store.split(action.instrument.instrument_id, action.numerator, action.denominator)
        for order in await store.open_orders_of(action.instrument.instrument_id):
            change = Change(order, page)
            reason = f"split {action.numerator} for {action.denominator}"
            change.adjust(action.numerator, action.denominator, at=action.head.occurred_at, session=action.effective, reason=reason)
            await change.store()

    async def bars_closed(self, closed: BarsClosed, page: Page) -> None:
        """Venues fill on these bars; what they filled is booked with the message, however often either is tried."""
        store = ExecutionStore(page.connection)
        if closed.part > 1:
            page.write_gathered()
        closes = await store.closes_of(closed.session) if closed.part > 1 else {}
        moment = Moment(closed.session, closed.opened_at, closed.closed_at, last=closed.part == closed.parts, closes=closes)
        for name, broker in self._brokers.price_driven_by_name().items():
            if await broker.bars_closed(moment, closed.bars):
                for account in [one for one in await store.accounts() if one.broker == name]:
                    await take_changes(self._brokers.of(account), account, closed.opened_at, page)
        page.gather(marks, closed)

    async def prices_reached(self, watermark: PricesWatermark, page: Page) -> None:
        """The prices of this moment have been matched; what they filled is said before this."""
        page.say(
            MatchedWatermark(calendar=watermark.calendar, timeframe=watermark.timeframe, session=watermark.session, moment=watermark.moment)
        )

    async def may_act_on(self, signal: SignalRaised, page: Page) -> bool:
        """A decision waits until the prices that it was made on have been matched here."""
        reached = page.reached(PricesWatermark.key_for(signal.calendar)).moment
        return reached is not None and reached >= signal.decided_at

    async def signal_raised(self, signal: SignalRaised, page: Page) -> None:
        """A decision that trades becomes an intent; others are for people."""
        if signal.side is None or signal.quantity is None:
            return
        intent = Intent(
            intent_id=signal.signal_id,
            order_id=order_of(signal.signal_id),
            user_id=signal.user_id,
            account_id=signal.account_id,
            instrument=signal.instrument,
            side=signal.side,
            quantity=signal.quantity,
            order_type=OrderType.MARKET if signal.limit is None else OrderType.LIMIT,
            time_in_force=TimeInForce.DAY,
            limit_price=signal.limit,
            stop_price=None,
            price=signal.price,
            triggered_by=signal.triggered_by,
            wanted_at=signal.decided_at,
            expires_at=signal.expires_at,
            session=signal.session,
        )
        await self._consider(intent, signal.decided_at, page)

    async def signal_withdrawn(self, withdrawn: SignalWithdrawn, page: Page) -> None:
        """Ask for a cancel of what a decision became; what is over already stays as it is."""
        order = await ExecutionStore(page.connection).order(order_of(withdrawn.signal_id))
        if order is not None and order.user_id == withdrawn.user_id and not is_over(order):
            await self._cancel(order, withdrawn.head.occurred_at, page)

    async def may_settle(self, watermark: SignalsWatermark, page: Page) -> bool:
        """Decisions are settled when their moment's prices were matched here and no order waits for a broker's answer any more."""
        reached = page.reached(PricesWatermark.key_for(watermark.calendar)).moment
        if reached is None or reached < watermark.moment or self._is_sending(page):
            return False
        supposed, self._dispatcher.all_answered = self._dispatcher.all_answered and page.alone, False
        if supposed:
            page.write(nothing_unanswered())
        elif await ExecutionStore(page.reading).unanswered():
            return False
        page.after_commit(self._dispatcher.found_all_answered)
        return True

    async def decisions_reached(self, watermark: SignalsWatermark, page: Page) -> None:
        """Every decision on this moment was heard, and all of its orders are at their brokers.

        Whoever decides has decided: where that this moment's prices were matched would be said on the same page, nobody waits for it any more.
        """
        own = (watermark.calendar, watermark.timeframe, watermark.moment)
        for said in list(page.said):
            if isinstance(said, MatchedWatermark) and (said.calendar, said.timeframe, said.moment) == own:
                page.take_back(said)
        page.say(
            SettledWatermark(calendar=watermark.calendar, timeframe=watermark.timeframe, session=watermark.session, moment=watermark.moment)
        )

    async def place_order(self, command: PlaceOrder, page: Page) -> None:
        """A person's order, at the time of the latest prices: it fills on the next bar and not on one of the past."""
        at, session = await event_time(command.instrument.instrument_id, command.head.occurred_at, page)
        intent = Intent(
            intent_id=command.command_id,
            order_id=order_of(command.command_id),
            user_id=command.user_id,
            account_id=command.account_id,
            instrument=command.instrument,
            side=command.side,
            quantity=command.quantity,
            order_type=command.order_type,
            time_in_force=command.time_in_force,
            limit_price=command.limit_price,
            stop_price=command.stop_price,
            price=None,
            triggered_by=command.triggered_by,
            wanted_at=at,
            expires_at=None,
            session=session,
            lots=tuple((one.lot_id, one.quantity) for one in command.lots),
        )
        await self._consider(intent, at, page)

    async def cancel_order(self, command: CancelOrder, page: Page) -> None:
        """Ask for a cancel; what is over already stays as it is."""
        store = ExecutionStore(page.connection)
        order = await store.order(command.order_id)
        if order is None or order.user_id != command.user_id or is_over(order):
            return
        await self._cancel(order, command.head.occurred_at, page)

    async def _cancel(self, order: Order, asked_at: datetime, page: Page) -> None:
        """An order in doubt keeps the wish until the broker tells of it."""
        at, session = await event_time(order.instrument.instrument_id, asked_at, page)
        detail = CANCEL_WAITS if order.state is OrderState.UNKNOWN else ""
        await move(order, OrderEventKind.CANCEL_ASKED, page, at=at, session=session, detail=detail)
        page.after_commit(lambda: self._dispatcher.recall(order.account_id, order.order_id))

    async def set_trading_state(self, command: SetTradingState, page: Page) -> None:
        """Also an account that is stopped already can be asked again to cancel what is open: that is how the stop is finished."""
        store = ExecutionStore(page.connection)
        account = await store.account(command.account_id, lock=True)
        if account is None or account.user_id != command.user_id:
            return
        if account.trading_state is not command.state:
            await store.set_trading_state(command.account_id, command.state)
            page.say(
                TradingStateChanged(user_id=account.user_id, account_id=account.account_id, state=command.state, reason=command.reason)
            )
            page.after_commit(lambda: self._dispatcher.recall(command.account_id))
        if command.cancel_open:
            for order in await store.open_orders_of_account(command.account_id):
                page.because_of(command.head)
                await self._cancel(order, command.head.occurred_at, page)

    async def resolve_break(self, command: ResolveBreak, page: Page) -> None:
        """What is gone already stays so; a difference of another figure is a break of its own."""
        store = ExecutionStore(page.connection)
        account = await store.account(command.account_id, lock=True)
        if account is None or account.user_id != command.user_id:
            return
        at, before = command.head.occurred_at, await store.accepted_gaps(command.account_id)
        about = await store.accept_break(command.break_id, command.account_id, f"accepted: {command.reason}", at)
        if about is None:
            return
        gap = (await store.accepted_gaps(command.account_id))[about] - before.get(about, 0)
        cash = Money(gap, account.cash.currency) if about == CASH else None
        say_resolved(account, command.break_id, about, command.reason, page, at, accepted=True, cash=cash)

    async def _consider(self, intent: Intent, now: datetime, page: Page) -> None:
        """The one way from a wish to an order: the same wish heard twice is one order."""
        store = ExecutionStore(page.reading)
        look = await store.look(intent, now, self._limits.tariff, latest(intent.instrument.instrument_id, page.gathered(marks)))
        if look is None or look.account.user_id != intent.user_id:
            log.error("intent.without_account", account_id=intent.account_id, intent_id=str(intent.intent_id))
            if not await store.intent_known(intent.intent_id):
                await store_denial(intent, unowned(intent), page)
            return
        if look.known:
            return
        account, verdict = look.account, assess(intent, look.standing, self._limits)
        if isinstance(verdict, Denial):
            await store_denial(intent, verdict, page)
            return
        order = await store_approved(verdict, page)
        page.after_commit(lambda: self._dispatcher.send(order, account))


async def event_time(instrument: InstrumentId, otherwise: datetime, page: Page) -> tuple[datetime, date]:
    """The moment and session of the latest prices of an instrument's calendar; before any were heard, the caller's own."""
    calendar = await ExecutionStore(page.connection).calendar_of(instrument)
    reached = page.reached(PricesWatermark.key_for(calendar)) if calendar else None
    if reached is None or reached.moment is None or reached.session is None:
        return otherwise, otherwise.date()
    return reached.moment, reached.session
