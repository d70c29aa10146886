"""qm run and qm runs: strategy runs from the command line, on behalf of a user of this machine."""

from typing import Annotated
from uuid import UUID

import typer

from quantmatrix.common.contracts.asking.runs import (
    Proposal,
    ProposalAsked,
    Proposed,
    RunChangeAsked,
    RunDetail,
    RunDetails,
    RunDetailsAsked,
    RunFundAsked,
    RunStartAsked,
    RunTaken,
    Verdicts,
    VerdictsAsked,
    VerdictTold,
)
from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.names import AccountId, RunAct, RunId
from quantmatrix.common.values import Money, NotExactError
from quantmatrix.operations.backtests import parameters_as_json
from quantmatrix.operations.commands.common import AsJson, asking_services, places, run
from quantmatrix.operations.output import Exit, fail, out, tell_json, tell_table
from quantmatrix.operations.places import Places
from quantmatrix.signals.backtest.history import BacktestError

app = typer.Typer(help="Strategy runs: what they own, and pausing, resuming and stopping them.", no_args_is_help=True)
VERDICTS_SHOWN = 20
CURRENCY = "USD"
Account = Annotated[str, typer.Option("--account", help="Which account; the one with most free cash at the broker when left out.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter beside what the sentence says.")]
Which = Annotated[str, typer.Argument(metavar="RUN", help="The beginning of its id, as 'qm runs list' shows it.")]
Why = Annotated[str, typer.Option("--reason", help="It stands in the audit trail.")]


