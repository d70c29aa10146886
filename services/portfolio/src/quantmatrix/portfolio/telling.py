"""What people tell the ledger: acts and lot methods, each booked once or refused whole with its reason."""

from datetime import date
from uuid import UUID

from quantmatrix.common.contracts.asking.acts import (
    Act,
    ActBookingAsked,
    ActsAsked,
    ActTaken,
    BasisSupplied,
    LotMethodChangeAsked,
    LotMethodHistory,
    LotMethodsAsked,
    LotMethodSince,
    Reversed,
    ToldAct,
    ToldActs,
    UnitsArrived,
)
from quantmatrix.common.ids import derived_id
from quantmatrix.common.names import AccountId, InstrumentId, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import CurrencyMismatchError, NotExactError
from quantmatrix.portfolio.acts import event_of, named_parts, reason_against
from quantmatrix.portfolio.booking import book, book_anew
from quantmatrix.portfolio.domain.arrivals import Completion, NotEnoughHeldError
from quantmatrix.portfolio.domain.events import EventConflictError, Reversal, What
from quantmatrix.portfolio.domain.methods import LotMethod
from quantmatrix.portfolio.fact_store import FactStore, StoredFact
from quantmatrix.portfolio.facts import END, FILL, act_of_fact, is_told_by_market
from quantmatrix.portfolio.late_moves import told_late
from quantmatrix.portfolio.rows import Account
from quantmatrix.portfolio.statement_ledger import StatementLedger
from quantmatrix.portfolio.store import PortfolioStore

IMPOSSIBLE = (NotEnoughHeldError, EventConflictError, CurrencyMismatchError, NotExactError)
"""What booking raises when the account's own facts do not allow what was told."""


async def book_act(asked: ActBookingAsked, page: Page) -> ActTaken:
    """Book what a person told, once for each command. Raises Refused with the reason; nothing is changed then."""
    event_id = derived_id("act", asked.account_id, asked.command_id)
    if isinstance(asked.act, BasisSupplied):
        ledger = StatementLedger(page.connection)
        stated = await ledger.account(AccountId(asked.account_id))
        if stated is not None and stated.booked and asked.user_id in (None, stated.user_id):
            return ActTaken(event_id, await ledger.supply(stated, asked.act.arrival, asked.act.basis, asked.act.acquired_on))
    account = await _own(asked.account_id, asked.user_id, PortfolioStore(page.connection))
    if await _told_before(asked.act, event_id, FactStore(page.connection)):
        return ActTaken(event_id, booked=False)
    reason = reason_against(asked.act)
    if reason is not None:
        raise Refused("ACT_INVALID", reason)
    try:
        await _book(asked.act, event_id, account, page)
    except IMPOSSIBLE as error:
        raise Refused("ACT_IMPOSSIBLE", str(error)) from error
    return ActTaken(event_id, booked=True)


async def acts(asked: ActsAsked, connection: Connection) -> ToldActs:
    """What was told about an account, and what of it was taken back."""
    await _own(asked.account_id, asked.user_id, PortfolioStore(connection), lock=False)
    facts = await FactStore(connection).acts(AccountId(asked.account_id))
    told = [(fact.fact_id, act_of_fact(fact.body)) for fact in facts]
    undone: set[UUID] = set()
    for event_id, act in reversed(told):
        if isinstance(act, Reversed) and event_id not in undone:
            undone.add(act.reverses)
    return ToldActs(tuple(ToldAct(event_id, act, event_id in undone) for event_id, act in told))


async def lot_methods(asked: LotMethodsAsked, connection: Connection) -> LotMethodHistory:
    """The history of an account's methods."""
    account = await _own(asked.account_id, asked.user_id, PortfolioStore(connection), lock=False)
    return await _history(account, FactStore(connection))


async def change_method(asked: LotMethodChangeAsked, page: Page) -> LotMethodHistory:
    """Use another method from a day on; what was booked on that day and later is booked anew. Raises Refused."""
    store, facts = PortfolioStore(page.connection), FactStore(page.connection)
    account = await _own(asked.account_id, asked.user_id, store, stated_too=True)
    if asked.method not in set(LotMethod):
        raise Refused("LOT_METHOD_UNKNOWN", f"there is no lot method {asked.method!r}; there are {', '.join(LotMethod)}")
    at = page.cause.occurred_at
    if await facts.keep_method(account.account_id, asked.since, asked.method, asked.command_id, at):
        account = await _own(asked.account_id, asked.user_id, store, stated_too=True)
        if account.stated:
            await _book_statements(account, page)
        else:
            await _book_since(asked.since, account, page, asked.command_id)
    return await _history(account, facts)


