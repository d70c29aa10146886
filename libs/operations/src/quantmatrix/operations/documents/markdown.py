"""Small pieces of Markdown that the generated documents are made of."""

from collections.abc import Iterable, Sequence

GENERATED = "This page is made from the code by `make docs`; a test fails when it is out of date. Do not edit it."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold anything that fits a line."""
    lines = [_row(head), "|" + "---|" * len(head)]
    lines += [_row(row) for row in rows]
    return "\n".join(lines)


def code(text: str) -> str:
    """Text as code, empty for nothing."""
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    return ", ".join(code(text) for text in texts)


def page(title: str, introduction: str, *parts: str) -> str:
    """A whole page with its heading and the note on where it comes from."""
    return "\n\n".join([f"# {title}", introduction, GENERATED, *[part for part in parts if part]]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in cells) + " |"
