"""qm backtest list, show, repeat, compare, cancel: what was stored, and whether it comes out the same again."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.clock import SystemClock
from quantmatrix.operations.backtests import strategy_called
from quantmatrix.operations.commands.backtest_options import Folder, Id, Kind, Page, check_places, progress_bar, refusals, rounded
from quantmatrix.operations.commands.backtest_telling import hand_over
from quantmatrix.operations.commands.backtests_working import data_of, found, record_of_stored, store_of_backtests
from quantmatrix.operations.commands.common import AsJson, run
from quantmatrix.operations.output import Exit, out, tell_json, tell_table
from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.stored.comparing import compared
from quantmatrix.signals.stored.repeating import as_it_was, computed, cores
from quantmatrix.signals.stored.store import LISTED_MAX, Backtest
from quantmatrix.signals.stored.wanted import what_differs

Limit = Annotated[int, typer.Option(min=1, max=LISTED_MAX, help="How many at most, the latest first.")]
Ids = Annotated[list[int], typer.Argument(metavar="ID ID…", help="Numbers of two or more stored backtests.")]


def list_command(limit: Limit = 20, as_json: AsJson = False) -> None:
    """The stored backtests, the latest first."""

    async def listed() -> list[Backtest]:
        async with store_of_backtests(as_json=as_json) as store:
            return await store.listed(FIRST_ADMINISTRATOR, SystemClock().now(), limit=limit)

    rows = [_line(one) for one in run(listed(), as_json=as_json)]
    if as_json:
        tell_json({"backtests": rows})
        return
    columns = ("id", "at", "kind", "strategy", "symbols", "state", "total_return", "sharpe", "max_drawdown", "trades", "error")
    shown = [[rounded(", ".join(one[name]) if name == "symbols" else one[name]) for name in columns] for one in rows]
    tell_table("Stored backtests", columns, shown, right=columns[6:10])


def _line(one: Backtest) -> dict[str, Any]:
    figures = one.figures or {}
    curve, closed = figures.get("curve", {}), figures.get("closed_trades", {})
    return {
        "id": one.backtest_id,
        "at": one.created_at.isoformat(timespec="seconds"),
        "kind": one.wanted.kind,
        "strategy": one.wanted.strategy,
        "symbols": list(one.wanted.symbols),
        "state": one.state,
        "done": one.done,
        "total": one.total,
        "total_return": curve.get("total_return"),
        "sharpe": curve.get("sharpe"),
        "max_drawdown": curve.get("max_drawdown"),
        "trades": closed.get("trades"),
        "digest": one.digest,
        "error": one.error,
    }


def show_command(number: Id, page: Page = None, folder: Folder = None, kind: Kind = "csv", as_json: AsJson = False) -> None:
    """Show a stored backtest again: its figures, its page with plots (--report), its tables (--save)."""

    async def shown() -> tuple[Backtest, Record]:
        check_places(kind, page, folder)
        async with store_of_backtests(as_json=as_json) as store:
            return await record_of_stored(store, number)

    one, record = _known(lambda: run(shown(), as_json=as_json), as_json=as_json)
    hand_over(record, one.backtest_id, page, folder, kind, as_json=as_json)
    if not as_json:
        out.print(f"Code {one.code.digest[:12]}, revision {one.code.revision or 'unknown'}", highlight=False)


def repeat_command(number: Id, as_json: AsJson = False) -> None:
    """Run a stored backtest again. Exit code 1 when it comes out otherwise, with what differs: code, data, parameters."""

    async def stored() -> Backtest:
        async with store_of_backtests(as_json=as_json) as store:
            one = await found(store, number)
        if one.figures is None:
            raise BacktestError(f"backtest {number} is {one.state}, it has nothing to be compared with")
        return one

    def again() -> tuple[Backtest, dict[str, Any]]:
        one = run(stored(), as_json=as_json)
        strategy = strategy_called(one.wanted.strategy)
        past = as_it_was(strategy, data_of(one.wanted), one.wanted, one.figures or {})
        with progress_bar() as progress:
            task = progress.add_task(one.wanted.strategy, total=1)
            record = computed(
                strategy,
                past,
                one.wanted,
                lambda done, total: progress.update(task, completed=done, total=total),
                workers=cores(),
            )
        return one, dict(record.figures)

    one, figures = _known(again, as_json=as_json)
    was = one.figures or {}
    differs = what_differs(was, figures)
    said = {
        "id": number,
        "same": not differs,
        "differs": differs,
        "digest": figures["digest"],
        "digest_stored": was["digest"],
        "same_trades": figures.get("trades_digest") == was.get("trades_digest"),
    }
    if as_json:
        tell_json(said)
    elif differs:
        trades = "The trades are the same." if said["same_trades"] else "The trades are not the same."
        out.print(f"Not the same: {', '.join(differs)} differs. {trades}", highlight=False)
    else:
        out.print(f"The same: {figures['digest']}", highlight=False)
    if differs:
        raise typer.Exit(Exit.ERROR)


def compare_command(numbers: Ids, as_json: AsJson = False) -> None:
    """Put stored backtests side by side: their figures, and what they were asked differently."""

    async def all_of_them() -> list[tuple[int, Record]]:
        if len(set(numbers)) < 2:
            raise BacktestError("name two or more different backtests to compare")
        async with store_of_backtests(as_json=as_json) as store:
            return [(number, (await record_of_stored(store, number))[1]) for number in dict.fromkeys(numbers)]

    records = _known(lambda: run(all_of_them(), as_json=as_json), as_json=as_json)
    rows = compared([record.figures for _, record in records])
    if as_json:
        tell_json({"ids": [number for number, _ in records], "rows": [{"name": name, "values": values} for name, values in rows]})
        return
    heads = ("", *(str(number) for number, _ in records))
    tell_table("Compared", heads, [[name, *_spelled(values)] for name, values in rows], right=heads[1:])


def _spelled(values: Sequence[Any]) -> list[object]:
    return [rounded(value) for value in values]


def cancel_command(number: Id, as_json: AsJson = False) -> None:
    """Cancel a backtest that waits or is at work; finished parts of a sweep stay."""

    async def cancelled() -> bool:
        async with store_of_backtests(as_json=as_json) as store:
            await found(store, number)
            return await store.cancel(number, SystemClock().now())

    done = _known(lambda: run(cancelled(), as_json=as_json), as_json=as_json)
    if as_json:
        tell_json({"id": number, "cancelled": done})
    else:
        out.print(f"Backtest {number} is cancelled" if done else f"Backtest {number} had ended before", highlight=False)


def _known(work: Callable[[], Any], *, as_json: bool) -> Any:
    """What can be wrong with a backtest, as a sentence and an exit code."""
    with refusals(as_json=as_json):
        return work()
