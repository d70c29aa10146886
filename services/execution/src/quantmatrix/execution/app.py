"""Puts execution together: brokers of the slot, accounts, reconciliation before anything else, then the handlers."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.names import AccountId, TradingState
from quantmatrix.common.runtime.errors import TRANSIENT, NotLetIn, TryLater
from quantmatrix.common.runtime.hearing import Bus
from quantmatrix.common.runtime.page import Page, origin
from quantmatrix.common.runtime.service import Parts, run_service
from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.common.values import Money, Quantity
from quantmatrix.execution import brokers as slot
from quantmatrix.execution.answers import Answers
from quantmatrix.execution.assigning import Assigning
from quantmatrix.execution.bus import bus
from quantmatrix.execution.dispatch import Dispatcher
from quantmatrix.execution.domain.risk import Limits
from quantmatrix.execution.handlers import Handlers
from quantmatrix.execution.ports import Broker, PriceDriven
from quantmatrix.execution.reconcile import Brokers, reconcile
from quantmatrix.execution.settings import ExecutionSettings
from quantmatrix.execution.store import Account, ExecutionStore

log = structlog.get_logger(__name__)
RETRY_S = 0.2


async def serve(settings: ExecutionSettings, brokers: Brokers | None = None) -> None:
    """Run execution until it is asked to stop, with the brokers of the slot unless others are given. Its own ones are stopped with it."""
    made: list[Broker] = []

    async def build(parts: Parts) -> Bus:
        used = brokers or Brokers({name: load(slot, name).make(settings) for name in names_in(slot)})
        made.extend(() if brokers else used.all())
        for broker in used.all():
            await _patiently(broker.start, settings.start_timeout_s)
        await open_paper_account(parts, settings, used)
        await reconcile_at_start(parts, used)
        dispatcher = Dispatcher(parts, used, answer_timeout_s=settings.answer_timeout_s)
        handlers = Handlers(used, dispatcher, limits_of(settings))
        return bus(
            handlers,
            Answers(used, limits_of(settings), parts.clock),
            Assigning(used),
            (dispatcher.run, lambda: keep_reconciled(parts, used, settings.reconcile_every_s)),
        )

    try:
        await run_service(settings, build, exclusive=True)
    finally:
        await asyncio.gather(*(broker.stop() for broker in made), return_exceptions=True)


def limits_of(settings: ExecutionSettings) -> Limits:
    """The limits of every account, as the settings have them."""
    currency = settings.paper_currency
    return Limits(
        order_quantity_max=Quantity(settings.order_quantity_max),
        order_notional_max=Money(settings.order_notional_max, currency),
        position_notional_max=Money(settings.position_notional_max, currency),
        open_orders_max=settings.open_orders_max,
        price_collar_pct=settings.price_collar_pct,
        price_age_days_max=settings.price_age_days_max,
        short_allowed=settings.short_allowed,
        tariff=settings.tariff(),
    )


async def open_paper_account(parts: Parts, settings: ExecutionSettings, brokers: Brokers) -> None:
    """On the first start: an account at the paper venue and in our books, said once."""
    cash = Money(settings.paper_cash, settings.paper_currency)
    account = Account(
        account_id=AccountId(settings.paper_account),
        user_id=FIRST_ADMINISTRATOR,
        broker="paper",
        currency=cash.currency,
        paper=True,
        trading_state=TradingState.ACTIVE,
        opening_cash=cash,
        cash=cash,
        version=1,
    )
    broker = brokers.of(account)
    if isinstance(broker, PriceDriven):
        await broker.open_account(account.account_id, cash)
    now = parts.clock.now()

    async def open_here(page: Page) -> None:
        if not await ExecutionStore(page.connection).open_account(account, now):
            return
        opened = AccountOpened(
            user_id=account.user_id, account_id=account.account_id, broker=account.broker, currency=cash.currency, cash=cash, paper=True
        )
        page.say(opened, identity=account.account_id)
        log.info("account.opened", account_id=account.account_id, cash=str(cash))

    await parts.write(open_here, origin("account", account.account_id, occurred_at=now))


async def reconcile_at_start(parts: Parts, brokers: Brokers) -> None:
    """Before anything is heard: what happened at the brokers while we were away."""
    now = parts.clock.now()

    async def compare(page: Page) -> None:
        for account in await ExecutionStore(page.connection).accounts():
            differences = await reconcile(account, brokers.of(account), page, now)
            log.info("reconciled", account_id=account.account_id, differences=differences)

    await parts.write(compare, origin("reconcile", now, occurred_at=now))


async def keep_reconciled(parts: Parts, brokers: Brokers, every_s: float) -> None:
    """Compare again and again; a broker that is away is asked at the next turn."""

    async def compare(page: Page) -> None:
        for account in await ExecutionStore(page.connection).accounts():
            await reconcile(account, brokers.of(account), page, parts.clock.now())

    while True:
        await asyncio.sleep(every_s)
        try:
            await parts.desk.do(compare, origin("reconcile", parts.clock.now(), occurred_at=parts.clock.now()))
        except TRANSIENT as error:
            log.warning("reconcile.waiting", error=repr(error))


async def _patiently(start: Callable[[], Awaitable[None]], give_up_s: float) -> None:
    """A broker that is not there yet is waited for. Raises TimeoutError after `give_up_s`, NotLetIn when it refuses."""
    async with asyncio.timeout(give_up_s):
        while True:
            try:
                await start()
            except NotLetIn:
                raise
            except TryLater as error:
                log.info("broker.waiting", error=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                return
