"""Capital that a run is given later, or gives back: a row of its ledger, out of what is free on its account."""

import structlog

from quantmatrix.common.contracts.commands import FundRun
from quantmatrix.common.contracts.signals import RunFunded, RunRefused
from quantmatrix.common.names import RunState, UserId
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money
from quantmatrix.signals.domain.ledger import funded
from quantmatrix.signals.domain.run import Run
from quantmatrix.signals.ledgers import Account, LedgerStore

log = structlog.get_logger(__name__)


async def fund(command: FundRun, page: Page) -> None:
    """Book the amount, or say why not. The same command twice counts once; a run of somebody else is left alone."""
    ledger = LedgerStore(page.connection)
    mine = {one.account_id: one for one in await ledger.accounts(UserId(command.user_id), lock=True)}
    run = await ledger.run(command.run_id, lock=True)
    if run is None or run.user_id != command.user_id or run.account_id not in mine:
        log.error("run.not_theirs", run_id=str(command.run_id))
        return
    if await ledger.is_booked(run.run_id, command.command_id):
        return
    no = problem_of(run, command.amount, mine[run.account_id], await ledger.ordered(run), await ledger.bound(run))
    if no is not None:
        code, detail = no
        page.say(
            RunRefused(
                run_id=run.run_id, user_id=run.user_id, account_id=run.account_id, strategy=run.strategy, code=code, detail=detail,
                what="capital",
            ),
            identity=command.command_id,
        )  # fmt: skip
        return
    await ledger.book(run.run_id, funded(command.amount), command.command_id, page.cause.occurred_at)
    page.say(
        RunFunded(
            run_id=run.run_id, user_id=run.user_id, account_id=run.account_id, strategy=run.strategy, amount=command.amount,
            base=run.capital.base + command.amount, reason=command.reason,
        ),
        identity=command.command_id,
    )  # fmt: skip


def problem_of(run: Run, amount: Money, account: Account, ordered: Money, bound: Money) -> tuple[str, str] | None:
    """Why capital cannot be moved: another currency, nothing, a run that is over, more than is free on either side.

    ordered: what purchases under way will take of the run's cash; bound: what its sold puts bind.
    """
    if amount.currency != run.cash.currency:
        return "CAPITAL_CURRENCY", f"the run counts in {run.cash.currency}, not in {amount.currency}"
    if run.state in (RunState.STOPPING, RunState.STOPPED):
        return "RUN_STATE", f"the run is {run.state}: capital goes to runs at work"
    if not amount.amount:
        return "CAPITAL", "an amount is above zero to give capital, below zero to take it back"
    if amount > account.free:
        return "ENVELOPE_EXCEEDS_CASH", f"{account.free} of the {account.cash} on {account.account_id} are free, {amount} is more"
    taken, free = -amount, run.cash - ordered - bound
    if taken.amount > 0 and (taken > free or taken >= run.capital.base):
        under_way = f", {ordered} more are ordered for" if ordered else ""
        under_way += f", {bound} are bound by sold puts" if bound else ""
        return "ENVELOPE_IN_USE", f"{free} of its capital are free{under_way} and its base is {run.capital.base}; stop the run to take all"
    return None
