"""What can be read off the source: sizes, names, floats near money, tables of others. Each check returns what it found, in words."""

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("market", "signals", "execution", "portfolio", "notify", "gateway")
LIBRARIES = ("common", "operations")

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
BANNED_NAMES = {"utils", "util", "helper", "helpers", "manager", "base", "misc", "enhanced", "v2", "stuff"}

_SQL = re.compile(r"\b(select|insert into|update|delete from|with|create table|truncate|copy)\b", re.IGNORECASE)
_TABLE = re.compile(
    r"\b(?:from|join|into|update|references|truncate|using\s+only)\s+(?:only\s+)?([a-z_][a-z0-9_.]*)\s*(\(?)", re.IGNORECASE
)
_CREATED = re.compile(r"\bcreate table(?: if not exists)?\s+([a-z_]+)", re.IGNORECASE)
_DROPPED = re.compile(r"\bdrop table(?: if exists)?\s+([a-z_]+)", re.IGNORECASE)
_NAMED_HERE = re.compile(r"\b([a-z_]+)\s+as\s+(?:materialized\s+)?\(", re.IGNORECASE)
_NOT_TABLES = {
    "unnest", "lateral", "set", "generate_series", "select", "skip", "nowait", "pg_tables", "pg_roles", "pg_class", "pg_database",
    "information_schema", "of", "distinct", "clock_timestamp",
}  # fmt: skip


def sources(*roots: Path) -> list[Path]:
    """Every Python file below these folders; below all members' `src` when none is given."""
    chosen = roots or (*ROOT.glob("libs/*/src"), *ROOT.glob("services/*/src"), *ROOT.glob("services/*/migrations"))
    return sorted(path for root in chosen for path in root.rglob("*.py"))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def too_long(paths: Iterable[Path], lines_max: int = FILE_LINES_MAX) -> list[str]:
    """Files with more lines than a person reads in one sitting."""
    counted = ((path, len(path.read_text(encoding="utf-8").splitlines())) for path in paths)
    return [f"{shown(path)} has {lines} lines, at most {lines_max}" for path, lines in counted if lines > lines_max]


def long_functions(paths: Iterable[Path], lines_max: int = FUNCTION_LINES_MAX) -> list[str]:
    """Functions with more lines than fit on a screen."""
    found = []
    for path in paths:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > lines_max:
                    found.append(f"{shown(path)}:{node.lineno} {node.name} has {lines} lines, at most {lines_max}")
    return found


def without_purpose(paths: Iterable[Path]) -> list[str]:
    """Files that do not say at their top what they are for."""
    return [shown(path) for path in paths if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(_tree(path))]


def empty_names(paths: Iterable[Path]) -> list[str]:
    """Files, classes and functions whose name says nothing about their subject."""
    found = []
    for path in paths:
        named = [(path.stem, 1)]
        named += [
            (node.name, node.lineno)
            for node in ast.walk(_tree(path))
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        found += [f"{shown(path)}:{line} is called {name}" for name, line in named if set(_words(name)) & BANNED_NAMES]
    return found


def floats(paths: Iterable[Path]) -> list[str]:
    """Annotations, literals and calls of float."""
    found: list[str] = []
    for path in paths:
        found += [
            f"{shown(path)}:{node.lineno}"
            for node in ast.walk(_tree(path))
            if (isinstance(node, ast.Name) and node.id == "float") or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        ]
    return found


def sleeping_or_printing(paths: Iterable[Path]) -> list[str]:
    """Calls of print, and of time.sleep, that stand in the code. A marked one (noqa with its reason) was decided on."""
    found: list[str] = []
    for path in paths:
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [
            f"{shown(path)}:{node.lineno} calls {ast.unparse(node.func)}"
            for node in ast.walk(_tree(path))
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "time.sleep") and "noqa" not in lines[node.lineno - 1]
        ]
    return found


def untyped_parameters(paths: Iterable[Path]) -> list[str]:
    """Parameters of a statement that stand beside a whole number without a type: PostgreSQL takes them for integers, and the driver
    then cuts a fraction off without a word.
    """
    beside = re.compile(r"\$\d+ *(?:[<>=*/+-]|<=|>=|<>) *\d|(?<![\w$.])\d+ *(?:[<>=*/+-]|<=|>=|<>) *\$\d+(?!\d*::)")
    return [
        f"{shown(path)}:{number} takes {match.group()} for a whole number"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in beside.finditer(line)
    ]


def tables_of(*paths: Path) -> set[str]:
    """The tables that these files create and do not drop."""
    written = [text for path in paths for text in texts(path)]
    return {name for text in written for name in _CREATED.findall(text)} - {name for text in written for name in _DROPPED.findall(text)}


def foreign_tables(paths: Iterable[Path], own: set[str]) -> list[str]:
    """Tables named in SQL that are not one's own, and schemas named at all: another service's are reached by asking it."""
    found = []
    for path in paths:
        written = [text for text in texts(path) if _SQL.search(text)]
        here = {name.lower() for text in written for name in _NAMED_HERE.findall(text)}
        for text in written:
            for name, call in _TABLE.findall(text):
                if call or name.lower() in own | here | _NOT_TABLES | set(_aliases(text)):
                    continue
                found.append(f"{shown(path)} names {name}")
    return sorted(set(found))


@cache
def texts(path: Path) -> list[str]:
    """Every string of a file that is not a docstring, formatted ones with gaps for what is put in."""
    tree = _tree(path)
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
    ]


def _aliases(text: str) -> list[str]:
    """Names that a statement gives itself: `from bar b`, `) as latest`, `update lot l`."""
    return [alias.lower() for alias in re.findall(r"\b(?:as\s+|[a-z_]+\s+)([a-z]{1,2})\b", text, re.IGNORECASE)]


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
