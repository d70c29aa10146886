"""Every service has the same rooms; who knows one knows all."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest
from tests.architecture.checks import LIBRARIES, ROOT, SERVICES, tables_of

from quantmatrix.common.contracts.catalog import BY_TYPE
from quantmatrix.common.runtime.revisions import known_revisions
from quantmatrix.common.runtime.settings import ServiceSettings
from quantmatrix.common.runtime.slot import load, names_in
from quantmatrix.operations.documents.sources import face_of

SLOTS = {
    "market": ("feeds", "make"),
    "signals": ("strategies", "STRATEGY"),
    "execution": ("brokers", "make"),
    "portfolio": ("importers", "IMPORTER"),
    "notify": ("channels", "make"),
}
ROOMS = ("__main__.py", "app.py", "bus.py", "handlers.py", "settings.py", "store.py")
PORTS = ("ports.py", "testing.py")
MAIN_LINES_MAX = 10


def room(service: str) -> Path:
    return ROOT / "services" / service / "src" / "quantmatrix" / service


@pytest.mark.parametrize("service", SERVICES)
def test_the_rooms_are_there(service: str) -> None:
    wanted = ROOMS + (PORTS if service in SLOTS else ())

    assert [name for name in wanted if not (room(service) / name).exists()] == []
    assert (room(service) / "domain").is_dir()
    assert (room(service) / "py.typed").exists()


@pytest.mark.parametrize("service", SERVICES)
def test_the_way_in_is_a_few_lines(service: str) -> None:
    lines = (room(service) / "__main__.py").read_text(encoding="utf-8").splitlines()

    assert len([line for line in lines if line.strip()]) <= MAIN_LINES_MAX


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_imports_app_but_the_way_in(service: str) -> None:
    wanted = f"quantmatrix.{service}.app"
    found = [
        path.name
        for path in room(service).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == wanted
    ]

    assert found == ["__main__.py"]


@pytest.mark.parametrize("member", [*(f"services/{name}" for name in SERVICES), *(f"libs/{name}" for name in LIBRARIES)])
def test_every_member_says_what_it_is_and_is_tested(member: str) -> None:
    folder = ROOT / member
    declared = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert len((folder / "README.md").read_text(encoding="utf-8").splitlines()) >= 5
    assert declared["description"] and declared["license"] == "Apache-2.0"
    assert declared["requires-python"] == ">=3.11"
    assert list((folder / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_readme_tells_what_is_heard_said_owned_and_set(service: str) -> None:
    text = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8").lower()

    for word in ("hears", "says", "owns", "set by", "fails"):
        assert word in text, f"the README of {service} does not say what it {word}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_migrations_in_an_unbroken_row(service: str) -> None:
    revisions = known_revisions(service)

    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_has_words_and_the_right_prefix(service: str) -> None:
    module = importlib.import_module(f"quantmatrix.{service}.settings")
    (found,) = (
        one for one in vars(module).values() if isinstance(one, type) and issubclass(one, ServiceSettings) and service == one.SERVICE
    )

    assert [name for name, field in found.model_fields.items() if not field.description] == []
    assert all(not field.is_required() for field in found.model_fields.values())


@pytest.mark.parametrize("service", sorted(SLOTS))
def test_what_lies_in_a_slot_is_an_extension(service: str) -> None:
    slot, name = SLOTS[service]
    package = importlib.import_module(f"quantmatrix.{service}.{slot}")

    assert package.__doc__
    for extension in names_in(package):
        assert hasattr(load(package, extension), name), f"{service}/{slot}/{extension} has no {name}"


@pytest.mark.parametrize("service", sorted(SLOTS))
def test_every_port_has_a_double_and_a_contract(service: str) -> None:
    testing = importlib.import_module(f"quantmatrix.{service}.testing")

    assert [name for name in vars(testing) if name.endswith("Contract")]


@pytest.mark.parametrize("service", sorted(SLOTS))
def test_a_readme_names_every_message_that_is_handled_or_said(service: str) -> None:
    text = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8")
    handled = face_of(service).hears
    source = "".join(path.read_text(encoding="utf-8") for path in room(service).rglob("*.py"))
    said = [name for name, message in BY_TYPE.items() if service == message.OWNER and re.search(rf"\b{name}\b", source)]

    assert handled and said
    assert [name for name in (*handled, *said) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("service", sorted(SLOTS))
def test_a_readme_names_every_table(service: str) -> None:
    text = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8")
    tables = tables_of(*(ROOT / "services" / service / "migrations").rglob("*.py"))

    assert tables and [name for name in sorted(tables) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("service", sorted(SLOTS))
def test_the_files_a_readme_leads_to_are_there(service: str) -> None:
    folder = ROOT / "services" / service
    links = re.findall(r"\]\(([^)#]+)\)", (folder / "README.md").read_text(encoding="utf-8"))

    assert links and [link for link in links if not (folder / link).resolve().exists()] == []
