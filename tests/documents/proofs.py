"""Pages that name tests: which of them are there, and which rows of a table name none."""

import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TEST = re.compile(r"`([\w/.]+\.py::\w+)`")
OPEN = "not proved yet"
NOT_OURS = "| no |"


def absent(tests: Iterable[str]) -> list[str]:
    """The tests, named as pytest takes them, that are not there."""
    found = []
    for test in tests:
        path, _, name = test.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).exists() else ""
        if not re.search(rf"def {name}\(", text):
            found.append(test)
    return found


def named_on(page: str) -> list[str]:
    """The tests that a page names."""
    return sorted(set(_TEST.findall(page)))


def unproved(page: str) -> list[str]:
    """The rows of a page's tables that name no test, and neither say so nor that they do not concern us."""
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    heads = [line for line in rows if line.endswith("| shown by |")]
    return [row for row in rows if row not in heads and not _TEST.search(row) and OPEN not in row and NOT_OURS not in row]