def start_command(
    sentence: Annotated[str, typer.Argument(help='Such as "run ATR Matrix on paper, $10k, 20% profit, 80% reinvest".')],
    account: Account = "",
    given: Set = None,
    yes: Annotated[bool, typer.Option("--yes", help="Start without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a strategy run: say what the sentence means, ask, and start it."""
    try:
        parameters = parameters_as_json(given or ())
    except BacktestError as error:
        fail(Exit.CONFIGURATION, str(error), as_json=as_json)
    where = places(as_json=as_json)
    asked = ProposalAsked(
        user_id=FIRST_ADMINISTRATOR, sentence=sentence, account_id=AccountId(account) if account else None, parameters=parameters
    )
    found = run(_proposed(where, asked, as_json=as_json), as_json=as_json)
    if found.proposal is None:
        fail(Exit.CONFIGURATION, _problem(found), as_json=as_json)
    if not as_json:
        _show_proposal(found.proposal)
    if not yes and (as_json or not typer.confirm("Start this run?")):
        fail(Exit.ERROR, "nothing was started; say --yes to start without being asked", as_json=as_json)
    start = RunStartAsked(sentence=sentence, account_id=found.proposal.account_id, parameters=parameters)
    taken = run(_started(where, start, as_json=as_json), as_json=as_json)
    _taken(taken, as_json=as_json)


@app.command("list")
def list_runs(as_json: AsJson = False) -> None:
    """Every run of the first administrator, those at work first."""
    found = run(_runs(places(as_json=as_json), None, as_json=as_json), as_json=as_json)
    if as_json:
        tell_json({"runs": [_as_json(one) for one in found.runs]})
        return
    rows = [
        (
            str(one.run_id)[:8],
            one.strategy,
            one.account_id,
            one.state,
            one.base,
            one.cash,
            one.realised,
            one.reserve,
            one.cycle,
            len(one.holdings),
        )
        for one in found.runs
    ]
    tell_table("Runs", ("run", "strategy", "account", "state", "capital", "free", "realised", "put aside", "cycles", "positions"), rows)


@app.command("show")
def show_run(which: Which, as_json: AsJson = False) -> None:
    """One run with the rows of its ledger, and of a bot what it made of its latest bars."""
    where = places(as_json=as_json)
    one = _find(where, which, as_json=as_json)
    (full,) = run(_runs(where, one.run_id, as_json=as_json), as_json=as_json).runs
    verdicts = run(_verdicts(where, one.run_id, as_json=as_json), as_json=as_json).verdicts
    if as_json:
        tell_json({**_as_json(full), "verdicts": [_verdict_as_json(verdict) for verdict in verdicts]})
        return
    tell_table(
        f"{full.strategy} on {full.account_id}",
        ("", "value"),
        [(name, value) for name, value in _as_json(full).items() if name != "ledger"],
    )
    columns = ("number", "kind", "cash", "invested", "base", "reserve", "realised")
    tell_table("Its ledger", ("no", *columns[1:]), [[getattr(row, name) for name in columns] for row in full.bookings])
    if verdicts:
        told = [
            (
                one.session,
                one.instrument.symbol,
                one.action,
                f"{one.score:+.3f}",
                one.temperature.lower(),
                one.readiness,
                one.code,
                one.detail,
            )
            for one in verdicts
        ]
        tell_table("What it made of its latest bars", ("session", "symbol", "wants", "score", "warmth", "stands", "gate", "figures"), told)


@app.command("pause")
def pause(which: Which, reason: Why = "paused by the operator", as_json: AsJson = False) -> None:
    """Enter nothing more; what is held is still left by the strategy's own rules."""
    _change(which, RunAct.PAUSE, reason, as_json=as_json)


@app.command("resume")
def resume(which: Which, reason: Why = "resumed by the operator", as_json: AsJson = False) -> None:
    """Go on after a pause."""
    _change(which, RunAct.RESUME, reason, as_json=as_json)


@app.command("stop")
def stop(
    which: Which,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the positions on the account instead of selling them.")] = False,
    reason: Why = "stopped by the operator",
    as_json: AsJson = False,
) -> None:
    """Stop for good: sell what it holds, or keep it."""
    _change(which, RunAct.KEEP if keep else RunAct.FLATTEN, reason, as_json=as_json)


@app.command("fund", context_settings={"ignore_unknown_options": True})
def fund(
    which: Which,
    amount: Annotated[str, typer.Argument(help="Such as 500, or -500 to take back.")],
    reason: Why = "changed by the operator",
    as_json: AsJson = False,
) -> None:
    """Give a run more of the account's free cash, or take free capital back."""
    try:
        wanted = Money.parse(amount.removeprefix("+"), CURRENCY)
    except NotExactError as error:
        fail(Exit.CONFIGURATION, f"{amount!r} is no amount: {error}", as_json=as_json)
    where = places(as_json=as_json)
    one = _find(where, which, as_json=as_json)
    taken = run(_funded(where, RunFundAsked(run_id=one.run_id, amount=wanted, reason=reason), as_json=as_json), as_json=as_json)
    _taken(taken, as_json=as_json)


def _change(which: str, act: RunAct, reason: str, *, as_json: bool) -> None:
    where = places(as_json=as_json)
    one = _find(where, which, as_json=as_json)
    taken = run(_changed(where, RunChangeAsked(run_id=one.run_id, act=act, reason=reason), as_json=as_json), as_json=as_json)
    _taken(taken, as_json=as_json)


def _find(where: Places, which: str, *, as_json: bool) -> RunDetail:
    """The one run whose id begins like this."""
    known = run(_runs(where, None, as_json=as_json), as_json=as_json).runs
    found = [one for one in known if str(one.run_id).startswith(which.lower())]
    if len(found) != 1:
        what = "no run" if not found else f"{len(found)} runs"
        fail(Exit.NOT_FOUND, f"{what} begin with {which!r}; see 'qm runs list'", as_json=as_json)
    return found[0]


def _show_proposal(found: Proposal) -> None:
    rows = [("account", f"{found.account_id} at {found.broker}"), ("capital", f"{found.capital}, {found.free} are free")]
    if found.profit_target is not None:
        rows.append(("cycle", f"ends at {found.profit_target} of profit, {found.reinvest} of it is reinvested"))
    rows += [(name, value + (" (said)" if name in found.chosen else "")) for name, value in found.parameters.items()]
    tell_table(found.sentence, ("", "value"), rows)
    for note in found.notes:
        out.print(f"· {note}", highlight=False)


def _problem(found: Proposed) -> str:
    problem = found.problem
    if problem is None:
        return "this is not understood"
    offered = f"; possible: {', '.join(problem.possible)}" if problem.possible else ""
    return f"{problem.part!r} at {problem.position + 1}: {problem.why}{offered}"


def _taken(taken: RunTaken, *, as_json: bool) -> None:
    told = {"run_id": str(taken.run_id), "account_id": taken.account_id, "what": taken.what}
    if as_json:
        tell_json(told)
    else:
        out.print(f"{taken.what} of run {str(taken.run_id)[:8]} is on its way; 'qm runs list' shows it", highlight=False)


def _as_json(one: RunDetail) -> dict[str, object]:
    told = {name: getattr(one, name) for name in one.__struct_fields__ if name not in ("holdings", "bookings", "acts")}
    return {
        **{name: value if value is None or isinstance(value, int | dict) else str(value) for name, value in told.items()},
        "acts": [str(act) for act in one.acts],
        "holdings": {held.instrument.symbol: str(held.quantity) for held in one.holdings},
        "ledger": [{name: str(getattr(row, name)) for name in row.__struct_fields__} for row in one.bookings],
    }


def _verdict_as_json(one: VerdictTold) -> dict[str, object]:
    told = {name: getattr(one, name) for name in one.__struct_fields__ if name not in ("instrument", "reasons")}
    figures = {name: value if isinstance(value, float) else str(value) for name, value in told.items()}
    return {"symbol": one.instrument.symbol, **figures, "reasons": [reason.text for reason in one.reasons]}


async def _verdicts(where: Places, run_id: RunId, *, as_json: bool) -> Verdicts:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("signals", VerdictsAsked(user_id=FIRST_ADMINISTRATOR, run_id=run_id, limit=VERDICTS_SHOWN))


async def _proposed(where: Places, asked: ProposalAsked, *, as_json: bool) -> Proposed:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("signals", asked)


async def _started(where: Places, asked: RunStartAsked, *, as_json: bool) -> RunTaken:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("gateway", asked)


async def _funded(where: Places, asked: RunFundAsked, *, as_json: bool) -> RunTaken:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("gateway", asked)


async def _changed(where: Places, asked: RunChangeAsked, *, as_json: bool) -> RunTaken:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("gateway", asked)


async def _runs(where: Places, run_id: UUID | None, *, as_json: bool) -> RunDetails:
    async with asking_services(where, as_json=as_json) as ask:
        return await ask("signals", RunDetailsAsked(user_id=FIRST_ADMINISTRATOR, run_id=run_id))
