"""The program itself: what it says when it is given nothing, or what it does not know."""

from pathlib import Path

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
