"""Which code runs: the digest of the sources that compute a backtest, and the revision of the checkout when there is one."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from quantmatrix.signals.backtest.run import code_digest


@dataclass(frozen=True, slots=True)
class Code:
    """revision: of git, where the program runs from a checkout; the files may differ from it, the digest never does."""

    digest: str
    revision: str | None


@cache
def code_at_work() -> Code:
    """The code of this process, read once."""
    return Code(code_digest(), revision_of(Path(__file__)))


def revision_of(path: Path) -> str | None:
    """The commit that is checked out where a file lies, read from git's own files; None where there is no checkout."""
    for folder in path.resolve().parents:
        head = folder / ".git" / "HEAD"
        if head.is_file():
            return _commit(head)
    return None


def _commit(head: Path) -> str | None:
    said = head.read_text(encoding="utf-8").strip()
    if not said.startswith("ref: "):
        return said or None
    name = said.removeprefix("ref: ")
    loose, packed = head.parent / name, head.parent / "packed-refs"
    if loose.is_file():
        return loose.read_text(encoding="utf-8").strip()
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)
