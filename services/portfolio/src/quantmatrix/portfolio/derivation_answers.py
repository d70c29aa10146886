"""What portfolio answers when somebody asks where a number comes from: trees that end at executions, rows of files and closing prices."""

import asyncio
from collections.abc import Sequence

from quantmatrix.common.contracts.asking.derivations import Derivation, DerivationAsked, DerivedLine, DerivedOf
from quantmatrix.common.contracts.asking.portfolio import PortfolioAsked
from quantmatrix.common.names import AccountId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.errors import Refused
from quantmatrix.common.values import Money
from quantmatrix.portfolio.answers import portfolio
from quantmatrix.portfolio.derivation_entries import EntryReader, drill_to
from quantmatrix.portfolio.domain.lots import Lot
from quantmatrix.portfolio.ledgers import Books, LedgerReader
from quantmatrix.portfolio.reports.derivation import Derived, Source, SourceKind, faults, flat, of_disposal, of_lot, of_unrealised, of_year
from quantmatrix.portfolio.reports.disposals import Disposal, realised_by_year

DERIVED_MAX = 500


async def derivation(asked: DerivationAsked, connection: Connection) -> Derivation:
    """The tree, line by line. Raises Refused when nothing of the user fits, or too much does."""
    of = asked.of or (DerivedOf.UNREALISED if asked.instrument_id is not None and asked.closing_id is None else DerivedOf.REALISED)
    match of:
        case DerivedOf.REALISED:
            trees = await _realised(asked, connection)
        case DerivedOf.UNREALISED:
            trees = await _unrealised(asked, connection)
        case DerivedOf.LOT:
            trees = await _lot(asked, connection)
        case DerivedOf.EQUITY:
            trees = await _equity(asked, connection)
        case DerivedOf.CASH:
            trees = await EntryReader(connection, asked.user_id).cash(asked.account_id, asked.kind, asked.year)
        case DerivedOf.PROFIT:
            trees = await _profit(asked, connection)
    if not trees:
        raise Refused("NOT_FOUND", "nothing fits: there is no such number of yours")
    lines = tuple(_line(depth, one) for tree in trees for depth, one in flat(tree))
    return Derivation(lines, tuple(fault for tree in trees for fault in faults(tree)))


def _line(depth: int, one: Derived) -> DerivedLine:
    source = one.source
    return DerivedLine(depth, one.what, one.amount, source.kind if source else None, source.reference if source else None, one.drill)


async def _realised(asked: DerivationAsked, connection: Connection) -> list[Derived]:
    reader = LedgerReader(connection)
    books = await reader.books(asked.user_id)
    chosen = await asyncio.to_thread(_chosen, books, asked)
    if not chosen:
        raise Refused("NOT_FOUND", "nothing that was closed fits")
    if len(chosen) > DERIVED_MAX:
        return _by_year(chosen, asked.account_id)
    lots = books.lots
    executions = await reader.executions(asked.user_id, [fill for one in chosen for fill in (one.fill_id, lots[one.lot_id].fill_id)])
    if asked.closing_id is not None:
        return [of_disposal(one, lots[one.lot_id], executions) for one in chosen]
    return [of_year(year, chosen, lots, executions) for year in realised_by_year(chosen)]


def _by_year(chosen: Sequence[Disposal], account_id: AccountId | None) -> list[Derived]:
    """Years that are derived one by one. Raises Refused when one year alone is too long."""
    years = realised_by_year(chosen)
    if len(years) == 1:
        raise Refused(
            "DERIVATION_TOO_LONG", f"{len(chosen)} parts of lots fit, at most {DERIVED_MAX} are derived at once: choose an account"
        )
    drills = [drill_to(of="realised", year=year.year, account=account_id) for year in years]
    return [
        Derived(
            f"realised in {year.year}, {year.treatment}",
            year.gain,
            source=Source(SourceKind.LEDGER, "the closings of the year"),
            drill=drill,
        )
        for year, drill in zip(years, drills, strict=True)
    ]


