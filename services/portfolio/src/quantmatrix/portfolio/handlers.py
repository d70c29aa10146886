"""What portfolio does with what it hears: fills become lots and closings, splits change lots, prices mark, watermarks snapshot."""

import structlog

from quantmatrix.common.contracts.fills import FillCorrected, OrderFilled, SettledWatermark
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.portfolio import (
    LedgerWatermark,
    LotAdjusted,
    LotClosed,
    LotOpened,
    PortfolioSnapshotTaken,
    PositionChanged,
)
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.names import ActionKind, FillId
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money
from quantmatrix.portfolio.domain.lots import Booked, Fill, Lot, Split, book_fill, split_lot
from quantmatrix.portfolio.rebuild import rebuild_book
from quantmatrix.portfolio.store import Account, PortfolioStore, Position

log = structlog.get_logger(__name__)


async def instrument_listed(listed: InstrumentListed, page: Page) -> None:
    await PortfolioStore(page.connection).keep_instrument(listed)


async def account_opened(opened: AccountOpened, page: Page) -> None:
    account = Account(opened.account_id, opened.user_id, opened.broker, opened.currency, opened.paper, opened.cash)
    await PortfolioStore(page.connection).open_account(account, opened.head.occurred_at)


async def bars_closed(closed: BarsClosed, page: Page) -> None:
    await PortfolioStore(page.connection).keep_marks(closed.bars, closed.session, closed.closed_at)


async def may_book(fill: OrderFilled | FillCorrected, page: Page) -> bool:
    """A fill waits until market has told what is effective on its session: a split must reach the lots first."""
    calendar = await PortfolioStore(page.connection).calendar_of(fill.instrument.instrument_id)
    if calendar is None:
        return False
    reached = page.reached(PricesWatermark.key_for(calendar)).session
    return reached is not None and reached >= fill.session


async def order_filled(filled: OrderFilled, page: Page) -> None:
    """Book one execution: close lots, open what is left, move cash and position. Hearing it twice changes nothing."""
    store = PortfolioStore(page.connection)
    fill = fill_of(filled)
    account = await store.account(fill.account_id)
    if account is None:
        raise LookupError(f"a fill for account {fill.account_id}, which was never opened here")
    if not await store.keep_fill(fill, filled.execution_id):
        return
    booked = book_fill(fill, await store.open_lots(fill.account_id, fill.instrument.instrument_id))
    for lot in booked.changed:
        await store.change_lot(lot)
    for closing in booked.closings:
        await store.add_closing(closing, fill)
    if booked.opened is not None:
        await store.add_lot(booked.opened)
    await store.enter_cash_of(fill)
    realised = booked.realised or Money.zero(fill.instrument.currency)
    position = await store.move_position(fill, realised)
    _say_booked(page, fill, booked, position)


async def fill_corrected(corrected: FillCorrected, page: Page) -> None:
    """A corrected or busted execution: the fact is replaced and the book is made anew. Hearing it twice changes nothing."""
    store = PortfolioStore(page.connection)
    fill = fill_of(corrected)
    account = await store.account(fill.account_id)
    if account is None:
        raise LookupError(f"a correction for account {fill.account_id}, which was never opened here")
    if not await store.replace_fill(corrected.corrects, fill, corrected.execution_id):
        return
    await store.forget_cash_of(FillId(corrected.corrects))
    if fill.quantity:
        await store.enter_cash_of(fill)
    book = await rebuild_book(account, fill.instrument, store)
    nothing = Money.zero(fill.instrument.currency)
    position = Position(account.account_id, account.user_id, fill.instrument, book.quantity, book.basis, book.realised or nothing)
    page.say(_position_changed(position, fill), identity=("corrected", fill.fill_id))


async def action_announced(action: CorporateActionAnnounced, page: Page) -> None:
    """A split changes every open lot of the instrument, once. Derived dividends are information and are never booked."""
    if action.kind is not ActionKind.SPLIT:
        return
    store = PortfolioStore(page.connection)
    instrument = action.instrument.instrument_id
    split = Split(action.effective, action.numerator, action.denominator)
    if not await store.keep_split(action.action_id, instrument, split):
        return
    await store.split_mark(instrument, split)
    changed_accounts = {}
    for lot in await store.lots_of_instrument(instrument):
        after = split_lot(lot, split)
        if after != lot:
            await store.change_lot(after)
            _say_adjusted(page, lot, after, action)
            changed_accounts[lot.account_id] = lot.user_id
    for account_id in sorted(changed_accounts):
        position = await store.resum_position(account_id, instrument)
        if position is not None:
            page.say(_position_changed(position, None), identity=("split", action.action_id, account_id))


