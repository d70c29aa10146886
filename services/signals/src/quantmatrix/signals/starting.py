"""Starting, pausing and stopping runs; what a sentence or a form means before a person confirms it."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import structlog
from pydantic import ValidationError

from quantmatrix.common.contracts.asking.runs import Misunderstood, Proposal, ProposalAsked, Proposed
from quantmatrix.common.contracts.commands import ChangeRun, StartRun
from quantmatrix.common.contracts.prices import PricesWatermark
from quantmatrix.common.contracts.signals import RunRefused, SignalWithdrawn
from quantmatrix.common.names import RunAct, RunState, UserId
from quantmatrix.common.runtime.database import Connection
from quantmatrix.common.runtime.page import Page
from quantmatrix.common.values import Money, plain
from quantmatrix.signals.booking import open_run
from quantmatrix.signals.deciding import Moment, Turn, change_state
from quantmatrix.signals.domain.ledger import CycleRules, nothing
from quantmatrix.signals.domain.proposing import REINVEST, parameters_from
from quantmatrix.signals.domain.run import Run, state_after, triggered_by
from quantmatrix.signals.domain.sentence import BROKERS, NotUnderstood, RunForm, read_sentence
from quantmatrix.signals.engines import Engines
from quantmatrix.signals.ledgers import Account, LedgerStore
from quantmatrix.signals.ports import Strategy
from quantmatrix.signals.slate import Slate
from quantmatrix.signals.store import SignalsStore
from quantmatrix.signals.strategies._exits import EXITS, make_strategy, parameters_told

log = structlog.get_logger(__name__)
FRACTION_MAX = Decimal(10)


class Starting:
    """Commands of people, and the answer that comes before them. Nothing is stored of what is refused."""

    def __init__(self, engines: Engines, slate: Slate) -> None:
        self._engines = engines
        self._slate = slate

    async def proposal(self, asked: ProposalAsked, connection: Connection) -> Proposed:
        """What a sentence or a form means, or the first thing about it that cannot be."""
        found = self._form(asked)
        if isinstance(found, Misunderstood):
            return Proposed(problem=found)
        strategy, said, form = found
        accounts = await LedgerStore(connection).accounts(asked.user_id)
        account = _account_for(form, asked, accounts)
        if isinstance(account, Misunderstood):
            return Proposed(problem=account)
        told = _valid(strategy, said)
        if isinstance(told, Misunderstood):
            return Proposed(problem=told)
        rules = form.profit_target, form.reinvest
        problem = _capital_problem(form.capital, account)
        if problem is not None:
            return Proposed(problem=problem)
        return Proposed(
            proposal=Proposal(
                sentence=form.sentence(),
                strategy=strategy.name,
                title=strategy.title,
                account_id=account.account_id,
                broker=account.broker,
                capital=form.capital,
                free=account.free,
                parameters=told,
                chosen={name: json.dumps(value) for name, value in said.items()},
                profit_target=plain(rules[0]) if rules[0] is not None else None,
                reinvest=plain(rules[1] if rules[1] is not None else REINVEST) if rules[0] is not None else None,
                notes=_notes(strategy, form, account),
            )
        )

    def _form(self, asked: ProposalAsked) -> tuple[type[Strategy], dict[str, Any], RunForm] | Misunderstood:
        """The strategy, the parameters that were said, and the form; from the sentence if there is one."""
        try:
            extra = {name: json.loads(value) for name, value in asked.parameters.items()}
        except ValueError:
            return Misunderstood("PARAMETERS", "", 0, "a parameter is JSON")
        if not asked.sentence:
            return self._written_form(asked, extra)
        titles = {name: one.title for name, one in self._engines.strategies.items()}
        form = read_sentence(asked.sentence, titles, BROKERS)
        if isinstance(form, NotUnderstood):
            return _misunderstood(form)
        strategy = self._engines.strategies[form.strategy]
        said = parameters_from(form, tuple(strategy.parameters.model_fields), spreads=strategy.catalogue.sees_portfolio)
        if isinstance(said, NotUnderstood):
            return _misunderstood(said)
        return strategy, {**said, **extra}, form

    def _written_form(self, asked: ProposalAsked, extra: dict[str, Any]) -> tuple[type[Strategy], dict[str, Any], RunForm] | Misunderstood:
        strategy = self._engines.strategies.get(asked.strategy)
        if strategy is None:
            return Misunderstood(
                "STRATEGY_UNKNOWN", asked.strategy, 0, "there is no such strategy", tuple(sorted(self._engines.strategies))
            )
        if asked.capital is None or asked.capital.amount <= 0:
            return Misunderstood("CAPITAL", str(asked.capital or ""), 0, "a run has a capital above zero", ("10000 USD",))
        profit, reinvest = _fraction(asked.profit_target), _fraction(asked.reinvest)
        if isinstance(profit, Misunderstood) or isinstance(reinvest, Misunderstood):
            return profit if isinstance(profit, Misunderstood) else reinvest  # type: ignore[return-value]  # one of the two is
        return strategy, extra, RunForm(strategy.name, "", asked.capital, profit, reinvest)

    async def start(self, command: StartRun, page: Page) -> None:
        """Open the run, or say why not. The same command twice is one run."""
        no = await self._refusal(command, page)
        if no is not None:
            log.warning("run.refused", code=no.code, strategy=command.strategy)
            page.say(
                RunRefused(
                    run_id=command.run_id,
                    user_id=command.user_id,
                    account_id=command.account_id,
                    strategy=command.strategy,
                    code=no.code,
                    detail=f"{no.part}: {no.why}" if no.part else no.why,
                ),
                identity=command.run_id,
            )
            return
        run = Run(
            run_id=command.run_id,
            user_id=command.user_id,
            account_id=command.account_id,
            strategy=command.strategy,
            parameters={name: json.loads(value) for name, value in command.parameters.items()},
            triggered_by=triggered_by(command.strategy, command.run_id),
            state=RunState.RUNNING,
            capital=nothing(command.capital.currency),
            rules=_rules(command),
            sentence=command.sentence,
        )
        await open_run(run, command.capital, page)

    async def _refusal(self, command: StartRun, page: Page) -> Misunderstood | None:
        ledger = LedgerStore(page.connection)
        if await ledger.run(command.run_id) is not None:
            return None
        strategy = self._engines.strategies.get(command.strategy)
        if strategy is None:
            return Misunderstood("STRATEGY_UNKNOWN", command.strategy, 0, "there is no such strategy")
        mine = {one.account_id: one for one in await ledger.accounts(UserId(command.user_id), lock=True)}
        account = mine.get(command.account_id)
        if account is None:
            return Misunderstood("ACCOUNT_UNKNOWN", command.account_id, 0, "there is no such account of yours")
        try:
            told = _valid(strategy, {name: json.loads(value) for name, value in command.parameters.items()})
            _rules(command)
        except (ValueError, InvalidOperation) as error:
            return Misunderstood("PARAMETERS", "", 0, str(error))
        return told if isinstance(told, Misunderstood) else _capital_problem(command.capital, account)

    async def change(self, command: ChangeRun, page: Page) -> None:
        """Pause, resume or stop. What changes nothing is not said again; a run of somebody else is left alone."""
        run = await LedgerStore(page.connection).run(command.run_id, lock=True)
        if run is None or run.user_id != command.user_id:
            log.error("run.not_theirs", run_id=str(command.run_id))
            return
        state = state_after(run.state, command.act)
        if state is None:
            return
        await change_state(run, state, command.reason, page.cause.occurred_at, page)
        if state in (RunState.STOPPING, RunState.STOPPED):
            await _withdraw_entries(run, command.reason, page)
        if command.act is RunAct.FLATTEN:
            await self._flatten(run, command, page)

    async def _flatten(self, run: Run, command: ChangeRun, page: Page) -> None:
        """Sell at the next open what the latest bars priced; what is still under way is sold when it has filled."""
        store = SignalsStore(page.connection)
        holdings, working = await store.holdings(run.run_id), frozenset(one.instrument_id for one in await store.working_of(run.run_id))
        if not holdings and not working:
            await change_state(run, RunState.STOPPED, command.reason, page.cause.occurred_at, page)
            return
        for calendar in await store.calendars(run.run_id):
            reached = page.reached(PricesWatermark.key_for(calendar))
            if reached.moment is None or reached.session is None:
                continue
            known = [*await store.instruments(calendar), *await store.options([*holdings, *working], calendar)]
            await self._slate.load([one.instrument.instrument_id for one in known], calendar, reached.session)
            moment = Moment(calendar, reached.session, reached.moment)
            await Turn(run, holdings, working, known, self._slate, moment, page).leave(command.reason, command.command_id)


def _valid(strategy: type[Strategy], parameters: dict[str, Any]) -> dict[str, str] | Misunderstood:
    """The parameters as they hold, as JSON by name; or the first that is wrong."""
    try:
        make_strategy(strategy, parameters)
        return {name: json.dumps(value) for name, value in parameters_told(strategy, parameters).items()}
    except ValidationError as error:
        one = error.errors()[0]
        part = ".".join(str(part) for part in one["loc"])
        return Misunderstood("PARAMETERS", part, 0, one["msg"], (*strategy.parameters.model_fields, EXITS))


def _account_for(form: RunForm, asked: ProposalAsked, accounts: list[Account]) -> Account | Misunderstood:
    """The account that was named, or the one at the broker with most that is free."""
    known = tuple(f"{one.account_id} at {one.broker}" for one in accounts)
    if asked.account_id is not None:
        found = next((one for one in accounts if one.account_id == asked.account_id), None)
        if found is None:
            return Misunderstood("ACCOUNT_UNKNOWN", asked.account_id, 0, "there is no such account of yours", known)
        if form.broker and found.broker != form.broker:
            return Misunderstood("ACCOUNT_BROKER", asked.account_id, 0, f"this account is at {found.broker}, not at {form.broker}", known)
        return found
    there = [one for one in accounts if form.broker in ("", one.broker)]
    if not there:
        at = form.sentence().find(form.broker)
        return Misunderstood("ACCOUNT_UNKNOWN", form.broker, at, "you have no account at this broker", known)
    return max(there, key=lambda one: one.free.amount if one.free.currency == form.capital.currency else Decimal(-1))


def _capital_problem(capital: Money, account: Account) -> Misunderstood | None:
    if capital.currency != account.cash.currency:
        why = f"{account.account_id} holds {account.cash.currency}"
        return Misunderstood("CAPITAL_CURRENCY", str(capital), 0, why, (account.cash.currency,))
    if capital.amount <= 0:
        return Misunderstood("CAPITAL", str(capital), 0, "a run has a capital above zero")
    if capital > account.free:
        why = f"{account.free} of the {account.cash} on {account.account_id} are free; runs at work have the rest: stop one, or take less"
        return Misunderstood("ENVELOPE_EXCEEDS_CASH", str(capital), 0, why)
    return None


async def _withdraw_entries(run: Run, reason: str, page: Page) -> None:
    """Take the decisions back whose entries are under way; what of them fills all the same is left or kept like the rest."""
    for signal_id in await SignalsStore(page.connection).opening_of(run.run_id):
        page.say(
            SignalWithdrawn(
                signal_id=signal_id,
                run_id=run.run_id,
                user_id=run.user_id,
                account_id=run.account_id,
                reason=f"the run was stopped: {reason}",
            ),
            identity=("withdrawn", signal_id),
        )


def _notes(strategy: type[Strategy], form: RunForm, account: Account) -> tuple[str, ...]:
    notes = [f"needs {', '.join(strategy.catalogue.needs)}"]
    least = strategy.catalogue.capital_min
    if least.currency == form.capital.currency and form.capital < least:
        notes.append(f"{strategy.title} is meant for {least} and more")
    notes.append("a paper account: no real money" if account.paper else "a live account: real orders, once live trading is armed on it")
    return tuple(notes)


def _misunderstood(found: NotUnderstood) -> Misunderstood:
    return Misunderstood("NOT_UNDERSTOOD", found.part, found.position, found.why, found.possible)


def _fraction(text: str | None) -> Decimal | Misunderstood | None:
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    return value if value.is_finite() and 0 <= value <= FRACTION_MAX else Misunderstood("FRACTION", text, 0, "a fraction is written 0.2")


def _rules(command: StartRun) -> CycleRules | None:
    """Raises ValueError when the fractions are none."""
    target, reinvest = _fraction(command.profit_target), _fraction(command.reinvest)
    if isinstance(target, Misunderstood) or isinstance(reinvest, Misunderstood):
        raise ValueError("profit target and reinvestment are fractions such as 0.2")
    if target is None:
        return None
    chosen = reinvest if reinvest is not None else REINVEST
    if not target or chosen > 1:
        raise ValueError(f"a profit target is above zero and a reinvested part between 0 and 1, got {target} and {chosen}")
    return CycleRules(target, chosen)
