"""What portfolio answers when it is asked."""

from itertools import groupby
from operator import itemgetter

import asyncpg

from quantmatrix.common.contracts.asking.ledger import LedgerDigest, LedgerDigestAsked
from quantmatrix.common.contracts.asking.portfolio import (
    AccountValue,
    Closings,
    ClosingsAsked,
    ClosingSummary,
    LedgerAccount,
    LedgerSums,
    LedgerSumsAsked,
    Lots,
    LotsAsked,
    LotSummary,
    Portfolio,
    PortfolioAsked,
    PositionSummary,
    SnapshotPoint,
    Snapshots,
    SnapshotsAsked,
)
from quantmatrix.common.names import AccountId, ClosingId, FillId, InstrumentId, LotId
from quantmatrix.common.runtime.canonical import digest_rows
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.values import Money, Price, Quantity, notional, plain
from quantmatrix.portfolio.rebuild import differences
from quantmatrix.portfolio.rows import Account, instrument_of, money_of
from quantmatrix.portfolio.statement_ledger import StatementLedger
from quantmatrix.portfolio.store import PortfolioStore

LIMIT_MAX = 1_000
_OWN = "user_id = $1 and ($2::text is null or account_id = $2) and ($3::text is null or instrument_id = $3)"


async def portfolio(asked: PortfolioAsked, connection: Connection) -> Portfolio:
    rows = await connection.fetch(
        """select p.*, m.price, m.session as priced_on from position p left join mark m using (instrument_id)
           where p.user_id = $1 and ($2::text is null or p.account_id = $2) and (p.quantity <> 0 or $3) order by p.account_id, p.symbol""",
        asked.user_id,
        asked.account_id,
        asked.closed_too,
    )
    positions = tuple(_position(row) for row in rows)
    accounts = await connection.fetch(
        """select a.*, c.amount as cash, (select max(session) from snapshot s where s.account_id = a.account_id) as session,
             (select coalesce(sum(realised), 0) from position p where p.account_id = a.account_id and p.currency = a.currency) as realised
           from account a join cash c on c.account_id = a.account_id and c.currency = a.currency
           where a.user_id = $1 and ($2::text is null or a.account_id = $2) order by a.account_id""",
        asked.user_id,
        asked.account_id,
    )
    return Portfolio(tuple(_value(row, positions) for row in accounts), positions)


async def lots(asked: LotsAsked, connection: Connection) -> Lots:
    rows = await connection.fetch(
        f"""select l.*, m.price from lot l left join mark m using (instrument_id)
            where {_OWN} and quantity <> 0 order by symbol, opened_at, lot_id limit $4""",
        asked.user_id,
        asked.account_id,
        asked.instrument_id,
        max(1, min(asked.limit, LIMIT_MAX)),
    )
    return Lots(tuple(_lot(row) for row in rows))


async def closings(asked: ClosingsAsked, connection: Connection) -> Closings:
    rows = await connection.fetch(
        f"""select * from closing where {_OWN} and ($4::timestamptz is null or closed_at < $4 or (closed_at = $4 and closing_id > $5))
            order by closed_at desc, closing_id limit $6""",
        asked.user_id,
        asked.account_id,
        asked.instrument_id,
        asked.before,
        asked.before_id,
        max(1, min(asked.limit, LIMIT_MAX)),
    )
    return Closings(tuple(_closing(row) for row in rows))


async def snapshots(asked: SnapshotsAsked, connection: Connection) -> Snapshots:
    rows = await connection.fetch(
        """
        with own as (
            select s.*, row_number() over (order by s.session desc) - 1 as back, count(*) over () as n
            from snapshot s join account a using (account_id) where a.user_id = $1 and a.account_id = $2
        )
        select * from own where case when $4::bigint is null then back % greatest(1, ceil(n::numeric / $3)::bigint) = 0 else back < $4 end
        order by session
        """,
        asked.user_id,
        asked.account_id,
        max(2, min(asked.limit, 5_000)),
        None if asked.recent is None else max(1, min(asked.recent, 5_000)),
    )
    return Snapshots(
        tuple(SnapshotPoint(row["session"], Money(row["equity"], row["currency"]), Money(row["cash"], row["currency"])) for row in rows)
    )


