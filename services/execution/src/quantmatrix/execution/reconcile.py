"""Our books against the brokers': what changed there is booked here, and what differs becomes a break that a person sees."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from quantmatrix.common.calendars import NEW_YORK
from quantmatrix.common.contracts.orders import BreakFound, BreakResolved
from quantmatrix.common.ids import derived_id
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money, Quantity
from quantmatrix.execution.books import GONE, Difference
from quantmatrix.execution.domain.states import OrderEventKind
from quantmatrix.execution.ending import book_end
from quantmatrix.execution.lifecycle import book, move
from quantmatrix.execution.ports import Broker, BrokerOrder, PriceDriven
from quantmatrix.execution.store import Account, ExecutionStore

log = structlog.get_logger(__name__)
OVERLAP = timedelta(hours=24)
NOTHING = Quantity(0)
CASH = "cash"
"""What a difference of cash is about."""

_ENDED = {"cancelled": OrderEventKind.CANCEL_CONFIRMED, "expired": OrderEventKind.EXPIRED}


class Brokers:
    """The connected brokers by name."""

    def __init__(self, brokers: dict[str, Broker]) -> None:
        self._brokers = brokers
        self._price_driven = {name: broker for name, broker in brokers.items() if isinstance(broker, PriceDriven)}

    def of(self, account: Account) -> Broker:
        return self._brokers[account.broker]

    def price_driven(self) -> list[PriceDriven]:
        return list(self._price_driven.values())

    def price_driven_by_name(self) -> Mapping[str, PriceDriven]:
        return self._price_driven

    @property
    def at_rest(self) -> bool:
        """Whether nothing works at any broker, as far as those on our prices remember; what works at others only they know."""
        return len(self._price_driven) == len(self._brokers) and all(broker.at_rest for broker in self._price_driven.values())

    def all(self) -> list[Broker]:
        return list(self._brokers.values())


async def is_ahead(broker: Broker, store: ExecutionStore) -> bool:
    """Whether a broker that lives on our prices has followed a split that is not in our books yet.

    So it is when we died between the two. What it tells is then in new units, and waits until we have heard of the split again.
    """
    return isinstance(broker, PriceDriven) and not await store.all_applied(await broker.actions_applied())


async def take_changes(broker: Broker, account: Account, since: datetime, page: Page) -> int:
    """Book what a broker reports since an instant: executions first, they are the truth; then orders that ended unfilled."""
    orders, executions = await broker.changed_since(account.account_id, since)
    store = ExecutionStore(page.connection)
    booked = 0
    for execution in executions:
        if execution.ended is not None:
            booked += await book_end(account, execution, execution.ended, page)
            continue
        order = await store.order_by_ref(execution.client_ref)
        if order is None:
            log.error("execution.foreign", account_id=account.account_id, execution_id=execution.execution_id)
            continue
        before = order.filled
        booked += (await book(order, execution, page)).filled != before
    for reported in orders:
        if reported.status in _ENDED:
            await _end(reported, page)
    return booked


async def _end(reported: BrokerOrder, page: Page) -> None:
    order = await ExecutionStore(page.connection).order_by_ref(reported.client_ref)
    if order is not None:
        session = reported.changed_at.astimezone(NEW_YORK).date()
        await move(order, _ENDED[reported.status], page, at=reported.changed_at, session=session, detail=reported.reason)


async def reconcile(account: Account, broker: Broker, page: Page, now: datetime) -> list[str]:
    """Bring our books up to the broker's, then compare positions and cash. Returns the open differences in words."""
    store = ExecutionStore(page.connection)
    if await is_ahead(broker, store):
        log.info("reconcile.ahead", account_id=account.account_id)
        return []
    last = await store.last_execution_at(account.account_id)
    since = last - OVERLAP if last is not None else datetime.min.replace(tzinfo=now.tzinfo)
    booked = await take_changes(broker, account, since, page)
    if booked:
        log.info("reconciled.executions", account_id=account.account_id, booked=booked)
    if await store.unanswered(account.account_id):
        return []
    differences = await _differences(await store.account(account.account_id) or account, broker, store)
    if differences and last is not None and await take_changes(broker, account, datetime.min.replace(tzinfo=now.tzinfo), page):
        # What a letter tells is dated at its session, which lies before what was traded since.
        differences = await _differences(await store.account(account.account_id) or account, broker, store)
    for found in differences:
        before = await store.breaks_over(account.account_id, found.about)
        break_id = derived_id("break", account.account_id, found.about, before, now)
        if await store.find_break(break_id, account.account_id, found, now):
            page.say(
                BreakFound(
                    user_id=account.user_id,
                    account_id=account.account_id,
                    subject_of_break=found.about,
                    ours=found.ours,
                    theirs=found.theirs,
                    found_at=now,
                ),
                identity=break_id,
                occurred_at=now,
            )
            log.error("break.found", account_id=account.account_id, about=found.about, ours=found.ours, theirs=found.theirs)
    for break_id, about in await store.heal_breaks(account.account_id, [one.about for one in differences], now):
        say_resolved(account, break_id, about, GONE, page, now, accepted=False)
        log.info("break.gone", account_id=account.account_id, about=about)
    return [str(found) for found in differences]


def say_resolved(
    account: Account, break_id: UUID, about: str, resolution: str, page: Page, at: datetime, *, accepted: bool, cash: Money | None = None
) -> None:
    """Tell that a difference is over. cash: what the account holds more than before, by accepting it."""
    page.say(
        BreakResolved(
            user_id=account.user_id,
            account_id=account.account_id,
            subject_of_break=about,
            resolution=resolution,
            accepted=accepted,
            cash=cash,
        ),
        identity=("resolved", break_id),
        occurred_at=at,
    )


async def _differences(account: Account, broker: Broker, store: ExecutionStore) -> list[Difference]:
    """Where the two books differ by anything but what a person accepted."""
    ours = await store.positions(account.account_id)
    theirs = {position.instrument_id: position.quantity for position in await broker.positions(account.account_id)}
    found = []
    for instrument in sorted(set(ours) | set(theirs)):
        left, right = ours.get(instrument, NOTHING), theirs.get(instrument, NOTHING)
        found.append(Difference(f"position {instrument}", str(left), str(right), right.value - left.value))
    cash = await broker.cash(account.account_id)
    same = cash.currency == account.cash.currency
    found.append(Difference(CASH, str(account.cash), str(cash), cash.amount - account.cash.amount if same else None))
    accepted = await store.accepted_gaps(account.account_id)
    return [one for one in found if one.gap != accepted.get(one.about, 0)]
