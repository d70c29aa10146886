"""Sweeps: the single runs and nothing else, in one process or several, with an end for whatever goes wrong in one of them."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from services.signals.tests.backtest.making import FREE, USD, Script, bar, history

from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.record import Record
from quantmatrix.signals.backtest.report import report
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.backtest.summary import record_of_sweep
from quantmatrix.signals.backtest.sweep import Tried, Watch, combinations, sweep
from quantmatrix.signals.backtest.workers import spread

RISING = [bar(number, str(9 + number), str(12 + number), str(8 + number), str(10 + number)) for number in range(1, 11)]
PAST = [history(*RISING)]
JOB = Job({}, USD, FREE)
GRID = {"at": [{2: 10}, {2: 100}, {5: 100}], "stop": [None, 5.0]}


def record(**how: int) -> Record:
    return record_of_sweep(Script, PAST, JOB, GRID, sweep(Script, PAST, JOB, GRID, **how))


def test_a_sweep_is_the_single_runs_best_first() -> None:
    grid = {"at": GRID["at"]}

    tried = sweep(Script, PAST, JOB, grid)

    assert {one.digest for one in tried} == {backtest(Script, PAST, Job({"at": at}, USD, FREE)).digest for at in grid["at"]}
    ratios = [one.sharpe or 0.0 for one in tried]
    assert ratios == sorted(ratios, reverse=True)
    assert all(one.deflated is not None and 0 <= one.deflated <= 1 for one in tried)


def test_two_processes_give_what_one_gives() -> None:
    one, two = record(), record(workers=2)

    assert one.figures == two.figures and one.tables["tried"].equals(two.tables["tried"])
    assert len(one.figures["digest"]) == 64


def test_what_is_known_is_not_run_again_and_changes_nothing() -> None:
    seen: list[Tried] = []
    whole = sweep(Script, PAST, JOB, GRID, Watch(on_tried=seen.append))
    again: list[Tried] = []

    resumed = sweep(Script, PAST, JOB, GRID, Watch(on_tried=again.append), known=seen[:4])

    assert [one.number for one in seen] == [1, 2, 3, 4, 5, 6]
    assert [one.number for one in again] == [5, 6] and resumed == whole


def test_the_order_of_the_grid_changes_nothing() -> None:
    turned = dict(reversed(GRID.items()))

    other = record_of_sweep(Script, PAST, JOB, turned, sweep(Script, PAST, JOB, turned))

    assert list(turned) != list(GRID) and other.figures["digest"] == record().figures["digest"]
    assert other.tables["tried"].equals(record().tables["tried"])


def test_a_sweep_refuses_a_wrong_combination_before_it_runs_any() -> None:
    seen: list[Tried] = []

    with pytest.raises(BacktestError, match="at: Input should be"):
        sweep(Script, PAST, JOB, {"at": [{2: 10}, "x"]}, Watch(on_tried=seen.append))

    assert seen == []


@pytest.mark.parametrize("grid", [{}, {"a": []}, {"a": list(range(1_001))}])
def test_a_grid_of_nothing_or_too_much_is_refused(grid: dict[str, list[int]]) -> None:
    with pytest.raises(BacktestError, match="a sweep has 1 to 1000 combinations"):
        combinations(grid)


def test_the_page_of_a_sweep_draws_the_ratio_over_two_parameters() -> None:
    page = report(record())

    assert page.count('class="heat"') == 6 and page.count("<tr>") > 6
    assert "Sharpe ratio by at (across) and stop (down)" in page and "<script" not in page


def test_other_data_give_another_digest() -> None:
    other = [replace(PAST[0], symbol="BBB")]

    assert record_of_sweep(Script, other, JOB, GRID, sweep(Script, other, JOB, GRID)).figures["digest"] != record().figures["digest"]


def doubled(_: object, number: int) -> int:
    return 2 * number


def killed_the_first_time(marker: Path, number: int) -> int:
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def killed_always(_: object, number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def endless(_: object, number: int) -> int:
    while number:
        pass
    return number


def raising(_: object, number: int) -> int:
    raise RuntimeError(f"bar {number}")


def test_every_task_is_done_once_by_whoever_is_free() -> None:
    found: dict[int, int] = {}

    spread(doubled, None, [3, 4, 5], workers=2, on_done=found.__setitem__)

    assert found == {0: 6, 1: 8, 2: 10}


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    found: dict[int, int] = {}

    spread(killed_the_first_time, tmp_path / "killed", [1, 2, 3, 4], workers=2, on_done=found.__setitem__)

    assert found == {0: 2, 1: 4, 2: 6, 3: 8} and (tmp_path / "killed").exists()


def test_a_task_that_kills_its_process_every_time_ends_the_work() -> None:
    with pytest.raises(BacktestError, match="the process that worked on 1 ended 2 times, the last time with -9"):
        spread(killed_always, None, [1], limit_s=60, on_done=lambda _, __: None)


def test_an_endless_task_is_stopped_at_its_limit() -> None:
    began = time.monotonic()

    with pytest.raises(BacktestError, match=r"1 took longer than 0\.5 s and was stopped"):
        spread(endless, None, [1], workers=1, limit_s=0.5, on_done=lambda _, __: None)

    assert time.monotonic() - began < 30


def test_what_a_task_raises_is_told_with_the_task() -> None:
    with pytest.raises(BacktestError, match="7: RuntimeError: bar 7"):
        spread(raising, None, [7], workers=1, limit_s=30, on_done=lambda _, __: None)