async def _book_statements(account: Account, page: Page) -> None:
    """Book an imported account anew; like every import of it, this says no message of its lots."""
    ledger = StatementLedger(page.connection)
    stated = await ledger.account(account.account_id)
    if stated is not None:
        await ledger.rebook(stated)


async def _book_since(since: date, account: Account, page: Page, command_id: UUID) -> None:
    """Make anew the books in which something was traded on a day or later; what hangs together is made once."""
    facts, done = FactStore(page.connection), set[InstrumentId]()
    for instrument in await facts.instruments_since(account.account_id, since):
        if instrument in done:
            continue
        family = await facts.family(account.account_id, [instrument])
        done |= set(family)
        await book_anew(account, family, page, lambda one: ("method", command_id, one))


async def _book(act: Act, event_id: UUID, account: Account, page: Page) -> None:
    what = event_of(act, event_id, account.account_id, account.user_id)
    if isinstance(what, Completion | Reversal):
        await _correct(act, what, event_id, account, page)
        return
    await _check_names(act, what, account, page)
    kept = await FactStore(page.connection).keep_act(act, event_id, account.account_id, what)
    if kept is not None:
        await book(kept, account, page, lambda one: ("act", event_id, one))


async def _correct(act: Act, what: Completion | Reversal, event_id: UUID, account: Account, page: Page) -> None:
    """Store what corrects another fact, and make its books anew."""
    facts = FactStore(page.connection)
    target = await facts.fact(what.arrival_id if isinstance(what, Completion) else what.reverses)
    if target is None or target.account_id not in (None, account.account_id):
        raise Refused("ACT_UNKNOWN", "the account has no act with this event_id; 'qm lots acts' lists them")
    if isinstance(what, Completion) and not _is_arrival(target):
        raise Refused("ACT_INVALID", "a basis is supplied for units that arrived; this is another act")
    if target.kind in (FILL, END):
        raise Refused("ACT_NOT_REVERSIBLE", "a broker's execution is corrected by the broker, not reversed here")
    about = await _at_last(target, facts)
    async with told_late(page.connection, account.account_id, about.day, about.kind):
        await facts.keep_note(act, event_id, account.account_id, target)
        await book_anew(account, target.instruments, page, lambda one: ("act", event_id, one))


async def _at_last(target: StoredFact, facts: FactStore) -> StoredFact:
    """The fact that a reversal is about, whatever number of reversals lies between."""
    while isinstance(act := act_of_fact(target.body) if target.day is None else None, Reversed):
        before = await facts.fact(act.reverses)
        if before is None:
            break
        target = before
    return target


async def _check_names(act: Act, what: What, account: Account, page: Page) -> None:
    """Lots that a person names now must be of the account and the instrument, and hold enough."""
    parts = named_parts(act)
    if not parts:
        return
    held = {lot.lot_id: lot for lot in await PortfolioStore(page.connection).all_open(account.account_id)}
    instrument = getattr(what, "instrument")  # noqa: B009 - only trades and departures name lots
    for one in parts:
        lot = held.get(one.lot_id)
        if lot is None or lot.instrument.instrument_id != instrument.instrument_id:
            raise Refused("LOT_UNKNOWN", f"the account holds no lot {one.lot_id} of {instrument.symbol}")
        if one.quantity > abs(lot.quantity):
            raise Refused("LOT_TOO_SMALL", f"lot {one.lot_id} of {instrument.symbol} has {abs(lot.quantity)}, named were {one.quantity}")


async def _told_before(act: Act, event_id: UUID, facts: FactStore) -> bool:
    known = await facts.fact(event_id)
    if known is not None and act_of_fact(known.body) != act:
        raise Refused("COMMAND_REUSED", "this command_id came with another act before; use a new one")
    return known is not None


def _is_arrival(fact: StoredFact) -> bool:
    return fact.kind not in (FILL, END) and not is_told_by_market(fact.body) and isinstance(act_of_fact(fact.body), UnitsArrived)


async def _own(account_id: str, user_id: UserId | None, store: PortfolioStore, *, lock: bool = True, stated_too: bool = False) -> Account:
    account = await store.account(AccountId(account_id), lock=lock)
    if account is None or user_id not in (None, account.user_id):
        raise Refused("ACCOUNT_UNKNOWN", f"there is no account {account_id} of yours")
    if lock and account.stated and not stated_too:
        raise Refused("ACCOUNT_OF_STATEMENTS", f"imported statements make the ledger of {account_id}; import the file that tells it")
    return account


async def _history(account: Account, facts: FactStore) -> LotMethodHistory:
    changes = [LotMethodSince(row["method"], row["since"], row["told_at"]) for row in await facts.methods(account.account_id)]
    return LotMethodHistory(account.account_id, (LotMethodSince(account.methods.first.value, None, None), *changes), tuple(LotMethod))
