"""Backtests that cannot be run, or whose strategy breaks: one sentence with the place, its exit code, and nothing half stored."""

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from libs.operations.tests.called import called
from services.signals.tests.stored.broken import LOOP, RAISE, spoil_slot

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.operations.testing import Prepared

pytestmark = pytest.mark.long(25)
SESSIONS = [session.day for session in TradingCalendar().sessions(date(1990, 1, 2), date(2012, 12, 31))][:1_050]
AAPL = ("--symbols", "AAPL")
HEAD = "symbol,date,open,high,low,close,volume\n"


def qm(folder: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """A command, with two broken strategies in the slot."""
    spoil_slot(folder, {"raises": (1_000, RAISE), "endless": (3, LOOP)})
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)} | settings
    command = [sys.executable, "-m", "quantmatrix.operations", "backtest", *words, "--json"]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def many_bars(folder: Path) -> dict[str, str]:
    """A file of one stock with 1,050 bars, as the feed of a command."""
    rows = [f"OWN,{day},{10 + number % 9},{20 + number % 9},9,{11 + number % 9},1000" for number, day in enumerate(SESSIONS)]
    (folder / "many.csv").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return {"QM_MARKET_FEED": "csv", "QM_MARKET_CSV_FILE": str(folder / "many.csv")}


def refused(folder: Path, *words: str, **settings: str) -> str:
    """The sentence with which a command of the strategies that are there ends."""
    done = called(folder, "backtest", *words, "--json", **settings)
    assert done.returncode == 4, done.stdout + done.stderr
    error: str = json.loads(done.stdout)["error"]
    return error


def told(folder: Path, code: int, *words: str, **settings: str) -> str:
    done = qm(folder, *words, **settings)
    assert done.returncode == code, done.stdout + done.stderr
    error: str = json.loads(done.stdout)["error"]
    return error


def test_a_strategy_that_raises_is_named_with_symbol_bar_and_day(tmp_path: Path) -> None:
    said = told(tmp_path, 4, "run", "raises", "--no-store", **many_bars(tmp_path))

    assert said == f"raises raised LookupError on OWN, bar 1000 of 1050 ({SESSIONS[999]}): no such level"


def test_a_loop_without_end_is_stopped_with_its_bar_and_code_5(tmp_path: Path) -> None:
    said = told(tmp_path, 5, "run", "endless", *AAPL, "--no-store", "--bar-limit-s", "0.5")

    assert said.startswith("endless did not come back from AAPL, bar 3 of ") and said.endswith(" and was stopped")


def test_a_look_ahead_check_names_who_peeks_raises_or_never_comes_back(tmp_path: Path) -> None:
    peeking = qm(tmp_path, "lookahead", "peeks", *AAPL, "--cuts", "120", "--no-store")
    raises = told(tmp_path, 4, "lookahead", "raises", "--cuts", "120", "--no-store", **many_bars(tmp_path))
    endless = told(tmp_path, 5, "lookahead", "endless", *AAPL, "--no-store", "--bar-limit-s", "0.5")

    found = json.loads(peeking.stdout)
    assert (peeking.returncode, found["clean"], found["changed"]) == (1, False, 1)
    assert re.fullmatch(
        r"peeks looks ahead in the column tomorrow on AAPL, \d{4}-\d\d-\d\d: no value then, [\d.]+ with later bars", *found["findings"]
    )
    assert raises == f"raises raised LookupError on OWN, bar 1000 of 1050 ({SESSIONS[999]}): no such level"
    assert endless.startswith("endless did not come back from AAPL, bar 3 of ") and endless.endswith(" and was stopped")