async def ledger_sums(asked: LedgerSumsAsked, connection: Connection) -> LedgerSums:
    store = PortfolioStore(connection)
    found: dict[AccountId, list[str]] = {}
    ledger = StatementLedger(connection)
    stated = {one.account_id: one for one in await ledger.accounts() if one.booked}
    if asked.rebuild:
        for account, books in groupby(await store.books(), key=itemgetter(0)):
            if account.account_id not in stated:
                found[account.account_id] = await differences(account, [instrument for _, instrument in books], connection)
        for one in stated.values():
            found[one.account_id] = await ledger.differences(one)
    ends = {account_id: tuple(await ledger.end_differences(one)) for account_id, one in stated.items()}
    return LedgerSums(
        tuple(
            [
                await _sums(account, found.get(account.account_id, []), ends.get(account.account_id), connection)
                for account in await _accounts(connection)
            ]
        )
    )


async def _accounts(connection: Connection) -> list[Account]:
    return await PortfolioStore(connection).accounts()


async def _sums(account: Account, found: list[str], ends: tuple[str, ...] | None, connection: Connection) -> LedgerAccount:
    one, currency = account.account_id, account.currency
    row = await connection.fetchrow(
        """select (select coalesce(sum(amount), 0) from cash where account_id = $1) as cash,
             (select coalesce(sum(amount), 0) from cash_entry where account_id = $1) as entries,
             (select coalesce(sum(realised), 0) from closing where account_id = $1) as closings,
             (select coalesce(sum(realised), 0) from position where account_id = $1) as positions,
             (select coalesce(sum(basis), 0) from lot where account_id = $1) as basis,
             (select count(*) from fact where account_id = $1 and kind in ('fill', 'end')) as fills""",
        one,
    )
    if row is None:
        raise RuntimeError("sums returned no row")
    lots_by = await connection.fetch(
        "select instrument_id, sum(quantity) as q from lot where account_id = $1 group by 1 having sum(quantity) <> 0",
        one,
    )
    held = await connection.fetch("select instrument_id, quantity as q from position where account_id = $1 and quantity <> 0", one)
    fills = await connection.fetch("select fact_id from fact where account_id = $1 and kind in ('fill', 'end') order by fact_id", one)
    return LedgerAccount(
        account_id=one,
        opening_cash=account.opening_cash,
        cash=Money(row["cash"], currency),
        cash_entries=Money(row["entries"], currency),
        realised_closings=Money(row["closings"], currency),
        realised_positions=Money(row["positions"], currency),
        basis_lots=Money(row["basis"], currency),
        lots={line["instrument_id"]: Quantity(line["q"]) for line in lots_by},
        positions={line["instrument_id"]: Quantity(line["q"]) for line in held},
        fills=row["fills"],
        fill_ids_digest=digest_rows({"fills": fills}),
        differences=tuple(found),
        statement=ends,
    )


async def ledger_digest(_: LedgerDigestAsked, connection: Connection) -> LedgerDigest:
    """Lots, closings, cash entries and positions in canonical rows. An opening's wall-clock time is left out."""
    lot_rows = await connection.fetch(
        """select lot_id, account_id, instrument_id, currency, multiplier, fill_id, opened_quantity, quantity, basis, opened_on, opened_at,
           triggered_by from lot order by lot_id"""
    )
    closing_rows = await connection.fetch(
        """select closing_id, lot_id, fill_id, account_id, instrument_id, currency, quantity, proceeds, basis, realised, opened_on, closed_on,
           closed_at, triggered_by from closing order by closing_id"""
    )
    cash_rows = await connection.fetch(
        "select entry_id, account_id, kind, about, amount, currency, session from cash_entry order by entry_id"
    )
    position_rows = await connection.fetch(
        "select account_id, instrument_id, quantity, basis, realised from position order by account_id, instrument_id"
    )
    snapshot_rows = await connection.fetch(
        "select account_id, session, cash, market_value, equity, realised, unrealised, positions from snapshot order by account_id, session"
    )
    tables = {
        "lots": lot_rows,
        "closings": closing_rows,
        "cash": cash_rows,
        "positions": position_rows,
        "snapshots": snapshot_rows,
    }
    splits = await connection.fetchval("select count(*) from fact where kind = 'split'")
    last = snapshot_rows[-1] if snapshot_rows else None
    cash = await connection.fetchval("select coalesce(sum(amount), 0) from cash")
    realised = await connection.fetchval("select coalesce(sum(realised), 0) from closing")
    return LedgerDigest(
        digest=digest_rows(tables),
        counts={
            "lots_open": sum(1 for row in lot_rows if row["quantity"]),
            "lots": len(lot_rows),
            "closings": len(closing_rows),
            "corporate_actions": splits,
            "fills_booked": await connection.fetchval("select count(*) from fact where kind in ('fill', 'end')"),
        },
        amounts={
            "cash": plain(cash),
            "equity": plain(last["equity"]) if last else plain(cash),
            "realised_pnl": plain(realised),
        },
    )


