"""Reading an older SQLite database: opened read-only, checked, backed up by SQLite's own online backup."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from quantmatrix.operations.legacy.cells import LegacyError
from quantmatrix.operations.legacy.layout import SECRET_COLUMNS, recognise
from quantmatrix.operations.legacy.source import ROWS_MAX, Snapshot, rows_of, too_many

MAGIC = b"SQLite format 3\x00"
BUSY_TIMEOUT_S = 5.0
_WRITE_VERSION_AT = 18
_WAL = 2


def read_sqlite(path: Path, backup: Path | None) -> Snapshot:
    """Everything that is taken over, and a backup of the whole file where one is wanted.

    Nothing is written to the source or beside it. Raises LegacyError when it is no database, damaged, in use by a
    writer for too long, or of no known system; the backup is then not made.
    """
    with _opened(path) as source:
        tables = {name: frozenset(_columns(source, name)) for name in _names(source)}
        recognised = recognise(tables)
        counts = {name: _count(source, name) for name in (*recognised.read, *recognised.kept)}
        rows = {}
        for name in recognised.read:
            if counts[name] > ROWS_MAX:
                raise too_many(name, counts[name])
            cursor = source.execute(f"select * from {_quoted(name)} order by rowid")
            rows[name] = rows_of(name, [dict(row) for row in cursor])
        if backup is not None:
            _back_up(source, backup, tables)
        return Snapshot(recognised, rows, counts)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if path.is_dir():
        raise LegacyError(f"{path} is a folder, not a database")
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise LegacyError(f"{path} cannot be read: {error.strerror}") from error
    if head and not head.startswith(MAGIC):
        raise LegacyError(f"{path} is not a SQLite database")
    try:
        with closing(sqlite3.connect(_uri(path, head), uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as source:
            source.row_factory = sqlite3.Row
            source.text_factory = lambda raw: raw.decode("utf-8", "replace")
            source.execute("pragma query_only = on")
            source.execute("begin")
            verdict = source.execute("pragma quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise LegacyError(f"{path} is damaged: {str(verdict).splitlines()[0]}")
            yield source
    except sqlite3.Error as error:
        raise LegacyError(f"{path} cannot be read as a SQLite database: {error}") from error


def _uri(path: Path, head: bytes) -> str:
    """Read-only. A database with a write-ahead log that nobody has open is read as it lies, or files would appear beside it."""
    nobody_writes = head[_WRITE_VERSION_AT : _WRITE_VERSION_AT + 1] == bytes([_WAL]) and not Path(f"{path}-wal").exists()
    return f"file:{quote(str(path))}?mode=ro" + ("&immutable=1" if nobody_writes else "")


def _names(source: sqlite3.Connection) -> list[str]:
    found = source.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite~_%' escape '~' order by name")
    return [row["name"] for row in found]


def _columns(source: sqlite3.Connection, table: str) -> list[str]:
    return [row["name"] for row in source.execute(f"pragma table_info({_quoted(table)})")]


def _count(source: sqlite3.Connection, table: str) -> int:
    return int(source.execute(f"select count(*) from {_quoted(table)}").fetchone()[0])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _back_up(source: sqlite3.Connection, backup: Path, tables: dict[str, frozenset[str]]) -> None:
    """Copy the whole database, then empty the columns that hold secrets and rewrite the file, so that nothing of them stays."""
    with closing(sqlite3.connect(backup, isolation_level=None)) as copy:
        backup.chmod(0o600)
        source.backup(copy)
        copy.execute("pragma journal_mode = delete")
        for table, columns in tables.items():
            for column in sorted(columns & SECRET_COLUMNS):
                copy.execute(f"update {_quoted(table)} set {_quoted(column)} = ''")
        if any(columns & SECRET_COLUMNS for columns in tables.values()):
            copy.execute("vacuum")
