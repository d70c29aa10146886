"""What runs own: accounts opened, orders filled and corrected, orders that came to nothing. Every change is a row of a ledger."""

from datetime import datetime

import structlog

from quantmatrix.common.contracts.fills import FillCorrected, OrderFilled
from quantmatrix.common.contracts.orders import (
    AccountOpened,
    BreakResolved,
    OrderAdjusted,
    OrderCancelled,
    OrderDenied,
    OrderExpired,
    OrderRejected,
    TradingStateChanged,
)
from quantmatrix.common.contracts.signals import CycleCompleted, RunStarted
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import FillId, InstrumentId, RunId, RunState, Side
from quantmatrix.common.options import is_closing
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money, Quantity
from quantmatrix.signals.domain.book import RunFill, holding_after, realised_by, rebuilt
from quantmatrix.signals.domain.decisions import FLAT, Holding
from quantmatrix.signals.domain.ledger import Capital, EntryKind, after, cycle_of, moved, nothing, opened
from quantmatrix.signals.domain.memory import NOTHING_KEPT, after_fill
from quantmatrix.signals.domain.run import Run, triggered_by
from quantmatrix.signals.engines import Engines
from quantmatrix.signals.ledgers import FillLook, LedgerStore
from quantmatrix.signals.store import SignalsStore

log = structlog.get_logger(__name__)


class Booking:
    """One method per message."""

    def __init__(self, engines: Engines, default_strategy: str) -> None:
        self._engines = engines
        self._default = default_strategy

    async def account_opened(self, account: AccountOpened, page: Page) -> None:
        """Every paper account gets a run of the default strategy with all of its cash as envelope."""
        await LedgerStore(page.connection).keep_account(account)
        if not account.paper or not self._default or account.cash.amount <= 0:
            return
        run_id = RunId(derived_id("run", account.user_id, account.account_id, self._default))
        run = Run(
            run_id=run_id,
            user_id=account.user_id,
            account_id=account.account_id,
            strategy=self._default,
            parameters={},
            triggered_by=triggered_by(self._default, run_id),
            state=RunState.RUNNING,
            capital=nothing(account.cash.currency),
        )
        await open_run(run, account.cash, page)

    async def order_filled(self, fill: OrderFilled, page: Page) -> None:
        """Move the account's cash and the run's own state; fills of others leave every run alone. Heard twice, it counts once."""
        ledger = LedgerStore(page.connection)
        look = await ledger.look(fill)
        if look.known:
            return
        own = RunFill(fill.side, fill.quantity, fill.price, fill.fee, fill.instrument.multiplier)
        await ledger.move_account(fill.account_id, own.paid)
        if look.run is None:
            await ledger.keep_account_fill(fill, own.paid)
            return
        stop_level = look.order.stop_level if look.order else None
        await ledger.keep_fill(look.run.run_id, fill.instrument.instrument_id, fill, stop_level)
        holding = holding_after(look.holding, own, stop_level)
        kind = EntryKind.BOUGHT if fill.side is Side.BUY else EntryKind.SOLD
        await self._book(look.run, fill, look.holding, holding, kind, own.paid, page)
        await self._remember(look, fill, holding, realised_by(look.holding, holding, own), page)
        await _order_after(look, fill.leaves, fill.quantity, page)

    async def fill_corrected(self, corrected: FillCorrected, page: Page) -> None:
        """Put the right fill where the wrong one stood, and book what that changes. Heard twice, it counts once."""
        ledger, store = LedgerStore(page.connection), SignalsStore(page.connection)
        look = await ledger.look(corrected)
        if look.known:
            return
        right = RunFill(corrected.side, corrected.quantity, corrected.price, corrected.fee, corrected.instrument.multiplier)
        replaced = await ledger.replace_fill(corrected.corrects, corrected)
        if replaced is None:
            await _correct_account(corrected, right.paid, ledger)
            return
        run_id, wrong = replaced
        run = await ledger.run(run_id, lock=True)
        if run is None:
            return
        instrument = corrected.instrument.instrument_id
        difference = right.paid - wrong.paid
        await ledger.move_account(run.account_id, difference)
        before = await store.holding(run_id, instrument)
        holding = rebuilt(await ledger.facts(run_id, instrument, run.cash.currency))
        await self._book(run, corrected, before, holding, EntryKind.CORRECTED, difference, page)
        order = look.order
        if order is not None:
            await store.fill_working(order.order_id, order.filled + right.quantity - wrong.quantity)

    async def break_resolved(self, resolved: BreakResolved, page: Page) -> None:
        """A deposit or a withdrawal that a person accepted: it changes what is free on the account, and no run."""
        if resolved.cash is not None:
            await LedgerStore(page.connection).move_account(resolved.account_id, resolved.cash)

    async def trading_state_changed(self, changed: TradingStateChanged, page: Page) -> None:
        """What bots take for their emergency stop."""
        await LedgerStore(page.connection).keep_trading_state(changed.account_id, changed.state)

    async def order_ended(self, ended: OrderDenied | OrderRejected | OrderCancelled | OrderExpired, page: Page) -> None:
        """Nothing more will come of this order."""
        await SignalsStore(page.connection).end_working(ended.order_id)

    async def order_adjusted(self, adjusted: OrderAdjusted, page: Page) -> None:
        """A split changed the order at the broker."""
        await SignalsStore(page.connection).resize_working(adjusted.order_id, adjusted.quantity, adjusted.filled)

    async def _book(
        self, run: Run, fill: OrderFilled | FillCorrected, before: Holding, holding: Holding, kind: EntryKind, cash: Money, page: Page
    ) -> None:
        """Store the holding and the row, and end the cycle if its target is reached."""
        nothing_paid = Money.zero(cash.currency)
        entry = moved(kind, cash, (holding.cost or nothing_paid) - (before.cost or nothing_paid))
        ledger = LedgerStore(page.connection)
        await ledger.book(run.run_id, entry, fill.fill_id, fill.executed_at)
        await SignalsStore(page.connection).keep_holding(run.run_id, InstrumentId(fill.instrument.instrument_id), holding)
        await end_cycle(run, after(run.capital, entry), fill.fill_id, fill.executed_at, page)

    async def _remember(self, look: FillLook, fill: OrderFilled, holding: Holding, realised: Money, page: Page) -> None:
        run = look.run
        if run is None or self._engines.of(run).memory is None:
            return
        store, instrument = SignalsStore(page.connection), fill.instrument.instrument_id
        memory = (await store.memories(run.run_id)).get(instrument, NOTHING_KEPT)
        gained = realised if is_closing(fill.side, look.holding.quantity) else None
        await store.keep_memory(
            run.run_id, instrument, after_fill(memory, fill.session, fill.price, gained, flat=holding == FLAT)
        )  # fmt: skip


