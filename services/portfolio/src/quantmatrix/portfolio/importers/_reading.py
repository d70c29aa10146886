"""From bytes to rows and from cells to values: what every importer of a text file needs, and what it refuses.

Messages name lines and columns, never what stands in a cell: a statement is full of personal data.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from quantmatrix.common.values import FRACTION_DIGITS_MAX, INTEGER_DIGITS_MAX, Money, NotExactError, Price, Quantity, round_half_even
from quantmatrix.portfolio.domain.statements import Place
from quantmatrix.portfolio.ports import StatementError

ROWS_MAX = 500_000
CELL_CHARACTERS_MAX = 16_384
EXCHANGE_ZONE = "America/New_York"

_NUMBER = re.compile(r"[+-]?(?=\.?\d)(\d{1,3}(,\d{3})+|\d{1,18})?(\.\d{1,40})?([eE][+-]?\d{1,2})?", re.ASCII)
_DIGITS = str.maketrans("123456789", "000000000")
_SHAPES = {"%Y": "0000", "%f": "0{1,6}", "%b": "[a-z]+", "%B": "[a-z]+", "%p": "[a-z]+", "%z": ".+", "%Z": ".*"} | dict.fromkeys(
    ("%m", "%d", "%y", "%H", "%I", "%M", "%S"), " ?00?"
)
_ABSENT = {"", "-", "--", "N/A"}
_BETWEEN = "\x1f"
_FORMULA = re.compile(r"[=@\t\r]|[+-]\s*[A-Za-z_]+\s*[(|!]")
_FORMULA_IN = re.compile(rf"{_BETWEEN}(?:{_FORMULA.pattern})")


class UnreadableCellError(ValueError):
    """A cell does not hold what its column promises."""

    def __init__(self, column: str, expected: str) -> None:
        super().__init__(f"column {column}: expected {expected}")
        self.line: int | None = None


def text_of(body: bytes) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises StatementError for anything else."""
    if not body.strip():
        raise StatementError("the file is empty")
    if b"\x00" in body:
        raise StatementError("the file is binary, or text in another encoding than UTF-8", line=_line_of(body, body.index(b"\x00")))
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StatementError("the text is not in UTF-8", line=_line_of(body, error.start)) from error


def _line_of(body: bytes, position: int) -> int:
    return body.count(b"\n", 0, position) + 1