def _chosen(books: Books, asked: DerivationAsked) -> list[Disposal]:
    lots = books.lots
    return [
        one
        for one in books.disposals()
        if one.gain is not None
        and asked.closing_id in (None, one.closing_id)
        and asked.account_id in (None, one.account_id)
        and asked.year in (None, one.disposed_on.year)
        and asked.instrument_id in (None, lots[one.lot_id].instrument.instrument_id)
    ]


async def _unrealised(asked: DerivationAsked, connection: Connection) -> list[Derived]:
    """One tree for each account and instrument that is held, has a price, and whose every basis is known."""
    reader = LedgerReader(connection)
    books = await reader.books(asked.user_id)
    wanted = sorted(books.prices) if asked.instrument_id is None else [asked.instrument_id]
    held = [
        (account_id, instrument_id, ledger.open_lots(instrument_id))
        for account_id, ledger in books.ledgers.items()
        for instrument_id in wanted
        if asked.account_id in (None, account_id) and instrument_id in books.prices
    ]
    held = [one for one in held if one[2]]
    if not held:
        raise Refused("NOT_FOUND", "nothing of it is held, or it has no price yet")
    known = [one for one in held if all(lot.basis is not None for lot in one[2])]
    if not known:
        raise Refused("BASIS_UNKNOWN", "a lot of it has no basis yet: supply it first")
    if sum(len(lots) for _, _, lots in known) > DERIVED_MAX:
        raise Refused("DERIVATION_TOO_LONG", f"at most {DERIVED_MAX} lots are derived at once: choose an account or a position")
    executions = await reader.executions(asked.user_id, [lot.fill_id for _, _, lots in known for lot in lots])
    trees = []
    for account_id, instrument_id, lots in known:
        price, day = books.prices[instrument_id]
        value = sum((books.values[lot.lot_id] for lot in lots), Money.zero(lots[0].instrument.currency))
        trees.append(of_unrealised(f"{lots[0].instrument.symbol} in {account_id}", value, price, day, lots, executions))
    return trees


async def _lot(asked: DerivationAsked, connection: Connection) -> list[Derived]:
    reader = LedgerReader(connection)
    lot: Lot | None = (await reader.books(asked.user_id)).lots.get(asked.lot_id) if asked.lot_id is not None else None
    if lot is None:
        raise Refused("NOT_FOUND", "you have no such lot")
    if lot.basis is None:
        raise Refused("BASIS_UNKNOWN", "the lot has no basis yet: supply it first")
    return [of_lot(lot, lot.basis, await reader.executions(asked.user_id, [lot.fill_id]))]


async def _equity(asked: DerivationAsked, connection: Connection) -> list[Derived]:
    """What lies there and what is held at the latest closes, of each account."""
    found = await portfolio(PortfolioAsked(user_id=asked.user_id, account_id=asked.account_id), connection)
    trees = []
    for account in found.accounts:
        cash = Derived(
            "cash", account.cash, source=Source(SourceKind.LEDGER, "its movements"), drill=drill_to(of="cash", account=account.account_id)
        )
        held = tuple(
            Derived(
                f"{one.quantity} {one.instrument.symbol} at {one.price}",
                one.value,
                source=Source(SourceKind.PRICE, f"{one.instrument.symbol} on {one.priced_on}"),
                drill=drill_to(of="unrealised", instrument=one.instrument.instrument_id, account=account.account_id),
            )
            for one in found.positions
            if one.account_id == account.account_id and one.value is not None and one.value.currency == account.equity.currency
        )
        trees.append(Derived(f"equity of {account.account_id}", account.equity, (cash, *held)))
    return trees


async def _profit(asked: DerivationAsked, connection: Connection) -> list[Derived]:
    """The economic profit of one session, or of all of them, line by line, of each account."""
    reader, entries = LedgerReader(connection), EntryReader(connection, asked.user_id)
    trees = []
    for one in await reader.walked(asked.user_id, asked.account_id):
        if asked.session is None:
            trees.append(await entries.whole_profit(one))
        elif asked.session in {stood.session for stood in one.stood}:
            trees.append(await entries.profit_of(one, asked.session))
    return trees
