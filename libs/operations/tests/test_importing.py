"""qm import as a person calls it."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from libs.operations.tests.called import Called, called

from quantmatrix.common.ids import FIRST_ADMINISTRATOR
from quantmatrix.common.runtime.asking import Ask, ServiceSilent
from quantmatrix.common.testing.here import StartHere
from quantmatrix.common.testing.waiting import wait_until
from quantmatrix.operations.checking import check
from quantmatrix.operations.places import Places
from quantmatrix.operations.supervisor import Plan, Supervisor
from quantmatrix.operations.testing import FreshDatabase, Prepared
from quantmatrix.portfolio.importing import File
from quantmatrix.portfolio.statement_imports import Wish, import_files

PLAIN = """date,kind,currency,id,account,symbol,quantity,price,fee
2024-03-01,trade,USD,t1,mine,ABC,10,100,1
2024-03-05,trade,USD,t2,mine,ABC,-10,110,1
2024-03-06,interest,USD,t3,mine,,,,
"""


def qm(folder: Path, *words: str) -> Called:
    return called(folder, "import", *words, QM_HOME=str(folder / "home"))


def test_one_object_a_line_in_the_order_of_the_files_without_a_running_installation(tmp_path: Path) -> None:
    good = PLAIN.replace("interest,USD,t3,mine,,,,", "transfer,USD,t3,mine,XYZ,5,,")
    (tmp_path / "good.csv").write_text(good, encoding="utf-8")
    (tmp_path / "again.csv").write_text(good + "\n", encoding="utf-8")
    (tmp_path / "bad.csv").write_text(PLAIN, encoding="utf-8")

    done = qm(tmp_path, "good.csv", "again.csv", "bad.csv", "--check", "--json")

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1, done.stderr
    assert [(one["file"], one["status"]) for one in told] == [
        ("good.csv", "reconciled"),
        ("again.csv", "reconciled"),
        ("bad.csv", "rejected"),
    ]
    assert [(one["rows"], one["booked"], one["ignored"], one["not_understood"], one["duplicates"]) for one in told] == [
        (3, 3, 0, 0, 0), (3, 0, 3, 0, 3), (3, 0, 2, 1, 0),
    ]  # fmt: skip
    assert told[2]["why"] == "line 4: column amount: expected an amount or a quantity"
    assert {"kind", "account", "period", "identities", "closings_checked", "closings_equal"} <= told[0].keys()
    assert not (tmp_path / "home").exists()


def test_a_person_gets_a_table_and_a_reason(tmp_path: Path) -> None:
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0")

    done = qm(tmp_path, "picture.jpg")

    assert done.returncode == 1
    assert not (tmp_path / "home").exists()
    assert "picture.jpg: no importer knows this kind of file" in " ".join(done.stderr.split())


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = qm(tmp_path, "nothing.csv", "--json")

    assert done.returncode == 2
    assert json.loads(done.stdout)["code"] == "not_found"


def test_what_is_booked_is_booked_once_in_a_database_started_for_the_call(tmp_path: Path) -> None:
    good = "".join(PLAIN.splitlines(keepends=True)[:3])
    (tmp_path / "first.csv").write_text(good, encoding="utf-8")
    (tmp_path / "more.csv").write_text(good + "2024-03-07,trade,USD,t4,mine,ABC,5,100,1\n", encoding="utf-8")

    first = qm(tmp_path, "first.csv", "--json")
    again = qm(tmp_path, "first.csv", "more.csv", "--json")

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    told = [json.loads(line) for line in (first.stdout + again.stdout).splitlines()]
    assert [(one["rows"], one["booked"], one["duplicates"]) for one in told] == [(2, 2, 0), (2, 0, 2), (3, 1, 2)]
    assert (tmp_path / "home" / "postgres").is_dir()
    assert not (tmp_path / "home" / "state.json").exists()
    assert not (tmp_path / "home" / "logs" / "nats.log").exists(), "no service runs that would need the bus"


async def test_what_is_booked_goes_into_the_database_that_runs(tmp_path: Path, prepared: Prepared) -> None:
    good = "".join(PLAIN.splitlines(keepends=True)[:3])
    (tmp_path / "first.csv").write_text(good, encoding="utf-8")
    supervisor = Supervisor(Places(prepared.copy_to(tmp_path / "home")), Plan(services=()))
    await supervisor.start()
    try:
        done = await asyncio.to_thread(qm, tmp_path, "first.csv", "--json")
        connection = await asyncpg.connect(supervisor.postgres.url("portfolio"))
        kept = await connection.fetch("select account, symbol, quantity from statement_entry order by line")
        closed = await connection.fetch("select account_id, quantity, realised from closing")
        await connection.close()
    finally:
        await supervisor.stop()

    assert done.returncode == 0, done.stderr
    assert [(row["account"], row["symbol"], int(row["quantity"])) for row in kept] == [("mine", "ABC", 10), ("mine", "ABC", -10)]
    assert [(int(row["quantity"]), int(row["realised"])) for row in closed] == [(10, 98)]
    assert closed[0]["account_id"] == json.loads(done.stdout)["account_ids"][0]


def test_a_file_of_two_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.csv").open("wb") as file:
        file.write(PLAIN.encode())
        file.truncate(2 * 1024**3)

    done = qm(tmp_path, "huge.csv", "--json")

    (told,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert (told["state"], told["why"]) == ("failed", "the file has more than 67108864 bytes")
    assert not (tmp_path / "home").exists()


async def answering(ask: Ask) -> bool:
    try:
        await check(ask)
    except ServiceSilent:
        return False
    return True


async def test_the_books_of_an_imported_account_are_checked_like_any_other(
    database: FreshDatabase, start_here: StartHere, ask: Ask
) -> None:
    await start_here("execution")
    await start_here("portfolio")
    await wait_until(lambda: answering(ask), "execution and portfolio answer")
    connection = await database.connect("portfolio")
    good = "".join(PLAIN.splitlines(keepends=True)[:3])
    (told,) = await import_files([File("a.csv", good.encode())], Wish(FIRST_ADMINISTRATOR), connection, datetime(2025, 1, 1, tzinfo=UTC))

    found = [one for one in await check(ask) if one.account_id == told["account_ids"][0]]
    assert len(found) == 5 and all(one.ok for one in found)

    await connection.execute("update lot set quantity = 1")
    wrong = {one.name for one in await check(ask) if not one.ok and one.account_id == told["account_ids"][0]}
    assert wrong == {"Σ lots = position", "booking the statements anew changes nothing"}


def test_a_choice_about_one_file_is_not_about_the_others(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(PLAIN.splitlines()[0] + "\n" + PLAIN.splitlines()[1] + "\n", encoding="utf-8")
    (tmp_path / "two.csv").write_text(
        PLAIN.splitlines()[0] + "\n2024-03-02,deposit,USD,d1,mine,,,,\n".replace(",,,,", ",,5,,"), encoding="utf-8"
    )

    done = qm(tmp_path, "one.csv", "two.csv", "--check", "--json", "--since", "one.csv=2024-03-04")
    wrong = qm(tmp_path, "one.csv", "--check", "--json", "--since", "three.csv=2024-03-04")
    day = qm(tmp_path, "one.csv", "--check", "--json", "--since", "yesterday")

    one, _ = [json.loads(line) for line in done.stdout.splitlines()]
    assert (one["booked"], one["ignored_by_rule"]) == (0, {"before the start date": 1})
    assert wrong.returncode != 0
    assert json.loads(wrong.stdout)["error"] == "--since: no file three.csv is given; write --since FILE=2024-03-04"
    assert "'yesterday' is not one of its values" in json.loads(day.stdout)["error"]
