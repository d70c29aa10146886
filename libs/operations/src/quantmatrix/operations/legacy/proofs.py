"""Why a migration may not be finished: a trade that would be lost, counted twice, or come out different on the other side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

from quantmatrix.common.names import Side
from quantmatrix.common.values import Money
from quantmatrix.operations.legacy.books import NONE, signed
from quantmatrix.operations.legacy.comparing import Comparison
from quantmatrix.operations.legacy.found import Cause, Found, Trade, Where
from quantmatrix.operations.legacy.source import Snapshot
from quantmatrix.portfolio.domain.statements import Entry, EntryKind
from quantmatrix.portfolio.importing import File, Status, check_files


def refusals(
    found: Found, snapshot: Snapshot, openings: Mapping[Where, Decimal], comparisons: Sequence[Comparison], files: Mapping[str, bytes]
) -> list[str]:
    """One sentence for each thing that is wrong; empty when the migration may be finished. Figures wait for the rows."""
    rows = [f"{one.row}: {one.why}" for one in found.blocked] + _rows_counted_once(found, snapshot)
    return rows or [
        *_keys_once(found),
        *_positions_agree(found, openings, comparisons),
        *_differences_add_up(found, comparisons),
        *_files_agree(found, files),
    ]


def _rows_counted_once(found: Found, snapshot: Snapshot) -> list[str]:
    """Each row that was read is taken over once, kept with a reason, or blocked."""
    uses = found.taken_rows() + Counter(one.row for one in found.kept)
    blocked = {one.row for one in found.blocked}
    rows = [row.ref for table in snapshot.rows.values() for row in table]
    wrong = [f"{ref}: two rows have this id, so they cannot be told apart" for ref, times in Counter(rows).items() if times > 1]
    wrong += [f"{ref}: would be lost" for ref in rows if not uses[ref] and ref not in blocked]
    wrong += [f"{ref}: would be counted {uses[ref]} times" for ref in dict.fromkeys(rows) if uses[ref] > 1]
    return wrong + [f"{ref}: was never read" for ref in uses.keys() - set(rows)]


def _keys_once(found: Found) -> list[str]:
    keys = Counter((trade.account, trade.key) for trade in found.trades)
    rows = {(trade.account, trade.key): trade.rows[0] for trade in found.trades}
    return [f"{rows[key]}: {times} trades of the account have its id" for key, times in keys.items() if times > 1]


def _positions_agree(found: Found, openings: Mapping[Where, Decimal], comparisons: Sequence[Comparison]) -> list[str]:
    """The ledger holds what the trades add up to, counted without it."""
    totals = signed(found.trades)
    return [
        f"{one.instrument.symbol} in {one.where[0]}: the ledger holds {one.after.quantity}, the trades add up to {expected}"
        for one in comparisons
        if (expected := totals.get(one.where, NONE) + openings.get(one.where, NONE)) != one.after.quantity
    ]


def _differences_add_up(found: Found, comparisons: Sequence[Comparison]) -> list[str]:
    wrong = [f"{one.instrument.symbol} in {one.where[0]}: the differences do not add up" for one in comparisons if not one.adds_up]
    if Counter(trade.flow for trade in found.trades) != Counter(found.stages[Cause.MORE]):
        wrong.append("the trades that were compared are not the trades that are taken over")
    return wrong


def _files_agree(found: Found, files: Mapping[str, bytes]) -> list[str]:
    """What `qm import` makes of the files is what was to be written, trade by trade."""
    wrong: list[str] = []
    entries: list[Entry] = []
    for checked in check_files([File(name, body) for name, body in files.items()]):
        if checked.status is Status.REJECTED or checked.statement is None or checked.statement.unread:
            wrong.append(f"{checked.file.name} would not be taken by qm import: {checked.why or 'rows were not understood'}")
        elif checked.duplicates:
            wrong.append(f"{checked.file.name} holds {checked.duplicates} rows twice")
        else:
            entries += checked.statement.entries
    read_back = Counter(_of_entry(entry) for entry in entries if entry.kind is EntryKind.TRADE)
    if not wrong and read_back != Counter(_of_trade(trade) for trade in found.trades):
        wrong.append("the files do not hold the trades that were to be written")
    return wrong + ([] if wrong else _income_agrees(found, entries))


def _income_agrees(found: Found, entries: Sequence[Entry]) -> list[str]:
    paid = [entry.amount for entry in entries if entry.kind is not EntryKind.TRADE]
    wanted = [amount for one in found.income for amount in (one.gross, *((-one.tax,) if one.tax else ()))]
    return [] if Counter(paid) == Counter(wanted) else ["the files do not hold the dividends that were to be written"]


Content = tuple[object, ...]


def _of_entry(entry: Entry) -> Content:
    return entry.account, entry.broker_key, entry.symbol, entry.quantity, entry.price, entry.amount, entry.fee, entry.at, entry.session


def _of_trade(trade: Trade) -> Content:
    bought = trade.side is Side.BUY
    amount: Money = -trade.value if bought else trade.value
    quantity = trade.quantity if bought else -trade.quantity
    return trade.account, trade.key, trade.instrument.symbol, quantity, trade.price, amount, trade.fee, trade.at, trade.session
