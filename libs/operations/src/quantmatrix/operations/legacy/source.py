"""An older database as it is read: one consistent look at it, strictly read-only, with a backup taken in the same look."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from quantmatrix.operations.legacy.cells import Cells, LegacyError, RowRef
from quantmatrix.operations.legacy.layout import SECRET_COLUMNS, Recognised

ROWS_MAX = 2_000_000
_SCHEME = re.compile(r"([a-z][a-z0-9]*)(\+[a-z0-9]+)?:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One row and its place."""

    ref: RowRef
    cells: Cells


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was read: rows of the tables that are taken over, counts of those that are only kept."""

    recognised: Recognised
    rows: Mapping[str, tuple[Row, ...]]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the older database is. shown: without user and password, for people and reports."""

    is_postgres: bool
    target: str
    shown: str


def address_of(url: str) -> Address:
    """Understand a path, `sqlite:///path` or `postgresql://…`, with or without a driver's name. Raises LegacyError for others."""
    scheme = _SCHEME.match(url)
    if scheme is None or len(scheme[1]) == 1:
        return _file(url)
    match scheme[1].lower():
        case "sqlite" | "file":
            path = url[scheme.end() :]
            return _file(unquote(path[3:] if path.startswith("///") else path.removeprefix("//")))
        case "postgresql" | "postgres":
            parts = urlsplit(url)
            named = dict(parse_qsl(parts.query))
            port = parts.port or named.get("port")
            where = f"{parts.hostname or named.get('host', 'local')}{f':{port}' if port else ''}{parts.path}"
            return Address(True, f"postgresql:{url[scheme.end() :]}", f"postgresql {where}")
        case other:
            raise LegacyError(f"databases of the kind {other} are not read: give a SQLite file or a postgresql:// address")


def _file(path: str) -> Address:
    name = path.partition("?")[0]
    if not name:
        raise LegacyError("no database is named: give a SQLite file or a postgresql:// address")
    return Address(False, str(Path(name).absolute()), str(Path(name).absolute()))


def rows_of(table: str, found: list[dict[str, object]]) -> tuple[Row, ...]:
    """Rows with their places: the id where there is one, else the exchange's id, else the number of the row; a repetition is numbered."""
    made = []
    seen: Counter[str] = Counter()
    for number, cells in enumerate(found, 1):
        key = str(next((cells[column] for column in ("id", "fill_id") if cells.get(column) is not None), f"#{number}"))
        seen[key] += 1
        ref = RowRef(table, key if seen[key] == 1 else f"{key}#{seen[key]}")
        made.append(Row(ref, {name: value for name, value in cells.items() if name not in SECRET_COLUMNS}))
    return tuple(made)


def json_line(table: str, cells: Cells) -> str:
    """A row of a dump, without secrets."""
    shown = {name: _plain(value) for name, value in cells.items() if name not in SECRET_COLUMNS}
    return json.dumps({"table": table, "row": shown}, ensure_ascii=False, sort_keys=True)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def too_many(table: str, count: int) -> LegacyError:
    return LegacyError(f"the table {table} has {count} rows, at most {ROWS_MAX} are read at once")
