"""A look-ahead check in parts of some cuts each, which may be computed anywhere, and the record that they come to."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import date
from typing import Any

import polars as pl

from quantmatrix.common.runtime.canonical import digest_rows
from quantmatrix.signals.backtest.history import BacktestError, History
from quantmatrix.signals.backtest.limits import Place, limited
from quantmatrix.signals.backtest.lookahead import FINDINGS_MAX, Finding, looked_at
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.run import Job, made, refuse_unless_possible
from quantmatrix.signals.backtest.summary import asked_of, digest_of_parts
from quantmatrix.signals.backtest.sweep import Shared, Tried, Watch
from quantmatrix.signals.backtest.workers import spread
from quantmatrix.signals.ports import Strategy

KIND = "lookahead"
CUTS_MAX = 10_000
PARTS_MAX = 10
"""So many parts an instrument at most: each of them walks its whole history once."""
CUTS_IN_A_PART = 50
SAID = (
    "The history is cut at each of these bars; every column there, and what is decided flat, freshly bought and sold down, must be, to the "
    "last bit, what it is with all later bars."
)
Task = tuple[int, Mapping[str, Any]]


def check_cuts(cuts: int) -> None:
    """Raises BacktestError for a number of cuts that cannot be."""
    if not 1 <= cuts <= CUTS_MAX:
        raise BacktestError(f"a look-ahead check cuts each history at 1 to {CUTS_MAX} bars, got {cuts}")


def tasks_of_check(sessions: Mapping[str, Sequence[date]], cuts: int, first: date | None, last: date | None) -> list[Task]:
    """The last `cuts` bars of each instrument in the period, numbered in parts by symbol. sessions: of every bar, by symbol.

    Of each part the symbol, and its first and last bar, counted from one. Raises BacktestError when nothing can be cut.
    """
    check_cuts(cuts)
    found = []
    for symbol, days in sorted(sessions.items()):
        end = len(days) if last is None else bisect_right(days, last)
        begin = max(end - cuts, 0 if first is None else bisect_left(days, first))
        size = max(CUTS_IN_A_PART, -(-cuts // PARTS_MAX))
        found += [{"symbol": symbol, "first": at + 1, "last": min(at + size, end)} for at in range(begin, end, size)]
    if not found:
        raise BacktestError(f"there are no bars between {first} and {last} to cut at")
    return list(enumerate(found, start=1))


def tasks_on(histories: Iterable[History], job: Job, cuts: int) -> list[Task]:
    """The parts of a check on these histories."""
    return tasks_of_check({one.symbol: one.sessions for one in histories}, cuts, job.first, job.last)


def checked(shared: Shared, task: Task) -> Tried:
    """Compute one part. Raises BacktestError with the bar on which the strategy fails or does not come back."""
    (strategy, histories, job), (number, chosen) = shared, task
    history = next(one for one in histories if one.symbol == chosen["symbol"])
    with nullcontext(Place()) if job.bar_limit_s is None else limited(job.bar_limit_s) as place:

        def moved() -> None:
            place.number += 1

        looked = looked_at(
            lambda: made(strategy, job.parameters), history, chosen["first"], chosen["last"], equity=job.cash.amount, moved=moved
        )
    found = [[str(one.session), one.where, one.known_then, one.known_later] for one in looked.findings]
    figures = {"decided": looked.decided, "findings": found}
    rows = [(chosen["symbol"], chosen["first"], chosen["last"], looked.decided), *(tuple(one) for one in found)]
    return Tried(number, dict(chosen), figures, digest_rows({"part": rows}))


def check(
    strategy: type[Strategy],
    histories: Sequence[History],
    job: Job,
    cuts: int,
    watch: Watch | None = None,
    *,
    known: Sequence[Tried] = (),
    workers: int = 1,
) -> list[Tried]:
    """Every part, by number. known: those that need not be computed again. Raises BacktestError with the place of whatever is wrong."""
    refuse_unless_possible(strategy, histories, job)
    watch, tasks = watch or Watch(), tasks_on(histories, job, cuts)
    done = {one.number: one for one in known}

    def keep(_: int, one: Tried) -> None:
        done[one.number] = one
        watch.on_tried(one)
        watch.on_progress(len(done), len(tasks))

    def tick() -> None:
        watch.on_progress(len(done), len(tasks))

    tick()
    missing = [task for task in tasks if task[0] not in done]
    spread(checked, (strategy, histories, job), missing, workers=workers, on_done=keep, on_tick=tick)
    return [done[number] for number, _ in tasks]


def record_of_check(strategy: type[Strategy], histories: Sequence[History], job: Job, cuts: int, parts: Sequence[Tried]) -> Record:
    """Per instrument what was cut and what changed; the digest covers every part's own digest."""
    findings = _first_of_each(strategy.name, parts)
    looked = [
        {
            "symbol": one.symbol,
            "bars": len(one.bars),
            "cuts": sum(part.chosen["last"] - part.chosen["first"] + 1 for part in parts if part.chosen["symbol"] == one.symbol),
            "decided": sum(part.figures["decided"] for part in parts if part.chosen["symbol"] == one.symbol),
            "changed": sum(finding.symbol == one.symbol for finding in findings),
        }
        for one in sorted(histories, key=lambda history: history.symbol)
    ]
    told = {
        **asked_of(strategy, histories, job),
        "assumptions": [SAID],
        "kind": KIND,
        "cuts_max": cuts,
        "cuts": sum(one["cuts"] for one in looked),
        "decided": sum(one["decided"] for one in looked),
        "changed": len(findings),
        "clean": not findings,
        "findings": [str(one) for one in findings[:FINDINGS_MAX]],
        "looked": looked,
    }
    digest = digest_of_parts(told, [(cuts,), *((part.number, part.chosen["symbol"], part.digest) for part in parts)])
    return Record({**told, "digest": digest}, {"looked": pl.DataFrame(looked), "changes": _table_of(findings)})


def _first_of_each(strategy: str, parts: Sequence[Tried]) -> list[Finding]:
    """The first change of each column and of decisions, instrument by instrument."""
    found: dict[tuple[str, str], Finding] = {}
    for part in sorted(parts, key=lambda one: one.number):
        symbol = part.chosen["symbol"]
        for session, where, then, later in part.figures["findings"]:
            found.setdefault((symbol, where), Finding(strategy, symbol, date.fromisoformat(session), where, then, later))
    return list(found.values())


def _table_of(findings: Sequence[Finding]) -> pl.DataFrame:
    text = dict.fromkeys(("where", "known_then", "known_later"), pl.String)
    rows = [(one.symbol, one.session, one.where, one.known_then, one.known_later) for one in findings]
    return pl.DataFrame(rows, schema={"symbol": pl.String, "session": pl.Date, **text}, orient="row")
