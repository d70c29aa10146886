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
    """SHA-256 over tables of ordered rows (sequences, or records with values()): a line per row, its fields separated by tabs, each table under its name."""
    seen = hashlib.sha256()
    for name, rows in tables.items():
        seen.update(f"# {name}\n".encode())
        for row in rows:
            values = row.values() if hasattr(row, "values") else row
            seen.update(("\t".join(spelled(value) for value in values) + "\n").encode())
    return seen.hexdigest()
