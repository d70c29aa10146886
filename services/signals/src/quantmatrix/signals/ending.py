"""What contracts that ended are to the runs which hold them: no order led to it, so whoever holds them takes part, one after the other."""

from dataclasses import replace

from quantmatrix.common.contracts.fills import OptionEnded
from quantmatrix.common.names import InstrumentId
from quantmatrix.common.option_ends import ContractEnd
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money, Quantity
from quantmatrix.signals.booking import end_cycle
from quantmatrix.signals.domain.book import RunFill, end_fills, holding_after
from quantmatrix.signals.domain.decisions import Holding
from quantmatrix.signals.domain.ledger import EntryKind, moved
from quantmatrix.signals.domain.ledger import after as after_entry
from quantmatrix.signals.domain.run import Run
from quantmatrix.signals.ledgers import LedgerStore
from quantmatrix.signals.store import SignalsStore


async def option_ended(ended: OptionEnded, page: Page) -> None:
    """Move the account's cash, and of each run that holds these contracts the contracts, the shares and the cash. Heard twice, it counts once."""
    ledger = LedgerStore(page.connection)
    end = _end_of(ended)
    cash = end.cash - ended.fee
    if not await ledger.keep_end(ended, cash):
        return
    await ledger.move_account(ended.account_id, cash)
    left = ended.contracts
    for run, holding in await ledger.holders(ended.account_id, ended.option.instrument_id):
        if (holding.quantity.value < 0) is not (ended.side.sign > 0) or not left:
            continue
        part = min(left, abs(holding.quantity))
        left -= part
        await _book(ended, _part_of(end, part), ended.fee.share(part, ended.contracts), run, holding, page)


def _end_of(ended: OptionEnded) -> ContractEnd:
    return ContractEnd(ended.how, ended.contracts, ended.side, ended.price, ended.shares, ended.share_side, ended.paid)


def _part_of(end: ContractEnd, part: Quantity) -> ContractEnd:
    """What so many of the contracts have of it."""
    if part == end.contracts:
        return end
    shares = end.shares.scaled(int(part.value), int(end.contracts.value))
    return replace(end, contracts=part, shares=shares, paid=end.paid.share(part, end.contracts))


async def _book(ended: OptionEnded, end: ContractEnd, fee: Money, run: Run, holding: Holding, page: Page) -> None:
    """One run's part: its own two fills, as a backtest books them, and one row of its ledger."""
    ledger, store = LedgerStore(page.connection), SignalsStore(page.connection)
    closing, delivery = end_fills(end, ended.strike, holding, fee)
    sides: list[tuple[InstrumentId, RunFill, Holding]] = [(ended.option.instrument_id, closing, holding)]
    if delivery is not None:
        stock = ended.underlying.instrument_id
        sides.append((stock, delivery, await store.holding(run.run_id, stock)))
    nothing = Money.zero(fee.currency)
    cash = invested = nothing
    for instrument, own, before in sides:
        after = holding_after(before, own, None)
        cash, invested = cash + own.paid, invested + (after.cost or nothing) - (before.cost or nothing)
        await ledger.keep_own_end(run.run_id, instrument, own, ended.end_id)
        await store.keep_holding(run.run_id, instrument, after)
    entry = moved(EntryKind.ENDED, cash, invested)
    await ledger.book(run.run_id, entry, ended.end_id, ended.ended_at)
    await end_cycle(run, after_entry(run.capital, entry), ended.end_id, ended.ended_at, page)
