"""qm lots and qm report as a person calls them: what they print, their exit codes, and that the books agree afterwards."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.program import Up, answer, qm, qm_here, until_finished

from quantmatrix.operations.servers.nats import free_port
from quantmatrix.operations.testing import Prepared

pytestmark = [pytest.mark.servers, pytest.mark.long(20)]
SHORT = {"QM_MARKET_REPLAY_TO": "2000-06-30", "QM_MARKET_REPLAY_PACE_S": "0"}
ACCOUNT = "DU0000001"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, prepared: Prepared) -> Iterator[Up]:
    up = Up(prepared.copy_to(tmp_path_factory.mktemp("lots") / "home"), free_port(), SHORT).start()
    until_finished(up.home)
    yield up
    up.end()


def test_a_method_is_shown_changed_from_a_day_on_and_the_books_agree(running: Up) -> None:
    before = answer(running.home, "lots", "method", ACCOUNT)["methods"]
    changed = answer(running.home, "lots", "method", ACCOUNT, "HIFO", "--since", "2000-01-03")["methods"]
    shown = qm(running.home, "lots", "method", ACCOUNT)

    assert [one["method"] for one in before] == ["FIFO"]
    assert [(one["method"], one["since"]) for one in changed] == [("FIFO", None), ("HIFO", "2000-01-03")]
    assert shown.returncode == 0 and "HIFO" in shown.stdout and "2000-01-03" in shown.stdout
    assert answer(running.home, "check")["ok"]


def test_what_cannot_be_ends_with_a_sentence_and_its_code(running: Up, tmp_path: Path) -> None:
    wish = tmp_path / "wish.json"
    wish.write_text('{"what": "wish"}', encoding="utf-8")
    cases = [
        (("lots", "method", "NOBODY"), 2, "no account NOBODY"),
        (("lots", "method", ACCOUNT, "BEST", "--since", "2000-01-03"), 2, "no lot method 'BEST'"),
        (("lots", "method", ACCOUNT, "HIFO"), 1, "give a method and its first day together"),
        (("lots", "tell", ACCOUNT, str(wish)), 1, "wish"),
        (("report", "form_8949", "--to", str(tmp_path / "no" / "folder")), 4, "cannot be written"),
        (("report", "nothing"), 4, "nothing"),
    ]
    for words, code, sentence in cases:
        done = qm_here(running.home, *words, *(["--json"] if words[1] != "nothing" else []))
        assert (done.returncode, sentence in done.stdout + done.stderr) == (code, True), (words, done.stdout, done.stderr)
    stopped = qm_here(tmp_path / "elsewhere", "lots", "method", ACCOUNT, "--json")
    assert (stopped.returncode, json.loads(stopped.stdout)["code"]) == (3, "not_running")


def test_an_act_of_a_file_is_booked_once(running: Up, tmp_path: Path) -> None:
    stock = {"instrument_id": "XNAS-AAPL", "symbol": "AAPL", "asset_class": "stock", "currency": "USD", "multiplier": "1"}
    held = answer(running.home, "lots", "acts", ACCOUNT)["acts"]
    act = {
        "what": "arrival", "origin": "transfer", "quantity": "5", "basis": {"amount": "100", "currency": "USD"}, "acquired_on": None,
        "instrument": stock, "session": "2000-06-30", "at": "2000-06-30T15:00:00Z",
    }  # fmt: skip
    file = tmp_path / "act.json"
    file.write_text(json.dumps(act), encoding="utf-8")

    first = answer(running.home, "lots", "tell", ACCOUNT, str(file))
    again = answer(running.home, "lots", "tell", ACCOUNT, str(file))

    assert held == [] and first["booked"] and not again["booked"] and first["event_id"] == again["event_id"]
    assert [one["act"]["what"] for one in answer(running.home, "lots", "acts", ACCOUNT)["acts"]] == ["arrival"]


def test_a_report_is_written_where_it_is_wanted(running: Up, tmp_path: Path) -> None:
    told = answer(running.home, "report", "form_8949", "--basis", "broker", "--to", str(tmp_path))

    path = tmp_path / "form-8949-all-broker.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert told == {"file": str(path), "bytes": path.stat().st_size, "basis": "broker"}
    assert {row["Basis by"] for row in rows if row["Closing"]} <= {"own"}, "nobody printed a basis here"
