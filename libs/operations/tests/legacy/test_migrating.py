"""qm migrate-legacy as a person uses it: the same report dry or not, whole or not at all, and taken back exactly."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from libs.operations.tests.called import Called, called
from libs.operations.tests.legacy.making import crypto, execution, fill, order, stocks, write

from quantmatrix.operations.legacy.cells import LegacyError
from quantmatrix.operations.legacy.migrating import Outcome, confirm, migrate_legacy, undo
from quantmatrix.operations.legacy.reading import Choices
from quantmatrix.operations.legacy.storing import Folder
from quantmatrix.operations.testing import Prepared

GOOD = crypto(order(1, size=0.1 + 0.2), order(2, status="pending"), order(3, side="sell"), fills=[fill("F3", 3)])
HALF_WRITTEN = crypto(order(1), order(2, price=None))
WAL = 2


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def migrate(tmp_path: Path, path: Path, *, dry_run: bool = False) -> Outcome:
    return migrate_legacy(str(path), tmp_path / "data", Choices(), dry_run=dry_run)


def qm(tmp_path: Path, *words: str) -> Called:
    return called(tmp_path, *words, QM_HOME=str(tmp_path / "data"))


def as_json(done: Called) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def test_a_dry_run_prints_the_same_report_and_writes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", GOOD)

    dry = migrate(tmp_path, path, dry_run=True)
    assert list(tmp_path.iterdir()) == [path]

    wet = migrate(tmp_path, path)
    assert dry.report == wet.report
    assert json.loads((wet.folder / "report.json").read_text(encoding="utf-8")) == dry.report


def test_what_is_made_lies_beside_the_data_folder_and_only_this_user_reads_it(tmp_path: Path) -> None:
    outcome = migrate(tmp_path, write(tmp_path / "old.db", GOOD))

    assert outcome.folder.parent == tmp_path / "data-legacy"
    assert outcome.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in outcome.folder.iterdir()} == {0o600}
    assert sorted(outcome.files) == [
        "backup.sqlite", "bots.jsonl", "kept.jsonl", "legacy-coinbase-01.csv", "orders.jsonl", "report.json",
    ]  # fmt: skip


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", GOOD)
    first = migrate(tmp_path, path)
    before = contents(tmp_path)

    second = migrate(tmp_path, path)

    assert (first.wrote, second.wrote) == (True, False)
    assert contents(tmp_path) == before


def test_a_database_that_went_on_is_refused_until_the_first_migration_is_undone(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", GOOD)
    migrate(tmp_path, path)
    before = contents(tmp_path / "data-legacy")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update trades set size = 2 where id = 1")
        connection.commit()

    with pytest.raises(LegacyError, match="says something else than when it was taken over"):
        migrate(tmp_path, path)

    assert contents(tmp_path / "data-legacy") == before
    undo(str(path), tmp_path / "data")
    assert migrate(tmp_path, path).wrote


def test_undo_removes_exactly_what_was_made(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", GOOD)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine").write_text("stays", encoding="utf-8")
    before = contents(tmp_path)
    outcome = migrate(tmp_path, path)

    removed = undo(str(path), tmp_path / "data")

    assert removed == sorted(outcome.files)
    assert contents(tmp_path) == before
    assert not (tmp_path / "data-legacy").exists()


def test_undo_leaves_what_somebody_else_put_there_and_needs_no_database(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", GOOD)
    outcome = migrate(tmp_path, path)
    (outcome.folder / "note.txt").write_text("mine", encoding="utf-8")
    path.unlink()

    undo(str(path), tmp_path / "data")

    assert contents(tmp_path) == {f"data-legacy/{outcome.folder.name}/note.txt": b"mine"}


def test_undo_stops_before_a_file_that_was_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", GOOD)
    outcome = migrate(tmp_path, path)
    with (outcome.folder / "orders.jsonl").open("a", encoding="utf-8") as file:
        file.write("more\n")
    before = contents(tmp_path)

    with pytest.raises(LegacyError, match=r"orders\.jsonl changed after it was made; nothing was removed"):
        undo(str(path), tmp_path / "data")

    assert contents(tmp_path) == before


def test_what_is_confirmed_is_not_taken_back(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", GOOD)
    migrate(tmp_path, path)
    confirm(str(path), tmp_path / "data")

    with pytest.raises(LegacyError, match="was confirmed"):
        undo(str(path), tmp_path / "data")

    assert not migrate(tmp_path, path).wrote


@pytest.mark.parametrize("act", [undo, confirm])
def test_where_nothing_was_migrated_there_is_nothing_to_undo_or_confirm(act: Any, tmp_path: Path) -> None:
    with pytest.raises(LegacyError, match="nothing was migrated from this database"):
        act(str(tmp_path / "old.db"), tmp_path / "data")


def test_a_trade_that_would_be_lost_stops_everything(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", HALF_WRITTEN)

    outcome = migrate(tmp_path, path)

    assert outcome.report["refused"] == ["trades:2: price is missing"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_that_a_killed_run_left_is_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", GOOD)
    folder = Folder(migrate(tmp_path, path, dry_run=True).folder)
    (folder.begin() / "legacy-coinbase-01.csv").write_text("half a fi", encoding="utf-8")

    outcome = migrate(tmp_path, path)

    assert outcome.wrote and not folder.draft.exists()
    assert b"half a fi" not in b"".join(contents(outcome.folder).values())


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", GOOD)
    folder = migrate(tmp_path, path, dry_run=True).folder
    folder.mkdir(parents=True)
    (folder / "made.json").write_text('{"program": "another"}', encoding="utf-8")

    with pytest.raises(LegacyError, match="is not a migration that can be read"):
        migrate(tmp_path, path)

    assert contents(folder) == {"made.json": b'{"program": "another"}'}


def test_the_source_and_its_folder_stay_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    path = write(source / "old.db", GOOD)
    before, touched = contents(source), path.stat().st_mtime_ns

    migrate(tmp_path, path)

    assert contents(source) == before
    assert path.stat().st_mtime_ns == touched


def test_a_write_ahead_log_is_read_without_leaving_files_beside_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    path = write(source / "old.db", GOOD)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = wal")
    assert path.read_bytes()[18] == WAL
    before = contents(source)

    outcome = migrate(tmp_path, path)

    assert outcome.report["trades"] == 2
    assert contents(source) == before


def test_what_a_running_older_system_has_committed_to_its_log_is_read_too(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", crypto(order(1)))
    with closing(sqlite3.connect(path)) as running:
        running.execute("pragma journal_mode = wal")
        running.execute("insert into trades (id, product_id, side, size, price, order_id, status, size_in_quote, filled_at)"
                        " values (2, 'BTC-USD', 'buy', 1, 100, 'x', 'filled', 0, '2024-03-02')")  # fmt: skip
        running.commit()
        running.execute("delete from trades")  # begun and never committed

        outcome = migrate(tmp_path, path)

    assert outcome.report["trades"] == 2
    with closing(sqlite3.connect(outcome.folder / "backup.sqlite")) as backup:
        assert backup.execute("select count(*) from trades").fetchone() == (2,)


def test_the_backup_holds_every_row_and_no_credentials(tmp_path: Path) -> None:
    path = write(tmp_path / "old.db", {**stocks(execution(1)), "recipes": [{"id": 5}]})

    outcome = migrate(tmp_path, path)

    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(outcome.folder / "backup.sqlite")) as backup:
        for table in ("transactions", "recipes"):
            statement = f"select * from {table}"
            assert backup.execute(statement).fetchall() == source.execute(statement).fetchall()
        assert backup.execute("select account_number, api_credentials from accounts").fetchall() == [("U0000001", "")]
    assert all(b"a secret" not in body for body in contents(outcome.folder).values())


def test_qm_import_takes_what_was_written(tmp_path: Path, prepared: Prepared) -> None:
    prepared.copy_to(tmp_path / "data")
    outcome = migrate(tmp_path, write(tmp_path / "old.db", GOOD))

    done = qm(tmp_path, "import", str(outcome.folder / "legacy-coinbase-01.csv"), "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    said = as_json(done)
    assert (said["kind"], said["rows"], said["booked"], said["not_understood"]) == ("generic", 2, 2, 0)
    assert said["status"] == "reconciled"


def test_the_command_runs_from_a_dry_run_to_undo(tmp_path: Path) -> None:
    path = str(write(tmp_path / "old.db", GOOD))

    dry = as_json(qm(tmp_path, "migrate-legacy", path, "--dry-run", "--json"))
    wet = as_json(qm(tmp_path, "migrate-legacy", f"sqlite:///{path}", "--json"))
    shown = qm(tmp_path, "migrate-legacy", path)
    undone = as_json(qm(tmp_path, "migrate-legacy", path, "--undo", "--json"))

    assert (dry["dry_run"], dry["wrote"], wet["wrote"]) == (True, False, True)
    assert dry["report"] == wet["report"]
    assert "Taken over before, unchanged since" in shown.stdout
    assert sorted(undone["removed"]) == sorted(wet["files"])


def test_the_command_ends_with_one_sentence_and_a_code(tmp_path: Path) -> None:
    half = str(write(tmp_path / "half.db", HALF_WRITTEN))
    (tmp_path / "text.db").write_text("no database", encoding="utf-8")

    refused = qm(tmp_path, "migrate-legacy", half)
    strange = qm(tmp_path, "migrate-legacy", "text.db", "--json")
    both = qm(tmp_path, "migrate-legacy", half, "--undo", "--dry-run")
    zone = qm(tmp_path, "migrate-legacy", half, "--zone", "Nowhere/Land")

    assert refused.returncode == 1
    assert "trades:2: price is missing" in refused.stderr and "nothing was written" in refused.stderr
    assert strange.returncode == 1 and as_json(strange)["error"].endswith("text.db is not a SQLite database")
    assert both.returncode == 4 and "exclude one another" in both.stderr
    assert zone.returncode == 4 and "no time zone called Nowhere/Land" in zone.stderr


def test_what_is_booked_is_unbooked_by_undo(tmp_path: Path, prepared: Prepared) -> None:
    """In an installation of its own, whose database is started for each call."""
    prepared.copy_to(tmp_path / "data")
    path = str(write(tmp_path / "old.db", GOOD))

    first = as_json(qm(tmp_path, "migrate-legacy", path, "--keep", "--json"))
    again = as_json(qm(tmp_path, "migrate-legacy", path, "--keep", "--json"))
    undone = as_json(qm(tmp_path, "migrate-legacy", path, "--undo", "--json"))
    third = as_json(qm(tmp_path, "migrate-legacy", path, "--keep", "--json"))

    assert (first["booked"], again["booked"], third["booked"]) == (2, 0, 2)
    assert undone["imports_forgotten"] == 1
