"""Which older system a database is of, and the one sentence for everything else."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from libs.operations.tests.legacy.making import crypto, execution, order, stocks, write

from quantmatrix.operations.legacy.cells import LegacyError
from quantmatrix.operations.legacy.layout import Kind
from quantmatrix.operations.legacy.source import address_of
from quantmatrix.operations.legacy.sqlite import read_sqlite


def refusal(path: Path) -> str:
    with pytest.raises(LegacyError) as caught:
        read_sqlite(path, None)
    return str(caught.value)


def test_each_system_is_told_by_its_tables(tmp_path: Path) -> None:
    bots = read_sqlite(write(tmp_path / "a.db", crypto(order(1))), None)
    platform = read_sqlite(write(tmp_path / "b.db", stocks(execution(1))), None)

    assert bots.recognised.layout.kind is Kind.CRYPTO_BOTS
    assert bots.recognised.missing == ("notifications", "trading_pairs", "market_data")
    assert platform.recognised.layout.kind is Kind.STOCK_PLATFORM
    assert "holdings" in platform.recognised.missing


def test_fills_of_the_exchange_alone_are_enough(tmp_path: Path) -> None:
    found = read_sqlite(write(tmp_path / "a.db", {"raw_trades": []}), None)

    assert found.recognised.layout.kind is Kind.CRYPTO_BOTS


def test_tables_of_somebody_else_are_named_and_left_alone(tmp_path: Path) -> None:
    found = read_sqlite(write(tmp_path / "a.db", {**crypto(order(1)), "recipes": [{"id": 1}]}), None)

    assert found.recognised.strange == ("recipes",)
    assert "recipes" not in found.counts


def test_an_unknown_layout_is_refused_with_the_tables_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", {"recipes": [], "cooks": []})

    assert refusal(path) == "no older system is known with these tables: cooks, recipes"


def test_many_tables_are_not_all_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", {f"table{number:02}": [] for number in range(20)})

    assert refusal(path).endswith("table11 and 8 more")


def test_a_layout_that_comes_near_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", {"transactions": []})
    with closing(sqlite3.connect(tmp_path / "b.db")) as connection:
        connection.execute("create table trades (id integer, product_id text, side text, size real, price real)")

    assert refusal(path).endswith("as a single-user stock platform: accounts is missing")
    assert refusal(tmp_path / "b.db").endswith("as a bot-centric crypto trader: trades lacks order_id, status")


def test_two_systems_in_one_database_are_refused(tmp_path: Path) -> None:
    assert "two older systems at once" in refusal(write(tmp_path / "a.db", {**crypto(order(1)), **stocks(execution(1))}))


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("this is not a database at all", encoding="utf-8")
    empty = tmp_path / "empty.db"
    empty.touch()

    assert refusal(text) == f"{text} is not a SQLite database"
    assert refusal(empty) == "no older system is known with these tables: it has no tables"
    assert refusal(tmp_path) == f"{tmp_path} is a folder, not a database"
    assert refusal(tmp_path / "absent.db") == f"{tmp_path / 'absent.db'} cannot be read: No such file or directory"


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.db", crypto(*(order(number, order_id=f"x{number}", filled_at="2024-03-01") for number in range(1, 400))))
    body = bytearray(path.read_bytes())
    body[5 * 4096 : 7 * 4096] = b"\xff" * 8192
    path.write_bytes(body)

    assert str(path) in refusal(path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////srv/old.db", "/srv/old.db"),
        ("sqlite:///relative.db", str(Path("relative.db").absolute())),
        ("sqlite+aiosqlite:////srv/old%20one.db?timeout=5", "/srv/old one.db"),
        ("/srv/old.db", "/srv/old.db"),
        ("postgres:///trader?host=/run/pg&port=5433", "postgresql /run/pg:5433/trader"),
        ("postgresql+psycopg2://someone:hidden@db.example:5433/trader", "postgresql db.example:5433/trader"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert address_of(url).shown == shown


@pytest.mark.parametrize("url", ["mysql://somewhere/trader", "sqlite://", ""])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(LegacyError, match=r"give a SQLite file or a postgresql:// address"):
        address_of(url)
