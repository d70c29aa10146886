"""The program itself: what it says when it is given nothing, or what it does not know."""

import json
from pathlib import Path

import pytest
from libs.operations.tests.called import called


def test_given_nothing_it_shows_its_help(tmp_path: Path) -> None:
    shown = called(tmp_path)
    group = called(tmp_path, "backtest")

    assert (shown.returncode, shown.stderr) == (0, "") and "Usage:" in shown.stdout and "migrate-legacy" in shown.stdout
    assert (group.returncode, group.stderr) == (0, "") and "walk-forward" in group.stdout


def test_what_it_does_not_know_is_named(tmp_path: Path) -> None:
    command, option = called(tmp_path, "nonsense"), called(tmp_path, "status", "--nope")

    assert (command.returncode, command.stderr) == (4, "qm: No such command 'nonsense'.\n")
    assert (option.returncode, option.stderr) == (4, "qm: No such option: --nope\n")


def test_what_is_wrong_is_told_as_json_to_whoever_asked_for_it(tmp_path: Path) -> None:
    done = called(tmp_path, "status", "--nope", "--json")

    assert (done.returncode, done.stderr) == (4, "")
    assert json.loads(done.stdout) == {"error": "No such option: --nope", "code": "configuration"}


@pytest.mark.parametrize("port", ["0", "-5", "99999"])
def test_a_port_that_cannot_be_is_one_sentence(tmp_path: Path, port: str) -> None:
    done = called(tmp_path, "up", "--port", port)

    assert done.returncode == 4
    assert done.stderr.startswith("qm: Invalid value for '--port': ") and "Traceback" not in done.stderr


def test_what_was_typed_is_shown_as_it_was_typed(tmp_path: Path) -> None:
    """Square brackets are nobody's markup."""
    done = called(tmp_path, "logs", "[/bold]")

    assert done.returncode == 2 and "no log of [/bold] in" in done.stderr
