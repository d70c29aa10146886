"""What portfolio does with what it hears: fills become lots and closings, splits change lots, prices mark, watermarks snapshot."""

from quantmatrix.common.contracts.fills import FillCorrected, OptionEnded, OrderFilled, SettledWatermark
from quantmatrix.common.contracts.orders import AccountOpened
from quantmatrix.common.contracts.portfolio import LedgerWatermark, PortfolioSnapshotTaken
from quantmatrix.common.contracts.prices import BarsClosed, CorporateActionAnnounced, InstrumentListed, PricesWatermark
from quantmatrix.common.names import ActionKind, ContractEnding, FillId
from quantmatrix.common.runtime.page import Page
from quantmatrix.portfolio.acts import act_of_end, event_of
from quantmatrix.portfolio.booking import Identity, book, book_anew
from quantmatrix.portfolio.domain.lots import Fill, NamedLot, Split
from quantmatrix.portfolio.domain.methods import named_for
from quantmatrix.portfolio.domain.options import Ended
from quantmatrix.portfolio.fact_store import FactStore, Kept
from quantmatrix.portfolio.facts import FILL, SPLIT
from quantmatrix.portfolio.late_moves import told_late
from quantmatrix.portfolio.rows import Account
from quantmatrix.portfolio.store import PortfolioStore
from quantmatrix.portfolio.valuation import close_session, marks


async def instrument_listed(listed: InstrumentListed, page: Page) -> None:
    await PortfolioStore(page.connection).keep_instrument(listed)


async def account_opened(opened: AccountOpened, page: Page) -> None:
    account = Account(opened.account_id, opened.user_id, opened.broker, opened.currency, opened.paper, opened.cash)
    await PortfolioStore(page.connection).open_account(account, opened.head.occurred_at)


async def bars_closed(closed: BarsClosed, page: Page) -> None:
    page.gather(marks, closed)


async def may_book(fill: OrderFilled | FillCorrected | OptionEnded, page: Page) -> bool:
    """A fill waits until market has told what is effective on its session: a split must reach the lots first."""
    instrument = fill.option if isinstance(fill, OptionEnded) else fill.instrument
    calendar = await PortfolioStore(page.connection).calendar_of(instrument.instrument_id)
    if calendar is None:
        return False
    reached = page.reached(PricesWatermark.key_for(calendar)).session
    return reached is not None and reached >= fill.session


async def order_filled(filled: OrderFilled, page: Page) -> None:
    """Book one execution: close lots, open what is left, move cash and position. Hearing it twice changes nothing."""
    account, fill = await _account_of(filled, page), await _fill_with_lots(filled, page)
    kept = await FactStore(page.connection).keep_fill(fill, filled.execution_id, filled.order_id)
    if kept is not None:
        await book(kept, account, page, _told_of("fill", fill.fill_id))


async def fill_corrected(corrected: FillCorrected, page: Page) -> None:
    """A corrected or busted execution: the fact is replaced and the books are made anew. Hearing it twice changes nothing."""
    account, fill = await _account_of(corrected, page), await _fill_with_lots(corrected, page)
    old, facts = FillId(corrected.corrects), FactStore(page.connection)
    async with told_late(page.connection, account.account_id, await facts.day_of(FILL, old), FILL):
        if not await facts.replace_fill(old, fill, corrected.execution_id, corrected.order_id):
            return
        await PortfolioStore(page.connection).forget_cash_of(account.account_id, [old])
        await book_anew(account, [fill.instrument.instrument_id], page, lambda instrument: ("corrected", fill.fill_id, instrument), fill)


async def option_ended(ended: OptionEnded, page: Page) -> None:
    """Book contracts that ended: the premium goes into the shares, as for ends that statements tell. Hearing it twice changes nothing.

    A settlement is a trade of the contracts themselves.
    """
    account, facts = await _account_of(ended, page), FactStore(page.connection)
    if ended.how is ContractEnding.SETTLEMENT:
        fill = Fill(
            ended.end_id, ended.account_id, ended.user_id, ended.option, ended.side, ended.contracts, ended.price, ended.fee, ended.session,
            ended.ended_at, ended.triggered_by,
        )  # fmt: skip
        kept = await facts.keep_fill(fill, ended.execution_id, None)
    else:
        act = act_of_end(ended)
        end = event_of(act, ended.end_id, account.account_id, account.user_id)
        kept = await facts.keep_end(act, end) if isinstance(end, Ended) else None
    if kept is not None:
        await book(kept, account, page, lambda one: ("end", ended.end_id, one))


async def action_announced(action: CorporateActionAnnounced, page: Page) -> None:
    """A split changes every open lot of the instrument, once; of an option its symbol too. Derived dividends are information and are never booked."""
    if action.kind is not ActionKind.SPLIT:
        return
    page.write_gathered()
    facts, store = FactStore(page.connection), PortfolioStore(page.connection)
    instrument = action.instrument.instrument_id
    split = Split(action.effective, action.numerator, action.denominator)
    if action.becomes:
        await store.rename(instrument, action.becomes)
    if action.numerator == action.denominator:
        return
    event = await facts.keep_split(action.action_id, instrument, split)
    if event is None:
        return
    await store.split_mark(instrument, split)
    late = await facts.accounts_after(instrument, event)
    for account_id in sorted(late | await store.holders(instrument)):
        account = await store.account(account_id)
        if account is None:
            raise LookupError(f"lots of account {account_id}, which was never opened here")
        await book(Kept(event, SPLIT, account_id in late), account, page, _told_of("split", action.action_id, account_id))


async def may_snapshot(watermark: SettledWatermark, page: Page) -> bool:
    """Snapshots are taken at this moment's prices, so these must be here."""
    reached = page.reached(PricesWatermark.key_for(watermark.calendar)).moment
    return reached is not None and reached >= watermark.moment


async def execution_reached(watermark: SettledWatermark, page: Page) -> None:
    """When all orders of a moment are settled, the session is closed: a snapshot per account, and the watermark passed on."""
    for snapshot in await close_session(page, watermark.session, watermark.moment):
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


async def _account_of(filled: OrderFilled | FillCorrected | OptionEnded, page: Page) -> Account:
    account = await PortfolioStore(page.connection).account(filled.account_id)
    if account is None:
        raise LookupError(f"a fill for account {filled.account_id}, which was never opened here")
    return account


async def _fill_with_lots(filled: OrderFilled | FillCorrected, page: Page) -> Fill:
    """The message as the ledger books it, with those of the order's named lots that are this fill's part."""
    named: tuple[NamedLot, ...] = ()
    if filled.lots:
        own = [filled.fill_id, filled.corrects] if isinstance(filled, FillCorrected) else [filled.fill_id]
        before = await FactStore(page.connection).filled_of(filled.order_id, filled.account_id, own)
        named = named_for([NamedLot(one.lot_id, one.quantity) for one in filled.lots], before, filled.quantity)
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
        fee_in_kind=filled.fee_in_kind,
        named=named,
    )


def _told_of(*identity: object) -> Identity:
    """What is said of a position, where one fact moves one position of an account."""
    return lambda instrument: identity
