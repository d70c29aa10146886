"""qm backtest: run a strategy of the slot over the bars of the feed; what strategies there are, and what a sentence means."""

from functools import partial
from typing import Annotated

import typer

from quantmatrix.operations.backtests import catalogue, titles
from quantmatrix.operations.commands import backtests_stored, looking_ahead, sweeping
from quantmatrix.operations.commands.backtest_options import Order, Ready, ordered, progress_bar, refusals
from quantmatrix.operations.commands.backtest_telling import hand_over
from quantmatrix.operations.commands.backtests_working import worked
from quantmatrix.operations.commands.common import AsJson, run
from quantmatrix.operations.output import Exit, fail, tell_json, tell_table
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.run import refuse_unless_possible
from quantmatrix.signals.domain.sentence import NotUnderstood, RunForm, read_sentence
from quantmatrix.signals.stored.repeating import computed
from quantmatrix.signals.stored.wanted import wanted

app = typer.Typer(name="backtest", help="Run strategies over past bars, with the code that runs live.", no_args_is_help=True)


@app.command("run")
@ordered
def run_command(order: Order) -> None:
    """Run one strategy over the bars of the feed (QM_MARKET_FEED), store it, and print its figures and digest."""
    with refusals(as_json=order.as_json):
        ready = order.ready()
        refuse_unless_possible(ready.strategy, ready.past, ready.job)
        number, record = _ran(ready, order)
    hand_over(record, number, order.page, order.folder, order.kind, as_json=order.as_json)


def _ran(ready: Ready, order: Order) -> tuple[int | None, Record]:
    asked = wanted(ready.job, strategy=order.strategy, symbols=ready.symbols, feed=ready.feed)
    compute = partial(computed, ready.strategy, ready.past, asked, bar_limit_s=order.bar_limit_s)
    if order.store:
        return run(worked(asked, ready.past, lambda at: compute(at.progress), as_json=order.as_json), as_json=order.as_json)
    with progress_bar() as progress:
        task = progress.add_task(ready.strategy.name, total=1)
        moved = partial(progress.update, task)
        return None, compute(lambda done, total: moved(completed=done, total=total))


@app.command("strategies")
def strategies_command(as_json: AsJson = False) -> None:
    """Every strategy of the slot: what it is, what it needs; with --json the schema of its parameters too."""
    found = catalogue()
    if as_json:
        tell_json({"strategies": found})
        return
    columns = ("name", "summary", "complexity", "needs")
    tell_table("Strategies", columns, [[", ".join(one[name]) if name == "needs" else one[name] for name in columns] for one in found])


@app.command("sentence")
def sentence_command(
    text: Annotated[str, typer.Argument(help='Such as "run ATR Matrix on paper, $10k, 20% profit, 80% reinvest".')],
    as_json: AsJson = False,
) -> None:
    """Say what a sentence that starts a run means, without starting anything."""
    found = read_sentence(text, titles())
    if isinstance(found, NotUnderstood):
        fail(Exit.CONFIGURATION, str(found), as_json=as_json)
    form = {name: str(value) for name in RunForm.__dataclass_fields__ if (value := getattr(found, name)) is not None}
    if as_json:
        tell_json({**form, "sentence": found.sentence()})
    else:
        tell_table(found.sentence(), ("", "value"), list(form.items()))


app.command("list")(backtests_stored.list_command)
app.command("show")(backtests_stored.show_command)
app.command("repeat")(backtests_stored.repeat_command)
app.command("compare")(backtests_stored.compare_command)
app.command("cancel")(backtests_stored.cancel_command)
app.command("lookahead")(looking_ahead.lookahead_command)
app.command("sweep")(sweeping.sweep_command)
app.command("walk-forward")(sweeping.walk_forward_command)
app.command("resume")(sweeping.resume_command)
app.command("monte-carlo")(sweeping.monte_carlo_command)
