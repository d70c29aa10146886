"""A sweep: one strategy over every combination of some parameters, each a whole backtest, the highest Sharpe ratio first, and deflated."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from quantmatrix.common.statistics import SESSIONS_PER_YEAR, returns_of
from quantmatrix.signals.backtest.doubt import deflated_sharpe
from quantmatrix.signals.backtest.history import BacktestError, History
from quantmatrix.signals.backtest.result import Result
from quantmatrix.signals.backtest.run import Job, backtest, made
from quantmatrix.signals.ports import Strategy

COMBINATIONS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Tried:
    """One combination. deflated: its Sharpe ratio deflated by all that were tried, a probability (`doubt.deflated`)."""

    parameters: Mapping[str, Any]
    result: Result
    deflated: float | None = None


def combinations(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination, in the order of the grid. Raises BacktestError for none or more than a thousand."""
    found = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    if not grid or not 1 <= len(found) <= COMBINATIONS_MAX:
        raise BacktestError(f"a sweep has 1 to {COMBINATIONS_MAX} combinations, got {len(found) if grid else 0}")
    return found


def sweep(
    strategy: type[Strategy],
    histories: Sequence[History],
    job: Job,
    grid: Mapping[str, Sequence[Any]],
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Tried]:
    """Run every combination over the same bars; the highest Sharpe ratio first. Each must make a strategy before any is run."""
    wanted = [{**job.parameters, **one} for one in combinations(grid)]
    for parameters in wanted:
        made(strategy, parameters)
    tried = []
    for done, parameters in enumerate(wanted, start=1):
        tried.append(Tried(parameters, backtest(strategy, histories, replace(job, parameters=parameters))))
        if on_progress is not None:
            on_progress(done, len(wanted))
    return sorted(_doubted(tried), key=lambda one: (-(one.result.curve.sharpe or float("-inf")), repr(sorted(one.parameters.items()))))


def _doubted(tried: Sequence[Tried]) -> Iterator[Tried]:
    """With the deflated Sharpe ratio of each."""
    per_session = [(one.result.curve.sharpe or 0.0) / SESSIONS_PER_YEAR**0.5 for one in tried]
    for one in tried:
        opening = float(one.result.asked.cash.amount)
        returns = returns_of(opening, [float(point.equity.amount) for point in one.result.outcome.curve])
        yield replace(one, deflated=deflated_sharpe(returns, per_session))
