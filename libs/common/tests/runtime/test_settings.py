"""Settings: where a value comes from, and what a wrong one is told."""

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from quantmatrix.common.runtime.settings import ServiceSettings, SettingsError, variables_of
from quantmatrix.common.testing.tiny import ReaderSettings


class ListSettings(ServiceSettings):
    """Settings with a list."""

    SERVICE: ClassVar[str] = "market"

    symbols: tuple[str, ...] = Field((), description="Symbols.")


@pytest.fixture(autouse=True)
def _a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("QM_")]:
        monkeypatch.delenv(name)


def test_the_service_s_own_variable_wins_over_everybody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QM_HEALTH_PORT", "1")
    assert ReaderSettings.read().health_port == 1
    monkeypatch.setenv("QM_PORTFOLIO_HEALTH_PORT", "2")
    assert ReaderSettings.read().health_port == 2
    monkeypatch.setenv("QM_SIGNALS_HEALTH_PORT", "3")
    assert ReaderSettings.read().health_port == 2
    assert variables_of(ReaderSettings, "health_port") == ("QM_PORTFOLIO_HEALTH_PORT", "QM_HEALTH_PORT")


def test_a_secret_is_read_from_the_file_that_the_variable_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret word\n", encoding="utf-8")
    monkeypatch.setenv("QM_NATS_PASSWORD_FILE", str(secret))

    assert ReaderSettings.read().nats_password.get_secret_value() == "s3cret word"


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QM_NATS_PASSWORD_FILE", str(tmp_path / "nothing"))

    with pytest.raises(SettingsError, match=r"QM_NATS_PASSWORD_FILE names .*nothing, which cannot be read: No such file"):
        ReaderSettings.read()


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("QM_HEALTH_PORT", "eighty", "QM_HEALTH_PORT: input should be a valid integer.*got 'eighty'"),
        ("QM_HEALTH_PORT", "70000", "less than or equal to 65535, got '70000'"),
        ("QM_DATABASE_POOL_SIZE", "0", "greater than or equal to 1"),
        ("QM_START_TIMEOUT_S", "nan", "QM_START_TIMEOUT_S"),
        ("QM_CATCH_UP_EVERY_S", "inf", "QM_CATCH_UP_EVERY_S"),
        ("QM_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR', got 'LOUD'"),
    ],
)
def test_a_wrong_value_is_told_with_its_variable_and_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=sentence):
        ReaderSettings.read()


def test_a_list_is_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QM_MARKET_SYMBOLS", "AAPL, MSFT,,IBM ")

    assert ListSettings.read().symbols == ("AAPL", "MSFT", "IBM")


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QM_NATS_PASSWORD", "s3cret")
    monkeypatch.setenv("QM_DATABASE_URL", "postgresql://qm:s3cret@db/quantmatrix")

    assert "s3cret" not in repr(ReaderSettings.read()) + str(ReaderSettings.read())


def _run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quantmatrix.common.testing.tiny", "reader"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_process_with_a_wrong_value_ends_with_one_sentence_and_exit_code_4() -> None:
    done = _run(QM_HEALTH_PORT="eighty", QM_NATS_PASSWORD="s3cret")

    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        "portfolio: QM_HEALTH_PORT: input should be a valid integer, unable to parse string as an integer, got 'eighty'"
    ]
    assert done.stdout == ""


def test_several_wrong_values_are_told_together() -> None:
    done = _run(QM_HEALTH_PORT="eighty", QM_LOG_LEVEL="LOUD")

    assert done.returncode == 4
    assert "QM_HEALTH_PORT" in done.stderr
    assert "QM_LOG_LEVEL" in done.stderr


def test_a_process_without_its_servers_gives_up_after_its_time(tmp_path: Path) -> None:
    done = _run(
        QM_DATABASE_URL=f"postgresql://nobody@/nothing?host={tmp_path}",
        QM_START_TIMEOUT_S="0.5",
        QM_LOG_FILE=str(tmp_path / "log"),
    )

    assert done.returncode == 1
    assert "TimeoutError" in done.stderr
