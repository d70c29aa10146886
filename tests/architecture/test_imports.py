"""Import directions, as `.importlinter` has them: they hold, and each would be noticed if it did not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.architecture import declared
from tests.architecture.checks import ROOT

LINTER = Path(sys.executable).with_name("lint-imports")
TIMEOUT_S = 120


def lint(*, beside: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Check the contracts; `beside` is a folder that is searched for parts of the namespace too."""
    path = {"PYTHONPATH": str(beside)} if beside else {}
    return subprocess.run(
        [str(LINTER), "--config", str(ROOT / ".importlinter"), "--no-cache", "--no-logo"],
        cwd=ROOT,
        env={**os.environ, **path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_every_import_goes_the_right_way() -> None:
    done = lint()

    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("market/sample.py", "from quantmatrix.signals import ports", "No service imports another"),
        ("common/sample.py", "from quantmatrix.notify import ports", "Common knows no service"),
        ("portfolio/sample.py", "from quantmatrix.operations import places", "No service knows the supervisor"),
        ("common/contracts/sample.py", "from quantmatrix.common.runtime import page", "Values, then contracts"),
        ("portfolio/domain/sample.py", "from quantmatrix.portfolio import store", "The rooms of a service"),
        ("execution/domain/sample.py", "import asyncpg", "A domain takes values"),
        ("market/domain/sample.py", "import time", "A domain takes values"),
        ("common/contracts/sample.py", "import asyncpg", "Contracts and values know neither"),
        ("execution/sample.py", "from quantmatrix.execution.brokers import paper", "Venues are reached through the slot"),
        ("common/runtime/sample.py", "from quantmatrix.common.testing import clock", "Nothing that runs imports a test double"),
    ],
)
def test_a_wrong_import_is_noticed(module: str, line: str, contract: str, tmp_path: Path) -> None:
    sample = tmp_path / "quantmatrix" / module
    sample.parent.mkdir(parents=True)
    sample.write_text(f"{line}\n", encoding="utf-8")

    done = lint(beside=tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    verdict = re.search(re.escape(contract) + r".*?(KEPT|BROKEN)", " ".join(done.stdout.split()))
    assert verdict is not None and verdict[1] == "BROKEN", done.stdout


@pytest.mark.parametrize("member", declared.members(), ids=lambda path: path.name)
def test_what_is_imported_is_declared_and_what_is_declared_is_used(member: Path) -> None:
    assert declared.faults_of(member) == []


def test_an_undeclared_and_an_unused_package_are_found(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "sample.py").write_text("import asyncpg\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "sample"\nversion = "1"\ndependencies = ["httpx"]\n', encoding="utf-8")

    found = "\n".join(declared.faults_of(tmp_path))

    assert "DEP002 'httpx'" in found
    assert "'asyncpg'" in found
