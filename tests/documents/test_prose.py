"""What the prose names exists: links, files, commands, make targets, settings, messages, metrics, alerts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantmatrix.common.contracts.catalog import BY_TYPE
from quantmatrix.operations.documents import all_documents
from quantmatrix.operations.documents.commands import commands_of_qm
from quantmatrix.operations.documents.dependencies import explained_tools
from quantmatrix.operations.documents.settings import variables

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "services").glob("*/README.md"), *(ROOT / "libs").glob("*/README.md"))
)
MADE_LATER = ("deploy/secrets",)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_QM = re.compile(r"(?<![\w./-])(?:\.venv/bin/)?qm ([a-z][a-z-]*(?: [a-z][a-z-]*)?)")


def everywhere() -> Iterator[tuple[Path, str]]:
    """What people wrote: every page that is not generated."""
    generated = {ROOT / path for path in all_documents()}
    for path in PAGES:
        if path not in generated:
            yield path, path.read_text(encoding="utf-8")


def blocks_and_code(text: str) -> str:
    """What stands in code: blocks and spans."""
    blocks = re.findall(r"```.*?\n(.*?)```", text, flags=re.DOTALL)
    return "\n".join([*blocks, *_CODE.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))])


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in _LINK.findall(path.read_text(encoding="utf-8")):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path

        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target


def test_files_that_prose_names_are_there() -> None:
    absent = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, text in everywhere()
        for name in re.findall(r"(?<![\w/])((?:libs|services|docs|deploy|tests)/[\w./-]*\w)", blocks_and_code(text))
        if not (ROOT / name).exists() and not (path.parent / name).exists() and not name.startswith(MADE_LATER)
    ]

    assert absent == []


def test_modules_that_prose_names_are_there() -> None:
    for path, text in everywhere():
        for name in re.findall(r"\bquantmatrix((?:\.[a-z_]+)+)", blocks_and_code(text)):
            parts = name.strip(".").split(".")
            homes = [home for home in (ROOT / "libs", ROOT / "services") if (home / parts[0]).exists()]

            assert homes, f"{path.name}: quantmatrix{name}"
            place = homes[0] / parts[0] / "src" / "quantmatrix" / Path(*parts)
            beside = [place, place.with_suffix(".py"), place.parent, place.parent.with_suffix(".py")]
            assert any(one.exists() for one in beside), f"{path.name}: quantmatrix{name}"


def test_commands_that_prose_names_are_commands_of_qm() -> None:
    known = commands_of_qm()
    for path, text in everywhere():
        for said in _QM.findall(blocks_and_code(text)):
            assert said in known or said.split(" ")[0] in known, f"{path.name}: qm {said}"
            group = [command for command in known if command.startswith(f"{said.split(' ')[0]} ")]
            if group and " " in said:
                assert said in group, f"{path.name}: qm {said}"


def test_make_targets_that_prose_names_are_there() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for path, text in everywhere():
        for target in re.findall(r"(?:^|(?<=\s)|(?<=&& ))make ([a-z-]+)", blocks_and_code(text), flags=re.MULTILINE):
            assert target in known, f"{path.name}: make {target}"


def test_settings_that_prose_names_are_settings() -> None:
    known = variables() | {"QM_POSTGRES_HOST", "QM_NAMESPACE"}
    for path, text in everywhere():
        for name in re.findall(r"\bQM_[A-Z0-9_]+\b", text):
            if name.endswith("_"):
                continue
            assert name in known, f"{path.name}: {name}"


def test_messages_that_prose_names_are_messages() -> None:
    """Names in code that look like an order's or lot's event."""
    pattern = re.compile(
        r"^(?:Order|Lot|Fill|Signal|Position|Notification|Message|Bars|Prices|Signals|Matched|Settled|Ledger)[A-Z][A-Za-z]+$"
    )
    alerts = set(re.findall(r"alert: (\w+)", (ROOT / "deploy" / "prometheus" / "rules.yaml").read_text(encoding="utf-8")))
    for path, text in everywhere():
        for name in _CODE.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            if pattern.match(name):
                assert name in BY_TYPE or name in alerts, f"{path.name}: {name}"


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        found = [target.partition("#")[0] for target in _LINK.findall(page.read_text(encoding="utf-8"))]
        waiting += [(page.parent / target).resolve() for target in found if target and not target.startswith("http")]

    assert sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md") if path not in reached) == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))

    assert numbers == list(range(1, len(numbers) + 1))


def test_every_tool_of_development_has_its_line() -> None:
    lines = [
        line for name in ("requirements-dev.in", "requirements-build.in") for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    ]
    named = {re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0].lower() for line in lines if line and not line.startswith("#")}

    assert named <= explained_tools()


def test_no_page_names_a_place_of_one_machine() -> None:
    for path, text in everywhere():
        assert not re.search(r"(?<![\w.])/(?:root|home|work|opt|Users)/", text), path.name
