"""qm backtest as a person uses it: repeatable figures on real bars, a page, and one sentence for whatever is wrong."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from libs.operations.tests.called import Called, called

from quantmatrix.operations.backtests import parameters_of
from quantmatrix.operations.testing import Prepared
from quantmatrix.signals.backtest.history import BacktestError

pytestmark = pytest.mark.long(25)
SHORT = ("--symbols", "AAPL,MSFT", "--from", "2003-04-01", "--to", "2004-03-31")


def qm(folder: Path, *words: str, stored: bool = False, **settings: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"} | settings
    unstored = ("--no-store",) if words[0] in ("run", "sweep") and not stored else ()
    command = [sys.executable, "-m", "quantmatrix.operations", "backtest", *words, *unstored]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def answer(folder: Path, *words: str, stored: bool = False, **settings: str) -> Any:
    done = qm(folder, *words, "--json", stored=stored, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def here(folder: Path, *words: str, stored: bool = False, **settings: str) -> Called:
    """The same without a process of its own, for what need not come from elsewhere."""
    return called(folder, "backtest", *words, *(("--no-store",) if words[0] in ("run", "sweep") and not stored else ()), **settings)


def told_here(folder: Path, *words: str, stored: bool = False, **settings: str) -> Any:
    done = here(folder, *words, "--json", stored=stored, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_run_on_real_bars_repeats_to_the_same_digest_and_writes_its_page(tmp_path: Path) -> None:
    first = answer(tmp_path, "run", "atr_matrix", *SHORT, "--report", "page.html")
    again = told_here(tmp_path, "run", "atr_matrix", *SHORT)
    other = told_here(tmp_path, "run", "atr_matrix", *SHORT, "--set", "stop_atr=2")

    assert first == again
    assert first["fills"] > 10 and len(first["digest"]) == 64
    assert other["digest"] != first["digest"] and other["data_digest"] == first["data_digest"]
    assert first["digest"] in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_figures_are_told_to_people_too(tmp_path: Path) -> None:
    done = here(tmp_path, "run", "moving_average_cross", *SHORT, "--set", "fast=10", "--cash", "50000")

    assert done.returncode == 0, done.stderr
    for word in ("sharpe", "max drawdown", "AAPL", "digest", "next bar's open"):
        assert word in done.stdout


def test_a_file_of_ones_own_is_run_on_like_the_feed(tmp_path: Path) -> None:
    rows = ["symbol,date,open,high,low,close,volume"]
    days = [f"2010-{month:02}-{day:02}" for month in (3, 4, 5) for day in range(1, 32)]
    # Weekdays of spring 2010 on which New York traded.
    closed = {"2010-04-02", "2010-05-31", "2010-04-31"}
    sessions = [day for day in days if day not in closed and _weekday(day) < 5]
    rows += [f"OWN,{day},{10 + number % 9},{20 + number % 9},9,{11 + number % 9},1000" for number, day in enumerate(sessions)]
    (tmp_path / "own.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")

    told = told_here(
        tmp_path, "run", "moving_average_cross", "--set", "fast=2", "--set", "slow=5",
        QM_MARKET_FEED="csv", QM_MARKET_CSV_FILE=str(tmp_path / "own.csv"),
    )  # fmt: skip

    assert (told["symbols"], told["sessions"]) == (["OWN"], len(sessions))
    assert told["fills"] > 0


def _weekday(day: str) -> int:
    try:
        return date.fromisoformat(day).weekday()
    except ValueError:
        return 6


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("run", "no_such"), "there is no strategy 'no_such'; there is atr_matrix"),
        (("run", "atr_matrix", "--set", "stop_atr=99"), "stop_atr: Input should be less than or equal to 6"),
        (("run", "atr_matrix", "--set", "stop_atr=NaN"), "stop_atr: Input should be a finite number"),
        (("run", "atr_matrix", "--set", "speed=1"), "speed: Extra inputs are not permitted"),
        (("run", "atr_matrix", "--set", "speed"), "expected name=value, got 'speed'"),
        (("run", "atr_matrix", "--symbols", "TSLA"), "the replay feed has no TSLA"),
        (("run", "atr_matrix", "--from", "2003-02-30"), "--from: expected a date"),
        (("run", "atr_matrix", "--from", "2030-01-01"), "there are no bars between 2030-01-01"),
        (("run", "atr_matrix", "--cash", "-5"), "--cash: expected a number of zero or more"),
        (("run", "atr_matrix", "--cash", "0"), "the capital is above zero"),
        (("run", "atr_matrix", "--as", "xlsx"), "written as csv or parquet, not as 'xlsx'"),
        (("sweep", "moving_average_cross", "--grid", "fast=5,60", "--grid", "slow=50"), "the fast average (60) has fewer bars"),
        (("sweep", "atr_matrix", "--grid", "speed=1,2"), "speed: Extra inputs are not permitted"),
        (("lookahead", "no_such"), "there is no strategy 'no_such'"),
        (("sentence", "run atr matrx on paper, $10k"), "'atr matrx' at 5: there is no such strategy; possible: ATR Matrix"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence_and_ends_with_code_4(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = here(tmp_path, *words, "--json")

    assert done.returncode == 4, done.stdout + done.stderr
    assert says in json.loads(done.stdout)["error"]


def test_a_strategy_of_the_slot_is_found_clean(tmp_path: Path, prepared: Prepared) -> None:
    prepared.copy_to(tmp_path / ".qm")
    told = answer(tmp_path, "lookahead", "atr_matrix", "--symbols", "AAPL", "--cuts", "40")

    again = told_here(tmp_path, "repeat", str(told["id"]))
    assert told["decided"] > 0
    assert {name: told[name] for name in ("strategy", "cuts", "clean", "findings", "kind")} == {
        "strategy": "atr_matrix", "cuts": 40, "clean": True, "findings": [], "kind": "lookahead",
    }  # fmt: skip
    assert again["same"] and again["digest"] == told["digest"]


def test_the_catalogue_names_every_strategy_with_a_form(tmp_path: Path) -> None:
    found = {one["name"]: one for one in told_here(tmp_path, "strategies")["strategies"]}

    assert {"atr_matrix", "atr_options", "dca_aggressive", "dca_conservative", "moving_average_cross", "signal_bot"} <= set(found)
    assert found["atr_matrix"]["parameters"]["properties"]["stop_atr"]["maximum"] == 6
    assert found["atr_options"]["needs"] == ["daily bars", "splits", "option chains with quotes"]


def test_a_sentence_is_echoed_as_a_form(tmp_path: Path) -> None:
    told = told_here(tmp_path, "sentence", "Run ATR Options on TastyTrade, $10k, 20% profit, 80% reinvest")

    assert told == {
        "strategy": "atr_options",
        "broker": "tastytrade",
        "capital": "10000 USD",
        "profit_target": "0.2",
        "reinvest": "0.8",
        "sentence": "run atr_options on tastytrade, $10000, 20% profit, 80% reinvest",
    }


def test_a_sentence_that_sells_premium_names_the_preset(tmp_path: Path) -> None:
    told = told_here(tmp_path, "sentence", "sell premium with ATR Options on paper, $40k, 200% stop")

    assert (told["preset"], told["stop_loss"], told["sentence"]) == (
        "short_premium", "2", "sell premium with atr_options on paper, $40000, 200% stop"
    )  # fmt: skip


def test_a_sweep_tries_every_combination_and_names_its_digests(tmp_path: Path) -> None:
    words = ("sweep", "moving_average_cross", *SHORT, "--grid", "fast=5,10", "--grid", "slow=40,60", "--set", "position_pct=40")

    told = told_here(tmp_path, *words)

    assert sorted((one["fast"], one["slow"]) for one in told["tried"]) == [(5, 40), (5, 60), (10, 40), (10, 60)]
    ratios = [one["sharpe"] for one in told["tried"]]
    assert ratios == sorted(ratios, reverse=True) and len({one["digest"] for one in told["tried"]}) == 4
    single = told_here(tmp_path, "run", "moving_average_cross", *SHORT, "--set", "position_pct=40", "--set", "fast=5", "--set", "slow=40")
    assert single["digest"] == next(one["digest"] for one in told["tried"] if (one["fast"], one["slow"]) == (5, 40))


def test_a_terminal_shows_how_far_a_sweep_is_and_how_long_it_takes_still(tmp_path: Path) -> None:
    """On standard error, so that what is printed stays clean."""
    words = ("sweep", "atr_matrix", *SHORT, "--grid", "stop_atr=1,1.25,1.5,1.75,2,2.25,2.5,2.75", "--workers", "1", "--no-store", "--json")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm", "COLUMNS": "120", "PYTHONDONTWRITEBYTECODE": "1"}
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "quantmatrix.operations", "backtest", *words]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=end, text=True) as process:
        os.close(end)
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", _all_of(terminal))
        assert process.stdout is not None and len(json.loads(process.stdout.read())["tried"]) == 8
    assert process.returncode == 0

    assert re.search(r"atr_matrix\W+8/8", shown), shown[-500:]
    assert re.search(r"atr_matrix\W+[1-7]/8 +\d:\d\d:\d\d +0:\d\d:\d\d", shown), shown[-500:]


def _all_of(terminal: int) -> str:
    """What is written to a terminal until nobody has it open any more."""
    found = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 4_096):
            found += chunk
    os.close(terminal)
    return found.decode()


def test_tables_come_with_a_run(tmp_path: Path) -> None:
    told_here(tmp_path, "run", "atr_matrix", *SHORT, "--save", "out", "--as", "parquet")

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.parquet" for name in ("curve", "fills", "refusals", "trades")
    ]


def test_what_is_stored_is_listed_shown_repeated_compared_and_drawn_anew(tmp_path: Path, prepared: Prepared) -> None:
    prepared.copy_to(tmp_path / ".qm")
    first = answer(tmp_path, "run", "moving_average_cross", *SHORT, "--set", "fast=5", "--set", "slow=20", stored=True)
    swept = told_here(tmp_path, "sweep", "moving_average_cross", *SHORT, "--grid", "fast=5,8", "--grid", "slow=20,30", stored=True)
    refused = here(tmp_path, "run", "moving_average_cross", "--set", "fast=0", stored=True)

    listed = told_here(tmp_path, "list")["backtests"]
    assert [(one["id"], one["kind"], one["state"]) for one in listed] == [(2, "sweep", "done"), (1, "run", "done")]
    assert refused.returncode == 4

    shown = told_here(tmp_path, "show", "1", "--report", "page.html", "--save", "out")
    assert shown == first and (tmp_path / "page.html").read_text(encoding="utf-8").count("<svg") == 2
    assert (tmp_path / "out" / "trades.csv").exists()

    for number, digest in ((1, first["digest"]), (2, swept["digest"])):
        said = answer(tmp_path, "repeat", str(number))
        assert (said["same"], said["digest"], said["differs"]) == (True, digest, [])

    rows = {one["name"]: one["values"] for one in told_here(tmp_path, "compare", "1", "2")["rows"]}
    assert rows["digest"] == [first["digest"][:12], swept["digest"][:12]]

    spread = told_here(tmp_path, "monte-carlo", "1", "--runs", "200", "--report", "luck.html")
    assert spread["final"] == sorted(spread["final"]) and spread["runs"] == 200
    assert "<polygon" in (tmp_path / "luck.html").read_text(encoding="utf-8")

    assert "there is no stored backtest 9" in here(tmp_path, "show", "9").stderr
    assert "backtest 2 is done" in here(tmp_path, "resume", "2").stderr


def test_parameters_are_json_where_they_read_as_such() -> None:
    assert parameters_of(["a=1", "b=1.5", "c=[1, 2]", "d=v1", "e=true"]) == {"a": 1, "b": 1.5, "c": [1, 2], "d": "v1", "e": True}
    with pytest.raises(BacktestError, match="a is given twice"):
        parameters_of(["a=1", "a=2"])