async def may_snapshot(watermark: SettledWatermark, page: Page) -> bool:
    """Snapshots are taken at this moment's prices, so these must be here."""
    reached = page.reached(PricesWatermark.key_for(watermark.calendar)).moment
    return reached is not None and reached >= watermark.moment


async def execution_reached(watermark: SettledWatermark, page: Page) -> None:
    """When all orders of a moment are settled, the session is closed: a snapshot per account, and the watermark passed on."""
    store = PortfolioStore(page.connection)
    for snapshot in await store.take_snapshots(watermark.session, watermark.moment):
        page.say(
            PortfolioSnapshotTaken(
                user_id=snapshot.user_id,
                account_id=snapshot.account_id,
                session=snapshot.session,
                taken_at=snapshot.taken_at,
                cash=snapshot.cash,
                market_value=snapshot.market_value,
                equity=snapshot.equity,
                realised=snapshot.realised,
                unrealised=snapshot.unrealised,
                positions=snapshot.positions,
            ),
            identity=(snapshot.account_id, snapshot.session),
        )
    page.say(
        LedgerWatermark(
            calendar=watermark.calendar,
            timeframe=watermark.timeframe,
            session=watermark.session,
            moment=watermark.moment,
        )
    )


def fill_of(filled: OrderFilled | FillCorrected) -> Fill:
    """The message as the ledger books it."""
    return Fill(
        fill_id=filled.fill_id,
        account_id=filled.account_id,
        user_id=filled.user_id,
        instrument=filled.instrument,
        side=filled.side,
        quantity=filled.quantity,
        price=filled.price,
        fee=filled.fee,
        session=filled.session,
        executed_at=filled.executed_at,
        triggered_by=filled.triggered_by,
    )


def _say_booked(page: Page, fill: Fill, booked: Booked, position: Position) -> None:
    for closing in booked.closings:
        page.say(
            LotClosed(
                user_id=fill.user_id,
                account_id=fill.account_id,
                closing_id=closing.closing_id,
                lot_id=closing.lot_id,
                fill_id=closing.fill_id,
                instrument=fill.instrument,
                quantity=closing.quantity,
                proceeds=closing.known_proceeds,
                basis=closing.known_basis,
                realised=closing.known_realised,
                left=closing.left,
                opened_on=closing.opened_on,
                closed_on=closing.closed_on,
                triggered_by=fill.triggered_by,
            ),
            identity=closing.closing_id,
        )
    if booked.opened is not None:
        page.say(_lot_opened(booked.opened), identity=booked.opened.lot_id)
    page.say(_position_changed(position, fill), identity=("fill", fill.fill_id))


def _lot_opened(lot: Lot) -> LotOpened:
    return LotOpened(
        user_id=lot.user_id,
        account_id=lot.account_id,
        lot_id=lot.lot_id,
        fill_id=lot.fill_id,
        instrument=lot.instrument,
        quantity=lot.quantity,
        basis=lot.known_basis,
        opened_on=lot.opened_on,
        opened_at=lot.opened_at,
        triggered_by=lot.triggered_by,
    )


def _say_adjusted(page: Page, before: Lot, after: Lot, action: CorporateActionAnnounced) -> None:
    page.say(
        LotAdjusted(
            user_id=before.user_id,
            account_id=before.account_id,
            lot_id=before.lot_id,
            action_id=action.action_id,
            instrument=action.instrument,
            quantity_before=before.quantity,
            quantity_after=after.quantity,
        ),
        identity=(before.lot_id, action.action_id),
    )


def _position_changed(position: Position, fill: Fill | None) -> PositionChanged:
    return PositionChanged(
        user_id=position.user_id,
        account_id=position.account_id,
        instrument=position.instrument,
        quantity=position.quantity,
        basis=position.basis,
        realised=position.realised,
        last_side=fill.side if fill else None,
        last_price=fill.price if fill else None,
    )