def rows_of(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV text with the line each begins on; empty lines are left out. Raises StatementError at the first bad one."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    count = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise StatementError(f"not readable as CSV, as if cut off or edited ({error})", line=line) from error
        if any(cells):
            count += 1
            if count > ROWS_MAX:
                raise StatementError(f"more than {ROWS_MAX} rows", line=line)
            refuse_hostile(cells, line)
            yield line, cells
        line = reader.line_num + 1


def table_of(body: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header of a file that is one table, and its rows with their lines. Raises StatementError when there is none."""
    rows = list(rows_of(text_of(body)))
    if not rows:
        raise StatementError("there is no row in it")
    return rows[0][1], rows[1:]


def refuse_hostile(cells: Sequence[str], line: int) -> None:
    """Raise StatementError for a cell that a spreadsheet would run as a formula, or that is far too long."""
    together = _BETWEEN + _BETWEEN.join(cells)
    if len(together) <= CELL_CHARACTERS_MAX and not _FORMULA_IN.search(together):
        return
    for cell in cells:
        if len(cell) > CELL_CHARACTERS_MAX:
            raise StatementError(f"a cell has more than {CELL_CHARACTERS_MAX} characters", line=line)
        if cell and cell[0] in "=@\t\r+-" and _FORMULA.match(cell):
            raise StatementError("a cell holds a formula; brokers do not write formulas", line=line)


def decimal_of(text: str, column: str) -> Decimal | None:
    """A number as brokers print it: thousands commas only where they belong, `-`, `--` and nothing for absent.

    Rounded to the 12 digits of the ledger. Raises UnreadableCellError for NaN, infinity, too many digits and misplaced commas.
    """
    stripped = text.strip()
    if stripped in _ABSENT:
        return None
    value = _number(stripped)
    if isinstance(value, str):
        raise UnreadableCellError(column, value)
    return value


@lru_cache(maxsize=10_000)
def _number(text: str) -> Decimal | str:
    """What a text of digits says, or what was expected instead. The same figures stand in a file again and again."""
    if not _NUMBER.fullmatch(text):
        return "a number"
    value = Decimal(text.replace(",", ""))
    exponent = value.as_tuple().exponent
    if value and value.adjusted() >= INTEGER_DIGITS_MAX:
        return "a number below 10^18"
    return round_half_even(value) if isinstance(exponent, int) and exponent < -FRACTION_DIGITS_MAX else value


@lru_cache(maxsize=8)
def zone(name: str) -> ZoneInfo:
    """A time zone by its name in the tz database."""
    return ZoneInfo(name)


def day_of(text: str, column: str, *patterns: str) -> date:
    """A date in one of these patterns, by default year-month-day in full or run together."""
    return moment_of(text, column, *(patterns or ("%Y-%m-%d", "%Y%m%d"))).date()


def moment_of(text: str, column: str, *patterns: str) -> datetime:
    """A point in time in one of these patterns; where the pattern has no zone it is one of UTC that stands for no zone."""
    stripped = text.strip()
    for pattern in _possible(stripped.translate(_DIGITS), patterns) if text.isascii() else ():
        try:
            found = datetime.strptime(stripped, pattern)  # noqa: DTZ007 - the zone is set on the next line, or by the caller
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    raise UnreadableCellError(column, "a date")


@lru_cache(maxsize=1_000)
def _possible(shape: str, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns that a text can be written in, by its shape: every digit stands as 0. Trying the others would be slow."""
    return tuple(pattern for pattern in patterns if _shapes_of(pattern).fullmatch(shape))


@lru_cache(maxsize=100)
def _shapes_of(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(%.|\s+)", pattern)
    return re.compile("".join(_SHAPES.get(part) or (r"\s+" if part.isspace() else re.escape(part)) for part in parts), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One row under its header. Columns are looked up by name; of two with the same name the first counts."""

    place: Place
    columns: Mapping[str, int]
    cells: Sequence[str]

    def has(self, column: str) -> bool:
        return column in self.columns

    def text(self, column: str) -> str:
        """What stands there, without blanks around it; empty where the row has no such column."""
        index = self.columns.get(column)
        return self.cells[index].strip() if index is not None and index < len(self.cells) else ""

    def needed(self, column: str) -> str:
        text = self.text(column)
        if text in _ABSENT:
            raise UnreadableCellError(column, "something")
        return text

    def decimal(self, column: str) -> Decimal | None:
        try:
            return decimal_of(self.text(column), column)
        except UnreadableCellError as error:
            error.line = self.place.line
            raise

    def needed_decimal(self, column: str) -> Decimal:
        found = self.decimal(column)
        if found is None:
            raise UnreadableCellError(column, "a number")
        return found

    def money(self, column: str, currency: str) -> Money | None:
        found = self.decimal(column)
        return None if found is None else money(found, currency, column)

    def needed_money(self, column: str, currency: str) -> Money:
        return money(self.needed_decimal(column), currency, column)

    def quantity(self, column: str) -> Quantity | None:
        found = self.decimal(column)
        return None if found is None else Quantity(found)

    def price(self, column: str) -> Price | None:
        found = self.decimal(column)
        return None if found is None else Price(found)


def money(amount: Decimal, currency: str, column: str) -> Money:
    """An amount; raises UnreadableCellError for a word that is no currency."""
    try:
        return Money.rounding(amount, currency)
    except NotExactError as error:
        raise UnreadableCellError(column, "an amount in a currency") from error


def columns_of(names: Sequence[str], offset: int = 0) -> dict[str, int]:
    """Where each named column stands; nameless ones and repetitions are left out."""
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        if name.strip():
            found.setdefault(name.strip(), index + offset)
    return found
