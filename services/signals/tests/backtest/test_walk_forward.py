"""Walking forward: windows as they are drawn by hand, each part the backtest of its own, nothing of later bars in what is chosen."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from services.signals.tests.backtest.making import FREE, USD, Script, bar, day, history

from quantmatrix.signals.backtest.history import BacktestError
from quantmatrix.signals.backtest.report import report
from quantmatrix.signals.backtest.run import Job, backtest
from quantmatrix.signals.backtest.sweep import Tried, Watch
from quantmatrix.signals.backtest.walk_forward import Window, Windows, efficiency_of, record_of_walk, walk_forward, windows_of

# Up and down again every seven bars, a little higher each time.
LEVELS = [20 + number // 4 + (number % 7) for number in range(1, 31)]
PAST = [history(*(bar(n, str(level), str(level + 2), str(level - 2), str(level + 1)) for n, level in enumerate(LEVELS, start=1)))]
JOB = Job({}, USD, FREE)
EVERY = {number: 100 if number % 4 == 1 else -100 for number in range(1, 31, 2)}
GRID = {"at": [EVERY, {number: 10 if number % 6 == 2 else -10 for number in range(2, 31, 3)}]}
WINDOWS = Windows(10, 6)


def test_rolling_and_anchored_windows_are_those_drawn_by_hand() -> None:
    days = [date(2020, 1, 1) + timedelta(days=number) for number in range(10)]

    rolling = windows_of(days, Windows(4, 3))
    anchored = windows_of(days, Windows(4, 3, anchored=True))

    assert rolling == [Window(days[0], days[3], days[4], days[6]), Window(days[3], days[6], days[7], days[9])]
    assert anchored == [Window(days[0], days[3], days[4], days[6]), Window(days[0], days[6], days[7], days[9])]
    assert windows_of(days[:9], Windows(4, 3))[-1].run_to == days[8]


@pytest.mark.parametrize("windows", [Windows(1, 3), Windows(4, 0), Windows(10, 3), Windows(2, 1)])
def test_windows_that_cannot_be_are_refused(windows: Windows) -> None:
    days = [date(2020, 1, 1) + timedelta(days=number) for number in range(10 if windows.inside > 2 else 300)]

    with pytest.raises(BacktestError, match=r"sessions"):
        windows_of(days, windows)


def test_each_part_is_the_backtest_of_its_own_with_what_the_part_before_left() -> None:
    steps = walk_forward(Script, PAST, JOB, GRID, WINDOWS)

    cash = USD
    for step, (first, last) in zip(steps, ((11, 16), (17, 22), (23, 28), (29, 30)), strict=True):
        own = replace(JOB, parameters=dict(step.best.chosen), cash=cash, first=day(first), last=day(last))
        assert step.result.digest == backtest(Script, PAST, own).digest
        cash = step.result.outcome.curve[-1].equity
    inside = [
        backtest(Script, PAST, replace(JOB, parameters={"at": at}, first=day(1), last=day(10))).curve.sharpe or -9.0 for at in GRID["at"]
    ]
    assert steps[0].best.chosen["at"] == GRID["at"][inside.index(max(inside))]


def test_later_bars_change_nothing_that_was_chosen_before_them() -> None:
    short = [replace(PAST[0], bars=PAST[0].bars[:22])]

    whole, cut = walk_forward(Script, PAST, JOB, GRID, WINDOWS), walk_forward(Script, short, JOB, GRID, WINDOWS)

    assert [step.best.chosen for step in whole[:2]] == [step.best.chosen for step in cut]
    assert [step.result.trades_digest for step in whole[:2]] == [step.result.trades_digest for step in cut]


def test_what_is_put_together_is_one_curve_with_one_digest() -> None:
    steps = walk_forward(Script, PAST, JOB, GRID, WINDOWS)
    seen: list[Tried] = []
    again = walk_forward(Script, PAST, JOB, GRID, WINDOWS, Watch(on_tried=seen.append), workers=2)

    record, other = (record_of_walk(Script, PAST, JOB, GRID, WINDOWS, one) for one in (steps, again))

    assert record.figures == other.figures and len(seen) == 8
    assert record.tables["curve"]["session"].to_list() == [day(number) for number in range(11, 31)]
    assert record.figures["curve"]["total_return"] == pytest.approx(float(steps[-1].result.outcome.curve[-1].equity.amount) / 100_000 - 1)
    page = report(record)
    assert "Efficiency" in page and page.count("<svg") == 2


def test_efficiency_is_the_yearly_return_afterwards_over_the_one_before() -> None:
    steps = walk_forward(Script, PAST, JOB, GRID, WINDOWS)
    chosen = [Tried(1, {}, {"curve": {"cagr": cagr}}, "") for cagr in (0.30, 0.10, 0.20, 0.20)]
    made = [replace(step, best=best) for step, best in zip(steps, chosen, strict=True)]
    lost = [replace(step, best=Tried(1, {}, {"curve": {"cagr": -0.1}}, "")) for step in steps]

    assert efficiency_of(made, 0.12) == pytest.approx(0.6)
    assert efficiency_of(lost, 0.12) is None and efficiency_of(made, None) is None
