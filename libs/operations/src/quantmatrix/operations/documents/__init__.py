"""Documents made from the code: nobody writes them by hand, and a test notices when they are out of date."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from quantmatrix.operations.documents import asyncapi, dependencies, deployment, messages, openapi, questions, settings, streams

Documents = Mapping[Path, str]
"""Texts by their path below the checkout."""

_MAKERS: tuple[Callable[[], Documents], ...] = (
    messages.documents,
    questions.documents,
    streams.documents,
    settings.documents,
    asyncapi.documents,
    deployment.documents,
    dependencies.documents,
    openapi.documents,
)


@cache
def all_documents() -> Documents:
    """Every generated document as it should be; the code does not change while a process runs."""
    return {path: text for make in _MAKERS for path, text in make().items()}


def write_all(root: Path) -> list[Path]:
    """Write every document below a checkout; returns those that changed."""
    changed = drifted(root)
    texts = all_documents()
    for path in changed:
        whole = root / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(texts[path], encoding="utf-8")
    return changed


def drifted(root: Path) -> list[Path]:
    """The documents that are absent or say something else than the code."""
    return [path for path, text in all_documents().items() if not _says(root / path, text)]


def _says(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except FileNotFoundError:
        return False
