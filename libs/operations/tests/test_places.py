"""The data folder: whose it is, who may use it, and the one sentence for everybody else. Nothing is damaged by being refused."""

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantmatrix.common.runtime.permissions import USERS
from quantmatrix.operations import places as module
from quantmatrix.operations.places import DATABASE_ROLES, FORMAT, Places, SetUpError

NOBODY = 65534


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    made = Places(tmp_path / "data")
    try:
        yield made
    finally:
        made.close()


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_folder_is_made_for_its_owner_alone_with_secrets_of_its_own(places: Places) -> None:
    secrets = places.open()

    assert stat.S_IMODE(places.home.stat().st_mode) == 0o700
    assert stat.S_IMODE((places.home / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(places.runtime.stat().st_mode) == 0o700
    assert set(secrets.nats) == set(USERS)
    assert set(secrets.database) == set(DATABASE_ROLES)
    every = [*secrets.nats.values(), *secrets.database.values(), secrets.superuser, secrets.administrator]
    assert len(set(every)) == len(every)
    assert all(len(secret) >= 12 for secret in every)


def test_the_secrets_stay_the_same(places: Places) -> None:
    first = places.open()
    places.close()

    assert places.open() == first


def test_a_foreign_folder_is_refused_and_left_as_it_was(places: Places) -> None:
    places.home.mkdir()
    (places.home / "thesis.txt").write_text("ten years of work", encoding="utf-8")

    with pytest.raises(SetUpError, match=r"holds something that is not QuantMatrix's \(thesis.txt\); nothing was touched"):
        places.open()

    assert {path.name for path in places.home.iterdir()} == {"thesis.txt"}


def test_somebody_else_s_database_folder_is_refused(places: Places) -> None:
    (places.home / "postgres").mkdir(parents=True)

    with pytest.raises(SetUpError, match=r"not QuantMatrix's \(postgres\)"):
        places.open()

    assert not (places.home / "format.json").exists()


@pytest.mark.parametrize("left", ["format.new", ".probe-17", "lock"])
def test_what_a_start_that_was_killed_leaves_does_not_matter(places: Places, left: str) -> None:
    places.home.mkdir()
    (places.home / left).touch()

    places.open()

    assert json.loads((places.home / "format.json").read_text(encoding="utf-8"))["format"] == FORMAT


def test_a_second_start_is_refused_while_the_first_runs_and_takes_nothing_from_it(places: Places) -> None:
    places.open()
    places.write_state({"supervisor": 1})
    second = Places(places.home)

    with pytest.raises(SetUpError, match=r"QuantMatrix is already running on .*; stop it with 'qm down'"):
        second.open()
    second.close()

    assert places.read_state() == {"supervisor": 1}
    assert places.runtime.is_dir()
    assert second.is_running()
    places.close()
    assert not second.is_running()
    second.open()
    second.close()
    assert not second.runtime.exists()


@pytest.mark.parametrize("version", [FORMAT + 1, 0, 99])
def test_a_folder_of_another_format_is_refused_and_left_as_it_was(places: Places, version: int) -> None:
    places.open()
    places.close()
    (places.home / "format.json").write_text(json.dumps({"program": "quantmatrix", "format": version}), encoding="utf-8")
    before = _files(places.home)

    with pytest.raises(SetUpError, match=rf"has format {version}, this program knows {FORMAT}"):
        places.open()

    assert _files(places.home) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"program":"quantmatrix"}', '{"program":"quantmatrix","format":"new"}', '"text"'])
def test_an_unreadable_format_is_refused(places: Places, text: str) -> None:
    places.open()
    places.close()
    (places.home / "format.json").write_text(text, encoding="utf-8")

    with pytest.raises(SetUpError, match="is not readable as QuantMatrix's; nothing was touched"):
        places.open()


def test_a_user_that_came_with_a_newer_program_gets_a_password_and_the_others_keep_theirs(places: Places) -> None:
    before = places.open()
    path = places.home / "secrets.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    del told["nats"]["worker"]
    path.write_text(json.dumps(told), encoding="utf-8")
    places.close()

    after, again = places.open(), json.loads(path.read_text(encoding="utf-8"))

    assert after.nats["worker"] not in ("", before.nats["worker"]) and again["nats"] == after.nats
    assert {**after.nats, "worker": ""} == {**before.nats, "worker": ""} and after.database == before.database
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "{}", "null", '{"nats":{},"database":{},"superuser":"x","administrator":"y"}'])
def test_damaged_secrets_are_refused_and_not_made_anew(places: Places, text: str) -> None:
    """New passwords would not open the database that was made with the old ones."""
    places.open()
    places.close()
    (places.home / "secrets.json").write_text(text, encoding="utf-8")

    with pytest.raises(SetUpError, match=r"secrets\.json is damaged; restore it from a backup"):
        places.open()

    assert (places.home / "secrets.json").read_text(encoding="utf-8") == text


def test_too_little_space_is_told_before_anything_is_made(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FREE_BYTES_MIN", 1 << 60)

    with pytest.raises(SetUpError, match=r"only \d+ MiB are free where .*; \d+ MiB are needed"):
        places.open()

    assert not (places.home / "secrets.json").exists()


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SetUpError, match=r"the data folder .* cannot be used: Not a directory; name another one with QM_HOME"):
        Places(tmp_path / "file" / "data").open()


def test_a_folder_without_permission_is_told_in_one_sentence(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    tmp_path.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(
            SetUpError, match=r"the data folder .* cannot be written; give it to this user, or name another one with QM_HOME"
        ):
            Places(closed / "data").open()
    finally:
        if root:
            os.seteuid(0)


def test_a_path_too_long_for_sockets_is_told_with_the_remedy(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/tmp/" + "x" * 100)

    with pytest.raises(SetUpError, match="is too long for a socket's path; set TMPDIR to a shorter folder"):
        places.open()


def test_a_deep_data_folder_is_no_problem_for_sockets(tmp_path: Path) -> None:
    deep = Places(tmp_path / ("d" * 80) / ("e" * 80))
    deep.open()
    deep.close()

    assert len(str(deep.runtime)) < 90


def test_a_runtime_folder_that_is_a_link_is_refused(places: Places, tmp_path: Path) -> None:
    """Somebody else on the machine might have put it there, to read what goes over the sockets."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    places.runtime.symlink_to(elsewhere)
    try:
        with pytest.raises(SetUpError, match="belongs to somebody else"):
            places.open()
    finally:
        places.runtime.unlink()


def test_the_state_is_written_whole_and_read_back(places: Places) -> None:
    places.open()
    assert places.read_state() == {}
    places.write_state({"supervisor": 4, "pids": {"nats": 5}})
    assert places.read_state() == {"supervisor": 4, "pids": {"nats": 5}}
    assert stat.S_IMODE(places.state_file.stat().st_mode) == 0o600
    places.state_file.write_text("{", encoding="utf-8")
    assert places.read_state() == {}
