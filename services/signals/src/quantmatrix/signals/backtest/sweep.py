"""A sweep: one strategy over every combination of some parameters, each a whole backtest, the highest Sharpe ratio first, and deflated."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from quantmatrix.common.statistics import returns_of
from quantmatrix.common.values import plain
from quantmatrix.signals.backtest.doubt import Moments, deflated, moments_of, spread_of
from quantmatrix.signals.backtest.history import BacktestError, History, bars_needed
from quantmatrix.signals.backtest.run import Job, backtest, made, refuse_unless_possible
from quantmatrix.signals.backtest.workers import spread
from quantmatrix.signals.ports import ColumnStrategy, Strategy

COMBINATIONS_MAX = 1_000
Shared = tuple[type[Strategy], Sequence[History], Job]


@dataclass(frozen=True, slots=True)
class Tried:
    """One combination. chosen: its values of the grid; figures: curve, closed_trades, equity, moments; all plain values.

    deflated: its Sharpe ratio deflated by all that were tried, a probability (`doubt.deflated`).
    """

    number: int
    chosen: Mapping[str, Any]
    figures: Mapping[str, Any]
    digest: str
    deflated: float | None = None

    @property
    def sharpe(self) -> float | None:
        found: float | None = self.figures["curve"]["sharpe"]
        return found


@dataclass(frozen=True, slots=True)
class Watch:
    """What somebody wants to hear of a sweep: each combination that is done, and how many of how many, a few times a second."""

    on_tried: Callable[[Tried], None] = lambda _: None
    on_progress: Callable[[int, int], None] = lambda _, __: None


def combinations(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination, by the names of the grid and then in the order of their values, so that their numbers never depend
    on how the grid was stored. Raises BacktestError for none or more than a thousand.
    """
    names = sorted(grid)
    found = [dict(zip(names, values, strict=True)) for values in itertools.product(*(grid[name] for name in names))]
    if not grid or not 1 <= len(found) <= COMBINATIONS_MAX:
        raise BacktestError(f"a sweep has 1 to {COMBINATIONS_MAX} combinations, got {len(found) if grid else 0}")
    return found


def refuse_unless_all_possible(strategy: type[Strategy], histories: Sequence[History], job: Job, grid: Mapping[str, Sequence[Any]]) -> None:
    """Every combination must make a strategy, and the bars must do, before any is run. Raises BacktestError."""
    wanted = [{**job.parameters, **chosen} for chosen in combinations(grid)]
    hungriest = max(wanted, key=lambda parameters: bars_needed(made(strategy, parameters)))
    refuse_unless_possible(strategy, histories, replace(job, parameters=hungriest))


def sweep(
    strategy: type[Strategy],
    histories: Sequence[History],
    job: Job,
    grid: Mapping[str, Sequence[Any]],
    watch: Watch | None = None,
    *,
    known: Sequence[Tried] = (),
    workers: int = 1,
) -> list[Tried]:
    """Run every combination over the same bars; the highest Sharpe ratio first. known: those that need not be run again.

    The outcome does not depend on the number of workers. Only figures are kept of each, so that memory does not grow with
    the bars. Raises BacktestError that names a combination when one fails.
    """
    refuse_unless_all_possible(strategy, histories, job, grid)
    watch = watch or Watch()
    wanted = list(enumerate(combinations(grid), start=1))
    done = {one.number: one for one in known}
    missing = [task for task in wanted if task[0] not in done]

    def keep(_: int, one: Tried) -> None:
        done[one.number] = one
        watch.on_tried(one)
        watch.on_progress(len(done), len(wanted))

    def tick() -> None:
        watch.on_progress(len(done), len(wanted))

    tick()
    if _in_columns(strategy, histories, job, wanted[0][1]):
        from quantmatrix.signals.backtest.column_sweep import spread_over_threads  # noqa: PLC0415 - NumPy is loaded where it computes

        shared = (strategy, histories, job)
        spread_over_threads(lambda task: tried(shared, task), missing, workers, lambda one: keep(0, one), tick)
    else:
        spread(tried, (strategy, histories, job), missing, workers=workers, on_done=keep, on_tick=tick)
    return ranked(list(done.values()))


def _in_columns(strategy: type[Strategy], histories: Sequence[History], job: Job, chosen: Mapping[str, Any]) -> bool:
    """Whether the combinations go by columns, where threads share what they have in common."""
    one = made(strategy, {**job.parameters, **chosen})
    if len(histories) != 1 or not isinstance(one, ColumnStrategy):
        return False
    from quantmatrix.signals.backtest.columns import runs_in_columns  # noqa: PLC0415 - NumPy is loaded where it computes

    return runs_in_columns(one, histories[0], job.rules)


def tried(shared: Shared, task: tuple[int, Mapping[str, Any]]) -> Tried:
    """Run one combination. Raises BacktestError with its parameters."""
    (strategy, histories, job), (number, chosen) = shared, task
    job = replace(job, parameters={**job.parameters, **chosen})
    try:
        if len(histories) == 1 and hasattr(strategy, "may_enter"):
            from quantmatrix.signals.backtest.column_sweep import figures_in_columns  # noqa: PLC0415 - NumPy is loaded where it computes

            found = figures_in_columns(strategy, histories[0], job)
            if found is not None:
                return Tried(number, dict(chosen), *found)
        result = backtest(strategy, histories, job)
    except BacktestError as error:
        raise type(error)(f"with {', '.join(f'{name}={value}' for name, value in chosen.items())}: {error}") from error
    equity = result.outcome.curve[-1].equity
    returns = returns_of(float(job.cash.amount), [float(point.equity.amount) for point in result.outcome.curve])
    figures = {
        "curve": asdict(result.curve),
        "closed_trades": asdict(result.closed),
        "equity": plain(equity.amount),
        "fees": plain(result.fees.amount),
        "moments": asdict(moments_of(returns)),
    }
    return Tried(number, dict(chosen), figures, result.digest)


def ranked(found: Sequence[Tried]) -> list[Tried]:
    """The highest Sharpe ratio first, each deflated by all of them."""
    moments = [Moments(**one.figures["moments"]) for one in found]
    luck = spread_of([one.sharpe for one in moments])
    judged = [replace(one, deflated=deflated(own, luck, len(found))) for one, own in zip(found, moments, strict=True)]
    return sorted(judged, key=lambda one: (-(one.sharpe if one.sharpe is not None else float("-inf")), one.number))
