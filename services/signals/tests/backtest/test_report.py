"""The page of a result: everything on it, nothing fetched, nothing unescaped."""

import json
import xml.etree.ElementTree as ElementTree
from datetime import date, timedelta
from typing import Any

import pytest
from services.signals.tests.backtest.making import USD, Script, bar, history

from quantmatrix.signals.backtest.plots import POINTS_MAX, Line, plot, svg
from quantmatrix.signals.backtest.record import record_of
from quantmatrix.signals.backtest.report import report
from quantmatrix.signals.backtest.result import Result
from quantmatrix.signals.backtest.run import Job, backtest

BARS = [bar(number, f"{10 + number % 7}", f"{13 + number % 7}", "9", f"{11 + number % 7}") for number in range(1, 41)]


@pytest.fixture
def result() -> Result:
    return backtest(Script, [history(*BARS, symbol="A<B")], Job({"at": {2: 100, 9: -100, 12: 10, 14: -99}}, USD))


def test_the_page_stands_alone_and_is_well_formed(result: Result) -> None:
    page = report(record_of(result))

    for word in ("http:", "https:", "<script", "src=", "@import", "url("):
        assert word not in page
    ElementTree.fromstring(
        page.replace("<!doctype html>", "").replace('<meta charset="utf-8">', "").replace('initial-scale=1">', 'initial-scale=1"/>')
    )


def test_the_page_tells_figures_trades_assumptions_and_how_to_repeat_it(result: Result) -> None:
    page = report(record_of(result))

    assert page.count("<svg") == 2
    assert "A&lt;B" in page and "A<B" not in page
    for text in (result.digest, result.asked.data_digest, "POSITION_SHORT", "next bar&#x27;s open", "Sharpe", "SCRIPT: bar 2", "(open)"):
        assert text in page, text


def test_a_run_without_trades_has_a_page_too() -> None:
    assert "Nothing was traded." in report(record_of(backtest(Script, [history(*BARS)], Job({}, USD))))


def test_a_long_curve_is_thinned_and_keeps_its_last_point() -> None:
    days = [date(2000, 1, 1) + timedelta(days=number) for number in range(5_000)]

    drawn = svg(plot("long", days, [Line("it", "one", [float(number) for number in range(5_000)])]))

    (points,) = [line for line in drawn.splitlines() if line.startswith('<polyline class="one"')]
    assert points.count(",") <= POINTS_MAX + 1
    assert str(days[-1]) in drawn and points.rstrip('"/>').endswith(",12.0")


def test_the_json_of_a_result_is_plain(result: Result) -> None:
    told: dict[str, Any] = json.loads(json.dumps(result.as_json()))

    assert told["digest"] == result.digest and len(told["digest"]) == 64
    assert (told["fills"], told["refusals"], told["currency"]) == (3, 1, "USD")
    assert told["closed_trades"]["trades"] == 1
