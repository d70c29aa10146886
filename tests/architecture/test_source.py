"""Sizes, names and exactness of the source. Each check is also shown a sample that it must find wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.architecture import checks
from tests.architecture.checks import ROOT, SERVICES, sources, tables_of

EXACT = ("portfolio", "execution")
MESSAGING = ROOT / "libs/common/src/quantmatrix/common/runtime/tables.py"


def test_there_is_source_to_look_at() -> None:
    assert len(sources()) > 150


@pytest.mark.parametrize(
    "check",
    [
        checks.too_long,
        checks.long_functions,
        checks.without_purpose,
        checks.empty_names,
        checks.sleeping_or_printing,
        checks.untyped_parameters,
    ],
)
def test_all_of_the_source(check: Callable[..., list[str]]) -> None:
    assert check(sources()) == []


@pytest.mark.parametrize("service", EXACT)
def test_no_float_comes_near_money(service: str) -> None:
    assert checks.floats(sources(ROOT / f"services/{service}/src/quantmatrix/{service}/domain")) == []


def test_values_have_no_door_for_floats() -> None:
    assert checks.floats([ROOT / "libs/common/src/quantmatrix/common/values.py"]) == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_names_its_own_tables_only(service: str) -> None:
    folder = ROOT / "services" / service
    own = tables_of(*(folder / "migrations").rglob("*.py"), *sources(folder / "src"), MESSAGING)

    assert checks.foreign_tables(sources(folder / "src"), own) == []


def test_common_names_the_tables_of_messaging_only() -> None:
    runtime = ROOT / "libs/common/src/quantmatrix/common/runtime"

    assert checks.foreign_tables(sources(runtime), tables_of(MESSAGING) | {"alembic_version"}) == []


BAD = {
    checks.too_long: "x = 1\n" * 401,
    checks.long_functions: "def one() -> None:\n" + "    x = 1\n" * 51,
    checks.without_purpose: "import os\n",
    checks.empty_names: "class OrderManager:\n    pass\n",
    checks.sleeping_or_printing: "import time\ntime.sleep(1)\n",
    checks.untyped_parameters: 'SQL = "insert into holding select $1 where $2 > 0"\n',
    checks.floats: "def price(x: float) -> None:\n    pass\n",
}


@pytest.mark.parametrize("check", list(BAD))
def test_each_check_finds_what_is_wrong(check: Callable[..., list[str]], tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(BAD[check], encoding="utf-8")

    assert len(check([sample])) == 1


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("select * from orders where 1 = 1", "orders"),
        ("select * from lot join execution.orders using (account_id)", "execution.orders"),
        ("update venue_order set filled = 1", "venue_order"),
        ("insert into notification values (1)", "notification"),
        ("with mine as (select 1 from lot) select * from mine join fact using (x)", "fact"),
    ],
)
def test_the_table_of_another_service_is_found(statement: str, found: str, tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(f'"""Doc."""\nSQL = """{statement}"""\n', encoding="utf-8")

    assert checks.foreign_tables([sample], {"lot"}) == [f"sample.py names {found}"]


def test_ones_own_tables_and_names_are_not(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(
        '"""Doc."""\nSQL = "with due as (select 1 from lot l) update lot set x = 1 from due, unnest($1) as n"\n', encoding="utf-8"
    )

    assert checks.foreign_tables([sample], {"lot"}) == []
