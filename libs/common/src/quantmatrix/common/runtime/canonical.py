"""Rows in one canonical spelling, so that two ledgers can be compared by a digest."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from quantmatrix.common.values import plain


def spelled(value: object) -> str:
    """One value, the one way: decimals plain, instants in UTC, absence as a dash."""
    if value is None:
        return "-"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    text = str(value)
    return text if text.isprintable() and "\\" not in text else text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def digest_rows(tables: Mapping[str, Iterable[Any]]) -> str:
    """SHA-256 over tables of ordered rows: a line per row, its fields separated by tabs, each table under its name.

    A row is a sequence, a record with values(), or a line that is spelled already.
    """
    seen = hashlib.sha256()
    for name, rows in tables.items():
        seen.update(f"# {name}\n".encode())
        for row in rows:
            seen.update(((row if isinstance(row, str) else _line(row)) + "\n").encode())
    return seen.hexdigest()


def _line(row: Any) -> str:
    return "\t".join([spelled(value) for value in (row.values() if hasattr(row, "values") else row)])
