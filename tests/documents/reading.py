"""Reading a generated JSON document: its references, and what they lead to."""

from collections.abc import Iterator
from typing import Any


def references(node: Any) -> Iterator[str]:
    """Every `$ref` below a node."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(whole: dict[str, Any], reference: str) -> Any:
    """What a reference leads to. Raises KeyError when it leads nowhere."""
    found: Any = whole
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def dangling(whole: dict[str, Any]) -> list[str]:
    """The references of a document that lead nowhere."""
    return sorted(one for one in set(references(whole)) if not _leads(whole, one))


def _leads(whole: dict[str, Any], reference: str) -> bool:
    try:
        return resolve(whole, reference) is not None
    except KeyError:
        return False
