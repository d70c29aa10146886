"""From a kept fact to the books: what it changes is written and said; where it came late, its books are made anew."""

from collections.abc import Callable, Collection

import structlog

from quantmatrix.common.contracts.portfolio import LotAdjusted, LotChoiceFailed, LotClosed, LotOpened, PositionChanged
from quantmatrix.common.instruments import Instrument
from quantmatrix.common.names import ActionId, InstrumentId, LotId
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.events import Ordered, instruments_of, time_of
from quantmatrix.portfolio.domain.keeping import Change, Keeper
from quantmatrix.portfolio.domain.lots import Closing, Fill, Lot
from quantmatrix.portfolio.fact_store import Kept
from quantmatrix.portfolio.late_moves import told_late
from quantmatrix.portfolio.rebuild import rebuild, rules_of
from quantmatrix.portfolio.rows import Account, Position
from quantmatrix.portfolio.store import PortfolioStore

log = structlog.get_logger(__name__)
Identity = Callable[[InstrumentId], object]
"""What a position's message tells of, by instrument."""


async def book(kept: Kept, account: Account, page: Page, identity: Identity) -> None:
    """Book a fact that is new. Raises what booking raises; nothing is then changed."""
    if kept.valued:
        async with told_late(page.connection, account.account_id, time_of(kept.event.what)[0], kept.kind):
            await _book(kept, account, page, identity)
    else:
        await _book(kept, account, page, identity)


async def _book(kept: Kept, account: Account, page: Page, identity: Identity) -> None:
    if kept.late:
        await book_anew(account, instruments_of(kept.event.what), page, identity, _fill_in(kept.event))
    else:
        await book_next(kept.event, account, page, identity)


async def book_next(event: Ordered, account: Account, page: Page, identity: Identity) -> None:
    """Book what happened after everything that is booked of its instruments."""
    store = PortfolioStore(page.connection)
    held = {lot.lot_id: lot for lot in await store.open_lots(account.account_id, instruments_of(event.what))}
    change = Keeper(rules_of(account), held.values()).book(event)
    await store.change_lots(lot for lot in change.lots if lot.lot_id in held)
    await store.add_lots(lot for lot in change.lots if lot.lot_id not in held)
    await store.add_closings([change])
    await store.enter_cash(account, [change])
    _say_change(page, event, change, held)
    for one, realised in _moved(change, held.values()).items():
        position = await store.move_position(account, one, realised)
        page.say(_position_changed(position, _fill_in(event)), identity=identity(one.instrument_id))


async def book_anew(
    account: Account, instruments: Collection[InstrumentId], page: Page, identity: Identity, fill: Fill | None = None
) -> None:
    """Make the books of these instruments anew from their facts, and say the positions that are not what they were."""
    store = PortfolioStore(page.connection)
    before = {one.instrument.instrument_id: one for one in await store.positions(account.account_id)}
    await rebuild(account, instruments, page.connection)
    after = {one.instrument.instrument_id: one for one in await store.positions(account.account_id)}
    for instrument_id, position in sorted(after.items()):
        if position != before.get(instrument_id) or instrument_id in instruments:
            page.say(_position_changed(position, fill), identity=identity(instrument_id))


def _fill_in(event: Ordered) -> Fill | None:
    return event.what if isinstance(event.what, Fill) else None


def _moved(change: Change, held: Collection[Lot]) -> dict[Instrument, Money]:
    """The instruments whose lots a change touches, those they had before too, with what it realised in each."""
    touched = {lot.lot_id for lot in change.lots}
    one_each = {lot.instrument.instrument_id: lot.instrument for lot in (*(lot for lot in held if lot.lot_id in touched), *change.lots)}
    sums = {instrument_id: Money.zero(one.currency) for instrument_id, one in one_each.items()}
    for closing in change.closings:
        if closing.realised is not None:
            sums[change.lot_of(closing).instrument.instrument_id] += closing.realised
    return {one_each[instrument_id]: amount for instrument_id, amount in sorted(sums.items())}


def _say_change(page: Page, event: Ordered, change: Change, before: dict[LotId, Lot]) -> None:
    closed = {closing.lot_id for closing in change.closings}
    for closing in change.closings:
        page.say(_lot_closed(closing, change.lot_of(closing), change.triggered_by), identity=closing.closing_id)
    for lot in change.lots:
        if lot.lot_id not in before:
            page.say(_lot_opened(lot), identity=lot.lot_id)
        elif lot.lot_id not in closed and not isinstance(event.what, Fill):
            page.say(_lot_adjusted(before[lot.lot_id], lot, ActionId(event.event_id)), identity=(lot.lot_id, event.event_id))
    fill = _fill_in(event)
    if change.misnamed is not None and fill is not None:
        log.warning("lots.not_used_as_named", fill_id=str(fill.fill_id))
        page.say(
            LotChoiceFailed(
                user_id=fill.user_id,
                account_id=fill.account_id,
                fill_id=fill.fill_id,
                instrument=fill.instrument,
                reason=change.misnamed,
            ),
            identity=("misnamed", fill.fill_id),
        )


def _lot_closed(closing: Closing, lot: Lot, triggered_by: str) -> LotClosed:
    return LotClosed(
        user_id=lot.user_id,
        account_id=lot.account_id,
        closing_id=closing.closing_id,
        lot_id=closing.lot_id,
        fill_id=closing.fill_id,
        instrument=lot.instrument,
        quantity=closing.quantity,
        proceeds=closing.proceeds,
        basis=closing.basis,
        realised=closing.realised,
        left=closing.left,
        opened_on=closing.opened_on,
        closed_on=closing.closed_on,
        triggered_by=triggered_by,
    )


def _lot_opened(lot: Lot) -> LotOpened:
    return LotOpened(
        user_id=lot.user_id,
        account_id=lot.account_id,
        lot_id=lot.lot_id,
        fill_id=lot.fill_id,
        instrument=lot.instrument,
        quantity=lot.quantity,
        basis=lot.basis,
        opened_on=lot.opened_on,
        opened_at=lot.opened_at,
        triggered_by=lot.triggered_by,
    )


def _lot_adjusted(before: Lot, after: Lot, action_id: ActionId) -> LotAdjusted:
    return LotAdjusted(
        user_id=after.user_id,
        account_id=after.account_id,
        lot_id=after.lot_id,
        action_id=action_id,
        instrument=after.instrument,
        quantity_before=before.quantity,
        quantity_after=after.quantity,
        basis_after=after.basis,
    )


def _position_changed(position: Position, fill: Fill | None) -> PositionChanged:
    own = fill if fill is not None and fill.instrument.instrument_id == position.instrument.instrument_id else None
    return PositionChanged(
        user_id=position.user_id,
        account_id=position.account_id,
        instrument=position.instrument,
        quantity=position.quantity,
        basis=position.basis,
        realised=position.realised,
        unknown=position.unknown,
        last_side=own.side if own else None,
        last_price=own.price if own else None,
    )