async def open_run(run: Run, base: Money, page: Page) -> bool:
    """Store a run with its first row, and say so. False when it is there already."""
    if not await SignalsStore(page.connection).start_run(run, page.cause.occurred_at):
        return False
    await LedgerStore(page.connection).book(run.run_id, opened(base), page.cause.message_id, page.cause.occurred_at)
    page.say(
        RunStarted(
            run_id=run.run_id, user_id=run.user_id, account_id=run.account_id, strategy=run.strategy, triggered_by=run.triggered_by,
            base=base, sentence=run.sentence,
        ),
        identity=run.run_id,
    )  # fmt: skip
    return True


async def _correct_account(corrected: FillCorrected, paid: Money, ledger: LedgerStore) -> None:
    """What a fill that no run asked for has really moved on its account."""
    wrong = await ledger.replace_account_fill(corrected, paid)
    if wrong is None:
        log.warning("correction.of_nobodys_fill", fill_id=str(corrected.corrects), account_id=corrected.account_id)
        return
    await ledger.move_account(corrected.account_id, paid - wrong)


async def end_cycle(run: Run, capital: Capital, cause: FillId, at: datetime, page: Page) -> None:
    """End the running cycle if its target is reached with this capital."""
    found = cycle_of(capital, run.rules)
    if found is None:
        return
    entry, done = found
    await LedgerStore(page.connection).book(run.run_id, entry, cause, at)
    page.say(
        CycleCompleted(
            run_id=run.run_id, user_id=run.user_id, account_id=run.account_id, strategy=run.strategy, cycle=done.cycle, profit=done.profit,
            reinvested=done.reinvested, reserved=done.reserved, base=done.after.base, reserve=done.after.reserve,
        ),
        identity=(run.run_id, done.cycle),
    )  # fmt: skip


async def _order_after(look: FillLook, leaves: Quantity, filled: Quantity, page: Page) -> None:
    if look.order is None:
        return
    store = SignalsStore(page.connection)
    if leaves:
        await store.fill_working(look.order.order_id, look.order.filled + filled)
    else:
        await store.end_working(look.order.order_id)