def _marked(row: asyncpg.Record) -> tuple[Money | None, Money | None]:
    """The value at the latest price, and what of it is gain: of units whose basis is known."""
    if row["price"] is None:
        return None, None
    multiplier, currency = Quantity(row["multiplier"]), row["currency"]
    value = notional(Price(row["price"]), Quantity(row["quantity"]), multiplier, currency)
    unknown = Quantity(row.get("unknown") or 0)
    if row["basis"] is None:
        return value, None
    return value, value - notional(Price(row["price"]), unknown, multiplier, currency) - Money(row["basis"], currency)


def _position(row: asyncpg.Record) -> PositionSummary:
    value, unrealised = _marked(row)
    return PositionSummary(
        account_id=AccountId(row["account_id"]),
        instrument=instrument_of(row),
        quantity=Quantity(row["quantity"]),
        basis=money_of(row, "basis"),
        realised=Money(row["realised"], row["currency"]),
        price=Price(row["price"]) if row["price"] is not None else None,
        priced_on=row["priced_on"],
        value=value,
        unrealised=unrealised,
        unknown=Quantity(row["unknown"]),
    )


def _value(row: asyncpg.Record, positions: tuple[PositionSummary, ...]) -> AccountValue:
    currency = row["currency"]
    market_value = unrealised = Money.zero(currency)
    for position in positions:
        if position.account_id != row["account_id"] or position.value is None or position.value.currency != currency:
            continue
        market_value += position.value
        unrealised += position.unrealised if position.unrealised is not None else Money.zero(currency)
    cash = Money(row["cash"], currency)
    return AccountValue(
        account_id=AccountId(row["account_id"]),
        broker=row["broker"],
        paper=row["paper"],
        opening_cash=Money(row["opening_cash"], currency),
        cash=cash,
        market_value=market_value,
        equity=cash + market_value,
        realised=Money(row["realised"], currency),
        unrealised=unrealised,
        session=row["session"],
    )


def _lot(row: asyncpg.Record) -> LotSummary:
    value, unrealised = _marked(row)
    return LotSummary(
        lot_id=LotId(row["lot_id"]),
        fill_id=FillId(row["fill_id"]),
        account_id=AccountId(row["account_id"]),
        instrument=instrument_of(row),
        quantity=Quantity(row["quantity"]),
        opened_quantity=Quantity(row["opened_quantity"]),
        basis=money_of(row, "basis"),
        opened_on=row["opened_on"],
        opened_at=row["opened_at"],
        triggered_by=row["triggered_by"],
        value=value,
        unrealised=unrealised,
    )


def _closing(row: asyncpg.Record) -> ClosingSummary:
    return ClosingSummary(
        closing_id=ClosingId(row["closing_id"]),
        lot_id=LotId(row["lot_id"]),
        fill_id=FillId(row["fill_id"]),
        account_id=AccountId(row["account_id"]),
        symbol=row["symbol"],
        instrument_id=InstrumentId(row["instrument_id"]),
        quantity=Quantity(row["quantity"]),
        proceeds=money_of(row, "proceeds"),
        basis=money_of(row, "basis"),
        realised=money_of(row, "realised"),
        opened_on=row["opened_on"],
        closed_on=row["closed_on"],
        closed_at=row["closed_at"],
        triggered_by=row["triggered_by"],
    )