def test_a_sweep_names_the_combination_and_stores_what_ended_well_beside_it(tmp_path: Path, prepared: Prepared) -> None:
    prepared.copy_to(tmp_path / ".qm")
    well = json.loads(called(tmp_path, "backtest", "run", "moving_average_cross", *AAPL, "--to", "2001-12-31", "--json").stdout)
    endless = told(tmp_path, 5, "sweep", "endless", *AAPL, "--grid", "fast=5,6", "--workers", "2", "--bar-limit-s", "0.5")
    raises = told(tmp_path, 4, "sweep", "raises", "--grid", "fast=5", "--workers", "1", **many_bars(tmp_path))
    stored = json.loads(called(tmp_path, "backtest", "list", "--json").stdout)["backtests"]

    assert endless.startswith(("with fast=5: endless did not come back", "with fast=6: endless did not come back"))
    assert raises.startswith("with fast=5: raises raised LookupError on OWN, bar 1000")
    assert [(one["strategy"], one["state"], one["digest"]) for one in stored] == [
        ("raises", "failed", None),
        ("endless", "failed", None),
        ("moving_average_cross", "done", well["digest"]),
    ]
    assert stored[0]["error"] == raises and stored[1]["error"] == endless


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("run", "moving_average_cross", *AAPL, "--to", "2000-03-14"),
            "moving_average_cross needs 51 bars before it can decide anything; up to",
        ),
        (("run", "moving_average_cross", *AAPL, "--to", "2000-03-14", "--set", "slow=12", "--set", "fast=3"), "needs 13 bars"),
        (("sweep", "moving_average_cross", *AAPL, "--grid", "slow=60,300", "--to", "2000-12-29"), "needs 301 bars"),
        (("walk-forward", "atr_matrix", *AAPL, "--grid", "stop_atr=2,3", "--to", "2000-03-14"), "needs 50 bars"),
        (("run", "atr_matrix", *AAPL, "--set", 'exits={"stop_loss_pct": 5}', "--to", "2000-03-14"), "needs 50 bars"),
        (("sweep", "moving_average_cross", *AAPL, "--grid", "fast=5,NaN"), "fast: Input should be a finite number"),
        (("walk-forward", "moving_average_cross", *AAPL, "--grid", "speed=1,2"), "speed: Extra inputs are not permitted"),
        (("run", "atr_matrix", *AAPL, "--set", 'exits={"stop": 5}'), "exits.stop: Extra inputs are not permitted"),
        (("lookahead", "moving_average_cross", *AAPL, "--set", "slow=NaN"), "slow: Input should be a finite number"),
        (("lookahead", "moving_average_cross", *AAPL, "--to", "2000-03-14"), "needs 51 bars"),
        (("lookahead", "moving_average_cross", *AAPL, "--from", "2030-01-01"), "there are no bars between 2030-01-01"),
        (("lookahead", "atr_options", *AAPL), "no option chains are there for AAPL"),
        (("run", "atr_options", *AAPL), "no option chains are there for AAPL; name a file with their quotes in QM_MARKET_CHAINS_FILE"),
        (("run", "atr_matrix", *AAPL, "--report", "nowhere/page.html"), "--report: there is no folder nowhere"),
        (("run", "atr_matrix", *AAPL, "--report", "folder"), "--report: folder is a folder; name a file"),
        (("run", "atr_matrix", *AAPL, "--save", "file.txt"), "--save: file.txt is a file; name a folder"),
    ],
)
def test_too_little_history_and_wrong_parameters_say_what_is_needed(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").touch()

    said = refused(tmp_path, *words, "--no-store")

    assert says in said
    assert not (tmp_path / ".qm").exists()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["2010-03-01,10,11,9,NaN,1000"], "line 2: "),
        (["2010-03-01,10,11,9,10,1000", "2010-03-01,10,11,9,10,1000"], "line 3: OWN on 2010-03-01 stands already in line 2"),
        (["2010-03-01,10,9,11,10,1000"], "line 2: "),
        (["2010-03-01,-10,11,-11,10,1000"], "line 2: "),
        (["2010-03-06,10,11,9,10,1000"], "line 2: "),
    ],
)
def test_bars_that_cannot_be_are_refused_with_their_line(tmp_path: Path, rows: list[str], says: str) -> None:
    (tmp_path / "own.csv").write_text(HEAD + "\n".join(f"OWN,{row}" for row in rows) + "\n", encoding="utf-8")

    said = refused(tmp_path, "run", "dca_conservative", "--no-store", QM_MARKET_FEED="csv", QM_MARKET_CSV_FILE=str(tmp_path / "own.csv"))

    assert says in said


def test_bars_in_another_order_are_the_same_bars(tmp_path: Path) -> None:
    rows = [f"OWN,2010-03-{day:02},{day + 10},{day + 11},{day + 9},{day + 10}.5,1000" for day in (1, 2, 3, 4, 5, 8, 9, 10, 11, 12)]
    digests = set[Any]()
    for order in (rows, rows[::-1]):
        (tmp_path / "own.csv").write_text(HEAD + "\n".join(order) + "\n", encoding="utf-8")
        words = ("run", "moving_average_cross", "--set", "fast=2", "--set", "slow=3", "--no-store")
        done = called(tmp_path, "backtest", *words, "--json", QM_MARKET_FEED="csv", QM_MARKET_CSV_FILE=str(tmp_path / "own.csv"))
        digests.add(json.loads(done.stdout)["digest"])

    assert len(digests) == 1
